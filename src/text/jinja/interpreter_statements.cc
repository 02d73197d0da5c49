#include "base/format.h"
#include "text/jinja/globals.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/interpreter_scope.h"
#include "text/jinja/iteration.h"
#include "text/jinja/loop.h"
#include "text/jinja/printing.h"
#include "text/jinja/scopes.h"

namespace tandem::jinja {
namespace {

bool IsNamespace(const Value& value) {
  return value.object() && dynamic_cast<const NamespaceObject*>(&value.AsObject()) != nullptr;
}

}  // namespace

Outcome<Interpreter::Flow> Interpreter::Execute(const std::vector<StmtPtr>& statements) {
  const Runtime::Level level(runtime_);
  TANDEM_RETURN_IF_ERROR(level.Check());
  for (const StmtPtr& stmt : statements) {
    TANDEM_RETURN_IF_ERROR(runtime_.Charge(1));
    Outcome<Flow> flow = Execute(*stmt);
    if (!flow.ok()) {
      flow.status().PlaceAt(stmt->position);
      return flow;
    }
    if (*flow != Flow::kNext) {
      return flow;
    }
  }
  return Flow::kNext;
}

Outcome<Interpreter::Flow> Interpreter::Execute(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::kData:
      TANDEM_RETURN_IF_ERROR(Write(stmt.value));
      return Flow::kNext;
    case StmtKind::kOutput:
      for (const ExprPtr& expr : stmt.expressions) {
        TANDEM_RETURN_IF_ERROR(Output(*expr));
      }
      return Flow::kNext;
    case StmtKind::kFor:
      return ExecuteFor(stmt);
    case StmtKind::kIf:
      return ExecuteIf(stmt);
    case StmtKind::kSet:
      TANDEM_RETURN_IF_ERROR(ExecuteSet(stmt));
      return Flow::kNext;
    case StmtKind::kSetBlock:
      return ExecuteSetBlock(stmt);
    case StmtKind::kMacro:
      scope_->Set(stmt.id, Closure(stmt, stmt.name));
      return Flow::kNext;
    case StmtKind::kCallBlock:
      return ExecuteCallBlock(stmt);
    case StmtKind::kFilterBlock:
      return ExecuteFilterBlock(stmt);
    case StmtKind::kWith:
      return ExecuteWith(stmt);
    case StmtKind::kAutoescape:
      return ExecuteAutoescape(stmt);
    case StmtKind::kBlock:
      TANDEM_RETURN_IF_ERROR(ExecuteBlock(stmt));
      return Flow::kNext;
    case StmtKind::kLoad:
      TANDEM_RETURN_IF_ERROR(ExecuteLoad(stmt));
      return Flow::kNext;
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return Flow::kNext;
}

Outcome<Interpreter::Flow> Interpreter::ExecuteScope(const Body& body) {
  ScopeGuard guard(*this, scope_);
  guard.Hide(body.unset);
  return Execute(body.statements);
}

Raised Interpreter::Write(const Value& value) {
  TANDEM_RETURN_IF_ERROR(runtime_.Charge(value.weight()));
  TANDEM_RETURN_IF_ERROR(runtime_.CheckSize(out_->size() + value.bytes().size()));
  out_->Append(value.text().text);
  return {};
}

Raised Interpreter::Output(const Expr& expr) {
  TANDEM_ASSIGN_OR_RETURN(Value value, Evaluate(expr));
  if (runtime_.autoescape()) {
    TANDEM_ASSIGN_OR_RETURN(value, Escape(runtime_, value));
  }
  if (value.string()) {
    return Write(value);
  }
  TANDEM_RETURN_IF_ERROR(PrintTo(runtime_, value, *out_));
  return runtime_.CheckSize(out_->size());
}

Outcome<Interpreter::Flow> Interpreter::ExecuteIf(const Stmt& stmt) {
  for (std::size_t i = 0; i < stmt.expressions.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(const Value test, Evaluate(*stmt.expressions[i]));
    if (test.Truthy()) {
      return Execute(stmt.bodies[i].statements);
    }
  }
  return Execute(stmt.bodies.back().statements);
}

Outcome<Interpreter::Flow> Interpreter::ExecuteFor(const Stmt& stmt) {
  TANDEM_ASSIGN_OR_RETURN(const Value iterable, Evaluate(*stmt.expressions[0]));
  if (stmt.recursive) {
    Capture(scope_);  // the loop object may be called as long as it lives
  }
  Outcome<Flow> flow = RunLoop(stmt, iterable, 0);
  if (!flow.ok()) {
    flow.status().PlaceAt(stmt.expressions[0]->position);
  }
  return flow;
}

// The loop itself; `scope_` is the one around the for statement. As in jinja2 the else branch also
// runs when every turn was left by break or continue, and what it leaves is a loop further out.
Outcome<Interpreter::Flow> Interpreter::RunLoop(const Stmt& stmt, const Value& iterable,
                                                std::size_t depth) {
  const Runtime::Level level(runtime_);
  TANDEM_RETURN_IF_ERROR(level.Check());
  TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<Iterator> iterator, Iterate(iterable));
  if (stmt.expressions[1] != nullptr) {
    iterator = std::make_unique<FilteredIterator>(*this, stmt, scope_, std::move(iterator));
  }
  const auto loop =
      std::make_shared<LoopObject>(*this, stmt, scope_, iterable, std::move(iterator), depth);
  struct Closer {
    LoopObject& loop;
    ~Closer() { loop.Close(); }
  };
  const Closer closer{*loop};
  bool completed_any = false;
  while (true) {
    TANDEM_RETURN_IF_ERROR(runtime_.Charge(1));
    TANDEM_ASSIGN_OR_RETURN(std::optional<Value> item, loop->Advance(runtime_));
    if (!item.has_value()) {
      break;
    }
    ScopeGuard guard(*this, scope_);
    guard.Hide(stmt.bodies[0].unset);
    guard.scope().Set(kLoop, Value::Of(loop));
    TANDEM_RETURN_IF_ERROR(Assign(*stmt.target, *std::move(item)));
    TANDEM_ASSIGN_OR_RETURN(const Flow flow, Execute(stmt.bodies[0].statements));
    if (flow == Flow::kBreak) {
      break;
    }
    completed_any = completed_any || flow == Flow::kNext;
  }
  return completed_any || stmt.bodies[1].statements.empty() ? Outcome<Flow>(Flow::kNext)
                                                            : ExecuteScope(stmt.bodies[1]);
}

