#include "kernels/cpu/matmul.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "base/half.h"
#include "kernels/cpu/avx512/matmul.h"
#include "kernels/kernel_test.h"
#include "quant/formats.h"

namespace tandem::cpu {
namespace {

using gguf::TensorType;
using Counts = std::initializer_list<std::size_t>;

/// What bounds the weights of a block: |w| <= |d| * codes + |dmin| * mins. codes 0: themselves, in
/// formats without minima.
struct TypeCase {
  TensorType type;
  std::size_t d_offset;     // of the binary16 numbers in a block
  std::size_t dmin_offset;  // 0: none
  double codes;
  double mins;
  std::uint32_t hash;  // of the results in GivesTheBitsOfEveryMachine, as AVX2 gives them
};
constexpr std::size_t kNibbles = 1000;   // IQ1_M's d: the upper four bits of its last four words
constexpr std::size_t kExponent = 1001;  // MXFP4's: the first byte
constexpr TypeCase kTypes[] = {
    {TensorType::kQ4_0, 0, 0, 8, 0, 0x45E033FB},
    {TensorType::kQ4_1, 0, 2, 15, 1, 0x0B4D0D13},
    {TensorType::kQ5_0, 0, 0, 16, 0, 0x412293E3},
    {TensorType::kQ5_1, 0, 2, 31, 1, 0xD4CCE9F0},
    {TensorType::kQ8_0, 0, 0, 128, 0, 0x00E2AF44},
    {TensorType::kIQ4_NL, 0, 0, 127, 0, 0x72AE0582},
    {TensorType::kQ2_K, 80, 82, 15 * 3, 15, 0x35A98505},
    {TensorType::kQ3_K, 108, 0, 32 * 4, 0, 0xC1C4C9E0},
    {TensorType::kIQ4_XS, 0, 0, 32 * 127, 0, 0xEA725F55},
    {TensorType::kQ4_K, 0, 2, 63 * 15, 63, 0xBAB4DE90},
    {TensorType::kQ5_K, 0, 2, 63 * 31, 63, 0x3DC64D34},
    {TensorType::kQ6_K, 208, 0, 128 * 32, 0, 0x0A57AF73},
    {TensorType::kIQ1_S, 0, 0, 0, 0, 0x5955C7E7},
    {TensorType::kIQ1_M, kNibbles, 0, 0, 0, 0xD1136CEC},
    {TensorType::kIQ2_XXS, 0, 0, 0, 0, 0xCDD9C432},
    {TensorType::kIQ2_XS, 0, 0, 0, 0, 0x8B5B50B8},
    {TensorType::kIQ2_S, 0, 0, 0, 0, 0x9761624C},
    {TensorType::kIQ3_XXS, 0, 0, 0, 0, 0x75EFBD5D},
    {TensorType::kIQ3_S, 0, 0, 0, 0, 0xEA400882},
    {TensorType::kTQ1_0, 52, 0, 0, 0, 0x08E92CC3},
    {TensorType::kTQ2_0, 64, 0, 0, 0, 0xD94F2A79},
    {TensorType::kMXFP4, kExponent, 0, 0, 0, 0xF4F6AF3D},
};

enum class Fill { kRandom, kAllOnes, kZero };

class Weights {
 public:
  Weights(const TypeCase& type, std::size_t rows, std::size_t cols, Fill fill, unsigned seed)
      : format_(*quant::FindFormat(type.type)),
        bytes_(rows * format_.RowBytes(cols)),
        mat_{bytes_.data(), type.type, rows, cols, format_.RowBytes(cols)} {
    std::mt19937 rng(seed);
    std::uniform_real_distribution<float> scale(-0.01F, 0.01F);
    for (std::byte& b : bytes_) {
      b = fill == Fill::kRandom ? static_cast<std::byte>(rng())
                                : static_cast<std::byte>(fill == Fill::kAllOnes ? 0xFF : 0);
    }
    for (std::size_t at = 0; at < bytes_.size(); at += format_.block_bytes) {
      const std::uint16_t d = FloatToHalf(scale(rng));
      const std::uint16_t dmin = FloatToHalf(scale(rng));
      PutScale(type, d, bytes_.data() + at);
      if (type.dmin_offset != 0) {
        std::memcpy(bytes_.data() + at + type.dmin_offset, &dmin, sizeof(dmin));
      }
    }
  }

