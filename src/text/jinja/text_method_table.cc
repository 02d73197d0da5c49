#include <algorithm>
#include <limits>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/iteration.h"
#include "text/jinja/lookup.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_format.h"
#include "text/jinja/text_methods.h"

namespace tandem::jinja {
namespace {

Raised NeedString(const Call& call, std::size_t i) {
  if (call[i].string()) {
    return {};
  }
  return TypeError(Format("argument {} must be str, not {}", i + 1, call[i].TypeName()));
}

// The argument of a Markup method: escaped first when the object is markup.
Outcome<Value> Softened(Call& call, std::size_t i) {
  TANDEM_RETURN_IF_ERROR(NeedString(call, i));
  return call.self.markup() ? Escape(call.runtime, call[i]) : call[i];
}

template <CaseChange kChange>
Outcome<Value> Case(Call& call) {
  return ChangeCase(call.runtime, call.self, kChange);
}

template <bool kLeft, bool kRight>
Outcome<Value> StripSides(Call& call) {
  return Strip(call.runtime, call.self, call[0], kLeft, kRight);
}

template <Justify kJustify>
Outcome<Value> Justified(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Int width, call.Integer(0, 0));
  return JustifyText(call.runtime, call.self, width, call[1], kJustify);
}

template <bool kFromRight>
Outcome<Value> SplitText(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Int most, call.Integer(1, -1));
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> parts,
                          Split(call.runtime, call.self, call[0], most, kFromRight));
  return Value::List(std::move(parts));
}

Outcome<Value> SplitTextLines(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> lines,
                          SplitLines(call.runtime, call.self, call.Flag(0, false)));
  return Value::List(std::move(lines));
}

template <bool kFromRight>
Outcome<Value> PartitionText(Call& call) {
  TANDEM_RETURN_IF_ERROR(NeedString(call, 0));
  const std::string_view bytes = call.self.bytes();
  const std::string_view separator = call[0].bytes();
  if (separator.empty()) {
    return ValueError("empty separator");
  }
  const std::size_t found = kFromRight ? bytes.rfind(separator) : bytes.find(separator);
  const Value empty = Part(call.self, 0, 0);
  if (found == std::string_view::npos) {
    return kFromRight ? Value::Tuple({empty, empty, call.self})
                      : Value::Tuple({call.self, empty, empty});
  }
  return Value::Tuple({Part(call.self, 0, found), call[0].WithMarkup(call.self.markup()),
                       Part(call.self, found + separator.size(), bytes.size())});
}

Outcome<Value> JoinParts(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> parts, Collect(call.runtime, call[0]));
  return Join(call.runtime, call.self, parts);
}

Outcome<Value> ReplaceText(Call& call) {
  TANDEM_RETURN_IF_ERROR(NeedString(call, 0));
  TANDEM_ASSIGN_OR_RETURN(const Value replacement, Softened(call, 1));
  TANDEM_ASSIGN_OR_RETURN(const Int count, call.Integer(2, -1));
  return Replace(call.runtime, call.self, call[0], replacement, count);
}

// The bytes of self[start:stop] that find, count and startswith search.
struct Window {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool valid = true;  // start is not beyond the end of the text
};

Outcome<Window> SearchWindow(Call& call) {
  const TextRep& rep = call.self.text();
  const auto length = static_cast<Int>(rep.length);
  const auto bound = [&](std::size_t i, Int fallback) -> Outcome<Int> {
    if (!call.Has(i) || call[i].none()) {
      return fallback;
    }
    TANDEM_ASSIGN_OR_RETURN(const Int given, call.Integer(i, fallback));
    return given < 0 ? std::max<Int>(0, given + length) : given;
  };
  TANDEM_ASSIGN_OR_RETURN(const Int start, bound(1, 0));
  TANDEM_ASSIGN_OR_RETURN(Int stop, bound(2, length));
  stop = std::min(stop, length);
  if (start > length || start > stop) {
    return Window{.valid = false};
  }
  const std::string_view bytes = rep.text.bytes();
  Window window;
  window.begin = SkipCharacters(bytes, 0, static_cast<std::size_t>(start));
  window.end = SkipCharacters(bytes, window.begin, static_cast<std::size_t>(stop - start));
  return window;
}

template <bool kFromRight>
Outcome<Int> Locate(Call& call) {
  TANDEM_RETURN_IF_ERROR(NeedString(call, 0));
  TANDEM_RETURN_IF_ERROR(call.runtime.Charge(call.self.weight()));
  TANDEM_ASSIGN_OR_RETURN(const Window window, SearchWindow(call));
  if (!window.valid) {
    return Int{-1};
  }
  const std::string_view bytes = call.self.bytes();
  const std::string_view part = bytes.substr(window.begin, window.end - window.begin);
  const std::size_t found = kFromRight ? part.rfind(call[0].bytes()) : part.find(call[0].bytes());
  return found == std::string_view::npos
             ? Int{-1}
             : static_cast<Int>(CountCharacters(bytes.substr(0, window.begin + found)));
}

