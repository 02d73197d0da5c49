#include "text/jinja/scopes.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace tandem::jinja {
namespace {

enum class Load : std::uint8_t { kUnknown, kParameter, kResolve, kAlias, kUnset };

// What one scope knows of its names (jinja2's Symbols). Copied for every branch of an if, so it is
// kept flat: by NameId.
class Symbols {
 public:
  Symbols(std::size_t names, const Symbols* parent)
      : parent_(parent), loads_(names, Load::kUnknown), stored_(names, 0) {}

  /// An empty scope inside `parent`.
  static Symbols Inside(const Symbols& parent) { return {parent.loads_.size(), &parent}; }
  /// An empty scope that sees nothing around it.
  Symbols Apart() const { return {loads_.size(), nullptr}; }

  void LoadName(NameId id) {
    if (!Knows(id)) {
      loads_[id] = Load::kResolve;
    }
  }
  void StoreName(NameId id) {
    stored_[id] = 1;
    if (loads_[id] == Load::kUnknown) {
      loads_[id] = ParentKnows(id) ? Load::kAlias : Load::kUnset;
    }
  }
  void Declare(NameId id) {
    stored_[id] = 1;
    loads_[id] = Load::kParameter;
  }
  /// What only some branches of an if store keeps its value from outside in the others.
  void MergeBranches(const std::vector<Symbols>& branches);
  std::vector<NameId> Unset() const;

 private:
  bool Knows(NameId id) const { return loads_[id] != Load::kUnknown || ParentKnows(id); }
  bool ParentKnows(NameId id) const { return parent_ != nullptr && parent_->Knows(id); }

  const Symbols* parent_;
  std::vector<Load> loads_;
  std::vector<std::uint8_t> stored_;
};

void Symbols::MergeBranches(const std::vector<Symbols>& branches) {
  for (NameId id = 0; id < loads_.size(); ++id) {
    bool added = false;
    for (const Symbols& branch : branches) {
      added = added || (branch.stored_[id] != 0 && stored_[id] == 0);
      if (branch.loads_[id] != Load::kUnknown) {
        loads_[id] = branch.loads_[id];
      }
    }
    if (added) {
      stored_[id] = 1;
      loads_[id] = ParentKnows(id) ? Load::kAlias : Load::kResolve;
    }
  }
}

std::vector<NameId> Symbols::Unset() const {
  std::vector<NameId> unset;
  for (NameId id = 0; id < loads_.size(); ++id) {
    if (loads_[id] == Load::kUnset) {
      unset.push_back(id);
    }
  }
  return unset;
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
  Symbols loop = Symbols::Inside(symbols);
  loop.Declare(kLoop);
  ReadTarget(*stmt.target, loop, true);
  ReadScope(stmt.bodies[0], std::move(loop));
  ReadScope(stmt.bodies[1], Symbols::Inside(symbols));
}

void DescendMacro(Stmt& stmt, const Symbols& symbols) {
  Symbols macro = Symbols::Inside(symbols);
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
    Symbols inner = Symbols::Inside(symbols);
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
        ReadScope(stmt->bodies[0], symbols.Apart());
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
  ReadScope(program.body, Symbols(program.names.size(), nullptr));
}

unsigned FindUndeclaredSpecials(const Body& body) {
  UndeclaredFinder finder;
  finder.VisitBody(body);
  return finder.found();
}

}  // namespace tandem::jinja