  const QMat& mat() const { return mat_; }
  const quant::Format& format() const { return format_; }

 private:
  static void PutScale(const TypeCase& type, std::uint16_t d, std::byte* block) {
    if (type.d_offset == kExponent) {
      block[0] = static_cast<std::byte>(100 + d % 50);
    } else if (type.d_offset == kNibbles) {
      for (std::size_t word = 0; word < 4; ++word) {
        std::byte& upper = block[48 + 2 * word + 1];
        upper = (upper & std::byte{0x0F}) | static_cast<std::byte>(((d >> (4 * word)) & 15) << 4);
      }
    } else {
      std::memcpy(block + type.d_offset, &d, sizeof(d));
    }
  }

  const quant::Format& format_;
  std::vector<std::byte> bytes_;
  QMat mat_;
};

std::vector<float> RandomFloats(std::size_t n, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(n);
  for (float& v : x) {
    v = normal(rng);
  }
  return x;
}

/// y[t * rows + r] by the driver.
std::vector<float> Multiply(const KernelTable& table, std::size_t threads, const QMat& w,
                            const std::vector<float>& x, std::size_t tokens) {
  ThreadPool pool(threads);
  AlignedBuffer<std::byte> scratch(threads * kScratchBytes);
  std::vector<std::byte*> worker_scratch;
  for (std::size_t i = 0; i < threads; ++i) {
    worker_scratch.push_back(scratch.data() + i * kScratchBytes);
  }
  MatMulDriver driver(table, pool, tokens, w.cols);
  std::vector<float> y(tokens * w.rows, NAN);
  const MatMulTask task{&w, Mat<float>(y.data(), tokens, w.rows)};
  driver.Run(Mat<const float>(x.data(), tokens, w.cols), {&task, 1}, worker_scratch);
  return y;
}

/// Activations as the quantised kernels see them, from the scalar quantiser.
std::vector<float> Rounded(Activation format, const std::vector<float>& x) {
  KernelTable scalar{};
  InstallScalar(&scalar);
  std::vector<float> out(x.size());
  if (format == Activation::kQ8K) {
    std::vector<BlockQ8K> blocks(x.size() / 256);
    scalar.quantize_q8k(x.data(), x.size(), blocks.data(), 1);
    for (std::size_t i = 0; i < x.size(); ++i) {
      out[i] = blocks[i / 256].d * static_cast<float>(blocks[i / 256].q[i % 256]);
    }
  } else {
    std::vector<BlockQ8x32> blocks(x.size() / 32);
    scalar.quantize_q8_0(x.data(), x.size(), blocks.data(), 1);
    for (std::size_t i = 0; i < x.size(); ++i) {
      out[i] = blocks[i / 32].d * static_cast<float>(blocks[i / 32].q[i % 32]);
    }
  }
  return out;
}

/// What column i of row r is at most.
double Bound(const TypeCase& type, const Weights& w, std::size_t r, std::size_t i) {
  const std::byte* at = w.mat().Row(r) + i / w.format().block_len * w.format().block_bytes;
  std::uint16_t d = 0;
  std::uint16_t dmin = 0;
  std::memcpy(&d, at + type.d_offset, sizeof(d));
  if (type.dmin_offset != 0) {
    std::memcpy(&dmin, at + type.dmin_offset, sizeof(dmin));
  }
  return std::fabs(static_cast<double>(HalfToFloat(d))) * type.codes +
         std::fabs(static_cast<double>(HalfToFloat(dmin))) * type.mins;
}

/// Compares with sums in double of the decoded weights and the rounded activations.
void ExpectNearReference(const TypeCase& type, const Weights& w, Activation activation,
                         const std::vector<float>& x, const std::vector<float>& y,
                         std::size_t tokens) {
  const QMat& m = w.mat();
  const std::size_t block = w.format().block_len;
  const std::vector<float> x_hat = Rounded(activation, x);
  std::vector<float> row(m.cols);
  // Per block at most 5 roundings of the kernel and 4 of decode and Rounded(), each relative to the
  // block's magnitude, and one of the running sum per block (Higham, 2nd ed., section 3.1).
  const double roundings = static_cast<double>(m.cols / block) + 10;
  for (std::size_t r = 0; r < m.rows; ++r) {
    w.format().decode(m.Row(r), m.cols / block, row.data());
    for (std::size_t t = 0; t < tokens; ++t) {
      double sum = 0;
      double magnitude = 0;
      for (std::size_t i = 0; i < m.cols; ++i) {
        const double a = static_cast<double>(x_hat[t * m.cols + i]);
        const double weight = static_cast<double>(row[i]);
        sum += weight * a;
        magnitude += std::fabs(a) * (type.codes == 0 ? std::fabs(weight) : Bound(type, w, r, i));
      }
      ASSERT_NEAR(y[t * m.rows + r], sum, roundings * 0x1p-24 * magnitude)
          << "row " << r << " token " << t << " of " << tokens;
    }
  }
}

using Case = std::tuple<const char*, TypeCase>;

class QuantisedMatMul : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const auto& [isa, type] = GetParam();
    Result<KernelTable> table = SelectKernels(isa);
    if (!table.ok()) {
      GTEST_SKIP() << "this CPU has no " << isa;
    }
    table_ = *table;
    kernel_ = table_.matmul[static_cast<std::size_t>(type.type)];
    if (kernel_.run == nullptr) {
      GTEST_SKIP() << "no kernel";
    }
  }

