#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/error.h"
#include "text/jinja/lexer.h"

namespace tandem::jinja {

/// Parses a template and checks what jinja2 checks when it compiles one. Errors are
/// TemplateSyntaxError and its kin, with their place.
Outcome<Program> ParseTemplate(std::string_view source);

/// Recursive descent over the tokens, one function for each rule of jinja2's grammar. Expressions
/// are in parser_expressions.cc and parser_calls.cc, statements in parser_statements.cc.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Outcome<Program> Parse();

 private:
  struct TupleRules {
    bool simplified = false;   // names and literals only: the target of an assignment
    bool conditional = true;   // `a if b` is part of an expression
    bool parentheses = false;  // inside ( ), where () is the empty tuple
    bool namespaces = false;   // ns.x may be a target
  };
  using Names = std::vector<std::string_view>;

  // Expressions.
  Outcome<ExprPtr> ParseExpression(bool conditional = true);
  Outcome<ExprPtr> ParseConditional();
  Outcome<ExprPtr> ParseOr();
  Outcome<ExprPtr> ParseAnd();
  Outcome<ExprPtr> ParseNot();
  Outcome<ExprPtr> ParseCompare();
  Outcome<ExprPtr> ParseSum();
  Outcome<ExprPtr> ParseConcat();
  Outcome<ExprPtr> ParseProduct();
  Outcome<ExprPtr> ParsePower();
  Outcome<ExprPtr> ParseUnary(bool with_filter = true);
  Outcome<ExprPtr> ParsePrimary(bool namespaces = false);
  Outcome<ExprPtr> ParseName(bool namespaces);
  Outcome<ExprPtr> ParseStrings();
  Outcome<ExprPtr> ParseTuple(const TupleRules& rules);
  Outcome<ExprPtr> ParseList();
  Outcome<ExprPtr> ParseDict();
  Outcome<ExprPtr> ParsePostfix(ExprPtr expr);
  Outcome<ExprPtr> ParseFilterExpression(ExprPtr expr);
  Outcome<ExprPtr> ParseDot(ExprPtr object);
  Outcome<ExprPtr> ParseSubscript(ExprPtr object);
  Outcome<ExprPtr> ParseSubscribed();
  Outcome<ExprPtr> ParseCall(ExprPtr callee);
  Outcome<CallArguments> ParseArguments();
  Raised ParseArgument(CallArguments& arguments, Position position);
  Outcome<ExprPtr> ParseFilter(ExprPtr input, bool start_inline);
  Outcome<ExprPtr> ParseTest(ExprPtr subject);
  Outcome<std::string> ParseDottedName();
  Outcome<ExprPtr> BinaryLevel(Outcome<ExprPtr> (Parser::*next)(), const Names& spellings,
                               const std::vector<BinaryOperator>& operators);

  // Statements.
  Outcome<std::vector<StmtPtr>> ParseBody(const Names& end_names);
  Outcome<Body> ParseStatements(const Names& end_names, bool drop_end);
  Outcome<StmtPtr> ParseStatement();
  Outcome<StmtPtr> ParseSet();
  Outcome<StmtPtr> ParseFor();
  Outcome<StmtPtr> ParseIf();
  Outcome<StmtPtr> ParseWith();
  Outcome<StmtPtr> ParseAutoescape();
  Outcome<StmtPtr> ParseBlock();
  Outcome<StmtPtr> ParseExtends();
  Outcome<StmtPtr> ParseInclude();
  Outcome<StmtPtr> ParseImport();
  Outcome<StmtPtr> ParseFrom();
  Outcome<StmtPtr> ParseMacro();
  Outcome<StmtPtr> ParseCallBlock();
  Outcome<StmtPtr> ParseFilterBlock();
  Outcome<StmtPtr> ParsePrint();
  Outcome<StmtPtr> ParseGeneration();
  Outcome<StmtPtr> ParseLoopControl();
  Raised ParseSignature(Signature& signature);
  Outcome<bool> ParseImportedName(Stmt& stmt, bool first);
  bool SkipContextWords();
  Outcome<ExprPtr> ParseTarget(bool namespaces);
  Outcome<ExprPtr> ParseTargetName();
  Raised CheckTarget(const Expr& target);
  Raised FailAtEnd(const Names* end_names, const std::string* tag, Position position);

  // Tokens.
  const Token& Current() const { return tokens_[at_]; }
  const Token& Look() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token Take();
  bool SkipOperator(std::string_view spelling);
  bool SkipName(std::string_view name);
  Raised ExpectOperator(std::string_view spelling);
  Outcome<Token> ExpectName();
  Raised ExpectKeyword(std::string_view name);
  Raised Expect(TokenKind kind);
  Raised Fail(std::string message) const { return Fail(std::move(message), Current().position); }
  Raised Fail(std::string message, Position position) const;

  Raised FailExpected(std::string_view wanted) const;

  // Nodes.
  ExprPtr Make(ExprKind kind, Position position) const;
  ExprPtr MakeConstant(Value value, Position position) const;
  Outcome<ExprPtr> Finish(ExprPtr expr) const;
  StmtPtr Begin(StmtKind kind);
  NameId Intern(const std::string& name);

  // Counts how deep rules call each other.
  class Nesting;

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t nesting_ = 0;
  std::vector<std::string> tag_stack_;
  std::vector<Names> end_stack_;
  std::vector<std::string> names_;
  std::map<std::string, NameId, std::less<>> name_ids_;
};

/// A RecursionError when rules nest too deeply; one is held by every rule that can contain itself.
class Parser::Nesting {
 public:
  explicit Nesting(Parser& parser) : parser_(parser) { ++parser_.nesting_; }
  ~Nesting() { --parser_.nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  Raised Check() const;

 private:
  Parser& parser_;
};

}  // namespace tandem::jinja
