#include "text/jinja/interpreter.h"

#include "base/format.h"
#include "text/jinja/globals.h"
#include "text/jinja/interpreter_scope.h"
#include "text/jinja/iteration.h"
#include "text/jinja/loop.h"
#include "text/jinja/printing.h"
#include "text/jinja/scopes.h"

namespace tandem::jinja {
namespace {

// What {{ self }} gives: its attributes are the template's blocks, as functions.
class SelfObject final : public Object {
 public:
  SelfObject(Interpreter& interpreter, const Program& program)
      : interpreter_(interpreter), program_(program) {}
  std::string_view TypeName() const override { return "TemplateReference"; }
  std::string_view QualifiedTypeName() const override { return "jinja2.runtime.TemplateReference"; }
  Outcome<MarkedText> Print(Runtime& /*runtime*/) override {
    return MarkedText("<TemplateReference None>", true);
  }
  Outcome<std::optional<Value>> Attribute(Runtime& runtime, std::string_view name) override;

 private:
  Interpreter& interpreter_;
  const Program& program_;
};

class BlockObject final : public Object {
 public:
  BlockObject(Interpreter& interpreter, const Stmt& block)
      : interpreter_(interpreter), block_(block) {}
  std::string_view TypeName() const override { return "BlockReference"; }
  bool Callable() const override { return true; }
  Outcome<Value> Call(Runtime& /*runtime*/, const Arguments& /*arguments*/) override {
    return interpreter_.RenderBlock(block_);
  }

 private:
  Interpreter& interpreter_;
  const Stmt& block_;
};

Outcome<std::optional<Value>> SelfObject::Attribute(Runtime& /*runtime*/, std::string_view name) {
  for (const auto& [block_name, block] : program_.blocks) {
    if (block_name == name) {
      return std::optional<Value>(Value::Of(std::make_shared<BlockObject>(interpreter_, *block)));
    }
  }
  return std::optional<Value>();
}

}  // namespace

void Scope::Set(NameId id, Value value) {
  for (auto& [name, old] : variables) {
    if (name == id) {
      old = std::move(value);
      return;
    }
  }
  variables.emplace_back(id, std::move(value));
}

Interpreter::ScopeGuard::ScopeGuard(Interpreter& interpreter, Scope* parent)
    : interpreter_(interpreter), outer_(interpreter.scope_) {
  if (interpreter.free_scopes_.empty()) {
    own_ = std::make_unique<Scope>();
    // Room in both lists now: where the scope is given back nothing may fail.
    if (++interpreter.scopes_ > interpreter.kept_scopes_.capacity()) {
      interpreter.free_scopes_.reserve(2 * interpreter.scopes_);
      interpreter.kept_scopes_.reserve(2 * interpreter.scopes_);
    }
  } else {
    own_ = std::move(interpreter.free_scopes_.back());
    interpreter.free_scopes_.pop_back();
  }
  own_->parent = parent;
  interpreter.scope_ = own_.get();
}

Interpreter::ScopeGuard::~ScopeGuard() {
  interpreter_.scope_ = outer_;
  if (own_->captured) {
    interpreter_.kept_scopes_.push_back(std::move(own_));
    return;
  }
  own_->variables.clear();
  own_->isolated = false;
  interpreter_.free_scopes_.push_back(std::move(own_));
}

void Interpreter::ScopeGuard::Hide(const std::vector<NameId>& names) {
  for (const NameId id : names) {
    own_->Set(id, Value());
  }
}

Interpreter::Interpreter(const Program& program, Runtime& runtime, std::vector<Value> variables)
    : program_(program), runtime_(runtime), variables_(std::move(variables)) {}

Interpreter::~Interpreter() = default;

Outcome<MarkedText> Interpreter::Run() {
  MarkedText text;
  out_ = &text;
  ScopeGuard guard(*this, nullptr);
  root_ = scope_;
  guard.Hide(program_.body.unset);
  guard.scope().Set(kSelf, Value::Of(std::make_shared<SelfObject>(*this, program_)));
  TANDEM_ASSIGN_OR_RETURN(const Flow flow, Execute(program_.body.statements));
  static_cast<void>(flow);
  return text;
}

Value Interpreter::Lookup(NameId id) const {
  bool through_block = false;
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    for (const auto& [name, value] : scope->variables) {
      if (name == id && !(value.missing() && through_block)) {
        return value.missing() ? Value::Undefined({.name = program_.names[id]}) : value;
      }
    }
    through_block = through_block || scope->isolated;
  }
  return variables_[id].missing() ? Value::Undefined({.name = program_.names[id]}) : variables_[id];
}

void Interpreter::Capture(Scope* scope) {
  for (; scope != nullptr && !scope->captured; scope = scope->parent) {
    scope->captured = true;
  }
}

Value Interpreter::Closure(const Stmt& stmt, std::string name) {
  Capture(scope_);
  return Value::Of(std::make_shared<MacroObject>(*this, stmt, scope_, std::move(name)));
}

// A finished text as a value: markup where escaping is on.
Outcome<Value> Interpreter::Captured(MarkedText text) {
  TANDEM_ASSIGN_OR_RETURN(const Value value, runtime_.Text(std::move(text)));
  return value.WithMarkup(runtime_.autoescape());
}

Outcome<Value> Interpreter::RenderBlock(const Stmt& block) {
  const Runtime::Level level(runtime_);
  TANDEM_RETURN_IF_ERROR(level.Check());
  Redirect redirect(*this);
  TANDEM_RETURN_IF_ERROR(ExecuteBlock(block));
  return Captured(redirect.Take());
}