  const TypeCase& type() const { return std::get<1>(GetParam()); }
  /// Three blocks, or as many 32s as leave a remainder in every unrolling.
  std::size_t cols() const { return kernel_.activation == Activation::kQ8K ? 768 : 352; }

  KernelTable table_{};
  MatMulKernel kernel_{};
};

TEST_P(QuantisedMatMul, MatchesTheDecodedProductForEveryTokenCount) {
  const Weights w(type(), 37, cols(), Fill::kRandom, 1);
  for (std::size_t tokens = 0; tokens <= 64; tokens += tokens == 20 ? 44 : 1) {
    const std::vector<float> x = RandomFloats(tokens * cols(), 2);
    const std::vector<float> y = Multiply(table_, 1, w.mat(), x, tokens);
    ExpectNearReference(type(), w, kernel_.activation, x, y, tokens);
  }
}

TEST_P(QuantisedMatMul, MatchesTheDecodedProductForEveryRowCount) {
  for (std::size_t rows = 1; rows <= 33; ++rows) {
    const Weights w(type(), rows, cols(), Fill::kRandom, static_cast<unsigned>(rows));
    for (const std::size_t tokens : Counts{1, 2, 18}) {
      const std::vector<float> x = RandomFloats(tokens * cols(), 3);
      const std::vector<float> y = Multiply(table_, 1, w.mat(), x, tokens);
      ExpectNearReference(type(), w, kernel_.activation, x, y, tokens);
    }
  }
}

TEST_P(QuantisedMatMul, MatchesTheDecodedProductAtTheExtremes) {
  for (const Fill fill : {Fill::kAllOnes, Fill::kZero}) {
    const Weights w(type(), 16, cols(), fill, 4);
    for (const std::size_t tokens : Counts{1, 3, 33}) {
      // All activations at one end, then alternating: the largest sums of either sign.
      std::vector<float> x(tokens * cols(), -1.0F);
      for (std::size_t i = cols(); i < x.size(); ++i) {
        x[i] = i % 3 == 0 ? 1.0F : -1.0F;
      }
      const std::vector<float> y = Multiply(table_, 1, w.mat(), x, tokens);
      ExpectNearReference(type(), w, kernel_.activation, x, y, tokens);
    }
  }
}

