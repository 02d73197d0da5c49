#include "text/jinja/filters.h"
#include "text/jinja/parser.h"

namespace tandem::jinja {
namespace {

// Tokens that begin the single argument of a test without parentheses, as in `is divisibleby 3`.
bool BeginsTestArgument(const Token& token) {
  switch (token.kind) {
    case TokenKind::kName:
      return !token.IsName("else") && !token.IsName("or") && !token.IsName("and");
    case TokenKind::kString:
    case TokenKind::kInteger:
    case TokenKind::kFloat:
      return true;
    default:
      return token.Is("[") || token.Is("{");
  }
}

}  // namespace

Outcome<ExprPtr> Parser::ParseCall(ExprPtr callee) {
  ExprPtr node = Make(ExprKind::kCall, callee->position);
  TANDEM_ASSIGN_OR_RETURN(node->arguments, ParseArguments());
  node->children.push_back(std::move(callee));
  return Finish(std::move(node));
}

Outcome<CallArguments> Parser::ParseArguments() {
  const Position position = Current().position;
  TANDEM_RETURN_IF_ERROR(ExpectOperator("("));
  CallArguments arguments;
  bool first = true;
  while (!Current().Is(")")) {
    if (!first) {
      TANDEM_RETURN_IF_ERROR(ExpectOperator(","));
      if (Current().Is(")")) {
        break;
      }
    }
    first = false;
    TANDEM_RETURN_IF_ERROR(ParseArgument(arguments, position));
  }
  TANDEM_RETURN_IF_ERROR(ExpectOperator(")"));
  return arguments;
}

Raised Parser::ParseArgument(CallArguments& arguments, Position position) {
  constexpr const char* kInvalid = "invalid syntax for function call expression";
  if (SkipOperator("*")) {
    if (arguments.star != nullptr || arguments.double_star != nullptr) {
      return Fail(kInvalid, position);
    }
    TANDEM_ASSIGN_OR_RETURN(arguments.star, ParseExpression());
    return {};
  }
  if (arguments.double_star != nullptr) {
    return Fail(kInvalid, position);
  }
  if (SkipOperator("**")) {
    TANDEM_ASSIGN_OR_RETURN(arguments.double_star, ParseExpression());
    return {};
  }
  if (Current().kind == TokenKind::kName && Look().Is("=")) {
    std::string name = Take().text;
    Take();
    TANDEM_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
    arguments.keywords.emplace_back(std::move(name), std::move(value));
    return {};
  }
  if (arguments.star != nullptr || !arguments.keywords.empty()) {
    return Fail(kInvalid, position);
  }
  TANDEM_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
  arguments.positional.push_back(std::move(value));
  return {};
}

Outcome<std::string> Parser::ParseDottedName() {
  TANDEM_ASSIGN_OR_RETURN(Token token, ExpectName());
  while (SkipOperator(".")) {
    TANDEM_ASSIGN_OR_RETURN(const Token part, ExpectName());
    token.text += "." + part.text;
  }
  return std::move(token.text);
}

Outcome<ExprPtr> Parser::ParseFilter(ExprPtr input, bool start_inline) {
  while (start_inline || SkipOperator("|")) {
    start_inline = false;
    ExprPtr node = Make(ExprKind::kFilter, Current().position);
    TANDEM_ASSIGN_OR_RETURN(node->name, ParseDottedName());
    node->builtin = FindFilter(node->name);
    if (Current().Is("(")) {
      TANDEM_ASSIGN_OR_RETURN(node->arguments, ParseArguments());
    }
    node->children.push_back(std::move(input));
    TANDEM_ASSIGN_OR_RETURN(input, Finish(std::move(node)));
  }
  return input;
}

Outcome<ExprPtr> Parser::ParseTest(ExprPtr subject) {
  const Position position = Take().position;
  const bool negated = SkipName("not");
  ExprPtr node = Make(ExprKind::kTest, Current().position);
  TANDEM_ASSIGN_OR_RETURN(node->name, ParseDottedName());
  node->builtin = FindTest(node->name);
  if (Current().Is("(")) {
    TANDEM_ASSIGN_OR_RETURN(node->arguments, ParseArguments());
  } else if (BeginsTestArgument(Current())) {
    if (Current().IsName("is")) {
      return Fail("You cannot chain multiple tests with is");
    }
    TANDEM_ASSIGN_OR_RETURN(ExprPtr argument, ParsePrimary());
    TANDEM_ASSIGN_OR_RETURN(argument, ParsePostfix(std::move(argument)));
    node->arguments.positional.push_back(std::move(argument));
  }
  node->children.push_back(std::move(subject));
  TANDEM_ASSIGN_OR_RETURN(node, Finish(std::move(node)));
  if (!negated) {
    return node;
  }
  ExprPtr inverse = Make(ExprKind::kNot, position);
  inverse->children.push_back(std::move(node));
  return Finish(std::move(inverse));
}

}  // namespace tandem::jinja
