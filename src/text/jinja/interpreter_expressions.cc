#include "base/format.h"
#include "text/jinja/comparison.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/iteration.h"
#include "text/jinja/lookup.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {

Outcome<Value> Interpreter::Evaluate(const Expr& expr) {
  if (expr.kind == ExprKind::kConstant) {
    return expr.value;
  }
  if (expr.kind == ExprKind::kName) {
    return Lookup(expr.id);
  }
  const Runtime::Level level(runtime_);
  Raised raised = level.Check();
  if (raised.ok()) {
    raised = runtime_.Charge(1);
  }
  if (!raised.ok()) {
    raised.PlaceAt(expr.position);
    return raised;
  }
  Outcome<Value> value = EvaluateKind(expr);
  if (!value.ok()) {
    value.status().PlaceAt(expr.position);
  }
  return value;
}

Outcome<Value> Interpreter::EvaluateKind(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kTuple:
    case ExprKind::kList:
      return EvaluateSequence(expr);
    case ExprKind::kDict:
      return EvaluateDict(expr);
    case ExprKind::kConditional:
      return EvaluateConditional(expr);
    case ExprKind::kAnd:
    case ExprKind::kOr:
    case ExprKind::kNot:
      return EvaluateLogic(expr);
    case ExprKind::kCompare:
      return EvaluateCompare(expr);
    case ExprKind::kBinary:
      return EvaluateBinary(expr);
    case ExprKind::kUnary: {
      TANDEM_ASSIGN_OR_RETURN(const Value operand, Evaluate(*expr.children[0]));
      return Apply(runtime_, expr.unary, operand);
    }
    case ExprKind::kConcat:
      return EvaluateConcat(expr);
    case ExprKind::kAttribute: {
      TANDEM_ASSIGN_OR_RETURN(const Value object, Evaluate(*expr.children[0]));
      return GetAttribute(runtime_, object, expr.name);
    }
    case ExprKind::kItem:
      return EvaluateItem(expr);
    case ExprKind::kCall:
      return EvaluateCall(expr, nullptr);
    case ExprKind::kFilter:
      return EvaluateFilter(expr, nullptr);
    case ExprKind::kTest:
      return EvaluateTest(expr);
    case ExprKind::kSlice:
      return TypeError("unhashable type: 'slice'");
    case ExprKind::kConstant:
    case ExprKind::kName:
    case ExprKind::kNamespaceTarget:
      break;
  }
  return expr.value;
}

Outcome<Value> Interpreter::EvaluateSequence(const Expr& expr) {
  std::vector<Value> items;
  items.reserve(expr.children.size());
  for (const ExprPtr& child : expr.children) {
    TANDEM_ASSIGN_OR_RETURN(Value item, Evaluate(*child));
    items.push_back(std::move(item));
  }
  return runtime_.CheckNesting(expr.kind == ExprKind::kList ? Value::List(std::move(items))
                                                            : Value::Tuple(std::move(items)));
}

Outcome<Value> Interpreter::EvaluateDict(const Expr& expr) {
  DictRep dict;
  for (std::size_t i = 0; i < expr.children.size(); i += 2) {
    TANDEM_ASSIGN_OR_RETURN(Value key, Evaluate(*expr.children[i]));
    TANDEM_ASSIGN_OR_RETURN(Value value, Evaluate(*expr.children[i + 1]));
    TANDEM_RETURN_IF_ERROR(CheckHashable(key));
    dict.Set(std::move(key), std::move(value));
  }
  return runtime_.CheckNesting(Value::Dict(std::move(dict)));
}

Outcome<Value> Interpreter::EvaluateConditional(const Expr& expr) {
  TANDEM_ASSIGN_OR_RETURN(const Value test, Evaluate(*expr.children[0]));
  if (test.Truthy()) {
    return Evaluate(*expr.children[1]);
  }
  if (expr.children[2] != nullptr) {
    return Evaluate(*expr.children[2]);
  }
  return Value::Undefined(
      {.hint = Format("the inline if-expression on line {} evaluated to false and no else section "
                      "was defined.",
                      expr.position.line)});
}