TEST_P(QuantisedMatMul, GivesARowTheSameBitsInEveryBatch) {
  constexpr std::size_t kMany = 600;
  const Weights w(type(), 83, cols(), Fill::kRandom, 5);
  const std::vector<float> x = RandomFloats(kMany * cols(), 6);
  const std::vector<float> all = Multiply(table_, 1, w.mat(), x, kMany);
  for (const std::size_t tokens :
       Counts{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 512}) {
    const std::vector<float> some = Multiply(table_, 1, w.mat(), x, tokens);
    ASSERT_EQ(std::memcmp(some.data(), all.data(), some.size() * sizeof(float)), 0)
        << tokens << " tokens";
  }
  const std::vector<float> last(x.end() - static_cast<std::ptrdiff_t>(cols()), x.end());
  const std::vector<float> alone = Multiply(table_, 1, w.mat(), last, 1);
  ASSERT_EQ(std::memcmp(alone.data(), all.data() + (kMany - 1) * w.mat().rows,
                        alone.size() * sizeof(float)),
            0);
}

TEST_P(QuantisedMatMul, GivesTheSameBitsForEveryThreadCount) {
  const Weights w(type(), 341, cols(), Fill::kRandom, 7);
  for (const std::size_t tokens : Counts{1, 5, 70}) {
    const std::vector<float> x = RandomFloats(tokens * cols(), 8);
    const std::vector<float> one = Multiply(table_, 1, w.mat(), x, tokens);
    for (const std::size_t threads : Counts{2, 3, 5}) {
      ASSERT_EQ(Multiply(table_, threads, w.mat(), x, tokens), one) << threads << " threads";
    }
  }
}

/// FNV-1a of the bits of y.
std::uint32_t Hash(const std::vector<float>& y, std::uint32_t hash) {
  for (const float v : y) {
    hash = (hash ^ std::bit_cast<std::uint32_t>(v)) * 16777619U;
  }
  return hash;
}

TEST_P(QuantisedMatMul, GivesTheBitsOfEveryMachine) {
  const Weights w(type(), 37, cols(), Fill::kRandom, 9);
  std::mt19937 rng(10);
  std::uint32_t hash = 2166136261U;
  for (const std::size_t tokens : Counts{1, 7, 20}) {
    std::vector<float> x(tokens * cols());
    for (float& v : x) {  // the library's distributions may differ by a rounding
      v = static_cast<float>(static_cast<std::int32_t>(rng())) * 0x1p-31F;
    }
    hash = Hash(Multiply(table_, 1, w.mat(), x, tokens), hash);
  }
  EXPECT_EQ(hash, type().hash);
}

TEST_P(QuantisedMatMul, GivesTheBitsOfTheLowestTier) {
  Result<KernelTable> lowest = SelectKernels(kTiers[0]);
  ASSERT_TRUE(lowest.ok());
  const Weights w(type(), 37, cols(), Fill::kRandom, 9);
  for (const std::size_t tokens : Counts{1, 2, 4, 8, 12, 16, 20, 64}) {
    const std::vector<float> x = RandomFloats(tokens * cols(), 10);
    ASSERT_EQ(Multiply(table_, 1, w.mat(), x, tokens), Multiply(*lowest, 1, w.mat(), x, tokens))
        << tokens << " tokens";
  }
}

TEST_P(QuantisedMatMul, GivesTheBitsOfTheLowestTierWhereverSumsOutgrowTheirWords) {
  Result<KernelTable> lowest = SelectKernels(kTiers[0]);
  ASSERT_TRUE(lowest.ok());
  // Token t is rounded to +-t everywhere but at one place per block, which sets the scale.
  constexpr std::size_t kTokens = 128;
  std::vector<float> x(kTokens * cols());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t t = i / cols();
    const float sign = t % 2 == 0 ? 1.0F : -1.0F;
    x[i] = sign * (i % 32 == 7 ? 127.0F : static_cast<float>(t));
  }
  for (const Fill fill : {Fill::kAllOnes, Fill::kZero, Fill::kRandom}) {
    const Weights w(type(), 32, cols(), fill, 12);
    ASSERT_EQ(Multiply(table_, 1, w.mat(), x, kTokens), Multiply(*lowest, 1, w.mat(), x, kTokens));
  }
}

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  const auto& [isa, type] = info.param;
  return std::string(isa) + "_" + std::string(quant::FindFormat(type.type)->name);
}

