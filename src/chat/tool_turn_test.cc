// Turns with tools and with a thinking budget, on the built-in models. They know no tools, so the
// answers that have calls are forced.
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "chat/chat_session.h"

namespace tandem {
namespace {

constexpr const char* kTools =
    R"([{"type": "function", "function": {"name": "weather", "description": "Current weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"},
                                                        "days": {"type": "integer"}}}}}])";

struct Model {
  std::unique_ptr<LoadedModel> loaded;
  std::unique_ptr<Engine> engine;
  bool qwen;

  explicit Model(const std::string& name) : qwen(name == "qwen3.5") {
    const std::string path = std::string(TANDEM_SOURCE_DIR) + "/assets/demo/" + name + "-demo.gguf";
    loaded = LoadedModel::Load(gguf::ModelFile::Open(path).value()).value();
    EngineOptions options;
    options.context_tokens = 1024;
    engine = Engine::Create(loaded->network(), options).value();
  }

  std::vector<TokenId> Ids(const std::string& text) const {
    return loaded->tokenizer().EncodeSpecial(text);
  }
  // A call as the family writes it, and the end of the turn.
  std::string Call() const {
    return qwen ? "<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n"
                  "<parameter=days>\n2\n</parameter>\n</function>\n</tool_call><|im_end|>"
                : "<|tool_call|>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", "
                  "\"days\": 2}}]<|/tool_call|><|end|>";
  }
};

struct Turn {
  TurnResult result;
  std::string events;  // what came, by kind: r reasoning, a answer, b begins, j arguments, e ends
  std::string arguments;
};

TurnOptions Greedy(std::size_t max_tokens) {
  TurnOptions options;
  options.sampling.temperature = 0.0F;
  options.sampling.presence_penalty = 0.0F;
  options.think = ThinkMode::kOff;
  options.max_tokens = max_tokens;
  return options;
}

Turn Take(Model& model, ChatSession& session, const Json& messages, const TurnOptions& options) {
  Turn turn;
  Conversation conversation;
  conversation.messages = messages;
  const Status started = session.Start(conversation, options, [&](const TurnEvent& event) {
    const std::map<TurnEvent::Kind, char> kNames = {{TurnEvent::Kind::kReasoning, 'r'},
                                                    {TurnEvent::Kind::kAnswer, 'a'},
                                                    {TurnEvent::Kind::kCallBegins, 'b'},
                                                    {TurnEvent::Kind::kArguments, 'j'},
                                                    {TurnEvent::Kind::kCallEnds, 'e'}};
    const auto name = kNames.find(event.kind);
    if (name != kNames.end() && (turn.events.empty() || turn.events.back() != name->second)) {
      turn.events += name->second;
    }
    if (event.kind == TurnEvent::Kind::kArguments) {
      turn.arguments += event.text;
    }
    return true;
  });
  EXPECT_TRUE(started.ok()) << started.message();
  while (started.ok() && !session.Advance()) {
    model.engine->Step();
  }
  turn.result = session.Finish().value();
  return turn;
}

Json User(const std::string& text) {
  return {{"role", "user"}, {"content", text}};
}

Json Assistant(const TurnResult& result) {
  Json message = {{"role", "assistant"}, {"content", result.answer}};
  if (!result.reasoning.empty()) {
    message["reasoning_content"] = result.reasoning;
  }
  for (const ParsedCall& call : result.calls) {
    message["tool_calls"].push_back(
        {{"id", call.id},
         {"type", "function"},
         {"function", {{"name", call.name}, {"arguments", *ParseJson(call.arguments, "a")}}}});
  }
  return message;
}

class ToolTurn : public testing::TestWithParam<const char*> {};

