#include <algorithm>

#include "base/format.h"
#include "text/jinja/parser.h"

namespace tandem::jinja {
namespace {

struct ComparisonSpelling {
  std::string_view spelling;
  Comparison comparison;
};
constexpr ComparisonSpelling kComparisons[] = {{"==", Comparison::kEq}, {"!=", Comparison::kNe},
                                               {"<", Comparison::kLt},  {"<=", Comparison::kLe},
                                               {">", Comparison::kGt},  {">=", Comparison::kGe}};

const ComparisonSpelling* FindComparison(const Token& token) {
  const auto* const found =
      std::find_if(std::begin(kComparisons), std::end(kComparisons),
                   [&token](const ComparisonSpelling& row) { return token.Is(row.spelling); });
  return found == std::end(kComparisons) ? nullptr : found;
}

ExprPtr MakePair(ExprPtr node, ExprPtr left, ExprPtr right) {
  node->children.push_back(std::move(left));
  node->children.push_back(std::move(right));
  return node;
}

}  // namespace

Outcome<ExprPtr> Parser::ParseExpression(bool conditional) {
  const Nesting nesting(*this);
  TANDEM_RETURN_IF_ERROR(nesting.Check());
  return conditional ? ParseConditional() : ParseOr();
}

Outcome<ExprPtr> Parser::ParseConditional() {
  TANDEM_ASSIGN_OR_RETURN(ExprPtr result, ParseOr());
  while (Current().IsName("if")) {
    ExprPtr node = Make(ExprKind::kConditional, Take().position);
    TANDEM_ASSIGN_OR_RETURN(ExprPtr test, ParseOr());
    ExprPtr otherwise;
    if (SkipName("else")) {
      TANDEM_ASSIGN_OR_RETURN(otherwise, ParseExpression());
    }
    node->children.push_back(std::move(test));
    node = MakePair(std::move(node), std::move(result), std::move(otherwise));
    TANDEM_ASSIGN_OR_RETURN(result, Finish(std::move(node)));
  }
  return result;
}

Outcome<ExprPtr> Parser::ParseOr() {
  TANDEM_ASSIGN_OR_RETURN(ExprPtr left, ParseAnd());
  while (Current().IsName("or")) {
    ExprPtr node = Make(ExprKind::kOr, Take().position);
    TANDEM_ASSIGN_OR_RETURN(ExprPtr right, ParseAnd());
    TANDEM_ASSIGN_OR_RETURN(left,
                            Finish(MakePair(std::move(node), std::move(left), std::move(right))));
  }
  return left;
}

Outcome<ExprPtr> Parser::ParseAnd() {
  TANDEM_ASSIGN_OR_RETURN(ExprPtr left, ParseNot());
  while (Current().IsName("and")) {
    ExprPtr node = Make(ExprKind::kAnd, Take().position);
    TANDEM_ASSIGN_OR_RETURN(ExprPtr right, ParseNot());
    TANDEM_ASSIGN_OR_RETURN(left,
                            Finish(MakePair(std::move(node), std::move(left), std::move(right))));
  }
  return left;
}

Outcome<ExprPtr> Parser::ParseNot() {
  if (!Current().IsName("not")) {
    return ParseCompare();
  }
  const Nesting nesting(*this);
  TANDEM_RETURN_IF_ERROR(nesting.Check());
  ExprPtr node = Make(ExprKind::kNot, Take().position);
  TANDEM_ASSIGN_OR_RETURN(ExprPtr operand, ParseNot());
  node->children.push_back(std::move(operand));
  return Finish(std::move(node));
}

Outcome<ExprPtr> Parser::ParseCompare() {
  TANDEM_ASSIGN_OR_RETURN(ExprPtr first, ParseSum());
  ExprPtr node;
  while (true) {
    const Position position = Current().position;
    Comparison comparison = Comparison::kIn;
    if (const ComparisonSpelling* row = FindComparison(Current())) {
      comparison = row->comparison;
      Take();
    } else if (Current().IsName("not") && Look().IsName("in")) {
      comparison = Comparison::kNotIn;
      Take();
      Take();
    } else if (!SkipName("in")) {
      break;
    }
    if (node == nullptr) {
      node = Make(ExprKind::kCompare, position);
      node->children.push_back(std::move(first));
    }
    TANDEM_ASSIGN_OR_RETURN(ExprPtr operand, ParseSum());
    node->children.push_back(std::move(operand));
    node->comparisons.push_back(comparison);
  }
  return node == nullptr ? Outcome<ExprPtr>(std::move(first)) : Finish(std::move(node));
}

// Left-associative operators of one precedence.
Outcome<ExprPtr> Parser::BinaryLevel(Outcome<ExprPtr> (Parser::*next)(), const Names& spellings,
                                     const std::vector<BinaryOperator>& operators) {
  TANDEM_ASSIGN_OR_RETURN(ExprPtr left, (this->*next)());
  while (true) {
    const auto found = std::find_if(spellings.begin(), spellings.end(),
                                    [this](std::string_view s) { return Current().Is(s); });
    if (found == spellings.end()) {
      return left;
    }
    ExprPtr node = Make(ExprKind::kBinary, Take().position);
    node->binary = operators[static_cast<std::size_t>(found - spellings.begin())];
    TANDEM_ASSIGN_OR_RETURN(ExprPtr right, (this->*next)());
    TANDEM_ASSIGN_OR_RETURN(left,
                            Finish(MakePair(std::move(node), std::move(left), std::move(right))));
  }
}

Outcome<ExprPtr> Parser::ParseSum() {
  return BinaryLevel(&Parser::ParseConcat, {"+", "-"},
                     {BinaryOperator::kAdd, BinaryOperator::kSub});
}

Outcome<ExprPtr> Parser::ParseConcat() {
  TANDEM_ASSIGN_OR_RETURN(ExprPtr first, ParseProduct());
  if (!Current().Is("~")) {
    return first;
  }
  ExprPtr node = Make(ExprKind::kConcat, Current().position);
  node->children.push_back(std::move(first));
  while (SkipOperator("~")) {
    TANDEM_ASSIGN_OR_RETURN(ExprPtr next, ParseProduct());
    node->children.push_back(std::move(next));
  }
  return Finish(std::move(node));
}

Outcome<ExprPtr> Parser::ParseProduct() {
  return BinaryLevel(&Parser::ParsePower, {"*", "/", "//", "%"},
                     {BinaryOperator::kMul, BinaryOperator::kDiv, BinaryOperator::kFloorDiv,
                      BinaryOperator::kMod});
}

Outcome<ExprPtr> Parser::ParsePower() {
  TANDEM_ASSIGN_OR_RETURN(ExprPtr left, ParseUnary());
  while (Current().Is("**")) {
    ExprPtr node = Make(ExprKind::kBinary, Take().position);
    node->binary = BinaryOperator::kPow;
    TANDEM_ASSIGN_OR_RETURN(ExprPtr right, ParseUnary());
    TANDEM_ASSIGN_OR_RETURN(left,
                            Finish(MakePair(std::move(node), std::move(left), std::move(right))));
  }
  return left;
}

Outcome<ExprPtr> Parser::ParseUnary(bool with_filter) {
  ExprPtr node;
  if (Current().Is("-") || Current().Is("+")) {
    const Nesting nesting(*this);
    TANDEM_RETURN_IF_ERROR(nesting.Check());
    const Token sign = Take();
    node = Make(ExprKind::kUnary, sign.position);
    node->unary = sign.text == "-" ? UnaryOperator::kNegative : UnaryOperator::kPositive;
    TANDEM_ASSIGN_OR_RETURN(ExprPtr operand, ParseUnary(false));
    node->children.push_back(std::move(operand));
    TANDEM_ASSIGN_OR_RETURN(node, Finish(std::move(node)));
  } else {
    TANDEM_ASSIGN_OR_RETURN(node, ParsePrimary());
  }
  TANDEM_ASSIGN_OR_RETURN(node, ParsePostfix(std::move(node)));
  return with_filter ? ParseFilterExpression(std::move(node)) : std::move(node);
}

Outcome<ExprPtr> Parser::ParseName(bool namespaces) {
  const Token token = Take();
  if (token.text == "true" || token.text == "True" || token.text == "false" ||
      token.text == "False") {
    return MakeConstant(Value::Bool(token.text[0] == 't' || token.text[0] == 'T'), token.position);
  }
  if (token.text == "none" || token.text == "None") {
    return MakeConstant(Value::None(), token.position);
  }
  const bool target = namespaces && SkipOperator(".");
  ExprPtr node = Make(target ? ExprKind::kNamespaceTarget : ExprKind::kName, token.position);
  node->name = token.text;
  node->id = Intern(token.text);
  if (target) {
    TANDEM_ASSIGN_OR_RETURN(Token attribute, ExpectName());
    node->attribute = std::move(attribute.text);
  }
  return node;
}

Outcome<ExprPtr> Parser::ParseStrings() {
  const Position position = Current().position;
  std::string text;
  while (Current().kind == TokenKind::kString) {
    text += Take().text;
  }
  return MakeConstant(Value::String(text, true), position);
}

Outcome<ExprPtr> Parser::ParsePrimary(bool namespaces) {
  const Token& token = Current();
  switch (token.kind) {
    case TokenKind::kName:
      return ParseName(namespaces);
    case TokenKind::kString:
      return ParseStrings();
    case TokenKind::kInteger: {
      const Token number = Take();
      return MakeConstant(Value::Integer(number.integer), number.position);
    }
    case TokenKind::kFloat: {
      const Token number = Take();
      return MakeConstant(Value::Float(number.real), number.position);
    }
    default:
      break;
  }
  if (SkipOperator("(")) {
    TANDEM_ASSIGN_OR_RETURN(ExprPtr inner, ParseTuple({.parentheses = true}));
    TANDEM_RETURN_IF_ERROR(ExpectOperator(")"));
    return inner;
  }
  if (token.Is("[")) {
    return ParseList();
  }
  if (token.Is("{")) {
    return ParseDict();
  }
  return Fail(Format("unexpected '{}'", DescribeToken(token)));
}

Outcome<ExprPtr> Parser::ParseTuple(const TupleRules& rules) {
  ExprPtr tuple = Make(ExprKind::kTuple, Current().position);
  bool is_tuple = false;
  while (true) {
    const Token& token = Current();
    if (token.kind == TokenKind::kVariableEnd || token.kind == TokenKind::kBlockEnd ||
        token.Is(")")) {
      break;
    }
    TANDEM_ASSIGN_OR_RETURN(ExprPtr item, rules.simplified ? ParsePrimary(rules.namespaces)
                                                           : ParseExpression(rules.conditional));
    tuple->children.push_back(std::move(item));
    if (!SkipOperator(",")) {
      break;
    }
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!tuple->children.empty()) {
      return std::move(tuple->children.front());
    }
    if (!rules.parentheses) {
      return Fail(Format("Expected an expression, got '{}'", DescribeToken(Current())));
    }
  }
  return Finish(std::move(tuple));
}

