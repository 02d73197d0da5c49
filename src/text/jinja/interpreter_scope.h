#pragma once

#include <utility>

#include "text/jinja/interpreter.h"

namespace tandem::jinja {

/// Makes a new scope the current one for as long as it lives. Scopes that nobody captured are used
/// again.
class Interpreter::ScopeGuard {
 public:
  ScopeGuard(Interpreter& interpreter, Scope* parent);
  ~ScopeGuard();
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

  Scope& scope() { return *own_; }
  /// Marks names as not assigned yet.
  void Hide(const std::vector<NameId>& names);

 private:
  Interpreter& interpreter_;
  Scope* outer_;
  std::unique_ptr<Scope> own_;
};

/// Collects what is printed for as long as it lives.
class Interpreter::Redirect {
 public:
  explicit Redirect(Interpreter& interpreter)
      : interpreter_(interpreter), outer_(std::exchange(interpreter.out_, &text_)) {}
  ~Redirect() { interpreter_.out_ = outer_; }
  Redirect(const Redirect&) = delete;
  Redirect& operator=(const Redirect&) = delete;

  MarkedText Take() { return std::move(text_); }

 private:
  Interpreter& interpreter_;
  MarkedText text_;
  MarkedText* outer_;
};

}  // namespace tandem::jinja
