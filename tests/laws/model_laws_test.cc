// Laws of reading that hold for any weights: the same bits however a sequence is cut, batched,
// forked, rolled back or spread over threads; and what the number format of the cache may change.

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "base/rng.h"
#include "runtime/engine.h"
#include "tests/support/tiny_model.h"

namespace tandem {
namespace {

using Logits = std::vector<std::vector<float>>;

std::vector<TokenId> RandomIds(std::size_t count, std::uint64_t seed) {
  std::vector<TokenId> ids(count);
  for (std::size_t i = 0; i < count; ++i) {
    ids[i] = static_cast<TokenId>(UniformAt(seed, i) * 160);
  }
  return ids;
}

std::unique_ptr<Engine> NewEngine(const TinyModel& model, std::size_t rows, std::size_t threads = 2,
                                  KvType kv = KvType::kF16) {
  EngineOptions options;
  options.kv = kv;
  options.max_step_rows = rows;
  options.cpu.threads = threads;
  return Engine::Create(*model.network, options).value();
}

// Reads `ids` into `sequence`; logits of every row.
Logits Read(Engine& engine, Sequence& sequence, std::span<const TokenId> ids,
            const std::vector<std::size_t>& borders = {}) {
  Logits rows(ids.size());
  Request request;
  request.sequence = &sequence;
  request.prompt.assign(ids.begin(), ids.end());
  request.borders = borders;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    request.logit_rows.push_back(i);
  }
  request.on_logits = [&rows](std::size_t row, std::span<const float> logits) {
    rows[row].assign(logits.begin(), logits.end());
  };
  EXPECT_TRUE(engine.Run(request).ok());
  return rows;
}

Logits Tail(const Logits& rows, std::size_t count) {
  return {rows.end() - static_cast<std::ptrdiff_t>(count), rows.end()};
}

using Case = std::tuple<std::string, gguf::TensorType>;

class ModelLaws : public testing::TestWithParam<Case> {
 protected:
  static TinyModel Make(const TinyModelOptions& options = {}) {
    TinyModelOptions typed = options;
    typed.type = std::get<1>(GetParam());
    return std::get<0>(GetParam()) == "Qwen" ? MakeTinyQwen(typed) : MakeTinyPhi(typed);
  }
};

TEST_P(ModelLaws, WholePiecesBatchSnapshotAndThreadsGiveTheSameBits) {
  const TinyModel model = Make({.original_context = 4096});
  const std::vector<TokenId> ids = RandomIds(203, 3);
  const std::vector<std::size_t> borders = {37, 90, 91, 150};
  const auto whole_engine = NewEngine(model, 512, 1);
  Sequence whole = whole_engine->NewSequence();
  const Logits truth = Read(*whole_engine, whole, ids, borders);
  ASSERT_FALSE(std::isnan(truth.back()[0]));
  ASSERT_NE(truth[201], truth[202]);

  const std::pair<std::size_t, std::size_t> cuts[] = {{1, 1}, {1, 3}, {5, 7}, {64, 2}, {100, 5}};
  for (const auto& [rows, threads] : cuts) {
    const auto engine = NewEngine(model, rows, threads);
    Sequence sequence = engine->NewSequence();
    EXPECT_EQ(Read(*engine, sequence, ids, borders), truth)
        << rows << " rows, " << threads << " threads";
  }

  const auto engine = NewEngine(model, 80);
  Sequence first = engine->NewSequence();
  Read(*engine, first, std::span(ids).first(150));
  const Sequence snapshot = first.Fork();
  Read(*engine, first, RandomIds(40, 4));  // goes elsewhere; the snapshot must not notice
  Sampler sampler({.temperature = 0}, 160, {});
  Sequence generating = engine->NewSequence();
  Request other;
  other.sequence = &generating;
  other.prompt = RandomIds(30, 5);
  other.sampler = &sampler;
  other.max_tokens = 200;
  ASSERT_TRUE(engine->Submit(other).ok());  // shares the steps of what follows
  for (int restored = 0; restored < 2; ++restored) {
    Sequence again = snapshot.Fork();
    EXPECT_EQ(Read(*engine, again, std::span(ids).subspan(150)), Tail(truth, 53));
  }
  EXPECT_GT(other.generated, 0U);
  engine->Cancel(other);
}

TEST_P(ModelLaws, ASequenceKeptOnTheWayGoesOnWithTheSameBits) {
  const TinyModel model = Make({.original_context = 4096});
  const std::vector<TokenId> ids = RandomIds(203, 3);
  const std::vector<TokenId> elsewhere = RandomIds(20, 4);
  const auto whole_engine = NewEngine(model, 512, 1);
  Sequence whole = whole_engine->NewSequence();
  const Logits truth = Read(*whole_engine, whole, ids);
  const Logits after = Read(*whole_engine, whole, elsewhere);
  // In the middle of a step, of a cache page, at the end of a step, before the last row.
  const std::pair<std::size_t, std::size_t> cases[] = {
      {512, 150}, {80, 150}, {50, 150}, {512, 202}};
  for (const auto& [rows, kept_rows] : cases) {
    const auto engine = NewEngine(model, rows);
    Sequence sequence = engine->NewSequence();
    std::optional<Sequence> kept;
    Request request;
    request.sequence = &sequence;
    request.prompt = ids;
    request.keep_after = kept_rows;
    request.on_keep = [&kept](Sequence state) { kept.emplace(std::move(state)); };
    ASSERT_TRUE(engine->Run(request).ok());
    ASSERT_TRUE(kept.has_value());
    EXPECT_EQ(kept->length(), kept_rows);
    EXPECT_EQ(sequence.length(), ids.size());
    EXPECT_EQ(Read(*engine, sequence, elsewhere), after) << "the sequence itself, " << rows;
    EXPECT_EQ(Read(*engine, *kept, std::span(ids).subspan(kept_rows)),
              Tail(truth, ids.size() - kept_rows))
        << rows << " rows, kept after " << kept_rows;
  }
}

// Steps of the network itself: the engine does not ask for rollbacks.
Logits Step(const Network& network, Ops& ops, SequenceState& state, std::span<const TokenId> ids,
            std::size_t rollback_rows) {
  const std::size_t begin = state.length();
  EXPECT_TRUE(state.kv().Reserve(begin, begin + ids.size()).ok());
  std::vector<RowPosition> positions;
  std::vector<std::size_t> logit_rows;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto position = static_cast<std::int32_t>(begin + i);
    positions.push_back({position, position, position});
    logit_rows.push_back(i);
  }
  const std::size_t vocabulary = network.info().vocabulary;
  std::vector<float> logits(ids.size() * vocabulary);
  const auto scratch = network.NewScratch(ids.size());
  const BatchSequence sequence{.state = &state,
                               .ids = ids,
                               .positions = positions,
                               .vectors_TE = {},
                               .logit_rows = logit_rows,
                               .rollback_rows = rollback_rows,
                               .keep_after = 0};
  network.Forward(ops, {&sequence, 1}, *scratch, Mat<float>(logits.data(), ids.size(), vocabulary),
                  nullptr);
  Logits rows;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    rows.emplace_back(logits.begin() + static_cast<std::ptrdiff_t>(i * vocabulary),
                      logits.begin() + static_cast<std::ptrdiff_t>((i + 1) * vocabulary));
  }
  return rows;
}

