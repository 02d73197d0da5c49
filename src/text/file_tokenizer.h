#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"
#include "gguf/reader.h"
#include "text/tokenizer.h"

namespace tandem::text {

/// The tokenizer of a GGUF file and what the file's metadata says about its tokens. Immutable and
/// thread-safe; the file must outlive it. Neither copied nor moved: the tokenizer views its arrays.
class FileTokenizer {
 public:
  /// NotFound, Corrupt or Unsupported (another algorithm or pre-tokeniser than those in
  /// pre_tokenizer.h), each with the key and its value.
  static Result<std::unique_ptr<FileTokenizer>> Read(const gguf::File& file);

  FileTokenizer(const FileTokenizer&) = delete;
  FileTokenizer& operator=(const FileTokenizer&) = delete;
  ~FileTokenizer() = default;

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  /// Tokens that end the model's turn: those the metadata names and the turn enders of both
  /// families.
  const std::vector<TokenId>& stop_tokens() const { return stop_tokens_; }
  /// Rows without a token, never to be sampled.
  const std::vector<TokenId>& unused_tokens() const { return unused_tokens_; }
  /// The text of the token that the metadata names, empty without one. For templates.
  std::string bos_text() const { return TextOf(bos_); }
  std::string eos_text() const { return TextOf(eos_); }
  /// Whether the file asks for its first token in front of a prompt (not so in either family).
  bool adds_bos() const { return adds_bos_; }
  std::optional<TokenId> bos() const { return bos_; }

 private:
  FileTokenizer() = default;
  Status ReadVocabulary(const gguf::File& file);
  Status ReadRoles(const gguf::File& file);
  Result<std::vector<TokenId>> RstripTokens(const gguf::File& file, std::string_view pre) const;
  Result<std::optional<TokenId>> RoleToken(const gguf::File& file, std::string_view key) const;
  std::string TextOf(std::optional<TokenId> id) const;

  std::vector<std::string_view> tokens_;
  std::vector<std::int32_t> types_;
  std::vector<std::string_view> merges_;
  std::optional<Tokenizer> tokenizer_;
  std::vector<TokenId> stop_tokens_;
  std::vector<TokenId> unused_tokens_;
  std::optional<TokenId> bos_;
  std::optional<TokenId> eos_;
  bool adds_bos_ = false;
};

}  // namespace tandem::text
