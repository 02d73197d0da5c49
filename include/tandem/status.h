#pragma once

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

namespace status_internal {
// A broken promise of the caller, never of input: ends the program.
inline void Require(bool condition) {
  if (!condition) {
    std::abort();
  }
}
}  // namespace status_internal

/// Success, or a code with one line that says what, where and which numbers. A value;
/// thread-compatible.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message) : code_(code), message_(std::move(message)) {
    status_internal::Require(code != StatusCode::kOk);  // an error needs an error code
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
  // `return value;` and `return status;` are the point of the type.
  // NOLINTNEXTLINE(google-explicit-constructor): see above.
  Result(T value) : value_(std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): as above.
  Result(Status status) : status_(std::move(status)) {
    status_internal::Require(!status_.ok());  // a Result without a value needs an error
  }

  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }

  T& value() & {
    status_internal::Require(ok());
    return *value_;
  }
  const T& value() const& {
    status_internal::Require(ok());
    return *value_;
  }
  T&& value() && {
    status_internal::Require(ok());
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