TEST_P(ModelLaws, RollsBackOverTheLastRowsOfAStep) {
  const TinyModel model = Make({.original_context = 4096});
  const Network& network = *model.network;
  const auto ops =
      MakeCpuOps({.threads = 2, .max_rows = 64, .max_cols = network.info().widest_input}).value();
  KvPool pool(network.kv_layout(KvType::kF16));
  const std::vector<TokenId> head = RandomIds(61, 6);
  const std::vector<TokenId> next = RandomIds(4, 8);
  for (const std::size_t drafted : {1UL, 2UL, 6UL}) {
    const std::vector<TokenId> draft = RandomIds(drafted, 7);
    for (std::size_t back = 0; back <= drafted; ++back) {
      SequenceState plain(pool, network.info().recurrent_floats);
      ASSERT_TRUE(network.PlanLength(plain, 100));
      Step(network, *ops, plain, head, 0);
      SequenceState state = plain.Fork();
      if (drafted > back) {
        Step(network, *ops, plain, std::span(draft).first(drafted - back), 0);
      }
      Step(network, *ops, state, draft, drafted);
      ASSERT_TRUE(state.CanTruncate(state.length() - back));
      state.Truncate(state.length() - back);
      EXPECT_EQ(state.length(), plain.length());
      // Twice, so that a wrong state shows in what it leads to.
      EXPECT_EQ(Step(network, *ops, state, next, 2), Step(network, *ops, plain, next, 0))
          << back << " of " << drafted;
      EXPECT_EQ(Step(network, *ops, state, next, 0), Step(network, *ops, plain, next, 0));
    }
  }
  SequenceState state(pool, network.info().recurrent_floats);
  Step(network, *ops, state, head, 2);
  const bool recurrent = network.info().recurrent_floats > 0;
  EXPECT_TRUE(state.CanTruncate(head.size() - 2));
  EXPECT_EQ(state.CanTruncate(head.size() - 3), !recurrent);
  EXPECT_FALSE(state.CanTruncate(head.size() + 1));
  Step(network, *ops, state, next, 0);  // what was kept is no longer valid
  EXPECT_EQ(state.CanTruncate(state.length() - 1), !recurrent);
}

