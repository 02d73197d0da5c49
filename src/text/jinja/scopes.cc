#include "text/jinja/scopes.h"

#include <map>
#include <set>

namespace tandem::jinja {
namespace {

enum class Load { kParameter, kResolve, kAlias, kUnset };

// What one scope knows of its names (jinja2's Symbols).
struct Symbols {
  const Symbols* parent = nullptr;
  std::map<NameId, Load> loads;
  std::set<NameId> stores;

  bool Knows(NameId id) const {
    return loads.count(id) != 0 || (parent != nullptr && parent->Knows(id));
  }
  void LoadName(NameId id) {
    if (!Knows(id)) {
      loads[id] = Load::kResolve;
    }
  }
  void StoreName(NameId id) {
    stores.insert(id);
    if (loads.count(id) == 0) {
      loads[id] = parent != nullptr && parent->Knows(id) ? Load::kAlias : Load::kUnset;
    }
  }
  void Declare(NameId id) {
    stores.insert(id);
    loads[id] = Load::kParameter;
  }
  void MergeBranches(const std::vector<Symbols>& branches);
  std::vector<NameId> Unset() const {
    std::vector<NameId> unset;
    for (const auto& [id, load] : loads) {
      if (load == Load::kUnset) {
        unset.push_back(id);
      }
    }
    return unset;
  }
};

// What only some branches of an if store keeps its value from outside in the others.
void Symbols::MergeBranches(const std::vector<Symbols>& branches) {
  std::set<NameId> added;
  for (const Symbols& branch : branches) {
    for (const NameId id : branch.stores) {
      if (stores.count(id) == 0) {
        added.insert(id);
      }
    }
  }
  for (const Symbols& branch : branches) {
    for (const auto& [id, load] : branch.loads) {
      loads[id] = load;
    }
    stores.insert(branch.stores.begin(), branch.stores.end());
  }
  for (const NameId id : added) {
    loads[id] = parent != nullptr && parent->Knows(id) ? Load::kAlias : Load::kResolve;
  }
}

void ReadExpr(const Expr& expr, Symbols& symbols) {
  if (expr.kind == ExprKind::kName) {
    symbols.LoadName(expr.id);
  }
  ForEachChild(expr, [&symbols](const Expr& child) { ReadExpr(child, symbols); });
}

void ReadTarget(const Expr& target, Symbols& symbols, bool parameter) {
  if (target.kind == ExprKind::kName) {
    parameter ? symbols.Declare(target.id) : symbols.StoreName(target.id);
  } else if (target.kind == ExprKind::kNamespaceTarget) {
    symbols.LoadName(target.id);
  }
  for (const ExprPtr& child : target.children) {
    ReadTarget(*child, symbols, parameter);
  }
}

void ReadExprs(const std::vector<ExprPtr>& exprs, Symbols& symbols) {
  for (const ExprPtr& expr : exprs) {
    if (expr != nullptr) {
      ReadExpr(*expr, symbols);
    }
  }
}

void ReadBody(const Body& body, Symbols& symbols);

void ReadIf(const Stmt& stmt, Symbols& symbols) {
  ReadExpr(*stmt.expressions.front(), symbols);
  // jinja2 reads each elif as an if of its own, all of them in one branch.
  const std::size_t tests = stmt.expressions.size();
  std::vector<Symbols> branches(3, symbols);
  ReadBody(stmt.bodies.front(), branches[0]);
  for (std::size_t i = 1; i < tests; ++i) {
    ReadExpr(*stmt.expressions[i], branches[1]);
    std::vector<Symbols> inner(3, branches[1]);
    ReadBody(stmt.bodies[i], inner[0]);
    branches[1].MergeBranches(inner);
  }
  ReadBody(stmt.bodies.back(), branches[2]);
  symbols.MergeBranches(branches);
}

// What a statement does to the names of the scope it stands in; scopes inside it come later.
void ReadStmt(const Stmt& stmt, Symbols& symbols) {
  switch (stmt.kind) {
    case StmtKind::kOutput:
    case StmtKind::kCallBlock:
    case StmtKind::kFilterBlock:
    case StmtKind::kWith:
      ReadExprs(stmt.expressions, symbols);
      break;
    case StmtKind::kFor:
      ReadExpr(*stmt.expressions.front(), symbols);
      break;
    case StmtKind::kIf:
      ReadIf(stmt, symbols);
      break;
    case StmtKind::kSet:
      ReadExprs(stmt.expressions, symbols);
      ReadTarget(*stmt.target, symbols, false);
      break;
    case StmtKind::kSetBlock:
      ReadTarget(*stmt.target, symbols, false);
      break;
    case StmtKind::kMacro:
      symbols.StoreName(stmt.id);
      break;
    case StmtKind::kLoad:
      ReadExprs(stmt.expressions, symbols);
      for (const NameId id : stmt.stored) {
        symbols.StoreName(id);
      }
      break;
    default:
      break;
  }
}

void ReadBody(const Body& body, Symbols& symbols) {
  for (const StmtPtr& stmt : body.statements) {
    ReadStmt(*stmt, symbols);
  }
}

void Descend(Body& body, const Symbols& symbols);

// Reads `body` as a scope inside `symbols`, then what is inside it.
void ReadScope(Body& body, Symbols symbols) {
  ReadBody(body, symbols);
  body.unset = symbols.Unset();
  Descend(body, symbols);
}

void DescendFor(Stmt& stmt, const Symbols& symbols) {
  Symbols loop{.parent = &symbols, .loads = {}, .stores = {}};
  loop.Declare(kLoop);
  ReadTarget(*stmt.target, loop, true);
  ReadScope(stmt.bodies[0], std::move(loop));
  ReadScope(stmt.bodies[1], Symbols{.parent = &symbols, .loads = {}, .stores = {}});
}

void DescendMacro(Stmt& stmt, const Symbols& symbols) {
  Symbols macro{.parent = &symbols, .loads = {}, .stores = {}};
  for (const NameId id : stmt.signature.ids) {
    macro.Declare(id);
  }
  const bool uses[] = {stmt.signature.uses_caller, stmt.signature.uses_kwargs,
                       stmt.signature.uses_varargs};
  for (const NameId special : {kCaller, kKwargs, kVarargs}) {
    if (uses[special]) {
      macro.Declare(special);
    }
  }
  ReadExprs(stmt.signature.defaults, macro);
  ReadScope(stmt.bodies[0], std::move(macro));
}

void Descend(Body& body, const Symbols& symbols) {
  for (const StmtPtr& stmt : body.statements) {
    Symbols inner{.parent = &symbols, .loads = {}, .stores = {}};
    switch (stmt->kind) {
      case StmtKind::kFor:
        DescendFor(*stmt, symbols);
        break;
      case StmtKind::kIf:
        for (Body& branch : stmt->bodies) {
          Descend(branch, symbols);
        }
        break;
      case StmtKind::kMacro:
      case StmtKind::kCallBlock:
        DescendMacro(*stmt, symbols);
        break;
      case StmtKind::kWith:
        for (const ExprPtr& target : stmt->targets) {
          ReadTarget(*target, inner, true);
        }
        ReadScope(stmt->bodies[0], std::move(inner));
        break;
      case StmtKind::kBlock:  // sees only what the rendering and the top level export
        inner.parent = nullptr;
        ReadScope(stmt->bodies[0], std::move(inner));
        break;
      case StmtKind::kSetBlock:
      case StmtKind::kFilterBlock:
        ReadExprs(stmt->expressions, inner);
        ReadScope(stmt->bodies[0], std::move(inner));
        break;
      case StmtKind::kAutoescape:
        ReadScope(stmt->bodies[0], std::move(inner));
        break;
      default:
        break;
    }
  }
}

// Names that are read before anything declares them, of the ones watched.
class UndeclaredFinder {
 public:
  void VisitBody(const Body& body) {
    for (const StmtPtr& stmt : body.statements) {
      VisitStmt(*stmt);
    }
  }
  unsigned found() const { return found_; }

