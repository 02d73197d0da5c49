#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/status.h"
#include "base/utf8.h"

namespace tandem::fuzz {

/// Ends the run as a finding: what must hold for any input does not.
inline void Require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "fuzz: %s\n", what);
    std::abort();
  }
}

/// Every error is one line of valid text.
inline void RequireLine(std::string_view message) {
  const auto breaks = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  Require(!message.empty(), "an error without words");
  Require(std::none_of(message.begin(), message.end(), breaks), "an error of several lines");
  Require(FindInvalidUtf8(message) == std::string_view::npos, "an error that is no text");
}

/// The same for a Status; a good one passes.
inline void RequireLine(const Status& status) {
  if (!status.ok()) {
    RequireLine(status.message());
  }
}

/// Takes an input apart, from the front.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }

  /// The next byte, 0 at the end.
  std::uint8_t Byte() {
    if (rest_.empty()) {
      return 0;
    }
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }

  /// At most `size` bytes.
  std::string_view Bytes(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  /// What stands before the next NUL, which goes too, or all of the rest: corpora stay readable.
  std::string_view Part() {
    const std::size_t end = std::min(rest_.find('\0'), rest_.size());
    const std::string_view part = Bytes(end);
    Byte();
    return part;
  }

  std::string_view Rest() { return Bytes(rest_.size()); }

 private:
  std::string_view rest_;
};

}  // namespace tandem::fuzz
