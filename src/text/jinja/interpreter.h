#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/ast.h"
#include "text/jinja/object.h"
#include "text/jinja/runtime.h"

namespace tandem::jinja {

class LoopObject;
class MacroObject;

/// One level of variables.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<NameId, Value>> variables;
  bool captured = false;  // a macro will look names up here later: keep it
  bool isolated = false;  // a block: outer names that are not assigned yet do not hide variables

  void Set(NameId id, Value value);
};

/// Runs one program once, by walking its tree. Single-threaded; program and runtime must outlive
/// it, and the values it made must not be used after it.
class Interpreter {
 public:
  /// `variables`: by NameId, missing where the rendering has none.
  Interpreter(const Program& program, Runtime& runtime, std::vector<Value> variables);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// Everything that the template prints.
  Outcome<MarkedText> Run();

  /// Calls a macro or the caller of a call block.
  Outcome<Value> CallMacro(const MacroObject& macro, const Arguments& arguments);
  /// loop(iterable) inside a recursive loop: what its body prints for those items.
  Outcome<Value> Recurse(const Stmt& loop, Scope* scope, const Value& iterable, std::size_t depth);
  /// Whether `item` passes the condition of a for statement, seen from `scope`.
  Outcome<bool> PassesTest(const Stmt& loop, Scope* scope, const Value& item);
  /// What the block prints, from the top level.
  Outcome<Value> RenderBlock(const Stmt& block);

 private:
  enum class Flow { kNext, kBreak, kContinue };
  class ScopeGuard;
  class Redirect;

  // Statements.
  Outcome<Flow> Execute(const std::vector<StmtPtr>& statements);
  Outcome<Flow> Execute(const Stmt& stmt);
  Outcome<Flow> ExecuteScope(const Body& body);
  Raised Output(const Expr& expr);
  Outcome<Flow> ExecuteIf(const Stmt& stmt);
  Outcome<Flow> ExecuteFor(const Stmt& stmt);
  Outcome<Flow> RunLoop(const Stmt& stmt, const Value& iterable, std::size_t depth);
  Raised ExecuteSet(const Stmt& stmt);
  Outcome<Flow> ExecuteSetBlock(const Stmt& stmt);
  Outcome<Flow> ExecuteFilterBlock(const Stmt& stmt);
  Outcome<Flow> ExecuteCallBlock(const Stmt& stmt);
  Outcome<Flow> ExecuteWith(const Stmt& stmt);
  Outcome<Flow> ExecuteAutoescape(const Stmt& stmt);
  Raised ExecuteBlock(const Stmt& stmt);
  Raised ExecuteLoad(const Stmt& stmt);
  Raised Assign(const Expr& target, Value value);
  Raised CheckNamespaces(const Expr& target);
  Raised Write(const Value& value);
  Outcome<Value> Captured(MarkedText text);

  // Expressions.
  Outcome<Value> Evaluate(const Expr& expr);
  Outcome<Value> EvaluateKind(const Expr& expr);
  Outcome<Value> EvaluateSequence(const Expr& expr);
  Outcome<Value> EvaluateDict(const Expr& expr);
  Outcome<Value> EvaluateConditional(const Expr& expr);
  Outcome<Value> EvaluateLogic(const Expr& expr);
  Outcome<Value> EvaluateCompare(const Expr& expr);
  Outcome<Value> EvaluateBinary(const Expr& expr);
  Outcome<Value> EvaluateConcat(const Expr& expr);
  Outcome<Value> EvaluateItem(const Expr& expr);
  Outcome<Value> EvaluateCall(const Expr& expr, const Value* caller);
  Outcome<Value> EvaluateFilter(const Expr& expr, const Value* input);
  Outcome<Value> EvaluateTest(const Expr& expr);
  Outcome<Arguments> EvaluateArguments(const CallArguments& arguments);
  Raised SpreadKeywords(const Value& mapping, Arguments& arguments);
  Value Lookup(NameId id) const;
  Raised BindParameters(const MacroObject& macro, const Arguments& arguments);

  Value Closure(const Stmt& stmt, std::string name);
  void Capture(Scope* scope);

  const Program& program_;
  Runtime& runtime_;
  std::vector<Value> variables_;
  Scope* scope_ = nullptr;
  Scope* root_ = nullptr;
  MarkedText* out_ = nullptr;
  std::vector<std::unique_ptr<Scope>> free_scopes_;
  std::vector<std::unique_ptr<Scope>> kept_scopes_;
  std::size_t scopes_ = 0;  // made so far; both lists have room for all
};

/// A macro, or the body of a call block: statements with the scope they were defined in.
class MacroObject final : public Object {
 public:
  MacroObject(Interpreter& interpreter, const Stmt& stmt, Scope* scope, std::string name)
      : interpreter_(interpreter), stmt_(stmt), scope_(scope), name_(std::move(name)) {}

  std::string_view TypeName() const override { return "Macro"; }
  std::string_view QualifiedTypeName() const override { return "jinja2.runtime.Macro"; }
  bool Callable() const override { return true; }
  Outcome<Value> Call(Runtime& /*runtime*/, const Arguments& arguments) override {
    return interpreter_.CallMacro(*this, arguments);
  }
  Outcome<std::optional<Value>> Attribute(Runtime& runtime, std::string_view name) override;
  Outcome<MarkedText> Print(Runtime& runtime) override;

  const Stmt& stmt() const { return stmt_; }
  Scope* scope() const { return scope_; }
  const std::string& name() const { return name_; }

 private:
  Interpreter& interpreter_;
  const Stmt& stmt_;
  Scope* scope_;
  std::string name_;  // empty for a caller
};

}  // namespace tandem::jinja
