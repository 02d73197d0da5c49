#include <algorithm>

#include "base/format.h"
#include "text/jinja/characters.h"
#include "text/jinja/parser.h"

namespace tandem::jinja {
// Statements and text up to one of the names, which stays the current token; without names up to
// the end of the template.
Outcome<std::vector<StmtPtr>> Parser::ParseBody(const Names& end_names) {
  std::vector<StmtPtr> body;
  while (true) {
    switch (Current().kind) {
      case TokenKind::kEnd:
        return body;
      case TokenKind::kData: {
        StmtPtr data = Begin(StmtKind::kData);
        data->value = Value::String(Take().text, true);
        body.push_back(std::move(data));
        break;
      }
      case TokenKind::kVariableBegin: {
        Take();
        StmtPtr output = Begin(StmtKind::kOutput);
        TANDEM_ASSIGN_OR_RETURN(ExprPtr expr, ParseTuple({}));
        output->expressions.push_back(std::move(expr));
        TANDEM_RETURN_IF_ERROR(Expect(TokenKind::kVariableEnd));
        body.push_back(std::move(output));
        break;
      }
      case TokenKind::kBlockBegin: {
        Take();
        if (std::any_of(end_names.begin(), end_names.end(),
                        [this](std::string_view name) { return Current().IsName(name); })) {
          return body;
        }
        TANDEM_ASSIGN_OR_RETURN(StmtPtr stmt, ParseStatement());
        body.push_back(std::move(stmt));
        TANDEM_RETURN_IF_ERROR(Expect(TokenKind::kBlockEnd));
        break;
      }
      default:
        return Fail("unexpected token");
    }
  }
}

// The inside of a block tag: the rest of its tag, then statements up to one of the names.
Outcome<Body> Parser::ParseStatements(const Names& end_names, bool drop_end) {
  const Nesting nesting(*this);
  TANDEM_RETURN_IF_ERROR(nesting.Check());
  SkipOperator(":");
  TANDEM_RETURN_IF_ERROR(Expect(TokenKind::kBlockEnd));
  Body body;
  end_stack_.push_back(end_names);
  TANDEM_ASSIGN_OR_RETURN(body.statements, ParseBody(end_names));
  end_stack_.pop_back();
  if (Current().kind == TokenKind::kEnd) {
    return FailAtEnd(&end_names, nullptr, Current().position);
  }
  if (drop_end) {
    Take();
  }
  return body;
}

// An unknown tag, or the end of the template inside a block.
Raised Parser::FailAtEnd(const Names* end_names, const std::string* tag, Position position) {
  std::vector<Names> wanted = end_stack_;
  if (end_names != nullptr) {
    wanted.push_back(*end_names);
  }
  std::string message = tag == nullptr ? "Unexpected end of template."
                                       : Format("Encountered unknown tag '{}'.", *tag);
  if (!wanted.empty()) {
    std::string looking;
    for (const std::string_view name : wanted.back()) {
      looking += Format("{}'{}'", looking.empty() ? "" : " or ", name);
    }
    const bool misplaced =
        tag != nullptr && std::any_of(wanted.begin(), wanted.end(), [tag](const Names& names) {
          return std::find(names.begin(), names.end(), *tag) != names.end();
        });
    message += misplaced ? Format(
                               " You probably made a nesting mistake. Jinja is expecting this "
                               "tag, but currently looking for {}.",
                               looking)
                         : Format(" Jinja was looking for the following tags: {}.", looking);
  }
  if (!tag_stack_.empty()) {
    message += Format(" The innermost block that needs to be closed is '{}'.", tag_stack_.back());
  }
  return Fail(std::move(message), position);
}

Outcome<StmtPtr> Parser::ParseStatement() {
  struct Row {
    std::string_view tag;
    Outcome<StmtPtr> (Parser::*parse)();
  };
  static constexpr Row kStatements[] = {
      {"autoescape", &Parser::ParseAutoescape},
      {"block", &Parser::ParseBlock},
      {"break", &Parser::ParseLoopControl},
      {"call", &Parser::ParseCallBlock},
      {"continue", &Parser::ParseLoopControl},
      {"extends", &Parser::ParseExtends},
      {"filter", &Parser::ParseFilterBlock},
      {"for", &Parser::ParseFor},
      {"from", &Parser::ParseFrom},
      {"generation", &Parser::ParseGeneration},
      {"if", &Parser::ParseIf},
      {"import", &Parser::ParseImport},
      {"include", &Parser::ParseInclude},
      {"macro", &Parser::ParseMacro},
      {"print", &Parser::ParsePrint},
      {"set", &Parser::ParseSet},
      {"with", &Parser::ParseWith},
  };
  const Token& token = Current();
  if (token.kind != TokenKind::kName) {
    return Fail("tag name expected");
  }
  const auto* const row =
      std::find_if(std::begin(kStatements), std::end(kStatements),
                   [&token](const Row& candidate) { return candidate.tag == token.text; });
  if (row == std::end(kStatements)) {
    return FailAtEnd(nullptr, &token.text, token.position);
  }
  tag_stack_.push_back(token.text);
  Outcome<StmtPtr> stmt = (this->*row->parse)();
  tag_stack_.pop_back();
  return stmt;
}

Raised Parser::CheckTarget(const Expr& target) {
  switch (target.kind) {
    case ExprKind::kName:
    case ExprKind::kNamespaceTarget:
      return {};
    case ExprKind::kTuple:
      for (const ExprPtr& child : target.children) {
        TANDEM_RETURN_IF_ERROR(CheckTarget(*child));
      }
      return {};
    case ExprKind::kConstant:
      return Fail("can't assign to 'const'", target.position);
    case ExprKind::kAttribute:
      return Fail("can't assign to 'getattr'", target.position);
    case ExprKind::kItem:
      return Fail("can't assign to 'getitem'", target.position);
    default:
      return Fail("can't assign to an expression", target.position);
  }
}

Outcome<ExprPtr> Parser::ParseTarget(bool namespaces) {
  TANDEM_ASSIGN_OR_RETURN(ExprPtr target,
                          ParseTuple({.simplified = true, .namespaces = namespaces}));
  TANDEM_RETURN_IF_ERROR(CheckTarget(*target));
  return target;
}

Outcome<ExprPtr> Parser::ParseTargetName() {
  TANDEM_ASSIGN_OR_RETURN(const Token token, ExpectName());
  constexpr std::string_view kConstants[] = {"true", "false", "none", "True", "False", "None"};
  if (std::find(std::begin(kConstants), std::end(kConstants), token.text) != std::end(kConstants)) {
    return Fail("can't assign to 'name'", token.position);
  }
  ExprPtr node = Make(ExprKind::kName, token.position);
  node->name = token.text;
  node->id = Intern(token.text);
  return node;
}

Outcome<StmtPtr> Parser::ParseSet() {
  StmtPtr stmt = Begin(StmtKind::kSet);
  Take();
  TANDEM_ASSIGN_OR_RETURN(stmt->target, ParseTarget(true));
  ExprPtr value;
  if (SkipOperator("=")) {
    TANDEM_ASSIGN_OR_RETURN(value, ParseTuple({}));
    stmt->expressions.push_back(std::move(value));
    return stmt;
  }
  stmt->kind = StmtKind::kSetBlock;
  TANDEM_ASSIGN_OR_RETURN(value, ParseFilter(nullptr, false));
  stmt->expressions.push_back(std::move(value));
  TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"endset"}, true));
  stmt->bodies.push_back(std::move(body));
  return stmt;
}