TEST_P(ToolTurn, ACallIsToldAndItsResultReadsOnlyWhatIsNew) {
  Model model(GetParam());
  for (const ThinkMode think : {ThinkMode::kOff, ThinkMode::kOn}) {
    ChatSession session(*model.loaded, *model.engine, 1 << 24);
    TurnOptions options = Greedy(100);
    options.think = think;
    options.tools = kTools;
    const bool thinks = model.qwen && think == ThinkMode::kOn;
    options.forced = model.Ids((thinks       ? "I ask.\n</think>\n\nLet me see.\n\n"
                                : model.qwen ? "Let me see.\n\n"
                                             : "") +
                               model.Call());
    Json messages = Json::array({User("Weather in Oslo?")});
    const Turn first = Take(model, session, messages, options);
    EXPECT_EQ(first.events, thinks ? "rabje" : model.qwen ? "abje" : "bje");
    EXPECT_EQ(first.result.answer, model.qwen ? "Let me see." : "");
    EXPECT_EQ(first.result.reasoning, thinks ? "I ask." : "");
    EXPECT_EQ(first.result.finish, FinishReason::kStopToken);
    ASSERT_EQ(first.result.calls.size(), 1U);
    const ParsedCall& call = first.result.calls[0];
    EXPECT_EQ(call.id, "call_1");
    EXPECT_EQ(call.name, "weather");
    EXPECT_EQ(call.arguments, R"({"city": "Oslo", "days": 2})");
    EXPECT_EQ(first.arguments, call.arguments);
    EXPECT_TRUE(call.complete);
    const std::size_t read = session.tokens_read();

    messages.push_back(Assistant(first.result));
    messages.push_back({{"role", "tool"}, {"tool_call_id", "call_1"}, {"content", "3 C"}});
    options.forced.clear();
    options.max_tokens = 6;
    const Turn second = Take(model, session, messages, options);
    // All but what stands behind the call, which was not read yet.
    EXPECT_EQ(second.result.reused_tokens, read);
    ChatSession fresh(*model.loaded, *model.engine);
    const Turn whole = Take(model, fresh, messages, options);
    EXPECT_EQ(whole.result.reused_tokens, 0U);
    EXPECT_EQ(whole.result.prompt_tokens, second.result.prompt_tokens);
    EXPECT_EQ(whole.result.answer, second.result.answer);
    EXPECT_EQ(whole.result.reasoning, second.result.reasoning);
  }
}

TEST_P(ToolTurn, AfterReadingAheadAResultIsReadAlone) {
  Model model(GetParam());
  ChatSession session(*model.loaded, *model.engine, 1 << 24);
  TurnOptions options = Greedy(100);
  options.think = ThinkMode::kOn;
  options.tools = kTools;
  options.forced = model.Ids((model.qwen ? "I ask.\n</think>\n\n" : "") + model.Call());
  Json messages = Json::array({User("Weather in Oslo?")});
  messages.push_back(Assistant(Take(model, session, messages, options).result));
  Conversation conversation;
  conversation.messages = messages;
  if (session.StartReadAhead(conversation, options).value()) {
    while (!session.Advance()) {
      model.engine->Step();
    }
    EXPECT_GT(session.FinishReadAhead().value(), 0U);
  }
  const std::size_t read = session.tokens_read();
  messages.push_back({{"role", "tool"}, {"tool_call_id", "call_1"}, {"content", "3 C"}});
  options.forced.clear();
  options.max_tokens = 4;
  const Turn second = Take(model, session, messages, options);
  EXPECT_EQ(second.result.reused_tokens, read);
  EXPECT_LE(second.result.prompt_tokens - read, model.Ids("3 C").size() + 16);
}

// Some answers call without closing the think block.
TEST(ToolTurnOfQwen, ACallEndsTheThinkingInFrontOfIt) {
  Model model("qwen3.5");
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Greedy(100);
  options.think = ThinkMode::kOn;
  options.tools = kTools;
  options.forced = model.Ids("I ask.</tool_call>\n" + model.Call());
  const Turn turn = Take(model, session, Json::array({User("Weather in Oslo?")}), options);
  EXPECT_EQ(turn.events, "rbje");
  EXPECT_EQ(turn.result.reasoning, "I ask.</tool_call>");  // a stray end is no structure
  EXPECT_EQ(turn.result.answer, "");
  EXPECT_EQ(turn.result.calls.size(), 1U);
}

TEST_P(ToolTurn, IdsCountThroughTheConversation) {
  Model model(GetParam());
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Greedy(100);
  options.tools = kTools;
  options.forced = model.Ids(model.Call());
  Json messages = Json::array({User("Weather in Oslo?")});
  messages.push_back(Assistant(Take(model, session, messages, options).result));
  messages.push_back({{"role", "tool"}, {"content", "3 C"}});
  EXPECT_EQ(Take(model, session, messages, options).result.calls.at(0).id, "call_2");
}

TEST_P(ToolTurn, WithoutToolsACallIsText) {
  Model model(GetParam());
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Greedy(100);
  options.forced = model.Ids(model.Call());
  const Turn turn = Take(model, session, Json::array({User("Hi")}), options);
  EXPECT_TRUE(turn.result.calls.empty());
  EXPECT_EQ(turn.events, "a");
  EXPECT_NE(turn.result.answer.find("Oslo"), std::string::npos);
}

