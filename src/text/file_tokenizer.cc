#include "text/file_tokenizer.h"

#include <algorithm>
#include <limits>

#include "base/format.h"

namespace tandem::text {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

// Added tokens of Phi-4-mini that swallow the white space after them; GGUF has no key for it
// (tokenizers.md 6).
constexpr std::string_view kPhiRstrip[] = {
    "<|assistant|>", "<|end|>",       "<|user|>",       "<|system|>",        "<|tool|>",
    "<|/tool|>",     "<|tool_call|>", "<|/tool_call|>", "<|tool_response|>", "<|tag|>"};
constexpr std::string_view kRstripKey = "tandem.tokenizer.rstrip_ids";

// What ends a turn in one of the families, whatever the file names.
constexpr std::string_view kTurnEnders[] = {"<|im_end|>", "<|endoftext|>", "<|end|>"};

std::string Key(std::string_view name) {
  return std::string(kPrefix) + std::string(name);
}

}  // namespace

Result<std::unique_ptr<FileTokenizer>> FileTokenizer::Read(const gguf::File& file) {
  std::unique_ptr<FileTokenizer> made(new FileTokenizer());
  TANDEM_RETURN_IF_ERROR(made->ReadVocabulary(file));
  TANDEM_RETURN_IF_ERROR(made->ReadRoles(file));
  return made;
}

Status FileTokenizer::ReadVocabulary(const gguf::File& file) {
  TANDEM_ASSIGN_OR_RETURN(const std::string_view algorithm, file.GetString(Key("model")));
  if (algorithm != "gpt2") {
    return {StatusCode::kUnsupported,
            Format("{}: tokenizer.ggml.model is '{}'; only byte-level BPE ('gpt2') is known",
                   file.name(), Printable(algorithm))};
  }
  TANDEM_ASSIGN_OR_RETURN(const std::string_view pre, file.GetString(Key("pre")));
  const std::optional<PreTokenizer> matcher = FindPreTokenizer(pre);
  if (!matcher.has_value()) {
    return {StatusCode::kUnsupported, Format("{}: tokenizer.ggml.pre is '{}', which is not known",
                                             file.name(), Printable(pre))};
  }
  TANDEM_ASSIGN_OR_RETURN(tokens_, file.GetStringArray(Key("tokens")));
  TANDEM_ASSIGN_OR_RETURN(merges_, file.GetStringArray(Key("merges")));
  TANDEM_ASSIGN_OR_RETURN(const std::vector<std::int64_t> types,
                          file.GetIntArray(Key("token_type")));
  types_.reserve(types.size());
  for (const std::int64_t type : types) {
    const bool fits = type >= 0 && type <= std::numeric_limits<std::int32_t>::max();
    types_.push_back(fits ? static_cast<std::int32_t>(type) : -1);
  }
  TANDEM_ASSIGN_OR_RETURN(std::vector<TokenId> rstrip, RstripTokens(file, pre));
  Result<Tokenizer> tokenizer =
      Tokenizer::Create({.tokens = tokens_,
                         .types = types_,
                         .merges = merges_,
                         .pre = *matcher,
                         // Both Qwen patterns come with NFC in the reference.
                         .nfc = pre == "qwen35" || pre == "qwen2",
                         .rstrip_ids = std::move(rstrip)});
  if (!tokenizer.ok()) {
    return {tokenizer.status().code(), Format("{}: {}", file.name(), tokenizer.status().message())};
  }
  tokenizer_.emplace(std::move(tokenizer).value());
  return OkStatus();
}

Result<std::vector<TokenId>> FileTokenizer::RstripTokens(const gguf::File& file,
                                                         std::string_view pre) const {
  std::vector<TokenId> ids;
  if (file.Has(kRstripKey)) {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<std::int64_t> listed, file.GetIntArray(kRstripKey));
    for (const std::int64_t id : listed) {
      if (id < 0 || static_cast<std::uint64_t>(id) >= tokens_.size()) {
        return Status(StatusCode::kCorrupt, Format("{}: {} names token {} of {}", file.name(),
                                                   kRstripKey, id, tokens_.size()));
      }
      ids.push_back(static_cast<TokenId>(id));
    }
    return ids;
  }
  TANDEM_ASSIGN_OR_RETURN(const std::string_view architecture,
                          file.GetStringOr("general.architecture", ""));
  if (architecture != "phi3" || pre != "gpt-4o") {
    return ids;
  }
  for (std::size_t id = 0; id < tokens_.size() && id < types_.size(); ++id) {
    const bool added = types_[id] == static_cast<std::int32_t>(TokenType::kControl) ||
                       types_[id] == static_cast<std::int32_t>(TokenType::kUserDefined);
    if (added && std::find(std::begin(kPhiRstrip), std::end(kPhiRstrip), tokens_[id]) !=
                     std::end(kPhiRstrip)) {
      ids.push_back(static_cast<TokenId>(id));
    }
  }
  return ids;
}

Result<std::optional<TokenId>> FileTokenizer::RoleToken(const gguf::File& file,
                                                        std::string_view key) const {
  if (!file.Has(Key(key))) {
    return std::optional<TokenId>();
  }
  TANDEM_ASSIGN_OR_RETURN(const std::uint64_t id, file.GetUint(Key(key)));
  if (id >= tokens_.size()) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: {} names token {} of {}", file.name(), Key(key), id, tokens_.size()));
  }
  return std::optional<TokenId>(static_cast<TokenId>(id));
}

Status FileTokenizer::ReadRoles(const gguf::File& file) {
  TANDEM_ASSIGN_OR_RETURN(bos_, RoleToken(file, "bos_token_id"));
  TANDEM_ASSIGN_OR_RETURN(eos_, RoleToken(file, "eos_token_id"));
  TANDEM_ASSIGN_OR_RETURN(const std::optional<TokenId> end_of_turn,
                          RoleToken(file, "eot_token_id"));
  // Absent means no for every pre-tokeniser known here.
  TANDEM_ASSIGN_OR_RETURN(adds_bos_, file.GetBoolOr(Key("add_bos_token"), false));
  const auto add = [this](std::optional<TokenId> id) {
    if (id.has_value() &&
        std::find(stop_tokens_.begin(), stop_tokens_.end(), *id) == stop_tokens_.end()) {
      stop_tokens_.push_back(*id);
    }
  };
  add(eos_);
  add(end_of_turn);
  for (const std::string_view text : kTurnEnders) {
    const std::optional<TokenId> id = tokenizer_->Find(text);
    add(id.has_value() && tokenizer_->IsControl(*id) ? id : std::nullopt);
  }
  for (std::size_t id = 0; id < tokens_.size(); ++id) {
    if (tokenizer_->IsUnused(static_cast<TokenId>(id))) {
      unused_tokens_.push_back(static_cast<TokenId>(id));
    }
  }
  return OkStatus();
}

std::string FileTokenizer::TextOf(std::optional<TokenId> id) const {
  return id.has_value() ? std::string(tokenizer_->TokenBytes(*id)) : std::string();
}

}  // namespace tandem::text
