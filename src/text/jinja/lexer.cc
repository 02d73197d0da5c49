#include "text/jinja/lexer.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/literals.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

constexpr std::array<std::string_view, 6> kLongOperators = {"//", "**", "==", "!=", ">=", "<="};
constexpr std::string_view kOperators = "+-/*%~[](){}><=.:|,;";

std::string NormalizeLineEnds(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      i += i + 1 < source.size() && source[i + 1] == '\n' ? 1u : 0u;
    } else {
      out += source[i];
    }
  }
  if (!out.empty() && out.back() == '\n') {
    out.pop_back();
  }
  return out;
}

// One pass over the source; every Lex... function consumes from at_.
class Lexer {
 public:
  explicit Lexer(std::string_view source) : text_(NormalizeLineEnds(source)), source_(text_) {}

  std::vector<Token> Run();

 private:
  // A tag of the root state: {{ {% {# or {% raw %}.
  struct Tag {
    std::size_t begin = 0;
    char kind = 0;  // '{' '%' '#' or 'r'
    char sign = 0;  // - + or 0
    std::size_t end = 0;
  };
  // The end of a comment or a raw section: where its text stops and where reading goes on.
  struct Closing {
    std::size_t begin = 0;
    std::size_t end = 0;
    char sign = 0;  // in front of "endraw"
  };

  bool LexRoot();
  bool LexComment();
  bool LexRaw();
  bool LexExpression(bool block);
  bool LexToken();
  bool LexNumber();
  bool LexString();
  bool LexOperator();
  bool Balance(char c);
  std::optional<Tag> FindTag() const;
  std::optional<Closing> FindEndRaw() const;
  // The end of a raw tag whose name is `word`, tried at `at` just after "{%"; 0 when it is none.
  std::size_t MatchRawTag(std::string_view word, std::size_t at, char& sign) const;
  // Just after "%}" or "-%}" or "+%}" at `at`, with what is trimmed; 0 when there is none.
  std::size_t MatchBlockEnd(std::size_t at, std::string_view close, bool trim) const;
  std::size_t SkipSpace(std::size_t at) const;
  void EmitData(std::size_t end, char sign, bool strip_line);
  Token& Emit(TokenKind kind, std::string text);
  bool Fail(std::string message);
  void Advance(std::size_t end);
  bool At(std::string_view word) const { return source_.substr(at_, word.size()) == word; }

  std::string text_;
  std::string_view source_;
  std::size_t at_ = 0;
  Position position_{1, 1};    // of at_
  bool line_starting_ = true;  // the last thing read ended a line
  std::vector<char> open_;     // the brackets that wait for their partner
  std::vector<Token> tokens_;
};

Token& Lexer::Emit(TokenKind kind, std::string text) {
  tokens_.push_back(Token{.kind = kind, .text = std::move(text), .position = position_});
  return tokens_.back();
}

bool Lexer::Fail(std::string message) {
  Emit(TokenKind::kError, std::move(message));
  return false;
}

void Lexer::Advance(std::size_t end) {
  for (; at_ < end; ++at_) {
    if (source_[at_] == '\n') {
      ++position_.line;
      position_.column = 1;
    } else if ((static_cast<unsigned char>(source_[at_]) & 0xC0u) != 0x80u) {
      ++position_.column;
    }
  }
}

std::size_t Lexer::SkipSpace(std::size_t at) const {
  return at + TrimSpace(source_.substr(at), true, false).begin;
}

std::size_t Lexer::MatchBlockEnd(std::size_t at, std::string_view close, bool trim) const {
  if (source_.substr(at, 1) == "-" && source_.substr(at + 1, 2) == close) {
    return SkipSpace(at + 3);
  }
  if (trim && source_.substr(at, 1) == "+" && source_.substr(at + 1, 2) == close) {
    return at + 3;
  }
  if (source_.substr(at, 2) != close) {
    return 0;
  }
  return trim && source_.substr(at + 2, 1) == "\n" ? at + 3 : at + 2;
}

std::size_t Lexer::MatchRawTag(std::string_view word, std::size_t at, char& sign) const {
  sign = at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0';
  at = SkipSpace(at + (sign != 0 ? 1 : 0));
  if (source_.substr(at, word.size()) != word) {
    return 0;
  }
  return SkipSpace(at + word.size());
}

