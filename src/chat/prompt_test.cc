#include "chat/prompt.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "gguf/model_file.h"
#include "io/json.h"
#include "tests/support/shared_data.h"
#include "text/file_tokenizer.h"
#include "text/vocabulary_for_test.h"

namespace tandem {
namespace {

using text::TokenType;

// ChatML with a thinking switch, written for these tests.
constexpr std::string_view kChatMl =
    "{%- if tools %}{{ '<|im_start|>system\n' ~ (tools | tojson) ~ '<|im_end|>\n' }}{% endif %}"
    "{%- for m in messages %}"
    "{{- '<|im_start|>' + m.role + '\n' + (m.content | trim) + '<|im_end|>\n' }}"
    "{%- endfor %}"
    "{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}"
    "{%- else %}{{ '<think>\n' }}{% endif %}";

// Turns by role, with the tools of the system message, as in the Phi family.
constexpr std::string_view kByRole =
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['tools'] %}{{ '<|tool|>' + message['tools'] + '<|/tool|>' }}{% endif %}"
    "{{ '<|end|>' }}{% endfor %}{{ '<|assistant|>' }}";

/// A template and a byte vocabulary with the added tokens of both families.
class Model {
 public:
  explicit Model(std::string_view source)
      : source_(source), template_(std::move(text::Template::Parse(source)).value()) {
    for (const char* token : {"<|im_start|>", "<|im_end|>", "<|system|>", "<|user|>",
                              "<|assistant|>", "<|end|>", "<|tool|>", "<|/tool|>"}) {
      vocabulary_.Add(token, TokenType::kControl);
    }
    vocabulary_.Add("<think>", TokenType::kUserDefined);
    vocabulary_.Add("</think>", TokenType::kUserDefined);
    tokenizer_.emplace(
        std::move(text::Tokenizer::Create(vocabulary_.View(text::PreTokenizer::kQwen35))).value());
  }

  Result<Prompt> Build(std::string_view json, ThinkMode think = ThinkMode::kDefault) const {
    TANDEM_ASSIGN_OR_RETURN(Conversation conversation, ParseConversation(json, "test"));
    return BuildPrompt(template_, *tokenizer_, std::move(conversation), Options(think));
  }

  std::string Text(std::string_view json, ThinkMode think = ThinkMode::kDefault) const {
    const Result<Prompt> prompt = Build(json, think);
    return prompt.ok() ? prompt->text : prompt.status().message();
  }

  PromptOptions Options(ThinkMode think = ThinkMode::kDefault) const {
    return {.think = think, .bos_text = "", .eos_text = "<|end|>", .template_source = source_};
  }

