#include "compare/conversation_run.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/shared_data.h"

namespace tandem {
namespace {

std::string Phi() {
  return (*OracleFolder("phi-a") / "f32.gguf").string();
}

ColumnSpec Column(std::size_t context, std::size_t max_tokens) {
  ColumnSpec column;
  column.model = Phi();
  column.open.context_tokens = context;
  column.turn.sampling.temperature = 0.0F;
  column.turn.max_tokens = max_tokens;
  return column;
}

// In which order the columns' pieces of text come, and the answers.
struct Told {
  std::vector<std::size_t> order;
  std::vector<std::string> answers;
};

Told Answer(ConversationRun& run) {
  Told told;
  Conversation conversation;
  conversation.messages.push_back({{"role", "user"}, {"content", "Hi"}});
  const std::vector<ColumnOutcome> outcomes =
      run.Run(conversation, 1, [&told](std::size_t column, const TurnEvent& event) {
        if (event.kind == TurnEvent::Kind::kAnswer) {
          told.order.push_back(column);
        }
        return true;
      });
  for (const ColumnOutcome& outcome : outcomes) {
    EXPECT_TRUE(outcome.error.ok()) << outcome.error.message();
    EXPECT_FALSE(outcome.isa.empty());
    EXPECT_NE(outcome.isa, "auto");
    told.answers.push_back(outcome.turn.answer);
  }
  return told;
}

TEST(ConversationRun, TakesTurnsWhereMemoryHoldsAll) {
  const auto run = ConversationRun::Open({Column(256, 6), Column(128, 6)}).value();
  EXPECT_TRUE(run->together());
  EXPECT_TRUE(run->notes().empty());
  const Told told = Answer(*run);
  // One has begun before the other has ended.
  EXPECT_FALSE(std::is_sorted(told.order.begin(), told.order.end()));
  EXPECT_EQ(told.answers[0], told.answers[1]);
}

TEST(ConversationRun, RunsOneAfterTheOtherWhereItDoesNotAndSaysSo) {
  const auto plenty = ConversationRun::Open({Column(256, 6), Column(128, 6)}).value();
  const std::uint64_t larger = plenty->opened(0).Need(256).total();
  const auto run = ConversationRun::Open({Column(256, 6), Column(128, 6)}, larger).value();
  EXPECT_FALSE(run->together());
  ASSERT_EQ(run->notes().size(), 1U);
  EXPECT_NE(run->notes()[0].find("are available: they run one after the other"), std::string::npos);
  const Told told = Answer(*run);
  EXPECT_TRUE(std::is_sorted(told.order.begin(), told.order.end()));
  EXPECT_EQ(told.answers, Answer(*plenty).answers);
}

TEST(ConversationRun, RefusesAContextThatMemoryCannotHoldWithTheNumbers) {
  const auto plenty = ConversationRun::Open({Column(256, 6), Column(128, 6)}).value();
  const std::uint64_t need = plenty->opened(0).Need(256).total();
  const auto run = ConversationRun::Open({Column(256, 6), Column(128, 6)}, need - 1);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.status().code(), StatusCode::kOutOfMemory);
  EXPECT_NE(run.status().message().find("a context of 256 tokens needs"), std::string::npos);
  EXPECT_NE(run.status().message().find("are available"), std::string::npos);
}

TEST(OpenedModel, LowersItsDefaultContextToWhatMemoryHoldsAndSaysSo) {
  OpenSettings settings;
  OpenedModel opened = OpenedModel::Load(Phi(), settings).value();
  const std::uint64_t whole = opened.Need(256).total();
  ASSERT_TRUE(opened.FitContext(whole).ok());
  EXPECT_EQ(opened.engine.context_tokens, 256U);  // the model's own limit
  EXPECT_TRUE(opened.notes.empty());

  settings.context_tokens = 257;
  EXPECT_NE(OpenedModel::Load(Phi(), settings)
                .status()
                .message()
                .find("a context of 257 tokens is more than the model's limit of 256"),
            std::string::npos);
}

TEST(ConversationRun, GoesOnWithAConversationOfEachColumn) {
  const auto run = ConversationRun::Open({Column(256, 6), Column(128, 3)}).value();
  std::vector<std::optional<Conversation>> conversations(2, Conversation());
  const auto turn = [&](const char* question) {
    for (std::optional<Conversation>& conversation : conversations) {
      conversation->messages.push_back({{"role", "user"}, {"content", question}});
    }
    std::vector<ColumnOutcome> outcomes =
        run->Continue(conversations, 1, [](std::size_t, const TurnEvent&) { return true; });
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      EXPECT_TRUE(outcomes[i].error.ok()) << outcomes[i].error.message();
      conversations[i]->messages.push_back(
          {{"role", "assistant"}, {"content", outcomes[i].turn.answer}});
    }
    return outcomes;
  };
  EXPECT_EQ(turn("Hi")[0].turn.reused_tokens, 0U);
  const std::vector<ColumnOutcome> second = turn("Bye 123");
  for (const ColumnOutcome& outcome : second) {
    EXPECT_GT(outcome.turn.reused_tokens, 0U);
  }
  run->Forget();
  conversations[0]->messages.erase(conversations[0]->messages.size() - 2);
  conversations[0]->messages.erase(conversations[0]->messages.size() - 1);
  conversations[1] = conversations[0];
  const std::vector<ColumnOutcome> anew = turn("Bye 123");
  EXPECT_EQ(anew[0].turn.reused_tokens, 0U);
  EXPECT_EQ(anew[0].turn.answer, second[0].turn.answer);  // what was kept changes no answer
}

TEST(ConversationRun, AColumnWithoutAConversationTakesNoTurn) {
  const auto run = ConversationRun::Open({Column(256, 6), Column(128, 3)}).value();
  Conversation conversation;
  conversation.messages.push_back({{"role", "user"}, {"content", "Hi"}});
  const auto turn = [&](const std::vector<std::optional<Conversation>>& conversations) {
    return run->Continue(conversations, 1, [](std::size_t column, const TurnEvent&) {
      EXPECT_EQ(column, 1U);
      return true;
    });
  };
  const std::vector<ColumnOutcome> first = turn({std::nullopt, conversation});
  EXPECT_TRUE(first[0].error.ok());
  EXPECT_EQ(first[0].turn.finish, FinishReason::kRunning);
  EXPECT_EQ(first[0].turn.generated_tokens, 0U);
  EXPECT_GT(first[1].turn.generated_tokens, 0U);
  conversation.messages.push_back({{"role", "assistant"}, {"content", first[1].turn.answer}});
  conversation.messages.push_back({{"role", "user"}, {"content", "Bye"}});
  EXPECT_GT(turn({std::nullopt, conversation})[1].turn.reused_tokens, 0U);
}

}  // namespace
}  // namespace tandem