Outcome<ExprPtr> Parser::ParseList() {
  ExprPtr list = Make(ExprKind::kList, Take().position);
  while (!Current().Is("]")) {
    if (!list->children.empty()) {
      TANDEM_RETURN_IF_ERROR(ExpectOperator(","));
      if (Current().Is("]")) {
        break;
      }
    }
    TANDEM_ASSIGN_OR_RETURN(ExprPtr item, ParseExpression());
    list->children.push_back(std::move(item));
  }
  TANDEM_RETURN_IF_ERROR(ExpectOperator("]"));
  return Finish(std::move(list));
}

Outcome<ExprPtr> Parser::ParseDict() {
  ExprPtr dict = Make(ExprKind::kDict, Take().position);
  while (!Current().Is("}")) {
    if (!dict->children.empty()) {
      TANDEM_RETURN_IF_ERROR(ExpectOperator(","));
      if (Current().Is("}")) {
        break;
      }
    }
    TANDEM_ASSIGN_OR_RETURN(ExprPtr key, ParseExpression());
    TANDEM_RETURN_IF_ERROR(ExpectOperator(":"));
    TANDEM_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
    dict = MakePair(std::move(dict), std::move(key), std::move(value));
  }
  TANDEM_RETURN_IF_ERROR(ExpectOperator("}"));
  return Finish(std::move(dict));
}

