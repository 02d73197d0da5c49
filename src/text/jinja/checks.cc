#include "text/jinja/checks.h"

#include <algorithm>

#include "base/format.h"
#include "text/jinja/scopes.h"

namespace tandem::jinja {
namespace {

// Where a statement stands.
struct Place {
  bool soft = false;        // in an if or a conditional: unknown filters fail only when they run
  bool in_loop = false;     // break and continue have a loop to leave
  bool inside_for = false;  // anywhere below a for, macros included
  bool top_level = false;
};

Raised AssertionError(std::string message, Position position) {
  return Raised("TemplateAssertionError", std::move(message), position);
}

class Checker {
 public:
  explicit Checker(Program& program) : program_(program) {}

  Raised CheckBody(const Body& body, const Place& place) {
    for (const StmtPtr& stmt : body.statements) {
      TANDEM_RETURN_IF_ERROR(CheckStmt(*stmt, place));
    }
    return {};
  }

 private:
  Raised CheckStmt(Stmt& stmt, const Place& place);
  Raised CheckExpr(const Expr& expr, bool soft);
  Raised CheckExprs(const std::vector<ExprPtr>& exprs, bool soft);
  Raised CheckTarget(const Expr& target, const Place& place);
  Raised CheckMacro(Stmt& stmt, const Place& place);
  Raised CheckBlock(Stmt& stmt, const Place& place);

  Program& program_;
};

Raised Checker::CheckExpr(const Expr& expr, bool soft) {
  const bool filter = expr.kind == ExprKind::kFilter;
  if ((filter || expr.kind == ExprKind::kTest) && expr.builtin == nullptr && !soft) {
    return AssertionError(Format("No {} named '{}'.", filter ? "filter" : "test", expr.name),
                          expr.position);
  }
  const auto& keywords = expr.arguments.keywords;
  for (auto it = keywords.begin(); it != keywords.end(); ++it) {
    const auto same = [it](const auto& other) { return other.first == it->first; };
    if (std::any_of(keywords.begin(), it, same)) {
      return Raised("SyntaxError", Format("keyword argument repeated: {}", it->first),
                    it->second->position);
    }
  }
  Raised raised;
  const bool inner_soft = soft || expr.kind == ExprKind::kConditional;
  ForEachChild(expr, [&](const Expr& child) {
    if (raised.ok()) {
      raised = CheckExpr(child, inner_soft);
    }
  });
  return raised;
}

Raised Checker::CheckExprs(const std::vector<ExprPtr>& exprs, bool soft) {
  for (const ExprPtr& expr : exprs) {
    if (expr != nullptr) {
      TANDEM_RETURN_IF_ERROR(CheckExpr(*expr, soft));
    }
  }
  return {};
}

Raised Checker::CheckTarget(const Expr& target, const Place& place) {
  if (place.inside_for && target.kind == ExprKind::kName && target.id == kLoop) {
    return AssertionError("Can't assign to special loop variable in for-loop target",
                          target.position);
  }
  for (const ExprPtr& child : target.children) {
    TANDEM_RETURN_IF_ERROR(CheckTarget(*child, place));
  }
  return {};
}

Raised Checker::CheckMacro(Stmt& stmt, const Place& place) {
  Signature& signature = stmt.signature;
  const unsigned specials = FindUndeclaredSpecials(stmt.bodies[0]);
  const auto declares = [&signature](NameId id) {
    return std::find(signature.ids.begin(), signature.ids.end(), id) != signature.ids.end();
  };
  for (auto it = signature.ids.begin(); it != signature.ids.end(); ++it) {
    if (std::find(signature.ids.begin(), it, *it) != it) {
      return Raised("SyntaxError",
                    Format("duplicate argument '{}' in function definition", program_.names[*it]),
                    stmt.position);
    }
  }
  signature.uses_caller = (specials & (1u << kCaller)) != 0;
  signature.uses_kwargs = (specials & (1u << kKwargs)) != 0 && !declares(kKwargs);
  signature.uses_varargs = (specials & (1u << kVarargs)) != 0 && !declares(kVarargs);
  if (signature.uses_caller && signature.explicit_caller) {
    const auto at = static_cast<std::size_t>(
        std::find(signature.ids.begin(), signature.ids.end(), kCaller) - signature.ids.begin());
    if (signature.ids.size() - at > signature.defaults.size()) {
      return AssertionError(
          "When defining macros or call blocks the special \"caller\" argument must be omitted or "
          "be given a default.",
          stmt.position);
    }
  }
  TANDEM_RETURN_IF_ERROR(CheckExprs(signature.defaults, false));
  TANDEM_RETURN_IF_ERROR(CheckExprs(stmt.expressions, place.soft));
  return CheckBody(stmt.bodies[0], {.inside_for = place.inside_for});
}

Raised Checker::CheckBlock(Stmt& stmt, const Place& place) {
  for (const auto& [name, block] : program_.blocks) {
    if (name == stmt.name) {
      return AssertionError(Format("block '{}' defined twice", name), stmt.position);
    }
  }
  program_.blocks.emplace_back(stmt.name, &stmt);
  return CheckBody(stmt.bodies[0], {.inside_for = place.inside_for});
}

Raised Checker::CheckStmt(Stmt& stmt, const Place& place) {
  Place inner = place;
  switch (stmt.kind) {
    case StmtKind::kMacro:
    case StmtKind::kCallBlock:
      return CheckMacro(stmt, place);
    case StmtKind::kBlock:
      return CheckBlock(stmt, place);
    case StmtKind::kBreak:
    case StmtKind::kContinue:
      if (!place.in_loop) {
        return Raised("SyntaxError",
                      stmt.kind == StmtKind::kBreak ? "'break' outside loop"
                                                    : "'continue' not properly in loop",
                      stmt.position);
      }
      return {};
    case StmtKind::kLoad:
      if (stmt.extends && !place.top_level) {
        return AssertionError("cannot use extend from a non top-level scope", stmt.position);
      }
      return CheckExprs(stmt.expressions, place.soft);
    case StmtKind::kFor: {
      inner = {.in_loop = true, .inside_for = true};
      TANDEM_RETURN_IF_ERROR(CheckTarget(*stmt.target, inner));
      TANDEM_RETURN_IF_ERROR(CheckExprs(stmt.expressions, place.soft));
      TANDEM_RETURN_IF_ERROR(CheckBody(stmt.bodies[0], inner));
      // A recursive loop is a function of its own, else branch included.
      return CheckBody(stmt.bodies[1],
                       {.in_loop = place.in_loop && !stmt.recursive, .inside_for = true});
    }
    case StmtKind::kIf:
      inner.soft = true;
      break;
    default:
      inner.soft = false;
      inner.top_level = false;
      break;
  }
  if (stmt.target != nullptr) {
    TANDEM_RETURN_IF_ERROR(CheckTarget(*stmt.target, place));
  }
  TANDEM_RETURN_IF_ERROR(CheckExprs(stmt.expressions, inner.soft || place.soft));
  for (const Body& body : stmt.bodies) {
    TANDEM_RETURN_IF_ERROR(CheckBody(body, inner));
  }
  return {};
}

}  // namespace

Raised CheckProgram(Program& program) {
  return Checker(program).CheckBody(program.body, {.top_level = true});
}

}  // namespace tandem::jinja
