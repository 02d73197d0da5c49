#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/status.h"

namespace tandem::jinja {

/// A place in the template source; line and column count characters from 1, 0 means unknown.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

/// What Python would have raised: the exception's class, its text, and where in the template.
struct ErrorInfo {
  std::string error_class;
  std::string message;
  Position position;
};

/// Nothing, or an exception on its way out. A small value; one thread at a time.
class [[nodiscard]] Raised {
 public:
  Raised() = default;
  Raised(std::string_view error_class, std::string message, Position position = {})
      : info_(std::make_shared<ErrorInfo>(
            ErrorInfo{std::string(error_class), std::move(message), position})) {}

  bool ok() const { return info_ == nullptr; }
  const ErrorInfo& info() const {
    TANDEM_CHECK(info_ != nullptr, "only an error has details");
    return *info_;
  }

  /// Names the place of an error that has none yet: the innermost expression wins.
  void PlaceAt(Position position) {
    if (info_ != nullptr && info_->position.line == 0) {
      info_->position = position;
    }
  }

 private:
  std::shared_ptr<ErrorInfo> info_;
};

/// A value or the exception that took its place; works with TANDEM_ASSIGN_OR_RETURN.
template <typename T>
class [[nodiscard]] Outcome {
 public:
  // `return value;` and `return raised;` are the point of the type.
  // NOLINTNEXTLINE(google-explicit-constructor): see above.
  Outcome(T value) : value_(std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): as above.
  Outcome(Raised raised) : raised_(std::move(raised)) {
    TANDEM_CHECK(!raised_.ok(), "an Outcome without a value needs an error");
  }

  bool ok() const { return raised_.ok(); }
  const Raised& status() const { return raised_; }
  Raised& status() { return raised_; }

  T& value() & { return *value_; }
  const T& value() const& { return *value_; }
  T&& value() && { return *std::move(value_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  Raised raised_;
  std::optional<T> value_;
};

inline Raised TypeError(std::string message) {
  return Raised("TypeError", std::move(message));
}
inline Raised ValueError(std::string message) {
  return Raised("ValueError", std::move(message));
}

}  // namespace tandem::jinja
