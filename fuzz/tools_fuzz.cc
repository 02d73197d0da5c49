// Calls of tools in an answer: text with marks in it, in any form and none. However it is cut, the
// same comes out; what is called whole has arguments that are a JSON object.
// Corpus: fuzz/corpus/tools, the text of an answer each.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "chat/tool_call_parser.h"
#include "fuzz/fuzz_input.h"

namespace tandem {
namespace {

struct Read {
  std::string text;
  std::string arguments;  // of all calls
  std::string calls;

  bool operator==(const Read&) const = default;
};

Read Collect(const std::vector<ToolEvent>& events) {
  Read all;
  std::string arguments;
  bool open = false;
  for (const ToolEvent& event : events) {
    switch (event.kind) {
      case ToolEvent::Kind::kText:
        fuzz::Require(!open, "text within a call");
        all.text += event.text;
        break;
      case ToolEvent::Kind::kCallBegins:
        fuzz::Require(!open, "a call within a call");
        open = true;
        arguments.clear();
        break;
      case ToolEvent::Kind::kArguments:
        fuzz::Require(open, "arguments outside of a call");
        arguments += event.text;
        break;
      case ToolEvent::Kind::kCallEnds: {
        fuzz::Require(open, "the end of no call");
        open = false;
        const ParsedCall& call = event.call;
        fuzz::Require(!call.raw.empty(), "a call without what was written");
        fuzz::Require(!call.complete || arguments.empty() || arguments == call.arguments,
                      "the pieces do not make up the arguments");
        const Result<Json> value = ParseJson(call.arguments, "arguments");
        fuzz::Require(!call.complete || (value.ok() && value->is_object()),
                      "whole arguments that are no object");
        all.arguments += arguments;
        all.calls += call.id + call.name + call.arguments + call.raw + (call.complete ? "+" : "-");
        break;
      }
    }
  }
  fuzz::Require(!open, "a call without an end");
  return all;
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  static const ToolSchemas tools(
      *ParseToolDefinitions(R"([{"name": "f", "parameters": {"properties": {
          "s": {"type": "string"}, "i": {"type": "integer"}, "o": {"type": "object"},
          "a": {}, "b": {"type": ["boolean", "null"]}}}}, {"name": "now"}])",
                            "tools"));
  const std::string text(reinterpret_cast<const char*>(data), size < 4096 ? size : 4096);
  if (FindInvalidUtf8(text) != std::string_view::npos) {
    return 0;  // what decodes tokens gives characters only
  }
  const Read whole = Collect(ParseToolCalls(text, tools));
  std::vector<ToolEvent> events;
  ToolCallParser parser(tools, ToolMarks::AsText());
  for (std::size_t i = 0; i < text.size(); ++i) {
    parser.Push(std::string_view(text).substr(i, 1), events);
  }
  parser.Flush(events);
  fuzz::Require(Collect(events) == whole, "how the text was cut made a difference");
  return 0;
}