// jinja2 looks at all namespaces of a target before it evaluates the value.
Raised Interpreter::CheckNamespaces(const Expr& target) {
  if (target.kind == ExprKind::kNamespaceTarget) {
    const Value value = Lookup(target.id);
    if (!IsNamespace(value)) {
      return Raised("TemplateRuntimeError", "cannot assign attribute on non-namespace object",
                    target.position);
    }
  }
  for (const ExprPtr& child : target.children) {
    TANDEM_RETURN_IF_ERROR(CheckNamespaces(*child));
  }
  return {};
}

Raised Interpreter::Assign(const Expr& target, Value value) {
  if (target.kind == ExprKind::kName) {
    scope_->Set(target.id, std::move(value));
    return {};
  }
  if (target.kind == ExprKind::kNamespaceTarget) {
    const Value space = Lookup(target.id);
    if (!IsNamespace(space)) {
      return TypeError(Format("'{}' object does not support item assignment", space.TypeName()));
    }
    static_cast<NamespaceObject&>(space.AsObject()).Set(target.attribute, std::move(value));
    return {};
  }
  Outcome<std::vector<Value>> items = Unpack(runtime_, value, target.children.size());
  if (!items.ok()) {
    items.status().PlaceAt(target.position);
    return items.status();
  }
  for (std::size_t i = 0; i < target.children.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(Assign(*target.children[i], std::move((*items)[i])));
  }
  return {};
}

Raised Interpreter::ExecuteSet(const Stmt& stmt) {
  TANDEM_RETURN_IF_ERROR(CheckNamespaces(*stmt.target));
  TANDEM_ASSIGN_OR_RETURN(Value value, Evaluate(*stmt.expressions[0]));
  return Assign(*stmt.target, std::move(value));
}

Outcome<Interpreter::Flow> Interpreter::ExecuteSetBlock(const Stmt& stmt) {
  Value value;
  {
    ScopeGuard guard(*this, scope_);
    guard.Hide(stmt.bodies[0].unset);
    Redirect redirect(*this);
    TANDEM_ASSIGN_OR_RETURN(const Flow flow, Execute(stmt.bodies[0].statements));
    if (flow != Flow::kNext) {
      return flow;
    }
    TANDEM_ASSIGN_OR_RETURN(value, Captured(redirect.Take()));
    if (stmt.expressions[0] != nullptr) {
      TANDEM_ASSIGN_OR_RETURN(value, EvaluateFilter(*stmt.expressions[0], &value));
    }
  }
  TANDEM_RETURN_IF_ERROR(Assign(*stmt.target, std::move(value)));
  return Flow::kNext;
}

