#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

namespace tandem {

// What conversations with one model and with several have in common when tools are called.

/// The calls of the last answer that have no result behind it yet.
std::vector<ToolCall> WaitingCalls(const std::vector<Message>& messages);

/// The message that holds the result of a call.
Message ResultOf(const ToolCall& call, std::string_view text);

/// The names in definitions as ParseTools gives them, with commas between; empty without any.
std::string ToolNames(const std::string& tools);

/// "The tools are a, b.", or that there are none.
std::string ToolsText(const std::string& tools);

/// The calls of a message in brackets, to stand behind its content on one line.
std::string CallsText(const Message& message);

/// Without a pair of """ around it.
std::string_view WithoutFence(std::string_view text);

}  // namespace tandem
