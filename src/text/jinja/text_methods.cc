#include "text/jinja/text_methods.h"

#include <algorithm>
#include <limits>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

// True when `chars` holds the character of `text` at [begin, end).
bool Holds(std::string_view chars, std::string_view text, std::size_t begin, std::size_t end) {
  return chars.find(text.substr(begin, end - begin)) != std::string_view::npos;
}

std::vector<Value> SplitSpaceLeft(const Value& text, Int most) {
  const std::string_view bytes = text.bytes();
  std::vector<Value> parts;
  std::size_t at = TrimSpace(bytes, true, false).begin;
  while (at < bytes.size()) {
    if (most >= 0 && static_cast<Int>(parts.size()) == most) {
      parts.push_back(Part(text, at, bytes.size()));
      break;
    }
    std::size_t end = at;
    while (end < bytes.size()) {
      const Utf8Char c = DecodeUtf8(bytes.substr(end));
      if (IsSpace(c.code_point)) {
        break;
      }
      end += c.length;
    }
    parts.push_back(Part(text, at, end));
    at = end + TrimSpace(bytes.substr(end), true, false).begin;
  }
  return parts;
}

std::vector<Value> SplitSpaceRight(const Value& text, Int most) {
  const std::string_view bytes = text.bytes();
  std::vector<Value> parts;
  std::size_t end = TrimSpace(bytes, false, true).end;
  while (end > 0) {
    if (most >= 0 && static_cast<Int>(parts.size()) == most) {
      parts.push_back(Part(text, 0, end));
      break;
    }
    std::size_t begin = end;
    while (begin > 0) {
      const std::size_t before = PreviousCharacter(bytes, begin);
      if (IsSpace(DecodeUtf8(bytes.substr(before)).code_point)) {
        break;
      }
      begin = before;
    }
    parts.push_back(Part(text, begin, end));
    end = TrimSpace(bytes.substr(0, begin), false, true).end;
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<Value> SplitAt(const Value& text, std::string_view separator, Int most) {
  const std::string_view bytes = text.bytes();
  std::vector<Value> parts;
  std::size_t at = 0;
  while (most < 0 || static_cast<Int>(parts.size()) < most) {
    const std::size_t found = bytes.find(separator, at);
    if (found == std::string_view::npos) {
      break;
    }
    parts.push_back(Part(text, at, found));
    at = found + separator.size();
  }
  parts.push_back(Part(text, at, bytes.size()));
  return parts;
}

std::vector<Value> SplitAtRight(const Value& text, std::string_view separator, Int most) {
  const std::string_view bytes = text.bytes();
  std::vector<Value> parts;
  std::size_t end = bytes.size();
  while ((most < 0 || static_cast<Int>(parts.size()) < most) && end >= separator.size()) {
    const std::size_t found = bytes.rfind(separator, end - separator.size());
    if (found == std::string_view::npos) {
      break;
    }
    parts.push_back(Part(text, found + separator.size(), end));
    end = found;
  }
  parts.push_back(Part(text, 0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

// Unicode's Final_Sigma: a cased letter before, none after.
bool IsFinalSigma(std::string_view bytes, std::size_t at, std::size_t length) {
  bool before = false;
  for (std::size_t end = at; end > 0 && !before;) {
    end = PreviousCharacter(bytes, end);
    const char32_t c = DecodeUtf8(bytes.substr(end)).code_point;
    if (IsCased(c)) {
      before = true;
    } else if (IsWord(c) || IsSpace(c)) {
      break;
    }
  }
  if (!before || at + length >= bytes.size()) {
    return before;
  }
  return !IsCased(DecodeUtf8(bytes.substr(at + length)).code_point);
}

// Whether the character after `c` begins a word.
bool StartsWordAfter(CaseChange change, char32_t c) {
  if (change == CaseChange::kWords) {
    return IsSpace(c) || std::u32string_view(U"-({[<").find(c) != std::u32string_view::npos;
  }
  return change == CaseChange::kTitle && !IsCased(c);
}

void AppendCased(CaseChange change, std::string_view bytes, std::size_t at, const Utf8Char& c,
                 bool starts_word, std::string& out) {
  const bool lower = change == CaseChange::kLower ||
                     (change == CaseChange::kSwap && !IsLower(c.code_point)) ||
                     ((change == CaseChange::kTitle || change == CaseChange::kWords ||
                       change == CaseChange::kCapitalize) &&
                      !starts_word);
  if (lower && c.code_point == 0x3A3) {
    out += IsFinalSigma(bytes, at, c.length) ? "\u03C2" : "\u03C3";
  } else if (lower) {
    AppendLower(c.code_point, out);
  } else if (change == CaseChange::kFold) {
    AppendFolded(c.code_point, out);
  } else if (change == CaseChange::kTitle || change == CaseChange::kCapitalize) {
    AppendTitle(c.code_point, out);
  } else {
    AppendUpper(c.code_point, out);
  }
}

Outcome<Value> Finish(Runtime& runtime, MarkedText text, bool markup) {
  TANDEM_ASSIGN_OR_RETURN(const Value value, runtime.Text(std::move(text)));
  return value.WithMarkup(markup);
}

// Where `old_text` may be replaced next: its next occurrence, or for an empty one every border
// between characters.
std::size_t NextMatch(std::string_view bytes, std::string_view old_text, std::size_t from) {
  return old_text.empty() ? from : bytes.find(old_text, from);
}

}  // namespace

Value Part(const Value& text, std::size_t begin, std::size_t end) {
  return Value::String(text.text().text.Substr(begin, end)).WithMarkup(text.markup());
}

Outcome<Value> Strip(Runtime& runtime, const Value& text, const Value& chars, bool left,
                     bool right) {
  const std::string_view bytes = text.bytes();
  Trimmed rest{0, bytes.size()};
  if (chars.missing() || chars.none()) {
    rest = TrimSpace(bytes, left, right);
  } else if (!chars.string()) {
    return TypeError("strip arg must be None or str");
  } else {
    while (left && rest.begin < rest.end) {
      const std::size_t next = SkipCharacters(bytes, rest.begin, 1);
      if (!Holds(chars.bytes(), bytes, rest.begin, next)) {
        break;
      }
      rest.begin = next;
    }
    while (right && rest.end > rest.begin) {
      const std::size_t before = PreviousCharacter(bytes, rest.end);
      if (!Holds(chars.bytes(), bytes, before, rest.end)) {
        break;
      }
      rest.end = before;
    }
  }
  if (rest.begin == 0 && rest.end == bytes.size()) {
    return text;
  }
  return Finish(runtime, text.text().text.Substr(rest.begin, rest.end), text.markup());
}

Outcome<Value> Replace(Runtime& runtime, const Value& text, const Value& old_text,
                       const Value& new_text, Int count) {
  const MarkedText& source = text.text().text;
  const std::string_view bytes = source.bytes();
  const std::string_view wanted = old_text.bytes();
  MarkedText out;
  std::size_t copied = 0;
  std::size_t from = 0;
  while (count != 0 && from <= bytes.size()) {
    const std::size_t found = NextMatch(bytes, wanted, from);
    if (found == std::string_view::npos) {
      break;
    }
    out.AppendRange(source, copied, found);
    out.Append(new_text.text().text);
    TANDEM_RETURN_IF_ERROR(runtime.CheckSize(out.size()));
    copied = found + wanted.size();
    from = wanted.empty() ? (found < bytes.size() ? SkipCharacters(bytes, found, 1) : found + 1)
                          : copied;
    --count;
  }
  out.AppendRange(source, copied, bytes.size());
  return Finish(runtime, std::move(out), text.markup());
}

Outcome<std::vector<Value>> Split(Runtime& runtime, const Value& text, const Value& separator,
                                  Int most, bool from_right) {
  TANDEM_RETURN_IF_ERROR(runtime.Charge(text.weight()));
  std::vector<Value> parts;
  if (separator.missing() || separator.none()) {
    parts = from_right ? SplitSpaceRight(text, most) : SplitSpaceLeft(text, most);
  } else if (!separator.string()) {
    return TypeError(Format("must be str or None, not {}", separator.TypeName()));
  } else if (separator.bytes().empty()) {
    return ValueError("empty separator");
  } else {
    parts = from_right ? SplitAtRight(text, separator.bytes(), most)
                       : SplitAt(text, separator.bytes(), most);
  }
  TANDEM_RETURN_IF_ERROR(runtime.Charge(parts.size()));
  return parts;
}

Outcome<std::vector<Value>> SplitLines(Runtime& runtime, const Value& text, bool keep_ends) {
  TANDEM_RETURN_IF_ERROR(runtime.Charge(text.weight()));
  const std::string_view bytes = text.bytes();
  std::vector<Value> lines;
  std::size_t begin = 0;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const Utf8Char c = DecodeUtf8(bytes.substr(at));
    if (!IsLineBreak(c.code_point)) {
      at += c.length;
      continue;
    }
    const std::size_t end = at;
    at += c.length;
    if (c.code_point == '\r' && at < bytes.size() && bytes[at] == '\n') {
      ++at;
    }
    lines.push_back(Part(text, begin, keep_ends ? at : end));
    begin = at;
  }
  if (begin < bytes.size()) {
    lines.push_back(Part(text, begin, bytes.size()));
  }
  TANDEM_RETURN_IF_ERROR(runtime.Charge(lines.size()));
  return lines;
}

Outcome<Value> Join(Runtime& runtime, const Value& separator, const std::vector<Value>& parts) {
  const bool markup = separator.markup();
  MarkedText out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].string()) {
      return TypeError(
          Format("sequence item {}: expected str instance, {} found", i, parts[i].TypeName()));
    }
    if (i > 0) {
      out.Append(separator.text().text);
    }
    if (markup && !parts[i].markup()) {  // Markup.join escapes what is not markup
      out.Append(EscapeHtml(parts[i].text().text));
    } else {
      out.Append(parts[i].text().text);
    }
    TANDEM_RETURN_IF_ERROR(runtime.CheckSize(out.size()));
  }
  return Finish(runtime, std::move(out), markup);
}

