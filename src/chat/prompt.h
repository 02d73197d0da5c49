#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"
#include "chat/conversation.h"
#include "chat/media_prompt.h"
#include "text/template.h"
#include "text/tokenizer.h"

namespace tandem {

enum class ThinkMode {
  kDefault,  // the soft switch in the conversation decides, else the template
  kOn,
  kOff,
};

struct PromptOptions {
  ThinkMode think = ThinkMode::kDefault;
  std::string bos_text;
  std::string eos_text;
  /// Of the template: decides how tools reach it.
  std::string_view template_source;
  bool opens_thinking = false;  // the model opens a think block where the prompt has none
  /// The pictures and clips of the conversation (TakeMedia), encoded, in reading order.
  std::span<const std::shared_ptr<const EncodedMedia>> media = {};
  std::size_t media_merge = 2;  // patches per side of a token
};

/// A conversation as the model is to read it.
struct Prompt {
  std::string text;                    // as the template wrote it, before pictures are put in
  std::vector<TokenId> ids;            // a placeholder for each row of a picture
  std::vector<TokenId> rows;           // what the engine reads, see ExpandedPrompt
  std::vector<RowPosition> positions;  // one per row; empty: all text
  std::vector<MediaRun> runs;
  std::vector<std::size_t>
      borders;  // index of the first token of each turn, ascending; empty when that cannot be told
  bool starts_in_reasoning = false;  // the answer begins inside an open think block
  bool opens_reasoning = false;      // it has none, and the model is known to open one

  /// Whether an answer with thinking is expected.
  bool thinks() const { return starts_in_reasoning || opens_reasoning; }
};

/// Renders the conversation and its generation prompt, the soft switch applied as BuildPrompt does.
text::TemplateResult<text::Rendered> RenderConversation(const text::Template& chat_template,
                                                        Conversation conversation,
                                                        const PromptOptions& options,
                                                        const text::RenderOptions& render = {});

/// Renders the conversation and its generation prompt and encodes it: added tokens only where the
/// template wrote them, and the rows of pictures in their places. The soft switch (TakeSoftSwitch)
/// is applied; without it and with ThinkMode::kDefault `enable_thinking` stays undefined.
/// InvalidArgument with class, line and column when the template refuses the conversation; errors
/// of ExpandMedia.
Result<Prompt> BuildPrompt(const text::Template& chat_template, const text::Tokenizer& tokenizer,
                           Conversation conversation, const PromptOptions& options);

/// Whether an answer has thinking (Prompt::thinks) when nothing is said about it.
bool ThinksByDefault(const text::Template& chat_template, const text::Tokenizer& tokenizer,
                     const PromptOptions& options);

}  // namespace tandem
