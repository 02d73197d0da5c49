#include <bit>
#include <cstring>
#include <limits>

#include "base/half.h"
#include "kernels/kernel_test.h"

namespace tandem::cpu {
namespace {

class VectorOps : public KernelTest {};
TANDEM_FOR_EACH_TIER(VectorOps);

constexpr std::size_t kMaxLanes = 16;
constexpr std::size_t kMisalignments = 4;  // floats
constexpr float kGuard = 12345.0F;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Every tail length, then one width of a real model.
std::vector<std::size_t> Lengths() {
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n <= 2 * kMaxLanes + 1; ++n) {
    lengths.push_back(n);
  }
  lengths.push_back(2560);
  return lengths;
}

// `n` numbers that start `offset` floats past an aligned address, and a guard after them.
struct Guarded {
  Guarded(Random& random, std::size_t n, std::size_t offset, float scale = 1)
      : begin(offset), size(n), values(random.Normals(offset + n + 1, scale)) {
    values.back() = kGuard;
  }
  float* data() { return values.data() + begin; }
  bool Intact() const { return values.back() == kGuard; }

  std::size_t begin;
  std::size_t size;
  std::vector<float> values;
};

// Calls check(n, offset) for every length and misalignment.
template <typename Check>
void Sweep(Check check) {
  for (const std::size_t n : Lengths()) {
    for (std::size_t offset = 0; offset < kMisalignments; ++offset) {
      SCOPED_TRACE(testing::Message() << "n=" << n << " offset=" << offset);
      check(n, offset);
    }
  }
}

// |got - want| within `roundings` roundings of want, or of a subnormal number of size `unit`.
void ExpectWithin(Guarded& got, Guarded& want, double roundings, double unit = 1) {
  ASSERT_TRUE(got.Intact());
  for (std::size_t i = 0; i < want.size; ++i) {
    const auto reference = static_cast<double>(want.data()[i]);
    const double bound =
        roundings * (kUnitRoundoff * std::fabs(reference) + kTiny * std::max(1.0, unit));
    ASSERT_NEAR(static_cast<double>(got.data()[i]), reference, bound) << "i=" << i;
  }
}

TEST_P(VectorOps, RmsNormRoundsOnceAtEveryLength) {
  Random random(1);
  Sweep([&](std::size_t n, std::size_t offset) {
    if (n == 0) {
      return;
    }
    Guarded x(random, n, offset);
    Guarded gain(random, n, (offset + 1) % kMisalignments);
    Guarded want = x;
    Guarded got = x;
    scalar_.rms_norm(x.data(), gain.data(), n, 1e-6F, want.data());
    table_.rms_norm(x.data(), gain.data(), n, 1e-6F, got.data());
    ExpectWithin(got, want, 2);  // both are roundings of nearly the same double
    table_.rms_norm(x.data(), gain.data(), n, 1e-6F, x.data());
    EXPECT_EQ(x.values, got.values) << "in place";
  });
}

TEST_P(VectorOps, AddIsExactlyTheSumAtEveryLength) {
  Random random(2);
  Sweep([&](std::size_t n, std::size_t offset) {
    Guarded x(random, n, offset);
    Guarded want(random, n, (offset + 1) % kMisalignments);
    Guarded got = want;
    scalar_.add(x.data(), want.data(), n);
    table_.add(x.data(), got.data(), n);
    EXPECT_EQ(got.values, want.values);
  });
}

// silu and its product: exp 2 roundings, 1 + e, the product with e, the quotient, the last product.
constexpr double kSiluRoundings = 8;

TEST_P(VectorOps, SwiGluMatchesScalarAtEveryLength) {
  Random random(3);
  Sweep([&](std::size_t n, std::size_t offset) {
    Guarded want(random, n, offset, 5);
    Guarded up(random, n, (offset + 1) % kMisalignments);
    Guarded got = want;
    scalar_.swiglu(want.data(), up.data(), n);
    table_.swiglu(got.data(), up.data(), n);
    ExpectWithin(got, want, kSiluRoundings);
  });
}

TEST_P(VectorOps, SigmoidGateMatchesScalarAtEveryLength) {
  Random random(4);
  Sweep([&](std::size_t n, std::size_t offset) {
    Guarded want(random, n, offset);
    Guarded gate(random, n, (offset + 1) % kMisalignments, 5);
    Guarded got = want;
    scalar_.sigmoid_gate(want.data(), gate.data(), n);
    table_.sigmoid_gate(got.data(), gate.data(), n);
    ExpectWithin(got, want, kSiluRoundings);
  });
}

TEST_P(VectorOps, SigmoidIsAccurateFromMinusTo110) {
  // Steps that are no binary fractions, so that all bits of the argument take part.
  for (double x = -110; x < 110; x += 0.000173) {
    float got = 1;
    const auto gate = static_cast<float>(x);
    table_.sigmoid_gate(&got, &gate, 1);
    const double want = 1 / (1 + std::exp(-static_cast<double>(gate)));
    // Results below the normal floats may be zero.
    ASSERT_NEAR(static_cast<double>(got), want, 5 * kUnitRoundoff * want + 0x1p-125) << gate;
  }
}

TEST_P(VectorOps, SigmoidAndSiluSurviveExtremeArguments) {
  for (const float gate : {100.0F, 1e4F, 3e38F, kInfinity}) {
    float x = -3;
    table_.sigmoid_gate(&x, &gate, 1);
    EXPECT_EQ(x, -3.0F) << gate;
    const float minus = -gate;
    table_.sigmoid_gate(&x, &minus, 1);
    EXPECT_NEAR(static_cast<double>(x), 0, 3.1 * std::exp(-100.0)) << minus;
    float silu = -gate;
    const float up = 2;
    table_.swiglu(&silu, &up, 1);
    if (std::isfinite(gate)) {
      EXPECT_NEAR(static_cast<double>(silu), 0, 210 * std::exp(-100.0)) << minus;
    }
  }
  float x = 1;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  table_.sigmoid_gate(&x, &nan, 1);
  EXPECT_TRUE(std::isnan(x));
}

TEST_P(VectorOps, GatedNormMatchesScalarAtEveryLength) {
  Random random(5);
  Sweep([&](std::size_t n, std::size_t offset) {
    if (n == 0) {
      return;
    }
    Guarded want(random, n, offset);
    Guarded z(random, n, (offset + 1) % kMisalignments, 5);
    Guarded gain(random, n, (offset + 2) % kMisalignments);
    Guarded got = want;
    scalar_.gated_norm(want.data(), z.data(), gain.data(), n, 1e-6F);
    table_.gated_norm(got.data(), z.data(), gain.data(), n, 1e-6F);
    ExpectWithin(got, want, kSiluRoundings);
  });
}

TEST_P(VectorOps, RopeRoundsOnceAtEveryLength) {
  Random random(6);
  Sweep([&](std::size_t half, std::size_t offset) {
    Guarded want(random, 2 * half, offset);
    Guarded cosines(random, half, (offset + 1) % kMisalignments);
    Guarded sines(random, half, (offset + 2) % kMisalignments);
    // A pair whose difference of products cancels almost completely.
    if (half > 0) {
      want.data()[0] = 1 + 0x1p-23F;
      want.data()[half] = 1 - 0x1p-24F;
      cosines.data()[0] = 1 - 0x1p-24F;
      sines.data()[0] = 1 + 0x1p-23F;
    }
    Guarded got = want;
    scalar_.rope(want.data(), cosines.data(), sines.data(), half);
    table_.rope(got.data(), cosines.data(), sines.data(), half);
    ExpectWithin(got, want, 2);
  });
}

TEST_P(VectorOps, DotRowsSumsInDoubleAndEachTokenAlone) {
  Random random(7);
  for (const std::size_t n : Lengths()) {
    for (std::size_t tokens = 0; tokens <= 9; ++tokens) {
      SCOPED_TRACE(testing::Message() << "n=" << n << " tokens=" << tokens);
      const std::size_t stride = n + 3;
      const std::vector<float> w = random.Normals(n + 1);
      const std::vector<float> x = random.Normals(tokens * stride + 1);
      std::vector<float> got(2 * tokens + 1, kGuard);
      table_.dot_rows(w.data() + 1, x.data() + 1, stride, tokens, n, got.data(), 2);
      EXPECT_EQ(got[2 * tokens], kGuard);
      for (std::size_t t = 0; t < tokens; ++t) {
        double want = 0;
        double magnitude = 0;
        for (std::size_t i = 0; i < n; ++i) {
          const double product =
              static_cast<double>(w[1 + i]) * static_cast<double>(x[1 + t * stride + i]);
          want += product;
          magnitude += std::fabs(product);
        }
        const double bound =
            2 * static_cast<double>(n) * 0x1p-53 * magnitude + kUnitRoundoff * std::fabs(want);
        ASSERT_NEAR(static_cast<double>(got[2 * t]), want, bound) << "t=" << t;
        float alone = 0;
        table_.dot_rows(w.data() + 1, x.data() + 1 + t * stride, stride, 1, n, &alone, 1);
        EXPECT_EQ(alone, got[2 * t]) << "t=" << t;
      }
    }
  }
}

TEST_P(VectorOps, KvStoreGivesTheBitsOfScalar) {
  Random random(8);
  for (int type = 0; type <= 4; ++type) {
    for (std::size_t n = 0; n <= 2 * kMaxLanes + 1 + 128; n += type >= 3 ? 32 : 1) {
      for (const float scale : {1.0F, 1e-5F, 3e4F, 1e-39F, 0.0F}) {
        SCOPED_TRACE(testing::Message() << "type=" << type << " n=" << n << " scale=" << scale);
        const std::vector<float> x = random.Normals(n + 1, scale);
        std::vector<std::uint8_t> want(4 * n + 8, 0xAB);
        std::vector<std::uint8_t> got = want;
        scalar_.kv_store(type, x.data() + 1, n, want.data());
        table_.kv_store(type, x.data() + 1, n, got.data());
        ASSERT_EQ(got, want);
      }
    }
  }
}

// A value is off by at most half a step of d, one that would need code 16 by a whole step; and d by
// its own rounding, times the code.
TEST_P(VectorOps, KvStoreOfFourBitsStaysWithinItsStep) {
  Random random(10);
  for (const float scale : {1.0F, 1e-3F, 100.0F}) {
    const std::vector<float> x = random.Normals(32 * 64, scale);
    std::vector<std::uint8_t> stored(x.size() / 32 * 18);
    table_.kv_store(4, x.data(), x.size(), stored.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::uint8_t* block = stored.data() + i / 32 * 18;
      std::uint16_t half = 0;
      std::memcpy(&half, block, sizeof(half));
      const unsigned pair = block[2 + i % 32 / 2];
      const int code = static_cast<int>(i % 2 == 0 ? pair & 15U : pair >> 4U);
      const float d = HalfToFloat(half);
      const float step = std::fabs(d);
      const float most = (code == 15 ? step : 0.5F * step) + 8 * step * 0x1p-11F + 0x1p-21F;
      ASSERT_NEAR(d * static_cast<float>(code - 8), x[i], most)
          << "value " << i << " code " << code;
    }
  }
}

TEST_P(VectorOps, KvStoreRoundsEveryKindOfFloatLikeScalar) {
  Random random(9);
  std::vector<float> x;
  for (int i = 0; i < 200000; ++i) {
    x.push_back(std::bit_cast<float>(random.Bits()));
  }
  for (std::uint32_t half = 0; half < 0x8000; ++half) {  // halves, their midpoints and neighbours
    const float value = std::bit_cast<float>((half << 13) + 0x38000000U);
    const float middle = std::bit_cast<float>((half << 13) + 0x38001000U);
    x.insert(x.end(), {value, middle, std::nextafter(middle, 0.0F), std::nextafter(middle, 1e9F)});
  }
  x.insert(x.end(), {kInfinity, -kInfinity, 0.0F, -0.0F, 65519.0F, 65520.0F, 0x1p-25F, 0x1p-24F,
                     std::numeric_limits<float>::quiet_NaN(), std::bit_cast<float>(0x7F800001U),
                     std::bit_cast<float>(0xFFC12345U)});
  for (const int type : {1, 2}) {
    std::vector<std::uint16_t> want(x.size());
    std::vector<std::uint16_t> got(x.size());
    scalar_.kv_store(type, x.data(), x.size(), want.data());
    table_.kv_store(type, x.data(), x.size(), got.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(got[i], want[i]) << "type " << type << ", float bits " << std::hex
                                 << std::bit_cast<std::uint32_t>(x[i]);
    }
  }
}

}  // namespace
}  // namespace tandem::cpu
