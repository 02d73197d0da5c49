#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/comparison.h"
#include "text/jinja/error.h"
#include "text/jinja/operators.h"
#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

/// The number of an identifier within its template.
using NameId = std::uint32_t;

struct Expr;
using ExprPtr = std::unique_ptr<Expr>;

enum class ExprKind {
  kConstant,         // value
  kName,             // name
  kTuple,            // children
  kList,             // children
  kDict,             // children: key, value, key, value...
  kConditional,      // children: test, then, else (null when absent)
  kAnd,              // children: 2
  kOr,               // children: 2
  kNot,              // children: 1
  kCompare,          // children: n + 1 operands, comparisons: n
  kBinary,           // children: 2, binary
  kUnary,            // children: 1, unary
  kConcat,           // children
  kAttribute,        // children: object; name
  kItem,             // children: object, key
  kSlice,            // children: start, stop, step (null when absent)
  kCall,             // children: callee; arguments
  kFilter,           // children: input (null in a filter block); name, builtin, arguments
  kTest,             // children: subject; name, builtin, arguments
  kNamespaceTarget,  // name, attribute: what {% set name.attribute = ... %} assigns to
};

/// The arguments of a call, filter or test as written.
struct CallArguments {
  std::vector<ExprPtr> positional;
  std::vector<std::pair<std::string, ExprPtr>> keywords;
  ExprPtr star;         // *sequence
  ExprPtr double_star;  // **mapping
};

/// One expression. The kind says which members count.
struct Expr {
  ExprKind kind = ExprKind::kConstant;
  Position position;
  std::size_t depth = 1;  // of the tree below
  std::vector<ExprPtr> children;
  std::string name;
  std::string attribute;
  NameId id = 0;
  Value value;
  std::vector<Comparison> comparisons;
  BinaryOperator binary = BinaryOperator::kAdd;
  UnaryOperator unary = UnaryOperator::kNegative;
  const Builtin* builtin = nullptr;  // null when there is no such filter or test
  CallArguments arguments;
};

struct Stmt;
using StmtPtr = std::unique_ptr<Stmt>;

/// Statements that run one after the other. Where they form a scope of their own, `unset` names
/// what they assign before any outer scope could have: reading it earlier gives undefined even when
/// a variable of the rendering has that name (see scopes.h).
struct Body {
  std::vector<StmtPtr> statements;
  std::vector<NameId> unset;
};

/// The parameters of a macro or a call block.
struct Signature {
  std::vector<std::string> names;
  std::vector<NameId> ids;
  std::vector<ExprPtr> defaults;  // of the last parameters
  bool explicit_caller = false;   // a parameter is called "caller"
  bool uses_caller = false;       // the body reads the special names that nobody declares
  bool uses_kwargs = false;
  bool uses_varargs = false;
};

enum class StmtKind {
  kData,         // value
  kOutput,       // expressions
  kFor,          // target, expressions: iterable, test (or null); bodies: loop, else; recursive
  kIf,           // expressions: tests; bodies: one for each test, then else
  kSet,          // target, expressions: value
  kSetBlock,     // target, expressions: filter (or null); bodies: 1
  kMacro,        // name, signature, bodies: 1
  kCallBlock,    // expressions: call; signature, bodies: 1
  kFilterBlock,  // expressions: filter; bodies: 1
  kWith,         // targets, expressions: values; bodies: 1
  kAutoescape,   // expressions: switch; bodies: 1
  kBlock,        // name, scoped, required; bodies: 1
  kLoad,         // extends, include, import, from: there is nothing to load from
  kBreak,
  kContinue,
};

/// One statement. The kind says which members count.
struct Stmt {
  StmtKind kind = StmtKind::kData;
  Position position;
  Value value;
  std::string name;
  NameId id = 0;
  ExprPtr target;
  std::vector<ExprPtr> targets;
  std::vector<ExprPtr> expressions;
  std::vector<Body> bodies;
  std::vector<NameId> stored;      // kLoad: the names an import binds
  std::vector<NameId> test_unset;  // kFor: Body::unset of the test
  Signature signature;
  bool recursive = false;
  bool extends = false;
  bool scoped = false;
  bool required = false;
};

/// A parsed template. Immutable, shared by all its renderings.
struct Program {
  Body body;
  std::vector<std::string> names;                           // by NameId
  std::vector<std::pair<std::string, const Stmt*>> blocks;  // by name
};

}  // namespace tandem::jinja
