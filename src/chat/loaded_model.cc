#include "chat/loaded_model.h"

#include <utility>

#include "base/format.h"

namespace tandem {

Result<std::unique_ptr<LoadedModel>> LoadedModel::Load(std::unique_ptr<gguf::ModelFile> file) {
  std::unique_ptr<LoadedModel> loaded(new LoadedModel());
  loaded->file_ = std::move(file);
  const gguf::ModelFile& source = *loaded->file_;
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

Result<const text::Template*> LoadedModel::chat_template() const {
  if (!template_.has_value()) {
    return template_error_;
  }
  return &*template_;
}

}  // namespace tandem
