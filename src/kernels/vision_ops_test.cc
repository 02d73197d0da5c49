#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <vector>

#include "base/half.h"
#include "kernels/kernel_test.h"
#include "kernels/ops.h"

namespace tandem::cpu {
namespace {

/// The operations of a vision tower on every instruction set.
class VisionOps : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Ops>> ops =
        MakeCpuOps({.threads = 3, .isa = GetParam(), .max_rows = 512, .max_cols = 2100});
    if (!ops.ok()) {
      GTEST_SKIP() << ops.status().message();
    }
    ops_ = std::move(ops).value();
  }

  std::unique_ptr<Ops> ops_;
};
INSTANTIATE_TEST_SUITE_P(Tier, VisionOps, testing::Values("scalar", "avx2", "avx512vnni"),
                         TierName);

TEST_P(VisionOps, LayerNormFollowsItsFormula) {
  Random random(1);
  for (const std::size_t n : Sizes{1, 7, 8, 15, 48, 1024, 1152}) {
    const std::vector<float> x = random.Normals(2 * n, 3);
    const std::vector<float> gain = random.Normals(n);
    const std::vector<float> bias = random.Normals(n);
    std::vector<float> y(2 * n);
    ops_->LayerNorm(Mat<const float>(x.data(), 2, n), gain, bias, 1e-6F,
                    Mat<float>(y.data(), 2, n));
    for (std::size_t t = 0; t < 2; ++t) {
      double mean = 0;
      double variance = 0;
      for (std::size_t i = 0; i < n; ++i) {
        mean += static_cast<double>(x[t * n + i]) / static_cast<double>(n);
      }
      for (std::size_t i = 0; i < n; ++i) {
        variance += std::pow(static_cast<double>(x[t * n + i]) - mean, 2) / static_cast<double>(n);
      }
      for (std::size_t i = 0; i < n; ++i) {
        const double want = (static_cast<double>(x[t * n + i]) - mean) /
                                std::sqrt(variance + 1e-6) * static_cast<double>(gain[i]) +
                            static_cast<double>(bias[i]);
        // One rounding, and sums of n doubles, whose errors vanish beside it.
        ASSERT_NEAR(y[t * n + i], want, 2 * kUnitRoundoff * std::fabs(want) + 1e-9) << n;
      }
    }
  }
}

