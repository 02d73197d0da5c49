// Chat templates of strangers over any conversation: the input is the template, a NUL, then the
// variables in JSON (a short conversation when there are none). A template may loop, recurse and
// double strings: the limits must end it. Corpus: fuzz/corpus/template.

#include <cstddef>
#include <cstdint>

#include "fuzz/fuzz_input.h"
#include "io/json.h"
#include "text/template.h"

namespace tandem {
namespace {

constexpr std::string_view kConversation =
    R"({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"},)"
    R"( {"role": "assistant", "content": "<think>a</think>b", "tool_calls": [{"type": "function",)"
    R"( "function": {"name": "f", "arguments": {"x": [1, 2.5, null]}}}]}],)"
    R"( "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": {}}}}],)"
    R"( "add_generation_prompt": true, "bos_token": "<s>", "eos_token": "</s>"})";

// A small machine's worth, so that a run sees many templates.
text::RenderOptions SmallLimits() {
  text::RenderOptions options;
  options.now = std::tm{};
  options.step_limit = 3'000;
  options.output_limit = std::size_t{1} << 14;
  options.depth_limit = 100;
  return options;
}

void CheckSpans(const text::Rendered& rendered) {
  std::size_t at = 0;
  for (const text::RenderedSpan& span : rendered.spans) {
    fuzz::Require(span.begin == at && span.end >= at, "spans with a gap");
    at = span.end;
  }
  fuzz::Require(at == rendered.text.size(), "spans that do not cover the text");
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  fuzz::Input input(data, size);
  const auto parsed = text::Template::Parse(input.Part());
  if (!parsed.ok()) {
    fuzz::RequireLine(text::Describe(parsed.error()));
    return 0;
  }
  const std::string_view json = input.Rest();
  const auto variables = ParseJson(json.empty() ? kConversation : json, "fuzz");
  fuzz::RequireLine(variables.status());
  if (!variables.ok() || !variables->is_object()) {
    return 0;
  }
  const auto rendered = parsed->Render(*variables, SmallLimits());
  if (rendered.ok()) {
    CheckSpans(rendered.value());
  } else {
    fuzz::RequireLine(text::Describe(rendered.error()));
  }
  return 0;
}