Outcome<Interpreter::Flow> Interpreter::ExecuteFilterBlock(const Stmt& stmt) {
  ScopeGuard guard(*this, scope_);
  guard.Hide(stmt.bodies[0].unset);
  Value value;
  {
    Redirect redirect(*this);
    TANDEM_ASSIGN_OR_RETURN(const Flow flow, Execute(stmt.bodies[0].statements));
    if (flow != Flow::kNext) {
      return flow;
    }
    TANDEM_ASSIGN_OR_RETURN(value, Captured(redirect.Take()));
  }
  TANDEM_ASSIGN_OR_RETURN(value, EvaluateFilter(*stmt.expressions[0], &value));
  if (!value.string()) {
    return TypeError(Format("expected str instance, {} found", value.TypeName()));
  }
  TANDEM_RETURN_IF_ERROR(Write(value));
  return Flow::kNext;
}

Outcome<Interpreter::Flow> Interpreter::ExecuteCallBlock(const Stmt& stmt) {
  if (stmt.expressions[0] == nullptr) {  // {% generation %}
    return ExecuteScope(stmt.bodies[0]);
  }
  const Value caller = Closure(stmt, "");
  Outcome<Value> called = EvaluateCall(*stmt.expressions[0], &caller);
  if (!called.ok()) {
    called.status().PlaceAt(stmt.expressions[0]->position);
    return called.status();
  }
  TANDEM_ASSIGN_OR_RETURN(const MarkedText text, Print(runtime_, *called));
  TANDEM_RETURN_IF_ERROR(runtime_.CheckSize(out_->size() + text.size()));
  out_->Append(text);
  return Flow::kNext;
}

Outcome<Interpreter::Flow> Interpreter::ExecuteWith(const Stmt& stmt) {
  std::vector<Value> values;
  for (const ExprPtr& expr : stmt.expressions) {
    TANDEM_ASSIGN_OR_RETURN(Value value, Evaluate(*expr));
    values.push_back(std::move(value));
  }
  ScopeGuard guard(*this, scope_);
  guard.Hide(stmt.bodies[0].unset);
  for (std::size_t i = 0; i < values.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(Assign(*stmt.targets[i], std::move(values[i])));
  }
  return Execute(stmt.bodies[0].statements);
}

Outcome<Interpreter::Flow> Interpreter::ExecuteAutoescape(const Stmt& stmt) {
  ScopeGuard guard(*this, scope_);
  guard.Hide(stmt.bodies[0].unset);
  TANDEM_ASSIGN_OR_RETURN(const Value on, Evaluate(*stmt.expressions[0]));
  const bool before = runtime_.autoescape();
  runtime_.set_autoescape(on.Truthy());
  Outcome<Flow> flow = Execute(stmt.bodies[0].statements);
  runtime_.set_autoescape(before);
  return flow;
}

// A block sees the rendering's variables and what the top level assigned; a scoped one all that is
// around it.
Raised Interpreter::ExecuteBlock(const Stmt& stmt) {
  if (stmt.required) {
    return Raised("TemplateRuntimeError", Format("Required block '{}' not found", stmt.name));
  }
  ScopeGuard guard(*this, stmt.scoped ? scope_ : root_);
  guard.scope().isolated = true;
  guard.Hide(stmt.bodies[0].unset);
  guard.scope().Set(
      kSuper,
      Value::Undefined({.hint = Format("there is no parent block called '{}'.", stmt.name)}));
  TANDEM_ASSIGN_OR_RETURN(const Flow flow, Execute(stmt.bodies[0].statements));
  static_cast<void>(flow);
  return {};
}

// extends, include, import: a chat template stands alone, as with an environment without a loader.
Raised Interpreter::ExecuteLoad(const Stmt& stmt) {
  TANDEM_ASSIGN_OR_RETURN(const Value source, Evaluate(*stmt.expressions[0]));
  static_cast<void>(source);
  return TypeError("no loader for this environment specified");
}

}  // namespace tandem::jinja
