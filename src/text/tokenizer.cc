#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <deque>

#include "base/format.h"
#include "text/byte_alphabet.h"
#include "text/char_table.h"
#include "text/nfc.h"
#include "text/piece_cache.h"

namespace tandem::text {
namespace {

Status CheckShape(const Vocabulary& vocabulary) {
  const std::size_t rows = vocabulary.tokens.size();
  if (rows > INT32_MAX || vocabulary.merges.size() >= MergeTable::kNoRank) {
    return Status(StatusCode::kUnsupported, Format("a vocabulary of {} tokens and {} merges", rows,
                                                   vocabulary.merges.size()));
  }
  if (vocabulary.types.size() != rows) {
    return Status(StatusCode::kCorrupt, Format("the vocabulary has {} tokens but {} token types",
                                               rows, vocabulary.types.size()));
  }
  for (std::size_t id = 0; id < rows; ++id) {
    const std::int32_t type = vocabulary.types[id];
    if (type < static_cast<std::int32_t>(TokenType::kNormal) ||
        type > static_cast<std::int32_t>(TokenType::kByte)) {
      return Status(StatusCode::kCorrupt, Format("token {} has type {}; known: 1 to 6", id, type));
    }
  }
  for (const TokenId id : vocabulary.rstrip_ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= rows) {
      return Status(StatusCode::kInvalidArgument,
                    Format("rstrip id {} is outside the vocabulary of {} tokens", id, rows));
    }
  }
  return OkStatus();
}

std::vector<TokenType> CopyTypes(std::span<const std::int32_t> types) {
  std::vector<TokenType> copy(types.size());
  std::transform(types.begin(), types.end(), copy.begin(),
                 [](std::int32_t type) { return static_cast<TokenType>(type); });
  return copy;
}

Result<TokenMap> MapTokens(std::span<const std::string_view> tokens,
                           std::span<const TokenType> types) {
  TokenMap map(tokens);
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    if (types[id] == TokenType::kUnused) {
      continue;
    }
    if (const std::optional<TokenId> first = map.Insert(static_cast<TokenId>(id))) {
      return Status(StatusCode::kCorrupt,
                    Format("tokens {} and {} are both \"{}\"", *first, id, Printable(tokens[id])));
    }
  }
  return map;
}

Result<std::array<TokenId, 256>> FindByteTokens(const TokenMap& map,
                                                std::span<const TokenType> types) {
  std::array<TokenId, 256> ids{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string text = ByteCharacter(static_cast<unsigned char>(byte));
    const std::optional<TokenId> id = map.Find(text);
    if (!id || types[static_cast<std::size_t>(*id)] != TokenType::kNormal) {
      return Status(StatusCode::kCorrupt,
                    Format("the vocabulary lacks a token \"{}\" for byte {:02X}", text, byte));
    }
    ids[byte] = *id;
  }
  return ids;
}

// The token "left right" without the space. In all known vocabularies the products of the merges
// stand in merge order, with few gaps, so the id after the last product is tried before the map.
std::optional<TokenId> FindProduct(const Vocabulary& vocabulary, const TokenMap& map,
                                   std::string_view left, std::string_view right, TokenId guess) {
  const auto row = static_cast<std::size_t>(guess);
  if (row < vocabulary.tokens.size() &&
      vocabulary.types[row] != static_cast<std::int32_t>(TokenType::kUnused)) {
    const std::string_view text = vocabulary.tokens[row];
    if (text.size() == left.size() + right.size() && text.starts_with(left) &&
        text.ends_with(right)) {
      return guess;
    }
  }
  return map.Find(std::string(left).append(right));
}

struct ResolvedMerge {
  TokenId left = 0;
  TokenId right = 0;
  MergeTable::Merge merge;
};

