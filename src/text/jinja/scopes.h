#pragma once

#include <array>
#include <string_view>

#include "text/jinja/ast.h"

namespace tandem::jinja {

/// Names with a meaning of their own; the parser numbers them first, in this order.
enum SpecialName : NameId { kCaller, kKwargs, kVarargs, kLoop, kSelf, kSuper };
inline constexpr std::array<std::string_view, 6> kSpecialNames = {"caller", "kwargs", "varargs",
                                                                  "loop",   "self",   "super"};

/// Calls `visit` for every expression right below `expr`, in the order jinja2 visits them.
template <typename Visit>
void ForEachChild(const Expr& expr, Visit&& visit) {
  for (const ExprPtr& child : expr.children) {
    if (child != nullptr) {
      visit(*child);
    }
  }
  for (const ExprPtr& argument : expr.arguments.positional) {
    visit(*argument);
  }
  for (const auto& [name, value] : expr.arguments.keywords) {
    visit(*value);
  }
  for (const ExprPtr* extra : {&expr.arguments.star, &expr.arguments.double_star}) {
    if (*extra != nullptr) {
      visit(**extra);
    }
  }
}

/// Fills Body::unset everywhere. jinja2 compiles each scope to local variables: one that the scope
/// stores before it loads it, and that no scope around it knows, starts as undefined even when the
/// rendering has a variable of that name. Source: jinja2 3.1, idtracking.py.
void FindUnsetNames(Program& program);

/// Which of caller, kwargs and varargs the statements read without declaring them: bit i stands for
/// special name i. Source: jinja2 3.1, compiler.py, find_undeclared.
unsigned FindUndeclaredSpecials(const Body& body);

}  // namespace tandem::jinja