INSTANTIATE_TEST_SUITE_P(Tiny, ModelLaws,
                         testing::Combine(testing::Values("Qwen", "Phi"),
                                          testing::Values(gguf::TensorType::kF32,
                                                          gguf::TensorType::kBF16,
                                                          gguf::TensorType::kQ8_0)),
                         [](const auto& param) {
                           return std::get<0>(param.param) + "_" +
                                  std::string(gguf::Info(std::get<1>(param.param)).name);
                         });

// The largest difference, and the largest value of `truth`.
std::pair<double, double> Compare(const Logits& rows, const Logits& truth) {
  double error = 0;
  double largest = 0;
  for (std::size_t t = 0; t < truth.size(); ++t) {
    for (std::size_t v = 0; v < truth[t].size(); ++v) {
      error = std::max(error, std::fabs(static_cast<double>(rows[t][v] - truth[t][v])));
      largest = std::max(largest, std::fabs(static_cast<double>(truth[t][v])));
    }
  }
  return {error, largest};
}

// Not for quantised weights: their activations are rounded to int8, and a small difference may tip
// a rounding.
TEST(KvFormats, ChangeLittle) {
  for (const bool qwen : {true, false}) {
    const TinyModelOptions options{.original_context = 4096};
    const TinyModel model = qwen ? MakeTinyQwen(options) : MakeTinyPhi(options);
    const std::vector<TokenId> ids = RandomIds(130, 9);
    const auto exact_engine = NewEngine(model, 512, 2, KvType::kF32);
    Sequence exact = exact_engine->NewSequence();
    const Logits truth = Read(*exact_engine, exact, ids);
    // Keys and values are rounded to 11 and to 8 significant bits; a few layers pass it on.
    for (const auto& [kv, unit] :
         {std::pair(KvType::kF16, 0x1p-11), std::pair(KvType::kBf16, 0x1p-8)}) {
      const auto engine = NewEngine(model, 512, 2, kv);
      Sequence sequence = engine->NewSequence();
      const auto [error, largest] = Compare(Read(*engine, sequence, ids), truth);
      EXPECT_LE(error, 4 * unit * largest) << KvTypeName(kv);
      EXPECT_GE(error, unit / 64 * largest) << KvTypeName(kv);  // it was used at all
    }
  }
}

