// Memory that runs out in any function of the C interface: TANDEM_OUT_OF_MEMORY, no exception.

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tandem/tandem_c.h"

#include "tests/faults/fault_points.h"

namespace {

using tandem::faults::Fault;
using tandem::faults::Kind;
using tandem::faults::Span;
using tandem::faults::Sweep;

constexpr std::size_t kMost = 60;
constexpr char kModel[] = "qwen3.5:demo";

tandem_open_options Small() {
  tandem_open_options options;
  tandem_open_options_init(&options, sizeof options);
  options.context_tokens = 256;
  options.threads = 1;
  return options;
}

/// `call` returns a status; each of its allocations fails once, alone and with all behind it.
template <typename Call>
void SweepCall(Call call) {
  std::size_t calls = 0;
  {
    const Fault count(Kind::kAllocation, 0);
    const std::int32_t status = call();
    calls = count.calls();
    ASSERT_EQ(status, TANDEM_OK) << tandem_last_error();
  }
  ASSERT_GT(calls, 0U);
  for (const Span span : {Span::kOne, Span::kRest}) {
    Sweep(calls, kMost, [&](std::size_t n) {
      Fault fault(Kind::kAllocation, n, span);
      const std::int32_t status = call();
      fault.Disarm();
      EXPECT_TRUE(status == TANDEM_OK || status == TANDEM_OUT_OF_MEMORY)
          << n << ": " << tandem_status_name(status) << ": " << tandem_last_error();
    });
  }
  EXPECT_EQ(call(), TANDEM_OK) << tandem_last_error();
}

TEST(OutOfMemoryInC, InEveryFunctionOfAModel) {
  const tandem_open_options options = Small();
  SweepCall([&] {
    tandem_model* model = nullptr;
    const std::int32_t status = tandem_model_open(kModel, &options, &model);
    EXPECT_EQ(status == TANDEM_OK, model != nullptr);
    tandem_model_free(model);
    return status;
  });
  std::vector<char> text(1 << 16);
  SweepCall([&] { return tandem_plan(kModel, &options, text.data(), text.size(), nullptr); });
  SweepCall([&] { return tandem_builtin_models(text.data(), text.size(), nullptr); });
  tandem_model* model = nullptr;
  ASSERT_EQ(tandem_model_open(kModel, &options, &model), TANDEM_OK);
  SweepCall([&] { return tandem_model_facts(model, text.data(), text.size(), nullptr); });
  std::vector<std::int32_t> ids(64);
  std::size_t count = 0;
  SweepCall([&] {
    return tandem_model_tokenize(model, "Hello, world, and all of you", 28, 0, ids.data(),
                                 ids.size(), &count);
  });
  SweepCall([&] {
    return tandem_model_detokenize(model, ids.data(), count, text.data(), text.size(), nullptr);
  });
  SweepCall([&] {
    return tandem_model_render(model, R"([{"role": "user", "content": "Hi"}])", 0, text.data(),
                               text.size(), nullptr);
  });
  tandem_model_free(model);
}

TEST(OutOfMemoryInC, InEveryFunctionOfASession) {
  const tandem_open_options options = Small();
  tandem_model* model = nullptr;
  ASSERT_EQ(tandem_model_open(kModel, &options, &model), TANDEM_OK);
  SweepCall([&] {
    tandem_session* session = nullptr;
    const std::int32_t status = tandem_session_new(model, &session);
    EXPECT_EQ(status == TANDEM_OK, session != nullptr);
    tandem_session_free(session);
    return status;
  });
  tandem_session* session = nullptr;
  ASSERT_EQ(tandem_session_new(model, &session), TANDEM_OK);
  constexpr char kQuestion[] = R"([{"role": "user", "content": "What is 2 + 3?"}])";
  SweepCall([&] {
    tandem_session_clear(session);
    return tandem_session_add(session, kQuestion);
  });
  tandem_generate_options greedy;
  tandem_generate_options_init(&greedy, sizeof greedy);
  greedy.temperature = 0;
  greedy.max_tokens = 3;
  SweepCall([&] {
    tandem_session_clear(session);
    const std::int32_t added = tandem_session_add(session, kQuestion);
    return added != TANDEM_OK ? added : tandem_session_generate(session, &greedy, nullptr, nullptr);
  });
  std::vector<char> text(1 << 16);
  SweepCall([&] { return tandem_session_read_ahead(session, nullptr); });
  SweepCall([&] { return tandem_session_answer(session, text.data(), text.size(), nullptr); });
  SweepCall([&] { return tandem_session_messages(session, text.data(), text.size(), nullptr); });
  SweepCall([&] { return tandem_session_memory(session, text.data(), text.size(), nullptr); });
  tandem_session_free(session);
  tandem_model_free(model);
}

TEST(OutOfMemoryInC, InAComparison) {
  tandem_column first{};
  first.size = sizeof first;
  first.model = kModel;
  first.label = "a";
  tandem_column second = first;
  second.label = "b";
  const tandem_open_options options = Small();
  tandem_generate_options greedy;
  tandem_generate_options_init(&greedy, sizeof greedy);
  greedy.temperature = 0;
  greedy.max_tokens = 2;
  first.open = second.open = &options;
  first.generate = second.generate = &greedy;
  const tandem_column* columns[] = {&first, &second};
  tandem_comparison* comparison = nullptr;
  SweepCall([&] {
    tandem_comparison_free(comparison);
    return tandem_comparison_open(columns, 2, &comparison);
  });
  std::vector<char> text(1 << 16);
  SweepCall([&] { return tandem_comparison_facts(comparison, text.data(), text.size(), nullptr); });
  SweepCall([&] {
    return tandem_comparison_run(comparison, R"([{"role": "user", "content": "Hi"}])", 1, nullptr,
                                 nullptr);
  });
  SweepCall(
      [&] { return tandem_comparison_result(comparison, 0, text.data(), text.size(), nullptr); });
  tandem_comparison_free(comparison);
}

}  // namespace
