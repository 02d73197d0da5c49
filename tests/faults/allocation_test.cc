// Memory that runs out at any point of opening, answering, reading text: an OutOfMemory, and what
// was open works as before.

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tandem/tandem.h"

#include "tests/faults/fault_points.h"

namespace tandem {
namespace {

using faults::Fault;
using faults::Kind;
using faults::Span;

constexpr std::size_t kMost = 120;

OpenOptions Small() {
  OpenOptions options;
  options.context_tokens = 256;
  options.threads = 2;
  return options;
}

GenerateOptions Greedy() {
  GenerateOptions options;
  options.sampling.temperature = 0.0F;
  options.max_tokens = 4;
  options.thinking = Thinking::kOff;
  return options;
}

Message User(const std::string& text) {
  return {.role = "user", .content = text, .reasoning = ""};
}

/// Good, or out of memory in one line.
void ExpectNoMemory(const Status& status, std::size_t n) {
  if (!status.ok()) {
    EXPECT_EQ(status.code(), StatusCode::kOutOfMemory) << n << ": " << status.message();
    EXPECT_NE(status.message(), "") << n;
  }
}

/// `call` with each of its allocations failing, alone and with all behind it. It returns a Status.
template <typename Call>
void SweepAllocations(Call call) {
  std::size_t calls = 0;
  {
    const Fault count(Kind::kAllocation, 0);
    const Status status = call();
    calls = count.calls();
    EXPECT_TRUE(status.ok()) << status.message();
  }
  EXPECT_GT(calls, 0U);
  for (const Span span : {Span::kOne, Span::kRest}) {
    std::size_t failures = 0;
    faults::Sweep(calls, kMost, [&](std::size_t n) {
      Fault fault(Kind::kAllocation, n, span);
      const Status status = call();
      fault.Disarm();
      ExpectNoMemory(status, n);
      failures += status.ok() ? 0U : 1U;
    });
    EXPECT_GT(failures, 0U);
  }
  const Status status = call();
  EXPECT_TRUE(status.ok()) << status.message();
}

class OutOfMemory : public testing::TestWithParam<std::string> {};

TEST_P(OutOfMemory, WhileAModelIsOpened) {
  SweepAllocations([&] { return Model::Open(GetParam(), Small()).status(); });
}

TEST_P(OutOfMemory, WhileAnOpeningIsPlanned) {
  SweepAllocations([&] { return PlanModel(GetParam(), Small()).status(); });
}

TEST_P(OutOfMemory, InTheFunctionsForText) {
  const Model model = Model::Open(GetParam(), Small()).value();
  const std::string text = "It's 12 o'clock, na\xC3\xAFve \xF0\x9F\x99\x82 <|im_end|>";
  const std::vector<std::int32_t> ids = model.Tokenize(text, true).value();
  const std::string chat = R"([{"role": "user", "content": "Hi"}])";
  SweepAllocations([&] { return model.Tokenize(text, true).status(); });
  SweepAllocations([&] { return model.Tokenize(text, false).status(); });
  SweepAllocations([&] { return model.Detokenize(ids).status(); });
  SweepAllocations([&] { return model.Render(chat, Thinking::kOff).status(); });
  SweepAllocations([&] { return ParseMessages(chat).status(); });
}

TEST_P(OutOfMemory, WhileAnAnswerIsMadeLeavesTheSessionAsItWas) {
  const Model model = Model::Open(GetParam(), Small()).value();
  std::string wanted;
  std::string wanted_second;
  std::size_t calls = 0;
  {
    Session session(model);
    session.Add(User("What is 2 + 3?"));
    const Fault count(Kind::kAllocation, 0);
    const Answer answer = session.Generate(Greedy(), nullptr).value();
    calls = count.calls();
    wanted = answer.text;
    session.Add(User("And 4 + 5?"));
    wanted_second = session.Generate(Greedy(), nullptr).value().text;
  }
  for (const Span span : {Span::kOne, Span::kRest}) {
    faults::Sweep(calls, kMost, [&](std::size_t n) {
      Session session(model);
      session.Add(User("What is 2 + 3?"));
      const GenerateOptions options = Greedy();
      Fault fault(Kind::kAllocation, n, span);
      Result<Answer> answer = session.Generate(options, nullptr);
      fault.Disarm();
      ExpectNoMemory(answer.status(), n);
      if (!answer.ok()) {
        ASSERT_EQ(session.messages().size(), 1U) << n;
        answer = session.Generate(options, nullptr);
        ASSERT_TRUE(answer.ok()) << n << ": " << answer.status().message();
      }
      EXPECT_EQ(answer->text, wanted) << n;
      // What is kept of a turn that failed must not show in the next one.
      if (n % 8 == 0) {
        session.Add(User("And 4 + 5?"));
        EXPECT_EQ(session.Generate(options, nullptr).value().text, wanted_second) << n;
      }
    });
  }
}

TEST_P(OutOfMemory, WhileReadingAheadCostsNothingButTheReading) {
  const Model model = Model::Open(GetParam(), Small()).value();
  const auto session_with_answer = [&] {
    Session session(model);
    session.Add(User("What is 2 + 3?"));
    EXPECT_TRUE(session.Generate(Greedy(), nullptr).ok());
    return session;
  };
  std::size_t calls = 0;
  {
    Session session = session_with_answer();
    const Fault count(Kind::kAllocation, 0);
    EXPECT_TRUE(session.ReadAhead().ok());
    calls = count.calls();
  }
  faults::Sweep(calls, kMost / 4, [&](std::size_t n) {
    Session session = session_with_answer();
    Fault fault(Kind::kAllocation, n, Span::kOne);
    const Status status = session.ReadAhead().status();
    fault.Disarm();
    ExpectNoMemory(status, n);
    session.Add(User("And 4 + 5?"));
    EXPECT_TRUE(session.Generate(Greedy(), nullptr).ok()) << n;
  });
}

INSTANTIATE_TEST_SUITE_P(Demo, OutOfMemory, testing::Values("qwen3.5:demo", "phi4-mini:demo"),
                         [](const testing::TestParamInfo<std::string>& tested) {
                           return tested.param == "qwen3.5:demo" ? "Qwen" : "Phi";
                         });

// One session's failed step must not take another's answer with it unnoticed.
TEST(OutOfMemory, InAComparisonIsAnErrorOfItsColumns) {
  CompareColumn column{.model = "qwen3.5:demo", .label = "a", .open = Small(), .options = Greedy()};
  CompareColumn other = column;
  other.model = "phi4-mini:demo";
  // Made beforehand: Open takes the columns by value.
  std::vector<std::vector<CompareColumn>> copies(4 * kMost, {column, other});
  SweepAllocations([&] {
    std::vector<CompareColumn> columns = std::move(copies.back());
    copies.pop_back();
    return Comparison::Open(std::move(columns)).status();
  });
  Comparison comparison = Comparison::Open({column, other}).value();
  const std::vector<Message> messages = {User("What is 2 + 3?")};
  const std::vector<ColumnResult> wanted = comparison.Run(messages, 1, nullptr);
  std::size_t calls = 0;
  {
    const Fault count(Kind::kAllocation, 0);
    static_cast<void>(comparison.Continue(messages[0], 1, nullptr));
    calls = count.calls();
  }
  comparison.Restart({});
  faults::Sweep(calls, kMost / 2, [&](std::size_t n) {
    Fault fault(Kind::kAllocation, n, Span::kOne);
    const std::vector<ColumnResult> results = comparison.Continue(messages[0], 1, nullptr);
    fault.Disarm();
    ASSERT_EQ(results.size(), 2U);
    for (std::size_t i = 0; i < results.size(); ++i) {
      ExpectNoMemory(results[i].error, n);
      const std::size_t expected = results[i].error.ok() ? 2U : 0U;
      EXPECT_EQ(comparison.messages(i).size(), expected) << n;
      if (results[i].error.ok()) {
        EXPECT_EQ(results[i].answer.text, wanted[i].answer.text) << n;
      }
    }
    comparison.Restart({});
  });
}

}  // namespace
}  // namespace tandem