INSTANTIATE_TEST_SUITE_P(Tiers, QuantisedMatMul,
                         testing::Combine(testing::ValuesIn(kTiers), testing::ValuesIn(kTypes)),
                         CaseName);

#if defined(__x86_64__)
TEST(ReadStreams, GiveTheSameBits) {
  Result<KernelTable> one = SelectKernels("avx512vnni");
  if (!one.ok()) {
    GTEST_SKIP() << one.status().message();
  }
  KernelTable four = *one;
  InstallAvx512MatMul(&*one, ReadStreams::kOne);
  InstallAvx512MatMul(&four, ReadStreams::kFour);
  for (const TensorType name : {TensorType::kQ4_K, TensorType::kQ5_K, TensorType::kQ6_K}) {
    const TypeCase& type = *std::find_if(std::begin(kTypes), std::end(kTypes),
                                         [name](const TypeCase& t) { return t.type == name; });
    EXPECT_NE(one->matmul[static_cast<int>(name)].run, four.matmul[static_cast<int>(name)].run);
    for (const std::size_t rows : Counts{1, 16, 37, 96}) {
      for (const std::size_t cols : Counts{256, 2560, 9216}) {
        const Weights w(type, rows, cols, Fill::kRandom, 11);
        for (const std::size_t tokens : Counts{1, 2, 3, 5, 6, 7, 8, 11, 12, 13}) {
          const std::vector<float> x = RandomFloats(tokens * cols, 12);
          EXPECT_EQ(Multiply(*one, 1, w.mat(), x, tokens), Multiply(four, 1, w.mat(), x, tokens))
              << rows << " x " << cols << ", " << tokens << " tokens";
        }
      }
    }
  }
}
#endif

TEST(ActivationRounding, GivesTheScalarBitsInEveryTier) {
  KernelTable scalar{};
  InstallScalar(&scalar);
  // Ties, a block of zeros, one too small to scale, one with a single spike, subnormals.
  std::vector<float> x = RandomFloats(6 * 256, 11);
  for (std::size_t i = 0; i < 256; ++i) {
    x[i] = static_cast<float>(i % 128) - 0.5F;
    x[256 + i] = 0;
    x[512 + i] = 1e-35F * static_cast<float>(i);
    x[768 + i] = i == 77 ? -3e38F : 1e-3F;
  }
  x[0] = 127;
  for (const char* isa : kTiers) {
    Result<KernelTable> table = SelectKernels(isa);
    if (!table.ok()) {
      continue;
    }
    std::vector<BlockQ8K> a(12), b(12);
    scalar.quantize_q8k(x.data(), x.size(), a.data(), 2);
    table->quantize_q8k(x.data(), x.size(), b.data(), 2);
    for (std::size_t i = 0; i < a.size(); i += 2) {
      EXPECT_EQ(a[i].d, b[i].d) << isa << " block " << i;
      EXPECT_EQ(std::memcmp(a[i].q, b[i].q, sizeof(a[i].q)), 0) << isa << " block " << i;
      EXPECT_EQ(std::memcmp(a[i].sums, b[i].sums, sizeof(a[i].sums)), 0) << isa << " block " << i;
      EXPECT_EQ(std::memcmp(a[i].pair_sums, b[i].pair_sums, sizeof(a[i].pair_sums)), 0);
      EXPECT_EQ(a[i].most, b[i].most) << isa << " block " << i;
    }
    std::vector<BlockQ8x32> c(48), d(48);
    scalar.quantize_q8_0(x.data(), x.size(), c.data(), 1);
    table->quantize_q8_0(x.data(), x.size(), d.data(), 1);
    EXPECT_EQ(std::memcmp(c.data(), d.data(), c.size() * sizeof(BlockQ8x32)), 0) << isa;
  }
}

}  // namespace
}  // namespace tandem::cpu
