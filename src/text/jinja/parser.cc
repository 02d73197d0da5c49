#include "text/jinja/parser.h"

#include <algorithm>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/checks.h"
#include "text/jinja/scopes.h"

namespace tandem::jinja {
namespace {

constexpr std::size_t kMostNesting = 200;  // of rules inside rules
constexpr std::size_t kDeepestTree = 1000;

Raised SyntaxError(std::string message, Position position) {
  return Raised("TemplateSyntaxError", std::move(message), position);
}

}  // namespace

Raised Parser::Nesting::Check() const {
  if (parser_.nesting_ <= kMostNesting) {
    return {};
  }
  return Raised("RecursionError", "the template nests too deeply", parser_.Current().position);
}

Token Parser::Take() {
  const bool last = at_ + 1 == tokens_.size();
  Token token = last ? tokens_[at_] : std::move(tokens_[at_]);  // nobody looks back
  at_ = std::min(at_ + 1, tokens_.size() - 1);
  return token;
}

bool Parser::SkipOperator(std::string_view spelling) {
  if (!Current().Is(spelling)) {
    return false;
  }
  Take();
  return true;
}

bool Parser::SkipName(std::string_view name) {
  if (!Current().IsName(name)) {
    return false;
  }
  Take();
  return true;
}

Raised Parser::Fail(std::string message, Position position) const {
  // Where the lexer stopped, its reason is the better one.
  if (Current().kind == TokenKind::kError) {
    return SyntaxError(Current().text, Current().position);
  }
  return SyntaxError(std::move(message), position);
}

Raised Parser::FailExpected(std::string_view wanted) const {
  if (Current().kind == TokenKind::kEnd) {
    return Fail(Format("unexpected end of template, expected '{}'.", wanted));
  }
  return Fail(Format("expected token '{}', got '{}'", wanted, DescribeToken(Current())));
}

Raised Parser::ExpectOperator(std::string_view spelling) {
  if (SkipOperator(spelling)) {
    return {};
  }
  return FailExpected(spelling);
}

Outcome<Token> Parser::ExpectName() {
  if (Current().kind == TokenKind::kName) {
    return Take();
  }
  return FailExpected("name");
}

Raised Parser::ExpectKeyword(std::string_view name) {
  if (SkipName(name)) {
    return {};
  }
  return FailExpected(name);
}

Raised Parser::Expect(TokenKind kind) {
  if (Current().kind == kind) {
    Take();
    return {};
  }
  return FailExpected(DescribeToken(Token{.kind = kind}));
}

ExprPtr Parser::Make(ExprKind kind, Position position) const {
  ExprPtr node = std::make_unique<Expr>();
  node->kind = kind;
  node->position = position;
  return node;
}

ExprPtr Parser::MakeConstant(Value value, Position position) const {
  ExprPtr node = Make(ExprKind::kConstant, position);
  node->value = std::move(value);
  return node;
}

// Measures a complete node; chains such as a + b + c... grow trees without nesting rules.
Outcome<ExprPtr> Parser::Finish(ExprPtr node) const {
  const auto include = [&node](const ExprPtr& child) {
    node->depth = std::max(node->depth, child == nullptr ? 0 : child->depth + 1);
  };
  std::for_each(node->children.begin(), node->children.end(), include);
  std::for_each(node->arguments.positional.begin(), node->arguments.positional.end(), include);
  for (const auto& [name, value] : node->arguments.keywords) {
    include(value);
  }
  include(node->arguments.star);
  include(node->arguments.double_star);
  if (node->depth > kDeepestTree) {
    return Raised("RecursionError", "the expression is too long", node->position);
  }
  return node;
}

StmtPtr Parser::Begin(StmtKind kind) {
  StmtPtr stmt = std::make_unique<Stmt>();
  stmt->kind = kind;
  stmt->position = Current().position;
  return stmt;
}

NameId Parser::Intern(const std::string& name) {
  const auto [found, added] = name_ids_.emplace(name, static_cast<NameId>(names_.size()));
  if (added) {
    names_.push_back(name);
  }
  return found->second;
}

Outcome<Program> Parser::Parse() {
  Program program;
  for (const std::string_view special : kSpecialNames) {  // numbered as SpecialName
    Intern(std::string(special));
  }
  TANDEM_ASSIGN_OR_RETURN(program.body.statements, ParseBody({}));
  program.names = std::move(names_);
  TANDEM_RETURN_IF_ERROR(CheckProgram(program));
  FindUnsetNames(program);
  return program;
}

Outcome<Program> ParseTemplate(std::string_view source) {
  const std::size_t invalid = FindInvalidUtf8(source);
  if (invalid != std::string_view::npos) {
    return SyntaxError(Format("byte {} is not valid UTF-8", invalid), {1, 1});
  }
  return Parser(Tokenize(source)).Parse();
}

}  // namespace tandem::jinja