template <bool kFromRight>
Outcome<Value> Find(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Int at, Locate<kFromRight>(call));
  return Value::Integer(at);
}

template <bool kFromRight>
Outcome<Value> IndexOf(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Int at, Locate<kFromRight>(call));
  if (at < 0) {
    return ValueError("substring not found");
  }
  return Value::Integer(at);
}

Outcome<Value> CountText(Call& call) {
  TANDEM_RETURN_IF_ERROR(NeedString(call, 0));
  TANDEM_RETURN_IF_ERROR(call.runtime.Charge(call.self.weight()));
  TANDEM_ASSIGN_OR_RETURN(const Window window, SearchWindow(call));
  if (!window.valid) {
    return Value::Integer(0);
  }
  const std::string_view part =
      std::string_view(call.self.bytes()).substr(window.begin, window.end - window.begin);
  const std::string_view wanted = call[0].bytes();
  if (wanted.empty()) {
    return Value::Integer(static_cast<Int>(CountCharacters(part)) + 1);
  }
  Int count = 0;
  for (std::size_t at = part.find(wanted); at != std::string_view::npos;
       at = part.find(wanted, at + wanted.size())) {
    ++count;
  }
  return Value::Integer(count);
}

template <bool kEnd>
Outcome<Value> Affix(Call& call) {
  const std::string_view method = kEnd ? "endswith" : "startswith";
  std::vector<Value> affixes = {call[0]};
  if (call[0].kind() == Value::Kind::kTuple) {
    affixes = call[0].items();
  }
  TANDEM_ASSIGN_OR_RETURN(const Window window, SearchWindow(call));
  const std::string_view part =
      std::string_view(call.self.bytes()).substr(window.begin, window.end - window.begin);
  for (const Value& affix : affixes) {
    if (!affix.string()) {
      return TypeError(
          Format("{} first arg must be str or a tuple of str, not {}", method, call[0].TypeName()));
    }
    const std::string_view wanted = affix.bytes();
    if (window.valid && wanted.size() <= part.size() &&
        part.substr(kEnd ? part.size() - wanted.size() : 0, wanted.size()) == wanted) {
      return Value::Bool(true);
    }
  }
  return Value::Bool(false);
}

template <bool kEnd>
Outcome<Value> RemoveAffix(Call& call) {
  TANDEM_RETURN_IF_ERROR(NeedString(call, 0));
  const std::string_view bytes = call.self.bytes();
  const std::string_view affix = call[0].bytes();
  if (affix.empty() || affix.size() > bytes.size() ||
      bytes.substr(kEnd ? bytes.size() - affix.size() : 0, affix.size()) != affix) {
    return call.self;
  }
  return kEnd ? Part(call.self, 0, bytes.size() - affix.size())
              : Part(call.self, affix.size(), bytes.size());
}

Outcome<Value> ZeroFill(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Int width, call.Integer(0, 0));
  const std::string_view bytes = call.self.bytes();
  const std::size_t sign = !bytes.empty() && (bytes[0] == '-' || bytes[0] == '+') ? 1 : 0;
  const Value digits = Part(call.self, sign, bytes.size());
  TANDEM_ASSIGN_OR_RETURN(const Value filled,
                          JustifyText(call.runtime, digits, width - static_cast<Int>(sign),
                                      Value::String("0", true), Justify::kRight));
  MarkedText out = call.self.text().text.Substr(0, sign);
  out.Append(filled.text().text);
  return Value::String(std::move(out)).WithMarkup(call.self.markup());
}

Outcome<Value> ExpandTabs(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const Int size, call.Integer(0, 8));
  const MarkedText& text = call.self.text().text;
  const std::string_view bytes = text.bytes();
  MarkedText out;
  Int column = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t next = SkipCharacters(bytes, at, 1);
    if (bytes[at] == '\t') {
      const Int missing = size > 0 ? size - column % size : 0;
      TANDEM_RETURN_IF_ERROR(
          call.runtime.CheckSize(out.size() + static_cast<std::size_t>(missing)));
      out.Append(std::string(static_cast<std::size_t>(missing), ' '), text.TrustedAt(at));
      column += missing;
    } else {
      out.AppendRange(text, at, next);
      column = bytes[at] == '\n' || bytes[at] == '\r' ? 0 : column + 1;
    }
    at = next;
  }
  return call.runtime.Text(std::move(out));
}

// True when the text is not empty and every character passes.
template <bool (*kTest)(char32_t)>
Outcome<Value> Every(Call& call) {
  const std::string_view bytes = call.self.bytes();
  bool all = !bytes.empty();
  for (std::size_t at = 0; all && at < bytes.size();) {
    const Utf8Char c = DecodeUtf8(bytes.substr(at));
    all = kTest(c.code_point);
    at += c.length;
  }
  return Value::Bool(all);
}