Outcome<Value> Interpreter::EvaluateLogic(const Expr& expr) {
  TANDEM_ASSIGN_OR_RETURN(Value left, Evaluate(*expr.children[0]));
  if (expr.kind == ExprKind::kNot) {
    return Value::Bool(!left.Truthy());
  }
  const bool decided = left.Truthy() == (expr.kind == ExprKind::kOr);
  return decided ? Outcome<Value>(std::move(left)) : Evaluate(*expr.children[1]);
}

// a < b < c: every operand once, up to the first comparison that fails.
Outcome<Value> Interpreter::EvaluateCompare(const Expr& expr) {
  TANDEM_ASSIGN_OR_RETURN(Value left, Evaluate(*expr.children[0]));
  for (std::size_t i = 0; i < expr.comparisons.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(Value right, Evaluate(*expr.children[i + 1]));
    TANDEM_ASSIGN_OR_RETURN(const bool holds, Compare(runtime_, expr.comparisons[i], left, right));
    if (!holds) {
      return Value::Bool(false);
    }
    left = std::move(right);
  }
  return Value::Bool(true);
}

Outcome<Value> Interpreter::EvaluateBinary(const Expr& expr) {
  TANDEM_ASSIGN_OR_RETURN(const Value left, Evaluate(*expr.children[0]));
  TANDEM_ASSIGN_OR_RETURN(const Value right, Evaluate(*expr.children[1]));
  return Apply(runtime_, expr.binary, left, right);
}

Outcome<Value> Interpreter::EvaluateConcat(const Expr& expr) {
  std::vector<Value> parts;
  bool any_markup = false;
  for (const ExprPtr& child : expr.children) {
    TANDEM_ASSIGN_OR_RETURN(Value part, Evaluate(*child));
    any_markup = any_markup || part.markup();
    parts.push_back(std::move(part));
  }
  const bool markup = any_markup && runtime_.autoescape();
  MarkedText text;
  for (Value& part : parts) {
    if (markup) {
      TANDEM_ASSIGN_OR_RETURN(part, Escape(runtime_, part));
    }
    TANDEM_RETURN_IF_ERROR(PrintTo(runtime_, part, text));
    TANDEM_RETURN_IF_ERROR(runtime_.CheckSize(text.size()));
  }
  TANDEM_ASSIGN_OR_RETURN(const Value joined, runtime_.Text(std::move(text)));
  return joined.WithMarkup(markup);
}

Outcome<Value> Interpreter::EvaluateItem(const Expr& expr) {
  TANDEM_ASSIGN_OR_RETURN(const Value object, Evaluate(*expr.children[0]));
  const Expr& key = *expr.children[1];
  if (key.kind != ExprKind::kSlice) {
    TANDEM_ASSIGN_OR_RETURN(const Value index, Evaluate(key));
    return GetItem(runtime_, object, index);
  }
  Value bounds[3];
  for (std::size_t i = 0; i < 3; ++i) {
    if (key.children[i] != nullptr) {
      TANDEM_ASSIGN_OR_RETURN(bounds[i], Evaluate(*key.children[i]));
    }
  }
  return Slice(runtime_, object, bounds[0], bounds[1], bounds[2]);
}

Raised Interpreter::SpreadKeywords(const Value& mapping, Arguments& arguments) {
  if (mapping.undefined()) {
    return mapping.undefined_info().Fail();
  }
  if (!mapping.dict()) {
    return TypeError(Format("argument after ** must be a mapping, not {}", mapping.TypeName()));
  }
  for (const auto& [key, value] : mapping.entries().entries()) {
    if (!key.string()) {
      return TypeError("keywords must be strings");
    }
    for (const auto& [name, old] : arguments.keywords) {
      if (name == key.bytes()) {
        return TypeError(Format("got multiple values for keyword argument '{}'", name));
      }
    }
    arguments.keywords.emplace_back(key.bytes(), value);
  }
  return {};
}