// What a generating request was told about being read anew.
struct Crossing {
  std::vector<std::size_t> rereads;
  std::vector<TokenId> tokens;
};

Crossing Generate(Engine& engine, Sequence& sequence, std::span<const TokenId> prompt,
                  std::size_t count) {
  Crossing crossing;
  Sampler sampler({.temperature = 0}, 160, {});
  Request request;
  request.sequence = &sequence;
  request.prompt.assign(prompt.begin(), prompt.end());
  request.sampler = &sampler;
  request.max_tokens = count;
  request.on_token = [&crossing](TokenId token) {
    crossing.tokens.push_back(token);
    return true;
  };
  request.on_reread = [&crossing](std::size_t tokens) { crossing.rereads.push_back(tokens); };
  EXPECT_TRUE(engine.Run(request).ok());
  EXPECT_EQ(request.finish, FinishReason::kMaxTokens);
  return crossing;
}

TEST(LongRope, FollowsTheLengthOfTheSequence) {
  const TinyModel model = MakeTinyPhi({.original_context = 64});
  const std::vector<TokenId> ids = RandomIds(80, 11);
  const auto engine = NewEngine(model, 512);
  // The setting of the context (4,096) plays no part: 64 tokens are read with the short factors.
  Sequence at_border = engine->NewSequence();
  Read(*engine, at_border, std::span(ids).first(64));
  EXPECT_FALSE(at_border.state().long_factors);
  Sequence beyond = engine->NewSequence();
  Read(*engine, beyond, std::span(ids).first(65));
  EXPECT_TRUE(beyond.state().long_factors);

  // Two sequences of one step, one on either side.
  Sequence shorter = engine->NewSequence();
  Request other;
  other.sequence = &shorter;
  other.prompt.assign(ids.begin(), ids.begin() + 20);
  ASSERT_TRUE(engine->Submit(other).ok());
  Sequence longer = engine->NewSequence();
  const Logits together = Read(*engine, longer, ids);
  EXPECT_FALSE(shorter.state().long_factors);
  EXPECT_TRUE(longer.state().long_factors);
  Sequence alone = engine->NewSequence();
  EXPECT_EQ(Read(*engine, alone, ids), together);
}

TEST(LongRope, ARunningSequenceIsReadAnewOnceWhenItCrosses) {
  const TinyModel model = MakeTinyPhi({.original_context = 64});
  const auto engine = NewEngine(model, 512);
  const std::vector<TokenId> prompt = RandomIds(60, 12);
  Sequence sequence = engine->NewSequence();
  const Crossing crossing = Generate(*engine, sequence, prompt, 12);
  // The fifth token generated is the 65th of the sequence.
  EXPECT_EQ(crossing.rereads, std::vector<std::size_t>{64});
  EXPECT_TRUE(sequence.state().long_factors);
  ASSERT_EQ(sequence.length(), 71U);  // the last token drawn is not read

  // From there on as if it had been read with the long factors from the start.
  const std::vector<TokenId> history = sequence.tokens();
  Sequence anew = engine->NewSequence();
  const Crossing again = Generate(*engine, anew, std::span(history).first(65), 7);
  EXPECT_TRUE(again.rereads.empty());
  EXPECT_EQ(again.tokens, std::vector<TokenId>(crossing.tokens.begin() + 5, crossing.tokens.end()));

  // Cut back to a short conversation it is read with the short factors again.
  sequence.Truncate(10);
  Request request;
  request.sequence = &sequence;
  request.prompt = {1};
  ASSERT_TRUE(engine->Run(request).ok());
  EXPECT_FALSE(sequence.state().long_factors);
  EXPECT_EQ(request.reread, 10U);
}

}  // namespace
}  // namespace tandem
