#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/token_id.h"
#include "runtime/sequence.h"

namespace tandem {

/// Points of one conversation that a recurrent state can go back to: beginnings of what the model
/// has read, under a limit of bytes. Over the limit the one goes whose neighbours are nearest; the
/// longest stays. Their cached keys and values are shared with the running sequence, so a snapshot
/// counts as its fixed state. Single-threaded.
class Snapshots {
 public:
  /// bytes_each: fixed state of one. budget: bytes in all; one snapshot is always kept.
  Snapshots(std::uint64_t bytes_each, std::uint64_t budget)
      : bytes_each_(bytes_each), budget_(budget) {}

  /// Keeps `sequence`, which continues or equals the longest one kept.
  void Add(Sequence sequence);
  /// The longest one that `rows` begins with, at most `limit` rows; null when there is none. Valid
  /// until the next change.
  const Sequence* Longest(std::span<const TokenId> rows, std::size_t limit) const;
  /// Drops those that `rows` does not begin with: the conversation took another way.
  void KeepBeginningsOf(std::span<const TokenId> rows);
  void Clear() { kept_.clear(); }

  std::size_t count() const { return kept_.size(); }
  std::uint64_t bytes() const { return kept_.size() * bytes_each_; }
  std::uint64_t budget() const { return budget_; }

 private:
  std::uint64_t bytes_each_;
  std::uint64_t budget_;
  std::vector<Sequence> kept_;  // ascending length
};

}  // namespace tandem