Outcome<Arguments> Interpreter::EvaluateArguments(const CallArguments& written) {
  Arguments arguments;
  arguments.positional.reserve(written.positional.size());
  for (const ExprPtr& expr : written.positional) {
    TANDEM_ASSIGN_OR_RETURN(Value value, Evaluate(*expr));
    arguments.positional.push_back(std::move(value));
  }
  if (written.star != nullptr) {
    TANDEM_ASSIGN_OR_RETURN(const Value spread, Evaluate(*written.star));
    if (TryIterate(spread) == nullptr) {
      return TypeError(Format("Value after * must be an iterable, not {}", spread.TypeName()));
    }
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> values, Collect(runtime_, spread));
    arguments.positional.insert(arguments.positional.end(), values.begin(), values.end());
  }
  for (const auto& [name, expr] : written.keywords) {
    TANDEM_ASSIGN_OR_RETURN(Value value, Evaluate(*expr));
    arguments.keywords.emplace_back(name, std::move(value));
  }
  if (written.double_star != nullptr) {
    TANDEM_ASSIGN_OR_RETURN(const Value spread, Evaluate(*written.double_star));
    TANDEM_RETURN_IF_ERROR(SpreadKeywords(spread, arguments));
  }
  return arguments;
}

// `caller`: what a call block passes along, or null.
Outcome<Value> Interpreter::EvaluateCall(const Expr& expr, const Value* caller) {
  TANDEM_ASSIGN_OR_RETURN(const Value callee, Evaluate(*expr.children[0]));
  TANDEM_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(expr.arguments));
  if (caller != nullptr) {
    arguments.keywords.emplace_back("caller", *caller);
  }
  if (callee.undefined()) {
    return callee.undefined_info().Fail();
  }
  if (!callee.object()) {
    return TypeError(Format("'{}' object is not callable", callee.TypeName()));
  }
  TANDEM_ASSIGN_OR_RETURN(Value result, callee.AsObject().Call(runtime_, arguments));
  return runtime_.CheckNesting(std::move(result));
}

// `block`: the text of a filter block, where the innermost filter has no input of its own.
Outcome<Value> Interpreter::EvaluateFilter(const Expr& expr, const Value* block) {
  Value input;
  if (expr.children[0] == nullptr) {
    input = *block;
  } else if (expr.children[0]->kind == ExprKind::kFilter) {
    TANDEM_ASSIGN_OR_RETURN(input, EvaluateFilter(*expr.children[0], block));
  } else {
    TANDEM_ASSIGN_OR_RETURN(input, Evaluate(*expr.children[0]));
  }
  TANDEM_ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(expr.arguments));
  if (expr.builtin == nullptr) {
    return Raised("TemplateRuntimeError", Format("No filter named '{}' found.", expr.name),
                  expr.position);
  }
  Outcome<Value> result = Invoke(runtime_, *expr.builtin, input, arguments);
  if (!result.ok()) {
    result.status().PlaceAt(expr.position);
    return result;
  }
  return runtime_.CheckNesting(std::move(result).value());
}

Outcome<Value> Interpreter::EvaluateTest(const Expr& expr) {
  TANDEM_ASSIGN_OR_RETURN(const Value subject, Evaluate(*expr.children[0]));
  TANDEM_ASSIGN_OR_RETURN(const Arguments arguments, EvaluateArguments(expr.arguments));
  if (expr.builtin == nullptr) {
    return Raised("TemplateRuntimeError", Format("No test named '{}' found.", expr.name));
  }
  return Invoke(runtime_, *expr.builtin, subject, arguments);
}

}  // namespace tandem::jinja