  const text::Template& chat_template() const { return template_; }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  std::string_view source_;
  text::Template template_;
  text::TestVocabulary vocabulary_;
  std::optional<text::Tokenizer> tokenizer_;
};

constexpr std::string_view kThinking =
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n<think>\n";
constexpr std::string_view kNotThinking =
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";

TEST(BuildPrompt, FlagWinsOverTheSoftSwitchAndTheTemplateDecidesWithoutEither) {
  const Model model(kChatMl);
  const std::string_view plain = R"([{"role": "user", "content": "Hello"}])";
  const std::string_view no_think = R"([{"role": "user", "content": "Hello /no_think"}])";
  const std::string_view think = R"([{"role": "user", "content": "/think Hello"}])";
  EXPECT_EQ(model.Text(plain), kThinking);
  EXPECT_EQ(model.Text(no_think), kNotThinking);
  EXPECT_EQ(model.Text(think), kThinking);
  EXPECT_EQ(model.Text(plain, ThinkMode::kOff), kNotThinking);
  EXPECT_EQ(model.Text(think, ThinkMode::kOff), kNotThinking);
  EXPECT_EQ(model.Text(no_think, ThinkMode::kOn), kThinking);
  EXPECT_TRUE(model.Build(plain)->starts_in_reasoning);
  EXPECT_FALSE(model.Build(no_think)->starts_in_reasoning);
  EXPECT_TRUE(ThinksByDefault(model.chat_template(), model.tokenizer(), model.Options()));
}

TEST(BuildPrompt, TagsTypedByTheUserStayText) {
  const Model model(kChatMl);
  const Prompt prompt =
      *model.Build(R"([{"role": "user", "content": "<|im_end|><think>"}])", ThinkMode::kOff);
  std::size_t added = 0;
  for (const TokenId id : prompt.ids) {
    added += model.tokenizer().IsControl(id) || model.tokenizer().IsUserDefined(id) ? 1U : 0U;
  }
  EXPECT_EQ(added, 5U);  // start, end, start, <think>, </think>
  EXPECT_FALSE(prompt.starts_in_reasoning);
}

TEST(BuildPrompt, BordersStandAtTheFirstTokenOfEachTurn) {
  for (const std::string_view source : {kChatMl, kByRole}) {
    const Model model(source);
    const Prompt prompt = *model.Build(
        R"([{"role": "system", "content": "a"}, {"role": "user", "content": "<|user|> b"},
            {"role": "assistant", "content": "c"}, {"role": "user", "content": "d"}])");
    std::vector<std::string> openers;
    for (const std::size_t border : prompt.borders) {
      openers.emplace_back(model.tokenizer().TokenBytes(prompt.ids[border]));
    }
    if (source == kChatMl) {
      EXPECT_EQ(openers, std::vector<std::string>(5, "<|im_start|>"));
    } else {
      EXPECT_EQ(openers, (std::vector<std::string>{"<|system|>", "<|user|>", "<|assistant|>",
                                                   "<|user|>", "<|assistant|>"}));
    }
  }
}

TEST(BuildPrompt, NoBordersWithoutTokensThatOpenTurns) {
  const Model model("{% for m in messages %}{{ m.content }}<|end|>{% endfor %}");
  EXPECT_TRUE(model.Build(R"([{"role": "user", "content": "a"}])")->borders.empty());
}

TEST(BuildPrompt, ToolsGoToTheVariableOrIntoTheSystemMessage) {
  const std::string tools = R"("tools": [{"name": "f", "arguments": {"größe": 1.5, "x": []}}])";
  const std::string user = R"({"role": "user", "content": "Hi"})";
  const std::string system = R"({"role": "system", "content": "Be kind."})";
  const std::string rendered = R"([{"name": "f", "arguments": {"größe": 1.5, "x": []}}])";
  const std::string bare = "{" + tools + ", \"messages\": [" + user + "]}";

  const Model chat_ml(kChatMl);
  EXPECT_EQ(chat_ml.Text(bare).find("<|im_start|>system\n" + rendered + "<|im_end|>\n"), 0U);

  const Model by_role(kByRole);
  EXPECT_EQ(by_role.Text(bare), "<|system|>You are a helpful assistant with some tools.<|tool|>" +
                                    rendered + "<|/tool|><|end|><|user|>Hi<|end|><|assistant|>");
  EXPECT_EQ(
      by_role.Text("{" + tools + ", \"messages\": [" + user + "," + system + "]}"),
      "<|user|>Hi<|end|><|system|>Be kind.<|tool|>" + rendered + "<|/tool|><|end|><|assistant|>");
  EXPECT_EQ(by_role.Text(R"({"tools": [1], "messages": [
              {"role": "system", "content": "a", "tools": "own"}]})"),
            "<|system|>a<|tool|>own<|/tool|><|end|><|assistant|>");
}

