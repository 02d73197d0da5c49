#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/error.h"
#include "text/jinja/object.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

class NamespaceObject;

/// How much one rendering may do before it ends with a LimitError.
struct Limits {
  std::uint64_t steps = 0;    // expressions, statements, and walks over values (64 bytes a step)
  std::size_t bytes = 0;      // of one string
  std::size_t depth = 0;      // of nested evaluation: expressions, blocks, macro calls
  std::size_t nesting = 200;  // of containers inside containers
};

/// What every operation of one rendering shares: its budget, the clock and the escaping switch.
/// Single-threaded; lives for one rendering.
class Runtime {
 public:
  Runtime(const Limits& limits, const std::tm& now);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Pays for `steps` of work, or a LimitError.
  Raised Charge(std::uint64_t steps) {
    steps_ += steps;
    return steps_ > limits_.steps ? OutOfSteps() : Raised();
  }
  /// A LimitError when a text of `bytes` bytes is more than one may hold. Call it before building.
  Raised CheckSize(std::size_t bytes) const;
  /// A finished string, paid for.
  Outcome<Value> Text(MarkedText text);
  /// `value` itself, unless containers nest too deeply in it (RecursionError).
  Outcome<Value> CheckNesting(Value value) const;

  /// A namespace object, which this runtime empties at its end: namespaces may hold each other.
  Value NewNamespace(DictRep attributes);

  /// Local time for strftime_now.
  const std::tm& now() const { return now_; }
  bool autoescape() const { return autoescape_; }
  void set_autoescape(bool on) { autoescape_ = on; }

  /// Counts one level of nested evaluation for as long as it lives.
  class Level {
   public:
    explicit Level(Runtime& runtime) : runtime_(runtime) { ++runtime_.depth_; }
    ~Level() { --runtime_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    /// A RecursionError when this level is one too many.
    Raised Check() const { return runtime_.depth_ > runtime_.limits_.depth ? TooDeep() : Raised(); }

   private:
    static Raised TooDeep();
    Runtime& runtime_;
  };

 private:
  static Raised OutOfSteps();

  Limits limits_;
  std::tm now_;
  std::uint64_t steps_ = 0;
  std::size_t depth_ = 0;
  bool autoescape_ = false;
  std::vector<std::shared_ptr<NamespaceObject>> namespaces_;
};

inline constexpr std::size_t kMaxParameters = 5;

/// One call of a built-in: its object or input, and its arguments by parameter.
struct Call {
  Runtime& runtime;
  const Value& self;  // the object of a method, the input of a filter or test
  const Arguments& raw;
  std::array<Value, kMaxParameters> bound;

  bool Has(std::size_t i) const { return !bound[i].missing(); }
  const Value& operator[](std::size_t i) const { return bound[i]; }
  /// The argument as an int (TypeError when it is none), or `fallback` when absent.
  Outcome<Int> Integer(std::size_t i, Int fallback) const;
  /// The truth of the argument, or `fallback` when absent.
  bool Flag(std::size_t i, bool fallback) const { return Has(i) ? bound[i].Truthy() : fallback; }
};

/// A built-in function, method, filter or test. `parameters` names them separated by spaces, the
/// optional ones in brackets; a leading "/" means positional only, "*" means that the function
/// looks at `raw` itself.
struct Builtin {
  std::string_view name;
  std::string_view parameters;
  Outcome<Value> (*function)(Call& call);
};

/// Rows of a static table of built-ins.
struct BuiltinTable {
  const Builtin* begin = nullptr;
  const Builtin* end = nullptr;

  const Builtin* Find(std::string_view name) const;
};

/// Binds the arguments as Python does (TypeError) and calls.
Outcome<Value> Invoke(Runtime& runtime, const Builtin& builtin, const Value& self,
                      const Arguments& arguments);

/// A built-in as a value: a global function, or a method bound to its object.
class BuiltinObject final : public Object {
 public:
  BuiltinObject(const Builtin& builtin, Value self) : builtin_(builtin), self_(std::move(self)) {}
  std::string_view TypeName() const override {
    return self_.missing() ? "function" : "builtin_function_or_method";
  }
  bool Callable() const override { return true; }
  bool Equals(const Object& other) const override;
  Outcome<Value> Call(Runtime& runtime, const Arguments& arguments) override {
    return Invoke(runtime, builtin_, self_, arguments);
  }
  Outcome<MarkedText> Print(Runtime& runtime) override;

 private:
  const Builtin& builtin_;  // rows of static tables
  Value self_;
};

}  // namespace tandem::jinja
