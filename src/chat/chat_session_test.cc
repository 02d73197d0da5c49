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
            std::size_t max_tokens, std::size_t most_events = 1000,
            ThinkMode think = ThinkMode::kOff) {
  Turn turn{.result = Status(StatusCode::kCancelled, "not run"), .notes = {}};
  TurnOptions options;
  options.sampling.temperature = 0.0F;
  options.think = think;
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

// The rows read ahead after a turn.
std::size_t ReadAhead(Model& model, ChatSession& session, const std::vector<std::string>& texts,
                      ThinkMode think = ThinkMode::kOff) {
  TurnOptions options;
  options.think = think;
  if (!session.StartReadAhead(Messages(texts), options).value()) {
    return 0;
  }
  while (!session.Advance()) {
    model.engine->Step();
  }
  return session.FinishReadAhead().value();
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

TEST_P(ChatSessionTest, AfterReadingAheadATurnReadsItsOwnMessageAlone) {
  const auto folder = OracleFolder(GetParam());
  if (!folder) {
    GTEST_SKIP() << "shared test data 'oracle/" << GetParam() << "' is not here";
  }
  for (const ThinkMode think : {ThinkMode::kOff, ThinkMode::kOn}) {
    Model model(*folder);
    ChatSession session(*model.loaded, *model.engine, 1 << 20);
    const std::string first = Answer(model, session, {"Hi"}, 5, 1000, think).result.value().answer;
    EXPECT_GT(ReadAhead(model, session, {"Hi", first}, think), 0U);
    EXPECT_EQ(ReadAhead(model, session, {"Hi", first}, think), 0U);  // nothing is left to read
    const std::size_t history = session.tokens_read();

    const std::vector<std::string> texts = {"Hi", first, "Bye 123"};
    const Turn second = Answer(model, session, texts, 8, 1000, think);
    EXPECT_EQ(second.result.value().reused_tokens, history);

    ChatSession fresh(*model.loaded, *model.engine);
    const Turn whole = Answer(model, fresh, texts, 8, 1000, think);
    EXPECT_EQ(whole.result.value().answer, second.result.value().answer);
    // What is read is no longer than the message would be alone.
    const Turn alone = Answer(model, fresh, {"Bye 123"}, 1, 1000, think);
    EXPECT_LE(whole.result->prompt_tokens - history, alone.result.value().prompt_tokens);
  }
}

TEST_P(ChatSessionTest, AnEarlierTurnGoesOnFromTheNearestSnapshot) {
  const auto folder = OracleFolder(GetParam());
  if (!folder) {
    GTEST_SKIP() << "shared test data 'oracle/" << GetParam() << "' is not here";
  }
  Model model(*folder);
  ChatSession session(*model.loaded, *model.engine, 1 << 24);
  std::vector<std::string> texts;
  std::vector<std::size_t> history;  // in front of each question
  for (const char* question : {"Hi", "Bye 123", "And now", "The end"}) {
    history.push_back(session.tokens_read());
    texts.emplace_back(question);
    texts.push_back(Answer(model, session, texts, 6).result.value().answer);
    ReadAhead(model, session, texts);
  }
  // The second question again, then another one in its place.
  const std::vector<std::string> again(texts.begin(), texts.begin() + 3);
  const Turn same = Answer(model, session, again, 6);
  EXPECT_EQ(same.result.value().answer, texts[3]);
  EXPECT_GT(same.result->reused_tokens, history[1]);  // up to its generation prompt
  const std::vector<std::string> other = {texts[0], texts[1], "Something else"};
  const Turn changed = Answer(model, session, other, 6);
  EXPECT_GE(changed.result.value().reused_tokens, history[1]);
  ChatSession fresh(*model.loaded, *model.engine);
  EXPECT_EQ(changed.result->answer, Answer(model, fresh, other, 6).result.value().answer);
}

TEST_P(ChatSessionTest, ReadingAheadThatIsCancelledIsMadeUpForByTheTurn) {
  const auto folder = OracleFolder(GetParam());
  if (!folder) {
    GTEST_SKIP() << "shared test data 'oracle/" << GetParam() << "' is not here";
  }
  Model model(*folder);
  ChatSession session(*model.loaded, *model.engine);
  const std::string first = Answer(model, session, {"Hi"}, 5).result.value().answer;
  const std::atomic<bool> cancel{true};
  TurnOptions options;
  options.think = ThinkMode::kOff;
  options.cancel = &cancel;
  if (session.StartReadAhead(Messages({"Hi", first}), options).value()) {
    while (!session.Advance()) {
      model.engine->Step();
    }
    EXPECT_EQ(session.FinishReadAhead().value(), 0U);
  }
  const std::vector<std::string> texts = {"Hi", first, "Bye"};
  const Turn second = Answer(model, session, texts, 6);
  ChatSession fresh(*model.loaded, *model.engine);
  EXPECT_EQ(second.result.value().answer, Answer(model, fresh, texts, 6).result.value().answer);
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