Outcome<StmtPtr> Parser::ParseFor() {
  StmtPtr stmt = Begin(StmtKind::kFor);
  Take();
  TANDEM_ASSIGN_OR_RETURN(stmt->target, ParseTarget(false));
  TANDEM_RETURN_IF_ERROR(ExpectKeyword("in"));
  TANDEM_ASSIGN_OR_RETURN(ExprPtr iterable, ParseTuple({.conditional = false}));
  ExprPtr test;
  if (SkipName("if")) {
    TANDEM_ASSIGN_OR_RETURN(test, ParseExpression());
  }
  stmt->expressions.push_back(std::move(iterable));
  stmt->expressions.push_back(std::move(test));
  stmt->recursive = SkipName("recursive");
  TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"endfor", "else"}, false));
  stmt->bodies.push_back(std::move(body));
  if (Take().text != "endfor") {
    TANDEM_ASSIGN_OR_RETURN(Body otherwise, ParseStatements({"endfor"}, true));
    stmt->bodies.push_back(std::move(otherwise));
  } else {
    stmt->bodies.emplace_back();
  }
  return stmt;
}

Outcome<StmtPtr> Parser::ParseIf() {
  StmtPtr stmt = Begin(StmtKind::kIf);
  Take();
  while (true) {
    TANDEM_ASSIGN_OR_RETURN(ExprPtr test, ParseTuple({.conditional = false}));
    stmt->expressions.push_back(std::move(test));
    TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"elif", "else", "endif"}, false));
    stmt->bodies.push_back(std::move(body));
    const Token end = Take();
    if (end.text == "elif") {
      continue;
    }
    Body otherwise;
    if (end.text == "else") {
      TANDEM_ASSIGN_OR_RETURN(otherwise, ParseStatements({"endif"}, true));
    }
    stmt->bodies.push_back(std::move(otherwise));
    return stmt;
  }
}