Outcome<Value> ChangeCase(Runtime& runtime, const Value& text, CaseChange change) {
  const std::string_view bytes = text.bytes();
  MarkedText out;
  std::string changed;
  bool starts_word = true;  // of title(); for capitalize() only the first character does
  for (const MarkedText::Run& run : text.text().text.Runs()) {
    changed.clear();
    for (std::size_t at = run.begin; at < run.end;) {
      const Utf8Char c = DecodeUtf8(bytes.substr(at));
      AppendCased(change, bytes, at, c, starts_word, changed);
      starts_word = StartsWordAfter(change, c.code_point);
      at += c.length;
    }
    out.Append(changed, run.trusted);
  }
  return Finish(runtime, std::move(out), text.markup());
}

Outcome<Value> JustifyText(Runtime& runtime, const Value& text, Int width, const Value& fill,
                           Justify justify) {
  if (!fill.missing() && (!fill.string() || fill.text().length != 1)) {
    return TypeError("The fill character must be exactly one character long");
  }
  const auto length = static_cast<Int>(text.text().length);
  if (width <= length) {
    return text;
  }
  const Int missing = width - length;
  // Python's str.center puts the odd space to the left when the width is odd.
  const Int left = justify == Justify::kLeft    ? 0
                   : justify == Justify::kRight ? missing
                                                : missing / 2 + (missing & width & 1);
  const Value pad = fill.missing() ? Value::String(" ", true) : fill;
  TANDEM_ASSIGN_OR_RETURN(const Value before, Repeat(runtime, pad, left));
  TANDEM_ASSIGN_OR_RETURN(const Value after, Repeat(runtime, pad, missing - left));
  MarkedText out = before.text().text;
  out.Append(text.text().text);
  out.Append(after.text().text);
  return Finish(runtime, std::move(out), text.markup());
}

bool AllLower(std::string_view text) {
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(text.substr(at));
    if (IsUpper(c.code_point) || IsTitleCase(c.code_point)) {
      return false;
    }
    any = any || IsLower(c.code_point);
    at += c.length;
  }
  return any;
}

bool AllUpper(std::string_view text) {
  bool any = false;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Char c = DecodeUtf8(text.substr(at));
    if (IsLower(c.code_point) || IsTitleCase(c.code_point)) {
      return false;
    }
    any = any || IsUpper(c.code_point);
    at += c.length;
  }
  return any;
}

}  // namespace tandem::jinja
