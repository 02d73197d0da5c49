#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/error.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

enum class TokenKind {
  kEnd,            // of the template
  kError,          // `text` is why the lexer stopped here
  kData,           // text to print, with white space control applied
  kVariableBegin,  // {{
  kVariableEnd,    // }}
  kBlockBegin,     // {%
  kBlockEnd,       // %}
  kName,
  kString,  // `text` is decoded
  kInteger,
  kFloat,
  kOperator,  // `text` is its spelling
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text = {};
  Position position = {};
  Int integer = 0;
  double real = 0;

  bool Is(std::string_view spelling) const {
    return kind == TokenKind::kOperator && text == spelling;
  }
  bool IsName(std::string_view name) const { return kind == TokenKind::kName && text == name; }
};

/// How messages call a token: its spelling, or e.g. "end of statement block".
std::string DescribeToken(const Token& token);

/// Cuts a template into tokens as jinja2 does with trim_blocks and lstrip_blocks; the last token is
/// kEnd or kError. Line ends become \n and one at the end of the template is dropped.
std::vector<Token> Tokenize(std::string_view source);

}  // namespace tandem::jinja