std::optional<Lexer::Tag> Lexer::FindTag() const {
  for (std::size_t at = source_.find('{', at_); at != std::string_view::npos;
       at = source_.find('{', at + 1)) {
    const char kind = at + 1 < source_.size() ? source_[at + 1] : '\0';
    if (kind != '{' && kind != '%' && kind != '#') {
      continue;
    }
    Tag tag{.begin = at, .kind = kind};
    if (kind == '%') {
      const std::size_t raw = MatchRawTag("raw", at + 2, tag.sign);
      // A raw tag keeps the line end after it, unlike other blocks.
      const bool dash = raw != 0 && source_.substr(raw, 3) == "-%}";
      if (dash || (raw != 0 && source_.substr(raw, 2) == "%}")) {
        tag.kind = 'r';
        tag.end = dash ? SkipSpace(raw + 3) : raw + 2;
        return tag;
      }
    }
    const char sign = at + 2 < source_.size() ? source_[at + 2] : '\0';
    tag.sign = sign == '-' || sign == '+' ? sign : '\0';
    tag.end = at + 2 + (tag.sign != 0 ? 1 : 0);
    return tag;
  }
  return std::nullopt;
}

// Data up to `end`, where a tag with `sign` begins: "-" strips white space, otherwise a tag that is
// first on its line takes the white space before it along (lstrip_blocks).
void Lexer::EmitData(std::size_t end, char sign, bool strip_line) {
  std::string_view data = source_.substr(at_, end - at_);
  if (sign == '-') {
    data = data.substr(0, TrimSpace(data, false, true).end);
  } else if (sign != '+' && strip_line) {
    const std::size_t line = data.rfind('\n') + 1;  // npos + 1 is 0
    const bool blank = SkipSpace(at_ + line) >= end;
    if ((line > 0 || line_starting_) && line < data.size() && blank) {
      data = data.substr(0, line);
    }
  }
  if (!data.empty()) {
    Emit(TokenKind::kData, std::string(data));
  }
  Advance(end);
}

bool Lexer::LexRoot() {
  const std::optional<Tag> tag = FindTag();
  if (!tag.has_value()) {
    if (at_ < source_.size()) {
      Emit(TokenKind::kData, std::string(source_.substr(at_)));
    }
    Advance(source_.size());
    return true;
  }
  EmitData(tag->begin, tag->sign, tag->kind != '{');
  const bool raw = tag->kind == 'r';
  if (tag->kind == '{' || tag->kind == '%') {
    Emit(tag->kind == '{' ? TokenKind::kVariableBegin : TokenKind::kBlockBegin, "");
  }
  Advance(tag->end);
  line_starting_ = source_[tag->end - 1] == '\n';
  if (raw) {
    return LexRaw();
  }
  return tag->kind == '#' ? LexComment() : LexExpression(tag->kind == '%');
}

bool Lexer::LexComment() {
  const std::size_t at = source_.find("#}", at_);
  if (at != std::string_view::npos) {
    const bool sign = at > at_ && (source_[at - 1] == '-' || source_[at - 1] == '+');
    const std::size_t end = MatchBlockEnd(sign ? at - 1 : at, "#}", true);
    Advance(end);
    line_starting_ = source_[end - 1] == '\n';
    return true;
  }
  return at_ == source_.size() || Fail("Missing end of comment tag");
}

std::optional<Lexer::Closing> Lexer::FindEndRaw() const {
  for (std::size_t at = source_.find("{%", at_); at != std::string_view::npos;
       at = source_.find("{%", at + 1)) {
    Closing closing{.begin = at};
    const std::size_t name_end = MatchRawTag("endraw", at + 2, closing.sign);
    closing.end = name_end == 0 ? 0 : MatchBlockEnd(name_end, "%}", true);
    if (closing.end != 0) {
      return closing;
    }
  }
  return std::nullopt;
}

bool Lexer::LexRaw() {
  const std::optional<Closing> closing = FindEndRaw();
  if (!closing.has_value()) {
    return at_ == source_.size() || Fail("Missing end of raw directive");
  }
  EmitData(closing->begin, closing->sign, true);
  Advance(closing->end);
  line_starting_ = source_[closing->end - 1] == '\n';
  return true;
}

bool Lexer::LexExpression(bool block) {
  open_.clear();
  while (at_ < source_.size()) {
    const std::size_t end = open_.empty() ? MatchBlockEnd(at_, block ? "%}" : "}}", block) : 0;
    if (end != 0) {
      Emit(block ? TokenKind::kBlockEnd : TokenKind::kVariableEnd, "");
      Advance(end);
      line_starting_ = source_[end - 1] == '\n';
      return true;
    }
    if (!LexToken()) {
      return false;
    }
  }
  return true;
}