Outcome<Value> Interpreter::Recurse(const Stmt& loop, Scope* scope, const Value& iterable,
                                    std::size_t depth) {
  Redirect redirect(*this);
  Scope* const outer = std::exchange(scope_, scope);
  const Outcome<Flow> flow = RunLoop(loop, iterable, depth);
  scope_ = outer;
  if (!flow.ok()) {
    return flow.status();
  }
  return Captured(redirect.Take());
}

Outcome<bool> Interpreter::PassesTest(const Stmt& loop, Scope* scope, const Value& item) {
  ScopeGuard guard(*this, scope);
  TANDEM_RETURN_IF_ERROR(Assign(*loop.target, item));
  TANDEM_ASSIGN_OR_RETURN(const Value passes, Evaluate(*loop.expressions[1]));
  return passes.Truthy();
}

// As jinja2's Macro.__call__: positional values, then keywords by name, then what the body asked
// for of caller, kwargs and varargs; the rest is an error. Fills the current scope.
Raised Interpreter::BindParameters(const MacroObject& macro, const Arguments& arguments) {
  const Signature& signature = macro.stmt().signature;
  const std::size_t count = signature.names.size();
  const std::size_t given = std::min(arguments.positional.size(), count);
  std::vector<std::pair<std::string, Value>> keywords = arguments.keywords;
  const auto take = [&keywords](std::string_view name) {
    for (auto it = keywords.begin(); it != keywords.end(); ++it) {
      if (it->first == name) {
        Value value = std::move(it->second);
        keywords.erase(it);
        return value;
      }
    }
    return Value();
  };
  for (std::size_t i = 0; i < count; ++i) {
    scope_->Set(signature.ids[i], i < given ? arguments.positional[i] : take(signature.names[i]));
  }
  if (signature.uses_caller && !signature.explicit_caller) {
    Value caller = take("caller");
    scope_->Set(kCaller, caller.missing() || caller.none()
                             ? Value::Undefined({.hint = "No caller defined"})
                             : std::move(caller));
  }
  if (signature.uses_kwargs) {
    DictRep rest;
    for (auto& [name, value] : keywords) {
      rest.Set(Value::String(name, true), std::move(value));
    }
    scope_->Set(kKwargs, Value::Dict(std::move(rest)));
  } else if (!keywords.empty()) {
    return TypeError(
        keywords.front().first == "caller"
            ? Format("macro '{}' was invoked with two values for the special caller argument. This "
                     "is most likely a bug.",
                     macro.name())
            : Format("macro '{}' takes no keyword argument '{}'", macro.name(),
                     keywords.front().first));
  }
  if (signature.uses_varargs) {
    const auto first = arguments.positional.begin() + static_cast<std::ptrdiff_t>(given);
    scope_->Set(kVarargs, Value::Tuple({first, arguments.positional.end()}));
  } else if (arguments.positional.size() > count) {
    return TypeError(Format("macro '{}' takes not more than {} argument(s)", macro.name(), count));
  }
  return {};
}

Outcome<Value> Interpreter::CallMacro(const MacroObject& macro, const Arguments& arguments) {
  const Runtime::Level level(runtime_);
  TANDEM_RETURN_IF_ERROR(level.Check());
  const Stmt& stmt = macro.stmt();
  const Signature& signature = stmt.signature;
  ScopeGuard guard(*this, macro.scope());
  TANDEM_RETURN_IF_ERROR(BindParameters(macro, arguments));
  guard.Hide(stmt.bodies[0].unset);
  const std::size_t first_default = signature.names.size() - signature.defaults.size();
  for (std::size_t i = 0; i < signature.names.size(); ++i) {
    if (!guard.scope().variables[i].second.missing()) {
      continue;
    }
    Value value =
        Value::Undefined({.hint = Format("parameter '{}' was not provided", signature.names[i])});
    if (i >= first_default) {
      TANDEM_ASSIGN_OR_RETURN(value, Evaluate(*signature.defaults[i - first_default]));
    }
    scope_->Set(signature.ids[i], std::move(value));
  }
  Redirect redirect(*this);
  TANDEM_ASSIGN_OR_RETURN(const Flow flow, Execute(stmt.bodies[0].statements));
  static_cast<void>(flow);
  return Captured(redirect.Take());
}

Outcome<std::optional<Value>> MacroObject::Attribute(Runtime& /*runtime*/, std::string_view name) {
  using Found = std::optional<Value>;
  const Signature& signature = stmt_.signature;
  if (name == "name") {
    return Found(name_.empty() ? Value::None() : Value::String(name_, true));
  }
  if (name == "arguments") {
    std::vector<Value> names;
    for (const std::string& parameter : signature.names) {
      names.push_back(Value::String(parameter, true));
    }
    return Found(Value::Tuple(std::move(names)));
  }
  if (name == "catch_kwargs" || name == "catch_varargs" || name == "caller") {
    return Found(Value::Bool(name == "caller"         ? signature.uses_caller
                             : name == "catch_kwargs" ? signature.uses_kwargs
                                                      : signature.uses_varargs));
  }
  return Found();
}

Outcome<MarkedText> MacroObject::Print(Runtime& /*runtime*/) {
  return MarkedText(name_.empty() ? "<Macro anonymous>" : Format("<Macro '{}'>", name_), true);
}

}  // namespace tandem::jinja