// The merges that can be used, in ids. Merges with an unknown part or product are left out, and
// those whose product is a control token: that must not come out of ordinary text, whatever the
// file says.
std::vector<ResolvedMerge> ResolveMerges(const Vocabulary& vocabulary,
                                         std::span<const TokenType> types, const TokenMap& map) {
  std::vector<ResolvedMerge> resolved;
  resolved.reserve(vocabulary.merges.size());
  TokenId last_product = 255;  // the 256 bytes come first
  for (std::size_t rank = 0; rank < vocabulary.merges.size(); ++rank) {
    const std::string_view merge = vocabulary.merges[rank];
    const std::size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) {
      continue;
    }
    const std::string_view left_text = merge.substr(0, space);
    const std::string_view right_text = merge.substr(space + 1);
    const std::optional<TokenId> left = map.Find(left_text);
    const std::optional<TokenId> right = map.Find(right_text);
    const std::optional<TokenId> product =
        FindProduct(vocabulary, map, left_text, right_text, last_product + 1);
    if (!left || !right || !product ||
        types[static_cast<std::size_t>(*product)] == TokenType::kControl) {
      continue;
    }
    resolved.push_back({.left = *left,
                        .right = *right,
                        .merge = {.rank = static_cast<std::uint32_t>(rank), .product = *product}});
    last_product = *product;
  }
  return resolved;
}

// Apart from resolving them, so that the processor can have several cache misses under way.
MergeTable TabulateMerges(std::span<const ResolvedMerge> merges) {
  MergeTable table(merges.size());
  for (const ResolvedMerge& merge : merges) {
    table.Insert(merge.left, merge.right, merge.merge);
  }
  return table;
}

AddedTokens CollectAddedTokens(const Vocabulary& vocabulary, std::span<const TokenType> types) {
  std::vector<AddedTokens::Entry> entries;
  for (std::size_t id = 0; id < types.size(); ++id) {
    const bool added = types[id] == TokenType::kControl || types[id] == TokenType::kUserDefined;
    if (added && !vocabulary.tokens[id].empty()) {
      entries.push_back({.text = vocabulary.tokens[id], .id = static_cast<TokenId>(id)});
    }
  }
  for (AddedTokens::Entry& entry : entries) {
    entry.rstrip = std::find(vocabulary.rstrip_ids.begin(), vocabulary.rstrip_ids.end(),
                             entry.id) != vocabulary.rstrip_ids.end();
  }
  return AddedTokens(std::move(entries));
}

}  // namespace

Result<Tokenizer> Tokenizer::Create(const Vocabulary& vocabulary) {
  TANDEM_RETURN_IF_ERROR(CheckShape(vocabulary));
  std::vector<TokenType> types = CopyTypes(vocabulary.types);
  TANDEM_ASSIGN_OR_RETURN(TokenMap ids, MapTokens(vocabulary.tokens, types));
  TANDEM_ASSIGN_OR_RETURN(const auto byte_ids, FindByteTokens(ids, types));
  const std::vector<ResolvedMerge> merges = ResolveMerges(vocabulary, types, ids);

  std::string bytes;
  bytes.reserve(8 * types.size());  // about the mean of the known vocabularies
  std::vector<std::size_t> byte_ends(types.size());
  for (std::size_t id = 0; id < types.size(); ++id) {
    // A normal token outside the alphabet (seen in derived models) can only be meant literally.
    if (types[id] != TokenType::kUnused &&
        (types[id] != TokenType::kNormal || !AppendShownBytes(vocabulary.tokens[id], bytes))) {
      bytes += vocabulary.tokens[id];
    }
    byte_ends[id] = bytes.size();
  }
  AddedTokens added = CollectAddedTokens(vocabulary, types);
  return Tokenizer(Parts{.types = std::move(types),
                         .ids = std::move(ids),
                         .pairs = BytePairs(byte_ids, TabulateMerges(merges)),
                         .added = std::move(added),
                         .bytes = std::move(bytes),
                         .byte_ends = std::move(byte_ends),
                         .piece_end = MatcherOf(vocabulary.pre),
                         .nfc = vocabulary.nfc,
                         .skipped_merges = vocabulary.merges.size() - merges.size()});
}

// One call of Encode: the ids so far and what was learned about pieces.
class Tokenizer::Encoding {
 public:
  Encoding(const Parts& parts, std::size_t text_bytes) : parts_(parts), cache_(text_bytes) {
    ids_.reserve(text_bytes / 4 + 8);
  }

