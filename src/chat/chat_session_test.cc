#include "chat/chat_session.h"

#include <gtest/gtest.h>

#include "tests/support/shared_data.h"

namespace tandem {
namespace {

/// A tiny checkpoint of the oracle with an engine of its own. Answers are babble, but always the
/// same.
struct Model {
  std::unique_ptr<LoadedModel> loaded;
  std::unique_ptr<Engine> engine;

  explicit Model(const std::filesystem::path& folder, std::size_t context = 0) {
    loaded = LoadedModel::Load(gguf::ModelFile::Open(folder / "f32.gguf").value()).value();
    EngineOptions options;
    options.kv = KvType::kF32;
    options.context_tokens = context;
    engine = Engine::Create(loaded->network(), options).value();
  }
};

struct Turn {
  Result<TurnResult> result;
  std::vector<std::string> notes;
};

Conversation Messages(const std::vector<std::string>& texts) {
  Conversation conversation;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    conversation.messages.push_back(
        {{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", texts[i]}});
  }
  return conversation;
}

// A greedy turn; ends early after `most_events` pieces of text.
Turn Answer(Model& model, ChatSession& session, const std::vector<std::string>& texts,
            std::size_t max_tokens, std::size_t most_events = 1000) {
  Turn turn{.result = Status(StatusCode::kCancelled, "not run"), .notes = {}};
  TurnOptions options;
  options.sampling.temperature = 0.0F;
  options.think = ThinkMode::kOff;
  options.max_tokens = max_tokens;
  std::size_t events = 0;
  const Status started = session.Start(Messages(texts), options, [&](const TurnEvent& event) {
    if (event.kind == TurnEvent::Kind::kNote) {
      turn.notes.emplace_back(event.text);
    }
    return event.kind != TurnEvent::Kind::kAnswer || ++events < most_events;
  });
  if (!started.ok()) {
    turn.result = started;
    return turn;
  }
  while (!session.Advance()) {
    model.engine->Step();
  }
  turn.result = session.Finish();
  return turn;
}

class ChatSessionTest : public testing::TestWithParam<std::string> {};

TEST_P(ChatSessionTest, AFurtherTurnReadsOnlyWhatIsNewAndSaysTheSame) {
  const auto folder = OracleFolder(GetParam());
  if (!folder) {
    GTEST_SKIP() << "shared test data 'oracle/" << GetParam() << "' is not here";
  }
  Model model(*folder);
  ChatSession session(*model.loaded, *model.engine);
  const Turn first = Answer(model, session, {"Hi"}, 5);
  ASSERT_TRUE(first.result.ok()) << first.result.status().message();
  EXPECT_EQ(first.result->reused_tokens, 0U);
  const std::vector<std::string> texts = {"Hi", first.result->answer, "Bye 123"};
  const Turn second = Answer(model, session, texts, 8);
  ASSERT_TRUE(second.result.ok()) << second.result.status().message();
  EXPECT_GT(second.result->reused_tokens, 0U);

  ChatSession fresh(*model.loaded, *model.engine);
  const Turn whole = Answer(model, fresh, texts, 8);
  EXPECT_EQ(whole.result->reused_tokens, 0U);
  EXPECT_EQ(whole.result->prompt_tokens, second.result->prompt_tokens);
  EXPECT_EQ(whole.result->answer, second.result->answer);
}

TEST_P(ChatSessionTest, GoesOnAfterATurnThatWasStoppedOrRefused) {
  const auto folder = OracleFolder(GetParam());
  if (!folder) {
    GTEST_SKIP() << "shared test data 'oracle/" << GetParam() << "' is not here";
  }
  Model model(*folder, 100);
  ChatSession session(*model.loaded, *model.engine);
  const Turn stopped = Answer(model, session, {"Hi"}, 50, 2);
  ASSERT_TRUE(stopped.result.ok());
  EXPECT_EQ(stopped.result->finish, FinishReason::kCancelled);
  const Turn refused = Answer(model, session, {std::string(400, 'a')}, 5);
  ASSERT_FALSE(refused.result.ok());
  EXPECT_NE(refused.result.status().message().find("the context has room for 100"),
            std::string::npos);
  const Turn after = Answer(model, session, {"Hi"}, 5);
  ChatSession fresh(*model.loaded, *model.engine);
  EXPECT_EQ(after.result.value().answer, Answer(model, fresh, {"Hi"}, 5).result.value().answer);
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, ChatSessionTest, testing::Values("phi-a", "qwen-a"),
                         [](const auto& param) {
                           return param.param == "phi-a" ? std::string("Phi") : std::string("Qwen");
                         });

// phi-a changes to its long rotary factors beyond 64 tokens.
TEST(ChatSession, SaysOnceThatALongConversationIsReadAnew) {
  Model model(*OracleFolder("phi-a"));
  ChatSession session(*model.loaded, *model.engine);
  const Turn turn = Answer(model, session, {"Hi"}, 100);
  ASSERT_TRUE(turn.result.ok());
  ASSERT_EQ(turn.result->generated_tokens, 100U);
  ASSERT_EQ(turn.notes.size(), 1U);
  EXPECT_EQ(turn.notes[0],
            "The conversation is now longer than the length up to which this model reads with its "
            "short rotary factors; its 64 tokens are read again with the long ones.");
  EXPECT_EQ(turn.result->notes, turn.notes);
  // A conversation that was cut is read with the short factors again.
  const Turn shorter = Answer(model, session, {"Hello"}, 3);
  ASSERT_EQ(shorter.notes.size(), 1U);
  EXPECT_NE(shorter.notes[0].find("no longer than the length"), std::string::npos);
  EXPECT_NE(shorter.notes[0].find("with the short ones"), std::string::npos);
}

}  // namespace
}  // namespace tandem