TEST_P(VisionOps, GeluFollowsItsFormulas) {
  std::vector<float> x;
  for (int i = -1200; i <= 1200; ++i) {
    x.push_back(static_cast<float>(i) / 100);
  }
  for (const Gelu kind : {Gelu::kErf, Gelu::kTanh}) {
    std::vector<float> y = x;
    ops_->GeluInPlace(kind, Mat<float>(y.data(), 1, y.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto v = static_cast<double>(x[i]);
      const double u = std::sqrt(2 / std::acos(-1.0)) * (v + 0.044715 * v * v * v);
      const double want = kind == Gelu::kErf ? 0.5 * v * (1 + std::erf(v / std::sqrt(2.0)))
                                             : v / (1 + std::exp(-2 * u));
      // The exponent 2 u is rounded a few times: an absolute error of some units of 2 |u| in it
      // moves x sigmoid(2 u) by at most that times |x| sigmoid'.
      const double slope = 1 / std::pow(2 * std::cosh(std::min(std::fabs(u), 300.0)), 2);
      // A sigmoid below the smallest normal number may become zero.
      const double bound = kUnitRoundoff * (8 * std::fabs(want) + 16 * std::fabs(u * v) * slope) +
                           std::fabs(v) * 0x1p-126 + kTiny;
      ASSERT_NEAR(y[i], want, bound) << "x " << v;
    }
  }
}

/// A product with a bias, of weights of two bytes.
struct BiasedProduct {
  BiasedProduct(gguf::TensorType type, std::size_t rows_in, std::size_t tokens_in,
                std::size_t cols_in)
      : rows(rows_in), tokens(tokens_in), cols(cols_in) {
    Random random(static_cast<std::uint32_t>(rows + 100 * tokens + 10000 * cols));
    exact = random.Normals(rows * cols);
    for (float& value : exact) {
      const bool is_half = type == gguf::TensorType::kF16;
      bits.push_back(is_half ? FloatToHalf(value) : FloatToBf16(value));
      value = is_half ? HalfToFloat(bits.back()) : Bf16ToFloat(bits.back());
    }
    x = random.Normals(tokens * cols);
    bias = random.Normals(rows);
    w = {reinterpret_cast<const std::byte*>(bits.data()), type, rows, cols, 2 * cols};
  }

  // Tokens [first, first + count).
  std::vector<float> Run(Ops& ops, std::size_t first, std::size_t count, bool wide) const {
    std::vector<float> y(count * rows, NAN);
    const MatMulTask task{&w, Mat<float>(y.data(), count, rows), bias};
    const Mat<const float> x_TI(x.data() + first * cols, count, cols);
    wide ? ops.WideMatMul(x_TI, {&task, 1}) : ops.MatMul(x_TI, {&task, 1});
    return y;
  }

  std::size_t rows;
  std::size_t tokens;
  std::size_t cols;
  std::vector<std::uint16_t> bits;
  std::vector<float> exact;
  std::vector<float> x;
  std::vector<float> bias;
  QMat w;
};

std::vector<BiasedProduct> BiasedProducts() {
  std::vector<BiasedProduct> products;
  for (const auto type : {gguf::TensorType::kF16, gguf::TensorType::kBF16}) {
    for (const std::size_t cols : Sizes{1, 15, 16, 48, 255, 256, 257, 1040, 2100}) {
      products.emplace_back(type, 1 + cols % 70, 1 + cols % 40, cols);
    }
    products.emplace_back(type, 64, 24, 512);
    products.emplace_back(type, 130, 3, 300);
  }
  return products;
}

TEST_P(VisionOps, ProductsAddTheBias) {
  for (const BiasedProduct& p : BiasedProducts()) {
    SCOPED_TRACE(testing::Message() << "cols=" << p.cols << " tokens=" << p.tokens);
    for (const bool wide : {false, true}) {
      const std::vector<float> y = p.Run(*ops_, 0, p.tokens, wide);
      for (std::size_t i = 0; i < y.size(); ++i) {
        double want = static_cast<double>(p.bias[i % p.rows]);
        double magnitude = std::fabs(want);
        for (std::size_t c = 0; c < p.cols; ++c) {
          const double product = static_cast<double>(p.exact[i % p.rows * p.cols + c]) *
                                 static_cast<double>(p.x[i / p.rows * p.cols + c]);
          want += product;
          magnitude += std::fabs(product);
        }
        // The longest chain of additions: a block of columns, the blocks, the bias.
        const double chain = std::min(256.0, static_cast<double>(p.cols)) +
                             std::ceil(static_cast<double>(p.cols) / 256) + 1;
        ASSERT_NEAR(static_cast<double>(y[i]), want, chain * kUnitRoundoff * magnitude);
      }
    }
  }
}

TEST_P(VisionOps, WideProductsDoNotDependOnOtherRows) {
  for (const BiasedProduct& p : BiasedProducts()) {
    SCOPED_TRACE(testing::Message() << "cols=" << p.cols << " tokens=" << p.tokens);
    const std::vector<float> y = p.Run(*ops_, 0, p.tokens, /*wide=*/true);
    for (std::size_t t = 0; t < p.tokens; ++t) {
      const std::vector<float> row = p.Run(*ops_, t, 1, /*wide=*/true);
      ASSERT_TRUE(std::equal(row.begin(), row.end(), y.data() + t * p.rows)) << "token " << t;
    }
  }
}

/// Pictures of different sizes, one after the other.
struct Pictures {
  Pictures(std::size_t heads_in, std::size_t dim_in, const std::vector<std::size_t>& sizes)
      : heads(heads_in), dim(dim_in) {
    Random random(static_cast<std::uint32_t>(heads * dim + sizes[0]));
    std::size_t rows = 0;
    for (const std::size_t n : sizes) {
      spans.push_back({.begin = rows, .rows = n});
      rows += n;
    }
    qkv = random.Normals(rows * 3 * heads * dim);
    all = Mat<float>(qkv.data(), rows, 3 * heads * dim);
  }

  std::vector<float> Run(Ops& ops, std::span<const RowSpan> pictures) {
    const std::size_t width = heads * dim;
    std::vector<float> out(all.rows * width);
    ops.FullAttention({.q_NE = all.ColRange(0, width),
                       .k_NE = all.ColRange(width, width),
                       .v_NE = all.ColRange(2 * width, width),
                       .heads = heads,
                       .head_dim = dim,
                       .scale = Scale(),
                       .pictures = pictures},
                      Mat<float>(out.data(), all.rows, width));
    return out;
  }

  float Scale() const { return 1 / std::sqrt(static_cast<float>(dim)); }

  // One value of the result, in double.
  double Truth(const RowSpan& picture, std::size_t t, std::size_t head, std::size_t column) const {
    const std::size_t width = heads * dim;
    const float* q = all.Row(picture.begin + t) + head * dim;
    double total = 0;
    double sum = 0;
    for (std::size_t j = 0; j < picture.rows; ++j) {
      const float* k = all.Row(picture.begin + j) + width + head * dim;
      double dot = 0;
      for (std::size_t i = 0; i < dim; ++i) {
        dot += static_cast<double>(q[i]) * static_cast<double>(k[i]);
      }
      const double p = std::exp(dot * static_cast<double>(Scale()));
      total += p;
      sum += p * static_cast<double>(k[width + column]);
    }
    return sum / total;
  }

  std::size_t heads;
  std::size_t dim;
  std::vector<float> qkv;
  Mat<float> all;
  std::vector<RowSpan> spans;
};

TEST_P(VisionOps, EveryPatchSeesItsWholePictureAndNoOther) {
  for (const std::size_t dim : Sizes{12, 64, 72}) {
    for (const std::vector<std::size_t>& sizes :
         {Sizes{1, 3}, Sizes{8, 9}, Sizes{64, 7}, Sizes{131, 300}}) {
      Pictures pictures(2, dim, sizes);
      const std::vector<float> out = pictures.Run(*ops_, pictures.spans);
      for (const RowSpan& picture : pictures.spans) {
        for (const std::size_t t : {std::size_t{0}, picture.rows / 2, picture.rows - 1}) {
          for (std::size_t c = 0; c < 2 * dim; c += 5) {
            const double want = pictures.Truth(picture, t, c / dim, c % dim);
            // As in attention_test.cc: a score of products of normal numbers, then the sums.
            const auto d = static_cast<double>(dim);
            const double bound =
                (2 * d * kUnitRoundoff * 3 * std::sqrt(d) + 90 * kUnitRoundoff) * 6;
            ASSERT_NEAR(out[(picture.begin + t) * 2 * dim + c], want, bound)
                << dim << " row " << t << " of " << picture.rows << " column " << c;
          }
        }
      }
    }
  }
}

TEST_P(VisionOps, APatchGetsTheSameBitsWhateverStandsBesideIt) {
  constexpr std::size_t kDim = 64;
  Pictures pictures(2, kDim, {231});
  const std::vector<float> whole = pictures.Run(*ops_, pictures.spans);
  // The same keys for rows of another order: row t of the first picture becomes row 230 - t.
  const std::size_t width = 2 * kDim;
  std::vector<float> turned(pictures.qkv.size());
  Mat<float> rows(turned.data(), pictures.all.rows, pictures.all.cols);
  for (std::size_t t = 0; t < rows.rows; ++t) {
    std::copy_n(pictures.all.Row(rows.rows - 1 - t), width, rows.Row(t));
    std::copy_n(pictures.all.Row(t) + width, 2 * width, rows.Row(t) + width);
  }
  pictures.qkv = turned;
  pictures.all = Mat<float>(pictures.qkv.data(), rows.rows, rows.cols);
  const std::vector<float> reversed = pictures.Run(*ops_, pictures.spans);
  for (std::size_t t = 0; t < rows.rows; ++t) {
    for (std::size_t c = 0; c < width; ++c) {
      ASSERT_EQ(reversed[t * width + c], whole[(rows.rows - 1 - t) * width + c]) << t << " " << c;
    }
  }
}

TEST_P(VisionOps, LargeScoresStayFinite) {
  Pictures pictures(1, 16, {100});
  for (float& value : pictures.qkv) {
    value *= 40;  // scores of thousands
  }
  const std::vector<float> out = pictures.Run(*ops_, pictures.spans);
  for (const std::size_t t : Sizes{0, 50, 99}) {
    for (std::size_t c = 0; c < 16; ++c) {
      ASSERT_TRUE(std::isfinite(out[t * 16 + c]));
    }
  }
}

}  // namespace
}  // namespace tandem::cpu
