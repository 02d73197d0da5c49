#pragma once

#include <memory>
#include <optional>

#include "text/jinja/interpreter.h"

namespace tandem::jinja {

/// The variable `loop` of a for statement, and the walk itself (jinja2's LoopContext).
class LoopObject final : public Object, public std::enable_shared_from_this<LoopObject> {
 public:
  /// `iterator` walks `iterable`, without the items that the loop's condition drops.
  LoopObject(Interpreter& interpreter, const Stmt& stmt, Scope* scope, Value iterable,
             std::unique_ptr<Iterator> iterator, std::size_t depth)
      : interpreter_(interpreter),
        stmt_(stmt),
        scope_(scope),
        iterable_(std::move(iterable)),
        iterator_(std::move(iterator)),
        depth_(depth) {}

  /// Moves on to the next item, or says that there is none.
  Outcome<std::optional<Value>> Advance(Runtime& runtime);
  /// Lets go of all values when the loop has ended: they could hold the loop itself.
  void Close();

  std::string_view TypeName() const override { return "LoopContext"; }
  std::string_view QualifiedTypeName() const override { return "jinja2.runtime.LoopContext"; }
  bool Callable() const override { return true; }
  Outcome<Value> Call(Runtime& runtime, const Arguments& arguments) override;
  Outcome<std::optional<Value>> Attribute(Runtime& runtime, std::string_view name) override;
  Outcome<std::optional<std::size_t>> Length(Runtime& runtime) override;
  Outcome<MarkedText> Print(Runtime& runtime) override;

  Outcome<Value> Cycle(const std::vector<Value>& values) const;
  bool Changed(std::vector<Value> values);

 private:
  Raised Peek(Runtime& runtime);
  Outcome<Int> CountItems(Runtime& runtime);

  Interpreter& interpreter_;
  const Stmt& stmt_;
  Scope* scope_;  // around the for statement
  Value iterable_;
  std::unique_ptr<Iterator> iterator_;
  std::size_t depth_;  // of recursion, from 0
  Int index_ = -1;     // of the current item
  Value previous_;
  Value current_;
  bool peeked_ = false;
  std::optional<Value> next_;  // when peeked_
  std::optional<Int> length_;
  Value last_changed_;
};

/// The items of `inner` that pass the condition of a for statement, tested when they are needed.
class FilteredIterator final : public Iterator {
 public:
  FilteredIterator(Interpreter& interpreter, const Stmt& stmt, Scope* scope,
                   std::unique_ptr<Iterator> inner)
      : interpreter_(interpreter), stmt_(stmt), scope_(scope), inner_(std::move(inner)) {}
  Outcome<std::optional<Value>> Next(Runtime& runtime) override;

 private:
  Interpreter& interpreter_;
  const Stmt& stmt_;
  Scope* scope_;
  std::unique_ptr<Iterator> inner_;
};

}  // namespace tandem::jinja