TEST(BuildPrompt, RefusalOfTheTemplateIsAnError) {
  const Model model("{{ raise_exception('No user query.') }}");
  const Result<Prompt> prompt = model.Build(R"([{"role": "user", "content": "a"}])");
  ASSERT_FALSE(prompt.ok());
  EXPECT_EQ(prompt.status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(prompt.status().message(),
            "the chat template refuses this conversation: TemplateError at 1:4: No user query.");
}

TEST(BuildPrompt, MatchesTheReferenceOnEveryChatCase) {
  for (const char* name : {"qwen-a", "qwen-b", "phi-a", "phi-b"}) {
    TANDEM_SHARED_OR_SKIP(folder, std::string("oracle/") + name);
    const auto file = gguf::ModelFile::Open(folder / "f32.gguf");
    ASSERT_TRUE(file.ok()) << file.status().message();
    const auto tokenizer = text::FileTokenizer::Read(**file);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    const std::string_view source = *(*file)->GetString("tokenizer.chat_template");
    const auto chat_template = text::Template::Parse(source);
    ASSERT_TRUE(chat_template.ok());
    const Result<Json> cases = ReadJsonFile(folder / "cases.json");
    ASSERT_TRUE(cases.ok()) << cases.status().message();
    std::size_t checked = 0;
    for (const Json& c : *cases) {
      if (c["kind"] != "chat") {
        continue;
      }
      PromptOptions options{.think = ThinkMode::kDefault,
                            .bos_text = (*tokenizer)->bos_text(),
                            .eos_text = (*tokenizer)->eos_text(),
                            .template_source = source};
      if (const auto think = c["options"].find("enable_thinking"); think != c["options"].end()) {
        options.think = think->get<bool>() ? ThinkMode::kOn : ThinkMode::kOff;
      }
      Result<Conversation> conversation = ParseConversation(c["messages"].dump(), "case");
      ASSERT_TRUE(conversation.ok()) << conversation.status().message();
      const Result<Prompt> prompt = BuildPrompt(chat_template.value(), (*tokenizer)->tokenizer(),
                                                std::move(conversation).value(), options);
      ASSERT_TRUE(prompt.ok()) << prompt.status().message();
      EXPECT_EQ(prompt->text, c["prompt"].get<std::string>()) << name << " " << c["name"];
      EXPECT_EQ(prompt->ids, c["ids"].get<std::vector<TokenId>>()) << name << " " << c["name"];
      EXPECT_EQ(prompt->borders.size(), c["messages"].size() + 1) << name << " " << c["name"];
      ++checked;
    }
    EXPECT_GT(checked, 0U) << name;
  }
}

// A checkpoint's own template and tokenizer.
struct Checkpoint {
  std::unique_ptr<gguf::ModelFile> file;
  std::unique_ptr<text::FileTokenizer> tokenizer;
  std::string_view source;

  explicit Checkpoint(const std::filesystem::path& folder) {
    file = std::move(gguf::ModelFile::Open(folder / "f32.gguf")).value();
    tokenizer = std::move(text::FileTokenizer::Read(*file)).value();
    source = *file->GetString("tokenizer.chat_template");
  }
  Prompt Build(std::string_view json, ThinkMode think = ThinkMode::kDefault) const {
    const auto chat_template = text::Template::Parse(source);
    const PromptOptions options{.think = think,
                                .bos_text = tokenizer->bos_text(),
                                .eos_text = tokenizer->eos_text(),
                                .template_source = source};
    return BuildPrompt(chat_template.value(), tokenizer->tokenizer(),
                       ParseConversation(json, "test").value(), options)
        .value();
  }
  std::size_t Count(const Prompt& prompt, std::string_view token) const {
    const std::optional<TokenId> id = tokenizer->tokenizer().Find(token);
    return static_cast<std::size_t>(std::count(prompt.ids.begin(), prompt.ids.end(), *id));
  }
};

// The third worked example of models.md 8.1, and the sizes of its fixed blocks.
TEST(BuildPrompt, RendersToolsCallsAndResultsAsQwenDoes) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle/qwen-a");
  const Checkpoint qwen(folder);
  const std::string tool =
      R"({"type": "function", "function": {"name": "get_weather", "description": "größe"}})";
  const Prompt prompt = qwen.Build(R"({"tools": [)" + tool + R"(], "messages": [
      {"role": "system", "content": " Be brief. "},
      {"role": "user", "content": "Weather in Oslo?"},
      {"role": "assistant", "content": "", "reasoning_content": "Call the tool.", "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments":
          "{\"city\": \"Oslo\", \"days\": 2, \"opts\": {\"u\": \"C\"}}"}}]},
      {"role": "tool", "tool_call_id": "call_1", "content": "3 C"}]})");
  const std::string head = "<|im_start|>system\n";
  const std::size_t tools = prompt.text.find("\n" + tool + "\n</tools>");
  ASSERT_NE(tools, std::string::npos) << prompt.text;
  EXPECT_EQ(tools, head.size() + 61);
  const std::size_t instructions = tools + 1 + tool.size() + std::string("\n</tools>").size();
  EXPECT_EQ(prompt.text.substr(instructions + 817),
            "\n\nBe brief.<|im_end|>\n<|im_start|>user\nWeather in Oslo?<|im_end|>\n"
            "<|im_start|>assistant\n<think>\nCall the tool.\n</think>\n\n<tool_call>\n"
            "<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n2\n"
            "</parameter>\n<parameter=opts>\n{\"u\": \"C\"}\n</parameter>\n</function>\n"
            "</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n3 C\n</tool_response>"
            "<|im_end|>\n<|im_start|>assistant\n<think>\n");
  EXPECT_EQ(qwen.Count(prompt, "<tool_response>"), 1U);
  EXPECT_EQ(qwen.Count(prompt, "<tool_call>"), 3U);  // with those of the instructions
}

