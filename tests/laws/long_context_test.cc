// The models' own limits: rotary angles, masks and index types hold at the last positions of
// 262,144 and 131,072. The caches are filled with made-up keys and values, so that the rows at the
// end can be compared with the formulas in double without reading all that comes before.

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "model/rope.h"
#include "runtime/engine.h"
#include "tests/support/reference_ops.h"
#include "tests/support/tiny_model.h"

namespace tandem {
namespace {

constexpr std::size_t kChunk = 512;
constexpr std::size_t kRows = 3;

struct Limit {
  std::string name;
  TinyModel (*make)(const TinyModelOptions&);
  std::size_t context;
};

// A cheap stream of numbers in [-1, 1).
class Noise {
 public:
  float Next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<float>(static_cast<std::int32_t>(state_ >> 32)) * 0x1p-31F;
  }

 private:
  std::uint64_t state_ = 42;
};

// Gives `state` a past of `tokens` positions. The keys are long, so that a row looks at some of
// them rather than at the mean of all.
void MakePast(const Network& network, std::size_t tokens, std::size_t context, SequenceState& state,
              std::span<Ops* const> all_ops) {
  ASSERT_TRUE(network.PlanLength(state, context));
  ASSERT_TRUE(state.kv().Reserve(0, context).ok());
  const KvLayout layout = state.kv().layout();
  const std::size_t width = layout.kv_heads * layout.head_dim;
  std::vector<float> keys(kChunk * width);
  std::vector<float> values(kChunk * width);
  Noise noise;
  for (std::size_t layer = 0; layer < layout.layers; ++layer) {
    for (std::size_t past = 0; past < tokens; past += kChunk) {
      const std::size_t rows = std::min(kChunk, tokens - past);
      for (std::size_t i = 0; i < rows * width; ++i) {
        keys[i] = 6 * noise.Next();
        values[i] = noise.Next();
      }
      const KvSegment segment{.row_begin = 0,
                              .rows = rows,
                              .past = past,
                              .kv = {.pages = state.kv().pages(),
                                     .layer_offset = layer * layout.layer_bytes(),
                                     .type = layout.type}};
      for (Ops* ops : all_ops) {
        ops->KvAppend(Mat<const float>(keys.data(), rows, width),
                      Mat<const float>(values.data(), rows, width), layout.kv_heads,
                      layout.head_dim, {&segment, 1});
      }
    }
  }
  for (std::size_t i = 0; i < network.info().recurrent_floats; ++i) {
    state.recurrent()[i] = noise.Next();
  }
  state.Advance(tokens);
}

// The logits of the last rows, read in steps of `step` rows.
std::vector<float> ReadEnd(const Network& network, Ops& ops, SequenceState state,
                           std::size_t step) {
  const std::vector<TokenId> ids = {7, 99, 31};
  const std::size_t begin = state.length();
  EXPECT_TRUE(state.kv().Reserve(begin, begin + kRows).ok());
  const auto scratch = network.NewScratch(kRows);
  std::vector<float> logits(kRows * network.info().vocabulary);
  std::vector<std::size_t> logit_rows;
  std::vector<RowPosition> positions;
  for (std::size_t i = 0; i < kRows; ++i) {
    const auto position = static_cast<std::int32_t>(begin + i);
    positions.push_back({position, position, position});
    logit_rows.push_back(i);
  }
  for (std::size_t row = 0; row < kRows; row += step) {
    const BatchSequence sequence{.state = &state,
                                 .ids = std::span(ids).subspan(row, step),
                                 .positions = std::span(positions).subspan(row, step),
                                 .vectors_TE = {},
                                 .logit_rows = std::span(logit_rows).first(step),
                                 .rollback_rows = 0,
                                 .keep_after = 0};
    network.Forward(ops, {&sequence, 1}, *scratch,
                    Mat<float>(logits.data() + row * network.info().vocabulary, step,
                               network.info().vocabulary),
                    nullptr);
  }
  return logits;
}

class LongContext : public testing::TestWithParam<Limit> {};

TEST_P(LongContext, LastRowsAreWhatTheFormulasGive) {
  const Limit& limit = GetParam();
  const TinyModel model = limit.make({.context = limit.context, .original_context = 4096});
  const Network& network = *model.network;
  ASSERT_EQ(network.info().context_length, limit.context);
  const auto ops =
      MakeCpuOps({.threads = 2, .max_rows = kChunk, .max_cols = network.info().widest_input})
          .value();
  ReferenceOps reference;
  KvPool pool(network.kv_layout(KvType::kF32));
  SequenceState state(pool, network.info().recurrent_floats);
  Ops* const both[] = {ops.get(), &reference};
  MakePast(network, limit.context - kRows, limit.context, state, both);

  const std::vector<float> truth = ReadEnd(network, reference, state.Fork(), kRows);
  const std::vector<float> whole = ReadEnd(network, *ops, state.Fork(), kRows);
  double largest = 0;
  double error = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(truth[i])));
    error = std::max(error, std::fabs(static_cast<double>(whole[i] - truth[i])));
  }
  EXPECT_LE(error, 1e-5 * largest);  // the bound of the whole project
  EXPECT_EQ(ReadEnd(network, *ops, state.Fork(), 1), whole);
  EXPECT_EQ(state.length(), limit.context - kRows);
}