Outcome<StmtPtr> Parser::ParseWith() {
  StmtPtr stmt = Begin(StmtKind::kWith);
  Take();
  while (Current().kind != TokenKind::kBlockEnd) {
    if (!stmt->targets.empty()) {
      TANDEM_RETURN_IF_ERROR(ExpectOperator(","));
    }
    TANDEM_ASSIGN_OR_RETURN(ExprPtr target, ParseTarget(false));
    TANDEM_RETURN_IF_ERROR(ExpectOperator("="));
    TANDEM_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
    stmt->targets.push_back(std::move(target));
    stmt->expressions.push_back(std::move(value));
  }
  TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"endwith"}, true));
  stmt->bodies.push_back(std::move(body));
  return stmt;
}

Outcome<StmtPtr> Parser::ParseAutoescape() {
  StmtPtr stmt = Begin(StmtKind::kAutoescape);
  Take();
  TANDEM_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
  stmt->expressions.push_back(std::move(value));
  TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"endautoescape"}, true));
  stmt->bodies.push_back(std::move(body));
  return stmt;
}

Outcome<StmtPtr> Parser::ParseBlock() {
  StmtPtr stmt = Begin(StmtKind::kBlock);
  Take();
  TANDEM_ASSIGN_OR_RETURN(const Token name, ExpectName());
  stmt->name = name.text;
  stmt->scoped = SkipName("scoped");
  stmt->required = SkipName("required");
  if (Current().Is("-")) {
    return Fail(
        "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use "
        "an underscore instead.");
  }
  TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"endblock"}, true));
  for (const StmtPtr& inner : body.statements) {
    const bool blank =
        inner->kind == StmtKind::kData &&
        TrimSpace(inner->value.bytes(), true, false).begin == inner->value.bytes().size();
    if (stmt->required && !blank) {
      return Fail("Required blocks can only contain comments or whitespace");
    }
  }
  stmt->bodies.push_back(std::move(body));
  SkipName(stmt->name);
  return stmt;
}

Outcome<StmtPtr> Parser::ParseExtends() {
  StmtPtr stmt = Begin(StmtKind::kLoad);
  Take();
  stmt->extends = true;
  TANDEM_ASSIGN_OR_RETURN(ExprPtr source, ParseExpression());
  stmt->expressions.push_back(std::move(source));
  return stmt;
}

bool Parser::SkipContextWords() {
  if ((Current().IsName("with") || Current().IsName("without")) && Look().IsName("context")) {
    Take();
    Take();
    return true;
  }
  return false;
}

Outcome<StmtPtr> Parser::ParseInclude() {
  StmtPtr stmt = Begin(StmtKind::kLoad);
  Take();
  TANDEM_ASSIGN_OR_RETURN(ExprPtr source, ParseExpression());
  stmt->expressions.push_back(std::move(source));
  if (Current().IsName("ignore") && Look().IsName("missing")) {
    Take();
    Take();
  }
  SkipContextWords();
  return stmt;
}

Outcome<StmtPtr> Parser::ParseImport() {
  StmtPtr stmt = Begin(StmtKind::kLoad);
  Take();
  TANDEM_ASSIGN_OR_RETURN(ExprPtr source, ParseExpression());
  stmt->expressions.push_back(std::move(source));
  TANDEM_RETURN_IF_ERROR(ExpectKeyword("as"));
  TANDEM_ASSIGN_OR_RETURN(const ExprPtr target, ParseTargetName());
  stmt->stored.push_back(target->id);
  SkipContextWords();
  return stmt;
}

// One name of `from x import a as b, c`; false after the last one.
Outcome<bool> Parser::ParseImportedName(Stmt& stmt, bool first) {
  if (!first) {
    TANDEM_RETURN_IF_ERROR(ExpectOperator(","));
  }
  if (SkipContextWords()) {
    return false;
  }
  TANDEM_ASSIGN_OR_RETURN(ExprPtr target, ParseTargetName());
  if (target->name.front() == '_') {
    return Raised("TemplateAssertionError", "names starting with an underline can not be imported",
                  target->position);
  }
  if (SkipName("as")) {
    TANDEM_ASSIGN_OR_RETURN(target, ParseTargetName());
  }
  stmt.stored.push_back(target->id);
  return !SkipContextWords() && Current().Is(",");
}