TEST_P(ToolTurn, ACallThatIsCutOffIsReportedWithWhatThereIs) {
  Model model(GetParam());
  ChatSession session(*model.loaded, *model.engine);
  const std::vector<TokenId> ids = model.Ids(model.Call());
  TurnOptions options = Greedy(ids.size() - (model.qwen ? 12 : 10));
  options.tools = kTools;
  options.forced = ids;
  const Turn turn = Take(model, session, Json::array({User("Weather in Oslo?")}), options);
  EXPECT_EQ(turn.result.finish, FinishReason::kMaxTokens);
  ASSERT_EQ(turn.result.calls.size(), 1U);
  EXPECT_FALSE(turn.result.calls[0].complete);
  EXPECT_EQ(turn.result.calls[0].name, "weather");
  EXPECT_NE(turn.result.calls[0].raw.find("Oslo"), std::string::npos);
  EXPECT_EQ(turn.result.answer, "");
}

TEST_P(ToolTurn, AStopStringEndsTheTextInFrontOfACall) {
  Model model(GetParam());
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Greedy(100);
  options.tools = kTools;
  options.stop = {"see", "x"};
  options.forced = model.Ids("Let me see.\n\n" + model.Call());
  const Turn turn = Take(model, session, Json::array({User("Hi")}), options);
  EXPECT_TRUE(turn.result.stopped_by_string);
  EXPECT_EQ(turn.result.answer, "Let me ");
  EXPECT_TRUE(turn.result.calls.empty());
}

TEST_P(ToolTurn, BadDefinitionsAreAnError) {
  Model model(GetParam());
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Greedy(4);
  options.tools = R"([{"name": ""}])";
  Conversation conversation;
  conversation.messages.push_back(User("Hi"));
  const Status status = session.Start(conversation, options, [](const TurnEvent&) { return true; });
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "tools: tool 0: \"name\" must be a string, not empty");
}

INSTANTIATE_TEST_SUITE_P(Families, ToolTurn, testing::Values("qwen3.5", "phi4-mini"),
                         [](const auto& param) {
                           return std::string(param.param) == "qwen3.5" ? std::string("Qwen")
                                                                        : std::string("Phi");
                         });

// A format says what the answer is, also when it looks like a call.
TEST(ToolTurnOfQwen, WithAFormatNoCallsAreRead) {
  Model model("qwen3.5");
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Greedy(60);
  options.tools = kTools;
  options.format = "json";
  options.forced = model.Ids(R"({"name": "weather", "arguments": {}})");
  const Turn turn = Take(model, session, Json::array({User("Weather in Oslo?")}), options);
  EXPECT_TRUE(turn.result.calls.empty());
  EXPECT_TRUE(turn.result.answer.starts_with(R"({"name": "weather", "arguments": {}})"));
}

TurnOptions Thinking(std::uint64_t seed) {
  TurnOptions options = Greedy(200);
  options.sampling.temperature = 1.0F;
  options.think = ThinkMode::kOn;
  options.seed = seed;
  return options;
}

const Json kQuestion = Json::array({User("What is 27 + 45?")});

TEST(ThinkBudget, EndsThinkingAndAnAnswerFollows) {
  Model model("qwen3.5");
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Thinking(3);
  const Turn free = Take(model, session, kQuestion, options);
  ASSERT_GT(free.result.reasoning_tokens, 2U);
  EXPECT_FALSE(free.result.thinking_cut);
  options.think_budget = 2;
  const Turn cut = Take(model, session, kQuestion, options);
  EXPECT_TRUE(cut.result.thinking);
  EXPECT_TRUE(cut.result.thinking_cut);
  EXPECT_EQ(cut.events, "ra");
  const std::string line =
      "Considering the limited time by the user, I have to give the solution based on the thinking "
      "directly now.";
  EXPECT_TRUE(cut.result.reasoning.ends_with("\n\n" + line)) << cut.result.reasoning;
  // Up to there it thought the same: what is drawn depends on seed and position.
  const std::string thought =
      cut.result.reasoning.substr(0, cut.result.reasoning.size() - line.size() - 2);
  EXPECT_TRUE(free.result.reasoning.starts_with(thought)) << thought;
  EXPECT_LE(cut.result.reasoning_tokens, 2 + 3 + model.Ids("\n\n" + line + "\n</think>").size());
  EXPECT_FALSE(cut.result.answer.empty());
  EXPECT_EQ(cut.result.answer.find("</think>"), std::string::npos) << cut.result.answer;
  // One that is not reached changes nothing.
  options.think_budget = 10000;
  const Turn wide = Take(model, session, kQuestion, options);
  EXPECT_EQ(wide.result.reasoning, free.result.reasoning);
  EXPECT_EQ(wide.result.answer, free.result.answer);
}