bool IsAlnum(char32_t c) {
  return IsAlpha(c) || IsNumeric(c);
}

Outcome<Value> IsAscii(Call& call) {
  return Value::Bool(call.self.text().ascii());
}

Outcome<Value> IsLowerText(Call& call) {
  return Value::Bool(AllLower(call.self.bytes()));
}

Outcome<Value> IsUpperText(Call& call) {
  return Value::Bool(AllUpper(call.self.bytes()));
}

Outcome<Value> IsPrintableText(Call& call) {
  if (call.self.bytes().empty()) {
    return Value::Bool(true);
  }
  return Every<&IsPrintable>(call);
}

Outcome<Value> IsTitle(Call& call) {
  const std::string_view bytes = call.self.bytes();
  bool any = false;
  bool after_cased = false;
  for (std::size_t at = 0; at < bytes.size();) {
    const Utf8Char c = DecodeUtf8(bytes.substr(at));
    const bool upper = IsUpper(c.code_point) || IsTitleCase(c.code_point);
    if ((upper && after_cased) || (IsLower(c.code_point) && !after_cased)) {
      return Value::Bool(false);
    }
    after_cased = IsCased(c.code_point);
    any = any || after_cased;
    at += c.length;
  }
  return Value::Bool(any);
}

Outcome<Value> IsIdentifier(Call& call) {
  const std::string_view bytes = call.self.bytes();
  if (bytes.empty() || IsNumeric(DecodeUtf8(bytes).code_point)) {
    return Value::Bool(false);
  }
  return Every<&IsWord>(call);
}

Outcome<Value> FormatText(Call& call) {
  return FormatBraces(call.runtime, call.self, call.raw);
}

Outcome<Value> FormatMap(Call& call) {
  return FormatBraces(call.runtime, call.self, call[0]);
}

Outcome<Value> NotHere(Call& /*call*/) {
  return Raised("NotImplementedError", "this string method is not available in templates");
}

constexpr Builtin kText[] = {
    {"capitalize", "/", Case<CaseChange::kCapitalize>},
    {"casefold", "/", Case<CaseChange::kFold>},
    {"center", "/ width [fillchar]", Justified<Justify::kCenter>},
    {"count", "/ sub [start] [end]", CountText},
    {"encode", "[encoding] [errors]", NotHere},
    {"endswith", "/ suffix [start] [end]", Affix<true>},
    {"expandtabs", "[tabsize]", ExpandTabs},
    {"find", "/ sub [start] [end]", Find<false>},
    {"format", "*", FormatText},
    {"format_map", "/ mapping", FormatMap},
    {"index", "/ sub [start] [end]", IndexOf<false>},
    {"isalnum", "/", Every<&IsAlnum>},
    {"isalpha", "/", Every<&IsAlpha>},
    {"isascii", "/", IsAscii},
    {"isdecimal", "/", Every<&IsDecimal>},
    {"isdigit", "/", Every<&IsDigit>},
    {"isidentifier", "/", IsIdentifier},
    {"islower", "/", IsLowerText},
    {"isnumeric", "/", Every<&IsNumeric>},
    {"isprintable", "/", IsPrintableText},
    {"isspace", "/", Every<&IsSpace>},
    {"istitle", "/", IsTitle},
    {"isupper", "/", IsUpperText},
    {"join", "/ iterable", JoinParts},
    {"ljust", "/ width [fillchar]", Justified<Justify::kLeft>},
    {"lower", "/", Case<CaseChange::kLower>},
    {"lstrip", "/ [chars]", StripSides<true, false>},
    {"maketrans", "*", NotHere},
    {"partition", "/ sep", PartitionText<false>},
    {"removeprefix", "/ prefix", RemoveAffix<false>},
    {"removesuffix", "/ suffix", RemoveAffix<true>},
    {"replace", "/ old new [count]", ReplaceText},
    {"rfind", "/ sub [start] [end]", Find<true>},
    {"rindex", "/ sub [start] [end]", IndexOf<true>},
    {"rjust", "/ width [fillchar]", Justified<Justify::kRight>},
    {"rpartition", "/ sep", PartitionText<true>},
    {"rsplit", "[sep] [maxsplit]", SplitText<true>},
    {"rstrip", "/ [chars]", StripSides<false, true>},
    {"split", "[sep] [maxsplit]", SplitText<false>},
    {"splitlines", "[keepends]", SplitTextLines},
    {"startswith", "/ prefix [start] [end]", Affix<false>},
    {"strip", "/ [chars]", StripSides<true, true>},
    {"swapcase", "/", Case<CaseChange::kSwap>},
    {"title", "/", Case<CaseChange::kTitle>},
    {"translate", "*", NotHere},
    {"upper", "/", Case<CaseChange::kUpper>},
    {"zfill", "/ width", ZeroFill},
};

}  // namespace

BuiltinTable TextMethods() {
  return {std::begin(kText), std::end(kText)};
}

}  // namespace tandem::jinja