Outcome<ExprPtr> Parser::ParsePostfix(ExprPtr expr) {
  while (true) {
    if (Current().Is(".")) {
      TANDEM_ASSIGN_OR_RETURN(expr, ParseDot(std::move(expr)));
    } else if (Current().Is("[")) {
      TANDEM_ASSIGN_OR_RETURN(expr, ParseSubscript(std::move(expr)));
    } else if (Current().Is("(")) {
      TANDEM_ASSIGN_OR_RETURN(expr, ParseCall(std::move(expr)));
    } else {
      return expr;
    }
  }
}

Outcome<ExprPtr> Parser::ParseFilterExpression(ExprPtr expr) {
  while (true) {
    if (Current().Is("|")) {
      TANDEM_ASSIGN_OR_RETURN(expr, ParseFilter(std::move(expr), false));
    } else if (Current().IsName("is")) {
      TANDEM_ASSIGN_OR_RETURN(expr, ParseTest(std::move(expr)));
    } else if (Current().Is("(")) {
      TANDEM_ASSIGN_OR_RETURN(expr, ParseCall(std::move(expr)));
    } else {
      return expr;
    }
  }
}

Outcome<ExprPtr> Parser::ParseDot(ExprPtr object) {
  Take();
  const Token token = Take();
  if (token.kind == TokenKind::kName) {
    ExprPtr node = Make(ExprKind::kAttribute, token.position);
    node->name = token.text;
    node->children.push_back(std::move(object));
    return Finish(std::move(node));
  }
  if (token.kind != TokenKind::kInteger) {
    return Fail("expected name or number", token.position);
  }
  ExprPtr node = Make(ExprKind::kItem, token.position);
  return Finish(MakePair(std::move(node), std::move(object),
                         MakeConstant(Value::Integer(token.integer), token.position)));
}