Outcome<StmtPtr> Parser::ParseFrom() {
  StmtPtr stmt = Begin(StmtKind::kLoad);
  Take();
  TANDEM_ASSIGN_OR_RETURN(ExprPtr source, ParseExpression());
  stmt->expressions.push_back(std::move(source));
  TANDEM_RETURN_IF_ERROR(ExpectKeyword("import"));
  bool more = true;
  for (bool first = true; more; first = false) {
    TANDEM_ASSIGN_OR_RETURN(more, ParseImportedName(*stmt, first));
  }
  return stmt;
}

Raised Parser::ParseSignature(Signature& signature) {
  TANDEM_RETURN_IF_ERROR(ExpectOperator("("));
  while (!Current().Is(")")) {
    if (!signature.names.empty()) {
      TANDEM_RETURN_IF_ERROR(ExpectOperator(","));
    }
    TANDEM_ASSIGN_OR_RETURN(const ExprPtr name, ParseTargetName());
    if (SkipOperator("=")) {
      TANDEM_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
      signature.defaults.push_back(std::move(value));
    } else if (!signature.defaults.empty()) {
      return Fail("non-default argument follows default argument");
    }
    signature.names.push_back(name->name);
    signature.ids.push_back(name->id);
    signature.explicit_caller = signature.explicit_caller || name->name == "caller";
  }
  return ExpectOperator(")");
}

Outcome<StmtPtr> Parser::ParseMacro() {
  StmtPtr stmt = Begin(StmtKind::kMacro);
  Take();
  TANDEM_ASSIGN_OR_RETURN(const ExprPtr name, ParseTargetName());
  stmt->name = name->name;
  stmt->id = name->id;
  TANDEM_RETURN_IF_ERROR(ParseSignature(stmt->signature));
  TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"endmacro"}, true));
  stmt->bodies.push_back(std::move(body));
  return stmt;
}

Outcome<StmtPtr> Parser::ParseCallBlock() {
  StmtPtr stmt = Begin(StmtKind::kCallBlock);
  Take();
  if (Current().Is("(")) {
    TANDEM_RETURN_IF_ERROR(ParseSignature(stmt->signature));
  }
  TANDEM_ASSIGN_OR_RETURN(ExprPtr call, ParseExpression());
  if (call->kind != ExprKind::kCall) {
    return Fail("expected call", stmt->position);
  }
  stmt->expressions.push_back(std::move(call));
  TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"endcall"}, true));
  stmt->bodies.push_back(std::move(body));
  return stmt;
}

// {% generation %}: Hugging Face's mark around what the model says; the text is just printed, from
// a scope of its own (theirs is a call block around it).
Outcome<StmtPtr> Parser::ParseGeneration() {
  StmtPtr stmt = Begin(StmtKind::kCallBlock);
  Take();
  stmt->expressions.emplace_back();
  TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"endgeneration"}, true));
  stmt->bodies.push_back(std::move(body));
  return stmt;
}

Outcome<StmtPtr> Parser::ParseFilterBlock() {
  StmtPtr stmt = Begin(StmtKind::kFilterBlock);
  Take();
  TANDEM_ASSIGN_OR_RETURN(ExprPtr filter, ParseFilter(nullptr, true));
  stmt->expressions.push_back(std::move(filter));
  TANDEM_ASSIGN_OR_RETURN(Body body, ParseStatements({"endfilter"}, true));
  stmt->bodies.push_back(std::move(body));
  return stmt;
}

Outcome<StmtPtr> Parser::ParsePrint() {
  StmtPtr stmt = Begin(StmtKind::kOutput);
  Take();
  while (Current().kind != TokenKind::kBlockEnd) {
    if (!stmt->expressions.empty()) {
      TANDEM_RETURN_IF_ERROR(ExpectOperator(","));
    }
    TANDEM_ASSIGN_OR_RETURN(ExprPtr expr, ParseExpression());
    stmt->expressions.push_back(std::move(expr));
  }
  return stmt;
}

Outcome<StmtPtr> Parser::ParseLoopControl() {
  StmtPtr stmt = Begin(Current().text == "break" ? StmtKind::kBreak : StmtKind::kContinue);
  Take();
  return stmt;
}

}  // namespace tandem::jinja
