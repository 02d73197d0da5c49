#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace tandem::hf {

/// A token that is cut out of the text before anything else happens to it.
struct AddedToken {
  std::uint32_t id = 0;
  std::string content;  // literal text
  bool single_word = false;
  bool lstrip = false;  // eats whitespace before it
  bool rstrip = false;  // eats whitespace after it
  bool normalized = false;
  bool special = false;
};

/// The tokenizer of a checkpoint folder: a byte-level BPE without anything we could not reproduce.
struct Tokenizer {
  /// Strings in the byte alphabet with their ids, in file order. May or may not hold added tokens.
  std::vector<std::pair<std::string, std::uint32_t>> vocab;
  /// "left right", most important first; a space inside a part is written as U+0120.
  std::vector<std::string> merges;
  /// The union of all files' added tokens, by id.
  std::vector<AddedToken> added;
  /// The regular expression that cuts text into pieces; each match is a piece.
  std::string pattern;
  /// Whether text is normalised to NFC first.
  bool nfc = false;

  /// Special tokens by role ("bos", "eos", "unk", "sep", "pad", "cls", "mask"): their text, in that
  /// order, as tokenizer_config.json names them.
  std::vector<std::pair<std::string, std::string>> special;
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;

  /// The id of a token's text among the added tokens, then in the vocabulary.
  std::optional<std::uint32_t> IdOf(std::string_view text) const;
};

/// Reads tokenizer.json with tokenizer_config.json, or, without the former, vocab.json and
/// merges.txt. Flags in tokenizer_config's added_tokens_decoder win. Unsupported, with the field's
/// name, for what changes ids and is not implemented: another model than BPE, another normaliser
/// than NFC, a prefix space, dropout, byte fallback, ignore_merges, a post-processor that adds
/// tokens.
Result<Tokenizer> ReadTokenizer(const std::filesystem::path& folder);

/// A chat template and its name; "default" for the one that is used.
struct ChatTemplate {
  std::string name;
  std::string text;
};

/// The chat templates of a folder, the default first when there is one; empty when there are none.
/// chat_template.jinja wins over chat_template.json, and that over tokenizer_config.json, as in the
/// reference implementation (transformers, PreTrainedTokenizerBase.from_pretrained).
Result<std::vector<ChatTemplate>> ReadChatTemplates(const std::filesystem::path& folder);

}  // namespace tandem::hf