bool Lexer::LexToken() {
  if (const std::size_t end = SkipSpace(at_); end != at_) {
    Advance(end);
    return true;
  }
  const char c = source_[at_];
  if (IsDecimal(static_cast<unsigned char>(c))) {
    return LexNumber();
  }
  if (c == '\'' || c == '"') {
    return LexString();
  }
  std::size_t end = at_;
  while (end < source_.size()) {
    const Utf8Char next = DecodeUtf8(source_.substr(end));
    if (!IsWord(next.code_point)) {
      break;
    }
    end += next.length;
  }
  if (end == at_) {
    return LexOperator();
  }
  Emit(TokenKind::kName, std::string(source_.substr(at_, end - at_)));
  Advance(end);
  return true;
}

bool Lexer::LexNumber() {
  const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
  const NumberLiteral number = ReadNumber(source_.substr(at_), !after_dot);
  if (number.error != nullptr) {
    return Fail(number.error);
  }
  Token& token = Emit(number.real.has_value() ? TokenKind::kFloat : TokenKind::kInteger,
                      std::string(source_.substr(at_, number.length)));
  token.integer = number.integer;
  token.real = number.real.value_or(0);
  Advance(at_ + number.length);
  return true;
}

bool Lexer::LexString() {
  const char quote = source_[at_];
  std::size_t end = at_ + 1;
  while (end < source_.size() && source_[end] != quote) {
    end += source_[end] == '\\' ? 2u : 1u;
  }
  if (end >= source_.size()) {
    return LexOperator();
  }
  StringLiteral literal = DecodeString(source_.substr(at_ + 1, end - at_ - 1));
  if (!literal.error.empty()) {
    return Fail(std::move(literal.error));
  }
  Emit(TokenKind::kString, std::move(literal.text));
  Advance(end + 1);
  return true;
}

// Keeps the stack of open brackets.
bool Lexer::Balance(char c) {
  switch (c) {
    case '(':
      open_.push_back(')');
      return true;
    case '[':
      open_.push_back(']');
      return true;
    case '{':
      open_.push_back('}');
      return true;
    case ')':
    case ']':
    case '}':
      break;
    default:
      return true;
  }
  if (open_.empty()) {
    return Fail(Format("unexpected '{}'", c));
  }
  const char expected = open_.back();
  open_.pop_back();
  return expected == c || Fail(Format("unexpected '{}', expected '{}'", c, expected));
}

bool Lexer::LexOperator() {
  const std::string_view two = source_.substr(at_, 2);
  const bool is_long =
      std::find(kLongOperators.begin(), kLongOperators.end(), two) != kLongOperators.end();
  if (!is_long && kOperators.find(source_[at_]) == std::string_view::npos) {
    const std::size_t next = SkipCharacters(source_, at_, 1);
    return Fail(Format("unexpected char {} at {}", QuotedRepr(source_.substr(at_, next - at_)),
                       CountCharacters(source_.substr(0, at_))));
  }
  const std::size_t length = is_long ? 2 : 1;
  if (!is_long && !Balance(source_[at_])) {
    return false;
  }
  Emit(TokenKind::kOperator, std::string(source_.substr(at_, length)));
  Advance(at_ + length);
  return true;
}

std::vector<Token> Lexer::Run() {
  bool fine = true;
  while (fine && at_ < source_.size()) {
    fine = LexRoot();
  }
  if (fine) {
    const Position last = tokens_.empty() ? Position{1, 1} : tokens_.back().position;
    Emit(TokenKind::kEnd, "").position = last;  // an unexpected end is reported there
  }
  return std::move(tokens_);
}

}  // namespace

std::string DescribeToken(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEnd:
      return "end of template";
    case TokenKind::kData:
      return "template data / text";
    case TokenKind::kVariableBegin:
      return "begin of print statement";
    case TokenKind::kVariableEnd:
      return "end of print statement";
    case TokenKind::kBlockBegin:
      return "begin of statement block";
    case TokenKind::kBlockEnd:
      return "end of statement block";
    case TokenKind::kString:
      return "string";
    case TokenKind::kInteger:
      return "integer";
    case TokenKind::kFloat:
      return "float";
    default:
      return token.text;
  }
}

std::vector<Token> Tokenize(std::string_view source) {
  return Lexer(source).Run();
}

}  // namespace tandem::jinja