 private:
  void VisitExpr(const Expr& expr) {
    if (expr.kind == ExprKind::kName && expr.id <= kVarargs) {
      found_ |= watched_ & (1u << expr.id);
    }
    ForEachChild(expr, [this](const Expr& child) { VisitExpr(child); });
  }
  void Declare(NameId id) { watched_ &= id <= kVarargs ? ~(1u << id) : ~0u; }
  void VisitTarget(const Expr& target) {
    if (target.kind == ExprKind::kName) {
      Declare(target.id);
    }
    for (const ExprPtr& child : target.children) {
      VisitTarget(*child);
    }
  }
  void VisitStmt(const Stmt& stmt) {
    if (stmt.kind == StmtKind::kBlock) {
      return;
    }
    if (stmt.target != nullptr) {
      VisitTarget(*stmt.target);
    }
    for (const ExprPtr& target : stmt.targets) {
      VisitTarget(*target);
    }
    for (const ExprPtr& expr : stmt.expressions) {
      if (expr != nullptr) {
        VisitExpr(*expr);
      }
    }
    for (const NameId id : stmt.signature.ids) {
      Declare(id);
    }
    for (const ExprPtr& value : stmt.signature.defaults) {
      VisitExpr(*value);
    }
    for (const Body& body : stmt.bodies) {
      VisitBody(body);
    }
  }

  unsigned watched_ = 7;
  unsigned found_ = 0;
};

}  // namespace

void FindUnsetNames(Program& program) {
  ReadScope(program.body, Symbols{});
}

unsigned FindUndeclaredSpecials(const Body& body) {
  UndeclaredFinder finder;
  finder.VisitBody(body);
  return finder.found();
}

}  // namespace tandem::jinja
