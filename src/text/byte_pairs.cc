#include "text/byte_pairs.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <queue>
#include <utility>

#include "base/check.h"
#include "text/byte_hash.h"

namespace tandem::text {

MergeTable::MergeTable(std::size_t count)
    : slots_(std::bit_ceil(std::max<std::size_t>(2 * count, 2))), mask_(slots_.size() - 1) {}

std::size_t MergeTable::Home(TokenId left, TokenId right) const {
  const std::uint64_t pair = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
                             static_cast<std::uint32_t>(right);
  return MixBits(pair) & mask_;
}

MergeTable::Merge MergeTable::Find(TokenId left, TokenId right) const {
  std::size_t i = Home(left, right);
  while (slots_[i].merge.rank != kNoRank && (slots_[i].left != left || slots_[i].right != right)) {
    i = (i + 1) & mask_;
  }
  return slots_[i].merge;
}

void MergeTable::Insert(TokenId left, TokenId right, Merge merge) {
  std::size_t i = Home(left, right);
  while (slots_[i].merge.rank != kNoRank) {
    if (slots_[i].left == left && slots_[i].right == right) {
      return;
    }
    i = (i + 1) & mask_;
  }
  slots_[i] = {.left = left, .right = right, .merge = merge};
}

namespace {

// Up to here the whole piece is scanned for every merge. From 32 to 128 the time is much the same;
// far above, the scan is quadratic.
constexpr std::size_t kShortPiece = 64;

// A long piece while it is being merged: a doubly linked list of symbols in an array by byte
// position (a symbol stands where its first byte does), and a queue of the pairs that can merge.
class LongPiece {
 public:
  LongPiece(std::string_view piece, const std::array<TokenId, 256>& byte_ids,
            const MergeTable& merges)
      : merges_(merges),
        symbols_(piece.size()),
        queue_(std::greater<>(), FillSymbols(piece, byte_ids)) {}

  void MergeAll() {
    while (!queue_.empty()) {
      const std::uint64_t entry = queue_.top();
      queue_.pop();
      const auto i = static_cast<std::uint32_t>(entry);
      // Another rank than when it was queued: one half of the pair has been merged elsewhere.
      if (symbols_[i].merge.rank != static_cast<std::uint32_t>(entry >> 32)) {
        continue;
      }
      JoinWithNext(i);
      QueuePair(i);
      if (symbols_[i].previous != kNone) {
        QueuePair(symbols_[i].previous);
      }
    }
  }

  void AppendTo(std::vector<TokenId>& out) const {
    for (std::uint32_t i = 0; i != kNone; i = symbols_[i].next) {
      out.push_back(symbols_[i].id);
    }
  }

 private:
  struct Symbol {
    TokenId id;
    std::uint32_t previous;
    std::uint32_t next;
    MergeTable::Merge merge;  // with the next symbol
  };
  static constexpr std::uint32_t kNone = UINT32_MAX;

  // Orders by rank, then by position.
  std::uint64_t EntryOf(std::uint32_t i) const {
    return (static_cast<std::uint64_t>(symbols_[i].merge.rank) << 32) | i;
  }

  // One symbol per byte. Returns the queue's first entries.
  std::vector<std::uint64_t> FillSymbols(std::string_view piece,
                                         const std::array<TokenId, 256>& byte_ids) {
    TANDEM_CHECK(piece.size() < kNone, "callers bound the size of a prompt");
    const auto count = static_cast<std::uint32_t>(piece.size());
    std::vector<std::uint64_t> entries;
    entries.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) {
      symbols_[i] = {.id = byte_ids[static_cast<unsigned char>(piece[i])],
                     .previous = i == 0 ? kNone : i - 1,
                     .next = i + 1 == count ? kNone : i + 1,
                     .merge = {}};
    }
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
      symbols_[i].merge = merges_.Find(symbols_[i].id, symbols_[i + 1].id);
      if (symbols_[i].merge.rank != MergeTable::kNoRank) {
        entries.push_back(EntryOf(i));
      }
    }
    return entries;
  }

  void JoinWithNext(std::uint32_t i) {
    Symbol& symbol = symbols_[i];
    Symbol& absorbed = symbols_[symbol.next];
    symbol.id = symbol.merge.product;
    symbol.next = absorbed.next;
    absorbed.merge.rank = MergeTable::kNoRank;
    if (symbol.next != kNone) {
      symbols_[symbol.next].previous = i;
    }
  }

  // Looks the pair at `i` up again, after one of its halves has changed.
  void QueuePair(std::uint32_t i) {
    Symbol& symbol = symbols_[i];
    symbol.merge = symbol.next == kNone ? MergeTable::Merge{}
                                        : merges_.Find(symbol.id, symbols_[symbol.next].id);
    if (symbol.merge.rank != MergeTable::kNoRank) {
      queue_.push(EntryOf(i));
    }
  }

  const MergeTable& merges_;
  std::vector<Symbol> symbols_;
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> queue_;
};

}  // namespace

BytePairs::BytePairs(const std::array<TokenId, 256>& byte_ids, MergeTable merges)
    : byte_ids_(byte_ids), merges_(std::move(merges)) {}

void BytePairs::Encode(std::string_view piece, std::vector<TokenId>& out) const {
  if (piece.size() == 1) {
    out.push_back(byte_ids_[static_cast<unsigned char>(piece[0])]);
  } else if (piece.size() <= kShortPiece) {
    EncodeShort(piece, out);
  } else {
    EncodeLong(piece, out);
  }
}

void BytePairs::EncodeShort(std::string_view piece, std::vector<TokenId>& out) const {
  // Three arrays rather than one of structs: the scan for the lowest rank reads only ranks.
  std::array<TokenId, kShortPiece> ids;
  std::array<std::uint32_t, kShortPiece> ranks;  // of each symbol's merge with its successor
  std::array<TokenId, kShortPiece> products;
  const auto refresh = [&](std::size_t i) {
    const MergeTable::Merge merge = merges_.Find(ids[i], ids[i + 1]);
    ranks[i] = merge.rank;
    products[i] = merge.product;
  };
  std::size_t count = piece.size();
  for (std::size_t i = 0; i < count; ++i) {
    ids[i] = byte_ids_[static_cast<unsigned char>(piece[i])];
  }
  for (std::size_t i = 0; i + 1 < count; ++i) {
    refresh(i);
  }
  while (count > 1) {
    const auto lowest = std::min_element(ranks.begin(), ranks.begin() + count - 1);
    if (*lowest == MergeTable::kNoRank) {
      break;
    }
    const auto i = static_cast<std::size_t>(lowest - ranks.begin());
    ids[i] = products[i];
    for (std::size_t k = i + 1; k + 1 < count; ++k) {
      ids[k] = ids[k + 1];
      ranks[k - 1] = ranks[k];
      products[k - 1] = products[k];
    }
    --count;
    if (i + 1 < count) {
      refresh(i);
    }
    if (i > 0) {
      refresh(i - 1);
    }
  }
  out.insert(out.end(), ids.begin(), ids.begin() + count);
}

void BytePairs::EncodeLong(std::string_view piece, std::vector<TokenId>& out) const {
  LongPiece long_piece(piece, byte_ids_, merges_);
  long_piece.MergeAll();
  long_piece.AppendTo(out);
}

}  // namespace tandem::text