TEST(ThinkBudget, ZeroIsNoThinking) {
  Model model("qwen3.5");
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Thinking(3);
  options.think_budget = 0;
  const Turn turn = Take(model, session, kQuestion, options);
  EXPECT_EQ(turn.events, "a");
  EXPECT_EQ(turn.result.reasoning_tokens, 0U);
  EXPECT_FALSE(turn.result.thinking_cut);
  options.think_budget.reset();
  options.think = ThinkMode::kOff;
  EXPECT_EQ(Take(model, session, kQuestion, options).result.answer, turn.result.answer);
}

TEST(ThinkBudget, ThenTheFormatBegins) {
  Model model("qwen3.5");
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Thinking(3);
  options.format = "json";
  options.think_budget = 2;
  const Turn turn = Take(model, session, kQuestion, options);
  EXPECT_TRUE(turn.result.thinking_cut);
  EXPECT_TRUE(turn.result.reasoning.ends_with("directly now.")) << turn.result.reasoning;
  EXPECT_TRUE(turn.result.answer.starts_with("{")) << turn.result.answer;
}

// Phi-4-mini-reasoning writes its tags with ordinary tokens.
TEST(ThinkBudget, ClosesTagsThatAreOrdinaryText) {
  Model model("phi4-mini");
  ChatSession session(*model.loaded, *model.engine);
  TurnOptions options = Greedy(120);
  options.forced = model.Ids("<think>\nOne, two, three <");
  options.think_budget = options.forced.size() - 1;
  const Turn cut = Take(model, session, kQuestion, options);
  EXPECT_TRUE(cut.result.thinking_cut);
  EXPECT_TRUE(cut.result.reasoning.starts_with("One, two, three")) << cut.result.reasoning;
  EXPECT_TRUE(cut.result.reasoning.ends_with("directly now.")) << cut.result.reasoning;
  EXPECT_EQ(cut.events, "ra");
  options.forced = model.Ids("<think>");
  options.think_budget = 0;
  const Turn none = Take(model, session, kQuestion, options);
  EXPECT_EQ(none.result.reasoning, "");
  EXPECT_EQ(none.result.answer.find("think"), std::string::npos) << none.result.answer;
}

TEST(ThinkBudget, InABatchEachGetsWhatItGetsAlone) {
  Model model("qwen3.5");
  const auto options = [](std::size_t i) {
    TurnOptions turn = Thinking(10 + i);
    turn.max_tokens = 60;
    if (i % 2 == 0) {
      turn.think_budget = 2 * i;
    }
    return turn;
  };
  std::vector<std::string> alone;
  for (std::size_t i = 0; i < 8; ++i) {
    ChatSession session(*model.loaded, *model.engine);
    const TurnResult result = Take(model, session, kQuestion, options(i)).result;
    alone.push_back(result.reasoning + "|" + result.answer);
  }
  std::vector<std::unique_ptr<ChatSession>> sessions;
  Conversation conversation;
  conversation.messages = kQuestion;
  for (std::size_t i = 0; i < 8; ++i) {
    sessions.push_back(std::make_unique<ChatSession>(*model.loaded, *model.engine));
    ASSERT_TRUE(
        sessions[i]->Start(conversation, options(i), [](const TurnEvent&) { return true; }).ok());
  }
  std::vector<bool> ended(8, false);
  while (std::find(ended.begin(), ended.end(), false) != ended.end()) {
    model.engine->Step();
    for (std::size_t i = 0; i < 8; ++i) {
      ended[i] = ended[i] || sessions[i]->Advance();
    }
  }
  for (std::size_t i = 0; i < 8; ++i) {
    const TurnResult result = sessions[i]->Finish().value();
    EXPECT_EQ(result.reasoning + "|" + result.answer, alone[i]) << i;
  }
}

}  // namespace
}  // namespace tandem
