#include "chat/loaded_model.h"

#include <utility>

#include "base/format.h"
#include "chat/stream_tags.h"

namespace tandem {
namespace {

// Whether one of the file's own names says that it is a reasoning model.
Result<bool> NamedReasoning(const gguf::File& file) {
  for (const std::string_view key : {"general.name", "general.basename", "general.finetune"}) {
    TANDEM_ASSIGN_OR_RETURN(const std::string_view value, file.GetStringOr(key, ""));
    std::string name(value);
    for (char& c : name) {
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    if (name.find("reasoning") != std::string::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<LoadedModel>> LoadedModel::Load(std::unique_ptr<gguf::ModelFile> file) {
  std::unique_ptr<LoadedModel> loaded(new LoadedModel());
  loaded->file_ = std::move(file);
  const gguf::ModelFile& source = *loaded->file_;
  loaded->watch_ = gguf::FileWatch(source);
  TANDEM_ASSIGN_OR_RETURN(loaded->model_, LoadNetwork(source));
  TANDEM_ASSIGN_OR_RETURN(loaded->text_, text::FileTokenizer::Read(source));
  const std::size_t rows = loaded->model_->info().vocabulary;
  if (loaded->tokenizer().size() != rows) {
    return Status(
        StatusCode::kCorrupt,
        Format("{}: tokenizer.ggml.tokens has {} entries, but token_embd.weight has {} rows",
               source.name(), loaded->tokenizer().size(), rows));
  }
  TANDEM_ASSIGN_OR_RETURN(loaded->template_source_,
                          source.GetStringOr("tokenizer.chat_template", ""));
  if (loaded->template_source_.empty()) {
    loaded->template_error_ = Status(
        StatusCode::kNotFound,
        Format("{}: the file has no chat template (tokenizer.chat_template)", source.name()));
    return loaded;
  }
  TANDEM_ASSIGN_OR_RETURN(const bool named, NamedReasoning(source));
  loaded->opens_thinking_ =
      named || loaded->template_source_.find(kThinkClose) != std::string_view::npos;
  auto parsed = text::Template::Parse(loaded->template_source_);
  if (parsed.ok()) {
    loaded->template_.emplace(std::move(parsed).value());
  } else {
    loaded->template_error_ =
        Status(StatusCode::kCorrupt,
               Format("{}: chat template: {}", source.name(), text::Describe(parsed.error())));
  }
  return loaded;
}

Result<std::vector<std::shared_ptr<const EncodedMedia>>> LoadedModel::See(
    std::span<const MediaSource> media, const LookWatch& watch) const {
  std::vector<std::shared_ptr<const EncodedMedia>> seen;
  if (!media.empty() && eyes_ == nullptr) {
    std::string reason = blind_reason_.message();
    if (reason.empty() && model_->info().architecture == "qwen35") {
      reason = "its vision file (mmproj) is neither beside it nor given";
    }
    return Status(StatusCode::kUnsupported, Format("{} cannot see images{}{}", file_->name(),
                                                   reason.empty() ? "" : ": ", reason));
  }
  for (const MediaSource& source : media) {
    TANDEM_ASSIGN_OR_RETURN(std::shared_ptr<const EncodedMedia> encoded,
                            eyes_->Encode(source, watch));
    seen.push_back(std::move(encoded));
  }
  return seen;
}

const std::shared_ptr<const grammar::TokenTrie>& LoadedModel::token_trie() const {
  std::call_once(trie_made_, [this] {
    const text::Tokenizer& tokens = tokenizer();
    std::vector<grammar::TokenTrie::Token> ordinary;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      const auto id = static_cast<TokenId>(i);
      if (!tokens.IsControl(id) && !tokens.IsUserDefined(id) && !tokens.IsUnused(id)) {
        ordinary.push_back({.bytes = tokens.TokenBytes(id), .id = id});
      }
    }
    trie_ = std::make_shared<const grammar::TokenTrie>(std::move(ordinary), tokens.size());
  });
  return trie_;
}

Result<const text::Template*> LoadedModel::chat_template() const {
  if (!template_.has_value()) {
    return template_error_;
  }
  return &*template_;
}

}  // namespace tandem
