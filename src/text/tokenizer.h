#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"
#include "text/added_tokens.h"
#include "text/byte_pairs.h"
#include "text/pre_tokenizer.h"
#include "text/token_map.h"

namespace tandem::text {

/// The values of tokenizer.ggml.token_type.
enum class TokenType : std::int32_t {
  kNormal = 1,  // written in the byte alphabet; all others are literal text
  kUnknown = 2,
  kControl = 3,      // an added token that steers: ends a turn, opens a role
  kUserDefined = 4,  // an added token that is shown
  kUnused = 5,       // a row without a token
  kByte = 6,
};

/// A byte-pair vocabulary as a model file holds it. `tokens` must outlive the Tokenizer, the array
/// and the strings.
struct Vocabulary {
  std::span<const std::string_view> tokens = {};  // by id
  std::span<const std::int32_t> types = {};       // TokenType of each, as many as tokens
  std::span<const std::string_view> merges = {};  // "left right", lowest rank first
  PreTokenizer pre = PreTokenizer::kQwen35;
  bool nfc = false;                      // normalise text first
  std::vector<TokenId> rstrip_ids = {};  // added tokens that swallow the white space after them
};

/// Text <-> token ids by byte-level byte-pair encoding, as the Hugging Face tokenizers library does
/// it for the same vocabulary. Immutable; thread-safe.
class Tokenizer {
 public:
  /// A part of a prompt and who wrote it: our template (trusted), which may write added tokens, or
  /// somebody whose text must stay text.
  struct Span {
    std::string_view text;
    bool trusted = false;
  };

  /// Fails with kCorrupt for two tokens of equal text (unused rows do not count), a missing byte,
  /// an unknown type or arrays of different length, and with kInvalidArgument for an rstrip id out
  /// of range. Merges that cannot be used are skipped and counted.
  static Result<Tokenizer> Create(const Vocabulary& vocabulary);

  Tokenizer(Tokenizer&&) = default;
  Tokenizer& operator=(Tokenizer&&) = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// The ids of the spans in a row. Added tokens are recognised only where all their characters are
  /// trusted; those of Vocabulary::rstrip_ids swallow white space of any span. What lies between
  /// added tokens is joined before it is normalised and split, so where one span ends does not show
  /// in the ids. Nothing is added in front or behind. The text should be valid UTF-8 (ill-formed
  /// bytes are encoded as they are) and shorter than 4 GiB.
  std::vector<TokenId> Encode(std::span<const Span> prompt) const;

  /// All of `text` is data: no string in it is an added token.
  std::vector<TokenId> EncodePlain(std::string_view text) const;

  /// All of `text` is trusted, e.g. a prompt that was rendered elsewhere.
  std::vector<TokenId> EncodeSpecial(std::string_view text) const;

  /// The bytes that the token stands for, perhaps a part of a character; empty for an unused row
  /// and for an id out of range. Valid until the Tokenizer is moved or
  /// destroyed.
  std::string_view TokenBytes(TokenId id) const;

  /// False for an id out of range, as below.
  bool IsControl(TokenId id) const { return HasType(id, TokenType::kControl); }
  bool IsUserDefined(TokenId id) const { return HasType(id, TokenType::kUserDefined); }
  bool IsUnused(TokenId id) const { return HasType(id, TokenType::kUnused); }

  /// The id of a token by its text in the file: literal for added tokens, in the byte alphabet for
  /// ordinary ones. Unused rows are not found.
  std::optional<TokenId> Find(std::string_view token_text) const {
    return parts_.ids.Find(token_text);
  }

  /// Rows, unused ones included.
  std::size_t size() const { return parts_.types.size(); }

  /// Merges of the file that were skipped, because they have no space, a part or the product is
  /// unknown, or the product is a control token. Harmless, but a sign of a broken file.
  std::size_t SkippedMerges() const { return parts_.skipped_merges; }

 private:
  struct Parts {
    std::vector<TokenType> types;
    TokenMap ids;
    BytePairs pairs;
    AddedTokens added;
    std::string bytes;                   // of all tokens in a row
    std::vector<std::size_t> byte_ends;  // of each token in `bytes`
    PieceMatcher piece_end = nullptr;
    bool nfc = false;
    std::size_t skipped_merges = 0;
  };
  class Encoding;

  explicit Tokenizer(Parts parts) : parts_(std::move(parts)) {}

  bool HasType(TokenId id, TokenType type) const;

  Parts parts_;
};

}  // namespace tandem::text
