#include <algorithm>

#include "kernels/kernel_test.h"

namespace tandem::cpu {
namespace {

class ConvKernel : public KernelTest {};
TANDEM_FOR_EACH_TIER(ConvKernel);

struct Sequence {
  Sequence(std::size_t rows_in, std::size_t channels_in)
      : rows(rows_in), channels(channels_in), stride(channels_in + 3) {
    Random random(static_cast<std::uint32_t>(rows * 1000 + channels));
    x = random.Normals(rows * stride + 1);
    w = random.Normals(4 * channels + 1, 2);
    state = random.Normals(3 * channels);
  }

  struct Result {
    std::vector<float> y;
    std::vector<float> state;
    std::vector<std::vector<float>> snapshots;  // of every row
  };

  // Calls of `step` rows, channels in two ranges.
  Result Run(const KernelTable& table, std::size_t step) const {
    Result result = {std::vector<float>(rows * stride), state,
                     std::vector<std::vector<float>>(rows, std::vector<float>(3 * channels))};
    std::vector<float*> pointers;
    for (std::vector<float>& snapshot : result.snapshots) {
      pointers.push_back(snapshot.data());
    }
    const std::size_t cut = channels / 3;
    for (std::size_t begin = 0; begin < rows; begin += step) {
      for (const auto& [from, to] : {std::pair(std::size_t{0}, cut), std::pair(cut, channels)}) {
        table.conv_silu({.x = x.data() + 1 + begin * stride,
                         .x_stride = stride,
                         .w_C4 = w.data() + 1,
                         .rows = std::min(step, rows - begin),
                         .channels = channels,
                         .begin = from,
                         .end = to,
                         .state_3C = result.state.data(),
                         .snapshots = pointers.data() + begin,
                         .y = result.y.data() + begin * stride,
                         .y_stride = stride});
      }
    }
    return result;
  }

  std::size_t rows;
  std::size_t channels;
  std::size_t stride;
  std::vector<float> x;
  std::vector<float> w;
  std::vector<float> state;
};

// Magnitudes of all sums stay below 4 taps of 2 x 6 deviations.
TEST_P(ConvKernel, MatchesScalarAtEveryWidthAndCut) {
  for (std::size_t channels = 1; channels <= 70; ++channels) {
    for (const std::size_t rows : Sizes{1, 2, 3, 4, 9}) {
      SCOPED_TRACE(testing::Message() << "channels=" << channels << " rows=" << rows);
      const Sequence sequence(rows, channels);
      const Sequence::Result want = sequence.Run(scalar_, rows);
      const Sequence::Result got = sequence.Run(table_, rows);
      for (std::size_t i = 0; i < want.y.size(); ++i) {
        const auto reference = static_cast<double>(want.y[i]);
        // Four roundings of partial sums up to 50, and silu's slope is at most 1.1.
        ASSERT_NEAR(static_cast<double>(got.y[i]), reference,
                    (8 * std::fabs(reference) + 4 * 1.1 * 50) * kUnitRoundoff);
      }
      EXPECT_EQ(got.state, want.state);
      EXPECT_EQ(got.snapshots, want.snapshots);
      for (const std::size_t step : Sizes{1, 2, 3, 5}) {
        const Sequence::Result pieces = sequence.Run(table_, step);
        EXPECT_EQ(pieces.y, got.y) << "step=" << step;
        EXPECT_EQ(pieces.state, got.state) << "step=" << step;
        EXPECT_EQ(pieces.snapshots, got.snapshots) << "step=" << step;
      }
    }
  }
}

}  // namespace
}  // namespace tandem::cpu
