// Conversations of strangers, in JSON: any text must give an error of one line or a prompt of both
// built-in models in which nobody but the template wrote a control token.
// Corpus: fuzz/corpus/chat.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tandem/tandem.h"

#include "chat/conversation.h"
#include "chat/media.h"
#include "chat/prompt.h"
#include "fuzz/fuzz_input.h"
#include "store/builtin.h"
#include "text/file_tokenizer.h"
#include "text/template.h"

namespace tandem {
namespace {

/// The text side of a built-in model.
struct Speaker {
  std::unique_ptr<gguf::ModelFile> file;
  std::unique_ptr<text::FileTokenizer> text;
  std::string_view source;
  std::unique_ptr<text::Template> chat_template;
};

std::vector<Speaker> Speakers() {
  std::vector<Speaker> speakers;
  for (const std::string& name : BuiltinModelNames()) {
    Speaker& speaker = speakers.emplace_back();
    speaker.file = OpenModelFile(name).value();
    speaker.text = text::FileTokenizer::Read(*speaker.file).value();
    speaker.source = speaker.file->GetString("tokenizer.chat_template").value();
    speaker.chat_template =
        std::make_unique<text::Template>(text::Template::Parse(speaker.source).value());
  }
  return speakers;
}

void CheckPrompt(const Speaker& speaker, const Conversation& conversation) {
  const text::Tokenizer& tokenizer = speaker.text->tokenizer();
  const Result<Prompt> prompt = BuildPrompt(*speaker.chat_template, tokenizer, conversation,
                                            {.think = ThinkMode::kDefault,
                                             .bos_text = speaker.text->bos_text(),
                                             .eos_text = speaker.text->eos_text(),
                                             .template_source = speaker.source});
  fuzz::RequireLine(prompt.status());
  if (!prompt.ok()) {
    return;
  }
  for (const std::size_t border : prompt->borders) {
    fuzz::Require(border < prompt->ids.size(), "a border outside the prompt");
  }
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  static const std::vector<Speaker> speakers = Speakers();
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  fuzz::RequireLine(ParseMessages(json).status());
  Result<Conversation> conversation = ParseConversation(json, "fuzz");
  fuzz::RequireLine(conversation.status());
  if (!conversation.ok()) {
    return 0;
  }
  Conversation named = *conversation;
  fuzz::RequireLine(NameMedia(named));
  fuzz::RequireLine(TakeMedia(*conversation).status());
  for (const Speaker& speaker : speakers) {
    CheckPrompt(speaker, named);
  }
  static_cast<void>(TakeSoftSwitch(named));
  return 0;
}