  void AppendAdded(TokenId id) { ids_.push_back(id); }

  // A run of ordinary text between two added tokens. `run` must outlive the Encoding.
  void AppendRun(std::string_view run) {
    if (parts_.nfc && !IsSurelyNfc(run)) {
      AppendPieces(normalized_.emplace_back(ToNfc(run)));
    } else {
      AppendPieces(run);
    }
  }

  std::vector<TokenId> Take() { return std::move(ids_); }

 private:
  void AppendPieces(std::string_view run) {
    for (std::size_t begin = 0; begin < run.size();) {
      const std::size_t end = parts_.piece_end(run, begin);
      AppendPiece(run.substr(begin, end - begin));
      begin = end;
    }
  }

  void AppendPiece(std::string_view piece) {
    PieceCache::Entry& entry = cache_.EntryFor(piece);
    if (entry.piece == piece) {
      // By index: the ids are copied within the vector that grows.
      for (std::size_t k = 0; k < entry.count; ++k) {
        ids_.push_back(ids_[entry.first + k]);
      }
      return;
    }
    entry.piece = piece;
    entry.first = ids_.size();
    parts_.pairs.Encode(piece, ids_);
    entry.count = ids_.size() - entry.first;
  }

  const Parts& parts_;
  PieceCache cache_;  // points into the runs
  std::deque<std::string> normalized_;
  std::vector<TokenId> ids_;
};

namespace {

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// The spans as one text, and the byte ranges of it that are trusted. Neighbouring trusted spans are
// one range: how a template cuts its own text must not matter.
struct JoinedPrompt {
  std::string text;
  std::vector<Range> trusted;
};

JoinedPrompt Join(std::span<const Tokenizer::Span> prompt) {
  JoinedPrompt joined;
  for (const Tokenizer::Span& span : prompt) {
    const std::size_t begin = joined.text.size();
    joined.text += span.text;
    if (!span.trusted || span.text.empty()) {
      continue;
    }
    if (!joined.trusted.empty() && joined.trusted.back().end == begin) {
      joined.trusted.back().end = joined.text.size();
    } else {
      joined.trusted.push_back({.begin = begin, .end = joined.text.size()});
    }
  }
  return joined;
}

}  // namespace

std::vector<TokenId> Tokenizer::Encode(std::span<const Span> prompt) const {
  const JoinedPrompt joined = Join(prompt);
  const std::string_view text = joined.text;
  Encoding encoding(parts_, text.size());
  std::size_t run_begin = 0;
  for (const Range& range : joined.trusted) {
    // An rstrip before this range may have eaten into it.
    std::size_t from = std::max(range.begin, run_begin);
    while (const auto match = parts_.added.FindFirst(text, from, range.end)) {
      encoding.AppendRun(text.substr(run_begin, match->begin - run_begin));
      encoding.AppendAdded(match->id);
      run_begin = match->rstrip ? CharScanner(text).RunEnd(match->end, kSpace) : match->end;
      from = run_begin;
    }
  }
  encoding.AppendRun(text.substr(run_begin));
  return encoding.Take();
}

std::vector<TokenId> Tokenizer::EncodePlain(std::string_view text) const {
  Encoding encoding(parts_, text.size());
  encoding.AppendRun(text);
  return encoding.Take();
}

std::vector<TokenId> Tokenizer::EncodeSpecial(std::string_view text) const {
  const Span whole = {.text = text, .trusted = true};
  return Encode({&whole, 1});
}

std::string_view Tokenizer::TokenBytes(TokenId id) const {
  const auto index = static_cast<std::size_t>(id);
  if (id < 0 || index >= size()) {
    return {};
  }
  const std::size_t begin = index == 0 ? 0 : parts_.byte_ends[index - 1];
  return std::string_view(parts_.bytes).substr(begin, parts_.byte_ends[index] - begin);
}

bool Tokenizer::HasType(TokenId id, TokenType type) const {
  return id >= 0 && static_cast<std::size_t>(id) < size() &&
         parts_.types[static_cast<std::size_t>(id)] == type;
}

}  // namespace tandem::text