TEST_P(LongContext, ASequenceEndsAtTheLimitAndNotBefore) {
  const Limit& limit = GetParam();
  const TinyModel model = limit.make({.context = limit.context, .original_context = 4096});
  EngineOptions options;
  options.cpu.threads = 2;
  const auto engine = Engine::Create(*model.network, options).value();
  EXPECT_EQ(engine->context_tokens(), limit.context);
  Sequence sequence = engine->NewSequence();
  const std::size_t past = limit.context - kRows;
  Ops* const ops[] = {&engine->ops()};
  MakePast(*model.network, past, limit.context, sequence.state(), ops);
  std::vector<RowPosition> positions;
  for (std::size_t i = 0; i < past; ++i) {
    const auto position = static_cast<std::int32_t>(i);
    positions.push_back({position, position, position});
  }
  sequence.Append(std::vector<TokenId>(past, 1), positions);

  Request too_long;
  too_long.sequence = &sequence;
  too_long.prompt.assign(kRows + 1, 1);
  EXPECT_EQ(engine->Submit(too_long).message(),
            "prompt has 4 tokens; 3 of " + std::to_string(limit.context) + " are free");
  Sampler sampler({.temperature = 0}, model.network->info().vocabulary, {});
  Request request;
  request.sequence = &sequence;
  request.prompt = {5};
  request.sampler = &sampler;
  request.max_tokens = 100;
  ASSERT_TRUE(engine->Run(request).ok());
  EXPECT_EQ(request.finish, FinishReason::kContext);
  EXPECT_EQ(sequence.length(), limit.context);
  EXPECT_EQ(request.generated, kRows);
}

INSTANTIATE_TEST_SUITE_P(Families, LongContext,
                         testing::Values(Limit{"Qwen", &MakeTinyQwen, 262'144},
                                         Limit{"Phi", &MakeTinyPhi, 131'072}),
                         [](const auto& param) { return param.param.name; });

TEST(RotaryTable, AnglesAreExactAtTheLastPositions) {
  const std::vector<double> inv_freq = RotaryFrequencies(1e7, 64);
  std::vector<int> axis(inv_freq.size());
  for (std::size_t i = 0; i < axis.size(); ++i) {
    axis[i] = static_cast<int>(i % 3);
  }
  const RotaryTable table(inv_freq, axis, 1.0);
  const std::vector<RowPosition> positions = {{262'143, 131'071, 1}, {131'072, 262'142, 262'143}};
  std::vector<float> cosines(2 * inv_freq.size());
  std::vector<float> sines(2 * inv_freq.size());
  table.Fill(positions, Mat<float>(cosines.data(), 2, inv_freq.size()),
             Mat<float>(sines.data(), 2, inv_freq.size()));
  for (std::size_t t = 0; t < 2; ++t) {
    for (std::size_t i = 0; i < inv_freq.size(); ++i) {
      const long double angle = std::pow(1e7L, -2.0L * static_cast<long double>(i) / 64) *
                                positions[t][static_cast<std::size_t>(axis[i])];
      // Half a unit in the last place of a float, and 2^18 times the rounding of an angle.
      const double bound = 0x1p-25 + 0x1p18 * 0x1p-52;
      EXPECT_NEAR(cosines[t * inv_freq.size() + i], static_cast<double>(std::cos(angle)), bound);
      EXPECT_NEAR(sines[t * inv_freq.size() + i], static_cast<double>(std::sin(angle)), bound);
    }
  }
}

}  // namespace
}  // namespace tandem
