#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace tandem {

/// What went wrong, for anything that a file, a user, a client or the machine can cause. A bug of
/// ours is a TANDEM_CHECK instead. The numbers are stable: they cross the C border.
enum class StatusCode {
  kOk = 0,
  kInvalidArgument = 1,  // the caller's value is wrong
  kNotFound = 2,
  kCorrupt = 3,      // a file contradicts itself or its format
  kUnsupported = 4,  // well-formed, but not something we run
  kOutOfMemory = 5,
  kCancelled = 6,
  kIo = 7,
  kInternal = 8,
};

/// The enumerator's name without the k, e.g. "InvalidArgument".
std::string_view StatusCodeName(StatusCode code);

/// Success, or a code with one line that says what, where and which numbers. A value;
/// thread-compatible.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {
    TANDEM_CHECK(code != StatusCode::kOk, "an error needs an error code");
  }

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  StatusCode code_ = StatusCode::kOk;
  std::string message_;
};

inline Status OkStatus() {
  return Status();
}

/// A value or the Status that explains its absence. value() on an error is a bug and aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): `return value;` and `return status;` are the point
  // of the type.
  Result(T value) : value_(std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): as above.
  Result(Status status) : status_(std::move(status)) {
    TANDEM_CHECK(!status_.ok(), "a Result without a value needs an error");
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & {
    TANDEM_CHECK(ok(), status_.message().c_str());
    return *value_;
  }
  const T& value() const& {
    TANDEM_CHECK(ok(), status_.message().c_str());
    return *value_;
  }
  T&& value() && {
    TANDEM_CHECK(ok(), status_.message().c_str());
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  Status status_;
  std::optional<T> value_;
};

}  // namespace tandem

/// Returns the Status of `expr` from the enclosing function when it is an error.
#define TANDEM_RETURN_IF_ERROR(expr)                                      \
  do {                                                                    \
    if (::tandem::Status tandem_status_ = (expr); !tandem_status_.ok()) { \
      return tandem_status_;                                              \
    }                                                                     \
  } while (false)

#define TANDEM_CONCAT_INNER_(a, b) a##b
#define TANDEM_CONCAT_(a, b) TANDEM_CONCAT_INNER_(a, b)
#define TANDEM_ASSIGN_OR_RETURN_IMPL_(result, lhs, expr) \
  auto result = (expr);                                  \
  if (!result.ok()) {                                    \
    return result.status();                              \
  }                                                      \
  lhs = std::move(result).value()

/// `TANDEM_ASSIGN_OR_RETURN(auto x, F());`: x is the value of F(), or the enclosing function
/// returns its Status.
#define TANDEM_ASSIGN_OR_RETURN(lhs, expr) \
  TANDEM_ASSIGN_OR_RETURN_IMPL_(TANDEM_CONCAT_(tandem_result_, __LINE__), lhs, expr)
