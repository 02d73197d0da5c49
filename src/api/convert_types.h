#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

#include "chat/chat_session.h"
#include "compare/opened_model.h"

namespace tandem {

/// Between the public types and those of the layers below, which must stay free to change.
OpenSettings ToSettings(const OpenOptions& options);
TurnOptions ToTurnOptions(const GenerateOptions& options);
ThinkMode ToThinkMode(Thinking thinking);
/// Hands an event to the caller's function, which may be empty; true to go on.
bool Tell(const TurnEvent& event, const EventCallback& on_event);
Answer ToAnswer(TurnResult result, std::uint64_t memory_bytes);
ModelFacts ToFacts(const OpenedModel& opened);
Conversation ToConversation(const std::vector<Message>& messages);
/// ParseMessages and ParseTools of one text; no tools: it says nothing of any.
struct MessagesAndTools {
  std::vector<Message> messages;
  std::optional<std::string> tools = {};
};
Result<MessagesAndTools> ParseMessagesAndTools(std::string_view json);
/// The answer as a message of the conversation.
Message ToMessage(const Answer& answer);

}  // namespace tandem
