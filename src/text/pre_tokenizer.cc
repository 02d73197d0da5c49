#include "text/pre_tokenizer.h"

#include <array>

#include "base/check.h"
#include "text/char_table.h"

// Matchers by hand: the patterns backtrack, and a general regular expression engine is slow and
// recurses on long runs. Each function names the alternatives of its pattern in order.

namespace tandem::text {
namespace {

using Char = CharScanner::Char;

enum class Case { kExact, kFolded };

char AsciiLower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// 's|'t|'re|'ve|'m|'ll|'d: the end of the contraction at `i`, or `i` when there is none. Folding is
// Unicode's, so U+017F (long s) is an s; no other non-ASCII character folds to one of these
// letters.
std::size_t ContractionEnd(std::string_view text, std::size_t i, Case letter_case) {
  if (i + 1 >= text.size() || text[i] != '\'') {
    return i;
  }
  const bool folded = letter_case == Case::kFolded;
  const auto letter = [&](std::size_t at) {
    return at >= text.size() ? '\0' : folded ? AsciiLower(text[at]) : text[at];
  };
  const char first = letter(i + 1);
  const char second = letter(i + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') {
    return i + 2;
  }
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
      (first == 'l' && second == 'l')) {
    return i + 3;
  }
  if (folded && text.substr(i + 1, 2) == "\xC5\xBF") {
    return i + 3;
  }
  return i;
}

//  ?[other]+: the end of the run of `other` at `i`, one space in front allowed; `i` if none.
std::size_t SpacedRunEnd(const CharScanner& scan, std::size_t i, CharBits other) {
  const std::size_t start = scan.Text()[i] == ' ' ? i + 1 : i;
  const std::size_t end = scan.RunEnd(start, other);
  return end > start ? end : i;
}

// \s+(?!\S)|\s+ on the whitespace run [i, run_end) whose last character starts at `last`: leaves
// the last character to the next piece unless the run is all there is, or the text ends behind it.
std::size_t LeaveLastSpace(std::size_t i, std::size_t last, std::size_t run_end, bool at_end) {
  return at_end || last == i ? run_end : last;
}

// \s*[\r\n]+|\s+(?!\S)|\s+, at a whitespace character.
std::size_t SpaceEnd(const CharScanner& scan, std::size_t i) {
  std::size_t last = i;
  std::size_t run_end = i;
  std::size_t newline_end = i;
  for (Char c = scan.At(i); (c.bits & kSpace) != 0; c = scan.At(run_end)) {
    last = run_end;
    run_end = c.end;
    if ((c.bits & kNewline) != 0) {
      newline_end = run_end;
    }
  }
  if (newline_end > i) {
    return newline_end;
  }
  return LeaveLastSpace(i, last, run_end, run_end == scan.Text().size());
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[word]+|\p{N}| ?[^\s word \p{N}]+[\r\n]*
// |\s*[\r\n]+|\s+(?!\S)|\s+
// where `word` is \p{L}\p{M} for Qwen3.5 and \p{L} for Qwen2, and `other` all that is left.
std::size_t MatchQwen(std::string_view text, std::size_t i, CharBits word, CharBits other) {
  if (const std::size_t end = ContractionEnd(text, i, Case::kFolded); end > i) {
    return end;
  }
  const CharScanner scan(text);
  const Char c = scan.At(i);
  if ((c.bits & word) != 0) {
    return scan.RunEnd(c.end, word);
  }
  if ((c.bits & kNumber) != 0) {
    return c.end;
  }
  if ((c.bits & kNewline) == 0) {
    if (const std::size_t end = scan.RunEnd(c.end, word); end > c.end) {
      return end;
    }
  }
  if (const std::size_t end = SpacedRunEnd(scan, i, other); end > i) {
    return scan.RunEnd(end, kNewline);
  }
  return SpaceEnd(scan, i);
}

// Source: tokenizer.json of Qwen3.5, pre_tokenizer.pretokenizers[0].pattern.
std::size_t MatchQwen35(std::string_view text, std::size_t i) {
  return MatchQwen(text, i, kLetter | kMark, kOther);
}

// Source: tokenizer.json of Qwen2.5, likewise.
std::size_t MatchQwen2(std::string_view text, std::size_t i) {
  return MatchQwen(text, i, kLetter, kOther | kMark);
}

// [upper]*[lower]+ from `s`; `s` when it does not match. Marks and letters without case are in both
// classes, so when no lower run follows the upper run, the pattern backs up to the last of these.
std::size_t LowerWordEnd(const CharScanner& scan, std::size_t s) {
  std::size_t upper_end = s;
  std::size_t last_shared_end = s;
  for (Char c = scan.At(s); (c.bits & kUpperRun) != 0; c = scan.At(upper_end)) {
    upper_end = c.end;
    if ((c.bits & kLowerRun) != 0) {
      last_shared_end = upper_end;
    }
  }
  const std::size_t lower_end = scan.RunEnd(upper_end, kLowerRun);
  return lower_end > upper_end ? lower_end : last_shared_end;
}

// The two word alternatives of o200k without their contraction; `i` when none matches.
std::size_t O200kWordEnd(const CharScanner& scan, std::size_t i) {
  const Char c = scan.At(i);
  const bool prefix = (c.bits & (kNewline | kLetter | kNumber)) == 0;
  if (prefix) {
    if (const std::size_t end = LowerWordEnd(scan, c.end); end > c.end) {
      return end;
    }
  }
  if (const std::size_t end = LowerWordEnd(scan, i); end > i) {
    return end;
  }
  if (prefix) {
    // [lower]* adds nothing: LowerWordEnd would have found it.
    if (const std::size_t end = scan.RunEnd(c.end, kUpperRun); end > c.end) {
      return end;
    }
  }
  return scan.RunEnd(i, kUpperRun);
}

// [^\r\n\p{L}\p{N}]?[upper]*[lower]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
// |[^\r\n\p{L}\p{N}]?[upper]+[lower]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
// |\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
// where upper is \p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M} and lower \p{Ll}\p{Lm}\p{Lo}\p{M}.
// Source: o200k_base in openai/tiktoken, tiktoken_ext/openai_public.py.
std::size_t MatchGpt4o(std::string_view text, std::size_t i) {
  const CharScanner scan(text);
  if (const std::size_t end = O200kWordEnd(scan, i); end > i) {
    return ContractionEnd(text, end, Case::kFolded);
  }
  if ((scan.At(i).bits & kNumber) != 0) {
    std::size_t end = i;
    for (int digits = 0; digits < 3 && (scan.At(end).bits & kNumber) != 0; ++digits) {
      end = scan.At(end).end;
    }
    return end;
  }
  if (std::size_t end = SpacedRunEnd(scan, i, kOther | kMark); end > i) {
    while (end < text.size() && (text[end] == '\r' || text[end] == '\n' || text[end] == '/')) {
      ++end;
    }
    return end;
  }
  return SpaceEnd(scan, i);
}

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// With `stop` = kNumber the text counts as ended in front of a number, and numbers stay single.
std::size_t MatchGpt2Until(std::string_view text, std::size_t i, CharBits stop) {
  if (const std::size_t end = ContractionEnd(text, i, Case::kExact); end > i) {
    return end;
  }
  const CharScanner scan(text);
  if (const Char c = scan.At(i); (c.bits & stop) != 0) {
    return c.end;
  }
  for (const CharBits bits : {kLetter, kNumber, static_cast<CharBits>(kOther | kMark)}) {
    if ((bits & stop) != 0) {
      continue;
    }
    if (const std::size_t end = SpacedRunEnd(scan, i, bits); end > i) {
      return end;
    }
  }
  std::size_t last = i;
  std::size_t run_end = i;
  for (Char c = scan.At(i); (c.bits & kSpace) != 0; c = scan.At(run_end)) {
    last = run_end;
    run_end = c.end;
  }
  const CharBits next = scan.At(run_end).bits;
  return LeaveLastSpace(i, last, run_end, next == 0 || (next & stop) != 0);
}

// Source: openai/gpt-2, src/encoder.py.
std::size_t MatchGpt2(std::string_view text, std::size_t i) {
  return MatchGpt2Until(text, i, 0);
}

// Digits(individual_digits) first, then GPT-2's pattern on what lies between.
// Source: tokenizer.json of StarCoder, pre_tokenizer.
std::size_t MatchStarcoder(std::string_view text, std::size_t i) {
  return MatchGpt2Until(text, i, kNumber);
}

struct Row {
  PreTokenizer rules;
  std::string_view gguf_name;
  PieceMatcher matcher;
};

// To add rules: an enumerator, a matcher and a row.
constexpr std::array kRows = {
    Row{PreTokenizer::kQwen35, "qwen35", &MatchQwen35},
    Row{PreTokenizer::kGpt4o, "gpt-4o", &MatchGpt4o},
    Row{PreTokenizer::kQwen2, "qwen2", &MatchQwen2},
    Row{PreTokenizer::kGpt2, "gpt-2", &MatchGpt2},
    Row{PreTokenizer::kStarcoder, "starcoder", &MatchStarcoder},
};

}  // namespace

std::optional<PreTokenizer> FindPreTokenizer(std::string_view gguf_name) {
  for (const Row& row : kRows) {
    if (row.gguf_name == gguf_name) {
      return row.rules;
    }
  }
  return std::nullopt;
}

PieceMatcher MatcherOf(PreTokenizer rules) {
  for (const Row& row : kRows) {
    if (row.rules == rules) {
      return row.matcher;
    }
  }
  TANDEM_CHECK(false, "every PreTokenizer has a row");
  return nullptr;
}

}  // namespace tandem::text