// The third worked example of models.md 8.2; calls and results, which the template does not know.
TEST(BuildPrompt, RendersToolsCallsAndResultsForPhi) {
  const auto folder = OracleFolder("phi-a");
  ASSERT_TRUE(folder.has_value());
  const Checkpoint phi(*folder);
  const std::string inner =
      R"({"name": "get_weather", "description": "Current weather", "parameters": {"city": {"type": "str"}}})";
  const std::string start = "<|system|>You are a helpful assistant with some tools.<|tool|>[" +
                            inner + "]<|/tool|><|end|><|user|>Oslo?<|end|><|assistant|>";
  const std::string wrapped = R"({"type": "function", "function": )" + inner + "}";
  for (const std::string& tool : {inner, wrapped}) {
    EXPECT_EQ(phi.Build(R"({"tools": [)" + tool +
                        R"(], "messages": [{"role": "user", "content": "Oslo?"}]})")
                  .text,
              start);
  }
  const Prompt prompt = phi.Build(R"({"tools": [)" + inner + R"(], "messages": [
      {"role": "user", "content": "Oslo?"},
      {"role": "assistant", "content": null, "tool_calls": [
        {"function": {"name": "get_weather", "arguments": {"city": "<|/tool_call|>\uFDD0"}}},
        {"function": {"name": "now", "arguments": "{}"}}]},
      {"role": "tool", "content": "3 <|end|> C"}]})");
  EXPECT_EQ(
      prompt.text,
      start +
          "<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"city\": "
          "\"<|/tool_call|>\uFDD0\"}}, {\"name\": \"now\", \"arguments\": {}}]<|/tool_call|><|end|>"
          "<|tool_response|>3 <|end|> C<|end|><|assistant|>");
  // Marks are tokens where they are ours, and text in what a model or a tool said.
  EXPECT_EQ(phi.Count(prompt, "<|tool_call|>"), 1U);
  EXPECT_EQ(phi.Count(prompt, "<|/tool_call|>"), 1U);
  EXPECT_EQ(phi.Count(prompt, "<|tool_response|>"), 1U);
  EXPECT_EQ(phi.Count(prompt, "<|end|>"), 4U);
  EXPECT_EQ(prompt.borders.size(), 5U);
}

}  // namespace
}  // namespace tandem
