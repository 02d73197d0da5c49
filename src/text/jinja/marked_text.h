#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::jinja {

/// Bytes of which each is marked: trusted (written in the template) or data (from the variables).
/// A value; thread-compatible.
class MarkedText {
 public:
  struct Run {
    std::size_t begin = 0;  // byte offsets
    std::size_t end = 0;
    bool trusted = false;
  };

  MarkedText() = default;
  MarkedText(std::string bytes, bool trusted) : bytes_(std::move(bytes)), first_trusted_(trusted) {}

  void Append(std::string_view bytes, bool trusted);
  void Append(const MarkedText& other) { AppendRange(other, 0, other.size()); }
  /// Appends the bytes [begin, end) of `other` with their marks.
  void AppendRange(const MarkedText& other, std::size_t begin, std::size_t end);

  const std::string& bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  /// The bytes [begin, end) with their marks.
  MarkedText Substr(std::size_t begin, std::size_t end) const;
  /// The mark of the byte at `offset`, which must exist.
  bool TrustedAt(std::size_t offset) const;
  /// True when every byte is trusted; so is an empty text.
  bool AllTrusted() const { return bytes_.empty() || (first_trusted_ && flips_.empty()); }
  /// The maximal ranges of one mark, in order; none for an empty text.
  std::vector<Run> Runs() const;

 private:
  std::string bytes_;
  bool first_trusted_ = true;
  std::vector<std::size_t> flips_;  // ascending offsets at which the mark changes
};

}  // namespace tandem::jinja
