#include "api/convert_types.h"
#include "api/guard.h"
#include "api/model_impl.h"
#include "base/format.h"
#include "base/utf8.h"
#include "chat/media.h"
#include "chat/prompt.h"
#include "text/stream_decoder.h"

namespace tandem {

Result<std::vector<std::int32_t>> Model::Tokenize(std::string_view text, bool special) const try {
  if (const std::size_t bad = FindInvalidUtf8(text); bad != std::string_view::npos) {
    return Status(StatusCode::kInvalidArgument,
                  Format("the text is not valid UTF-8 at byte {}", bad));
  }
  TANDEM_RETURN_IF_ERROR(impl_->opened.loaded->CheckFile());
  const text::Tokenizer& tokenizer = impl_->opened.loaded->tokenizer();
  return special ? tokenizer.EncodeSpecial(text) : tokenizer.EncodePlain(text);
} catch (...) {
  return StatusOfException();
}

Result<std::string> Model::Detokenize(std::span<const std::int32_t> ids) const try {
  TANDEM_RETURN_IF_ERROR(impl_->opened.loaded->CheckFile());
  const text::Tokenizer& tokenizer = impl_->opened.loaded->tokenizer();
  text::StreamDecoder decoder(tokenizer);
  std::string out;
  for (const std::int32_t id : ids) {
    if (id < 0 || static_cast<std::size_t>(id) >= tokenizer.size()) {
      return Status(StatusCode::kInvalidArgument,
                    Format("token id {} is outside the vocabulary of {}", id, tokenizer.size()));
    }
    out += decoder.Push(id);
  }
  return out + decoder.Flush();
} catch (...) {
  return StatusOfException();
}

Result<std::string> Model::Render(std::string_view conversation_json, Thinking thinking) const try {
  const LoadedModel& loaded = *impl_->opened.loaded;
  TANDEM_RETURN_IF_ERROR(loaded.CheckFile());
  TANDEM_ASSIGN_OR_RETURN(const text::Template* chat_template, loaded.chat_template());
  TANDEM_ASSIGN_OR_RETURN(Conversation conversation,
                          ParseConversation(conversation_json, "messages"));
  TANDEM_RETURN_IF_ERROR(NameMedia(conversation));
  PromptOptions options{.think = ToThinkMode(thinking),
                        .bos_text = loaded.text().bos_text(),
                        .eos_text = loaded.text().eos_text(),
                        .template_source = loaded.template_source()};
  auto rendered = RenderConversation(*chat_template, std::move(conversation), options);
  if (!rendered.ok()) {
    return Status(StatusCode::kInvalidArgument, text::Describe(rendered.error()));
  }
  return std::move(rendered->text);
} catch (...) {
  return StatusOfException();
}

}  // namespace tandem