Outcome<ExprPtr> Parser::ParseSubscript(ExprPtr object) {
  ExprPtr node = Make(ExprKind::kItem, Take().position);
  ExprPtr keys = Make(ExprKind::kTuple, node->position);
  while (!Current().Is("]")) {
    if (!keys->children.empty()) {
      TANDEM_RETURN_IF_ERROR(ExpectOperator(","));
    }
    TANDEM_ASSIGN_OR_RETURN(ExprPtr key, ParseSubscribed());
    keys->children.push_back(std::move(key));
  }
  TANDEM_RETURN_IF_ERROR(ExpectOperator("]"));
  ExprPtr key = keys->children.size() == 1 ? std::move(keys->children.front()) : nullptr;
  if (key == nullptr) {
    TANDEM_ASSIGN_OR_RETURN(key, Finish(std::move(keys)));
  }
  return Finish(MakePair(std::move(node), std::move(object), std::move(key)));
}

// A key, or start:stop:step.
Outcome<ExprPtr> Parser::ParseSubscribed() {
  ExprPtr slice = Make(ExprKind::kSlice, Current().position);
  slice->children.resize(3);
  if (!Current().Is(":")) {
    TANDEM_ASSIGN_OR_RETURN(slice->children[0], ParseExpression());
    if (!Current().Is(":")) {
      return std::move(slice->children[0]);
    }
  }
  Take();
  const auto at_end = [this] { return Current().Is("]") || Current().Is(","); };
  if (!Current().Is(":") && !at_end()) {
    TANDEM_ASSIGN_OR_RETURN(slice->children[1], ParseExpression());
  }
  if (SkipOperator(":") && !at_end()) {
    TANDEM_ASSIGN_OR_RETURN(slice->children[2], ParseExpression());
  }
  return Finish(std::move(slice));
}

}  // namespace tandem::jinja
