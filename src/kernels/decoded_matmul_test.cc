// Types without a kernel of their own are multiplied by decoding their rows.

#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/ops.h"
#include "quant/formats.h"

namespace tandem {
namespace {

class EveryFormat : public testing::TestWithParam<quant::Format> {};

TEST_P(EveryFormat, MultipliesAsItsDecodedWeights) {
  const quant::Format& format = GetParam();
  constexpr std::size_t kRows = 37;
  constexpr std::size_t kCols = 512;
  constexpr std::size_t kTokens = 5;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<std::byte> bytes(kRows * format.RowBytes(kCols));
  std::vector<float> weights(kRows * kCols);
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(random() & 0x3B);  // scales stay finite
  }
  quant::Decode(format, bytes, weights);
  std::vector<float> x(kTokens * kCols);
  for (float& value : x) {
    value = normal(random);
  }
  const QMat w = {bytes.data(), format.type, kRows, kCols, format.RowBytes(kCols)};
  for (const char* isa : {"scalar", "auto"}) {
    const std::unique_ptr<Ops> ops =
        MakeCpuOps({.threads = 2, .isa = isa, .max_rows = kTokens, .max_cols = kCols}).value();
    std::vector<float> y(kTokens * kRows, NAN);
    const MatMulTask task{&w, Mat<float>(y.data(), kTokens, kRows)};
    ops->MatMul(Mat<const float>(x.data(), kTokens, kCols), {&task, 1});
    for (std::size_t t = 0; t < kTokens; ++t) {
      for (std::size_t r = 0; r < kRows; ++r) {
        double sum = 0;
        double weight_power = 0;
        double x_power = 0;
        for (std::size_t i = 0; i < kCols; ++i) {
          const auto a = static_cast<double>(weights[r * kCols + i]);
          const auto b = static_cast<double>(x[t * kCols + i]);
          sum += a * b;
          weight_power += a * a;
          x_power += b * b;
        }
        // Kernels round x to int8 with the largest of 32 or 256 values as 127: at most half a
        // 127th of about four deviations, in random directions.
        const double bound = 0.05 * std::sqrt(weight_power * x_power / kCols) + 1e-6;
        ASSERT_NEAR(static_cast<double>(y[t * kRows + r]), sum, bound * 6) << isa << " " << r;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DecodedMatMul, EveryFormat,
                         testing::ValuesIn(quant::Formats().begin(), quant::Formats().end()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(MatMulOfSeveralFormats, GivesEachTheBitsThatItHasAlone) {
  constexpr std::size_t kRows = 70;
  constexpr std::size_t kCols = 512;
  constexpr std::size_t kTokens = 40;  // so many that activations of float weights are packed
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(kTokens * kCols);
  for (float& value : x) {
    value = normal(random);
  }
  std::vector<std::vector<std::byte>> bytes;
  std::vector<QMat> weights;
  for (const gguf::TensorType type : {gguf::TensorType::kBF16, gguf::TensorType::kQ8_0,
                                      gguf::TensorType::kF16, gguf::TensorType::kQ4_K}) {
    const std::size_t row_bytes = quant::FindFormat(type)->RowBytes(kCols);
    bytes.emplace_back(kRows * row_bytes);
    for (std::byte& byte : bytes.back()) {
      byte = static_cast<std::byte>(random() & 0x3B);  // scales stay finite
    }
    weights.push_back({bytes.back().data(), type, kRows, kCols, row_bytes});
  }
  const std::unique_ptr<Ops> ops =
      MakeCpuOps({.threads = 2, .max_rows = kTokens, .max_cols = kCols}).value();
  const Mat<const float> x_TI(x.data(), kTokens, kCols);
  const auto size = kTokens * kRows;
  std::vector<float> together(weights.size() * size, NAN);
  std::vector<float> alone = together;
  std::vector<MatMulTask> tasks;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    tasks.push_back({&weights[i], Mat<float>(together.data() + i * size, kTokens, kRows)});
    const MatMulTask task{&weights[i], Mat<float>(alone.data() + i * size, kTokens, kRows)};
    ops->MatMul(x_TI, {&task, 1});
  }
  ops->MatMul(x_TI, tasks);
  EXPECT_EQ(together, alone);
}

TEST(MatMulHook, SeesInputsAndMaySwapWeights) {
  const std::vector<float> one = {1, 2};
  const std::vector<float> other = {10, 20};
  const auto matrix = [](const std::vector<float>& values) {
    return QMat{reinterpret_cast<const std::byte*>(values.data()), gguf::TensorType::kF32, 1, 2,
                2 * sizeof(float)};
  };
  const QMat w = matrix(one);
  const QMat swapped = matrix(other);
  std::size_t seen = 0;
  CpuOptions options{.threads = 1, .max_rows = 1, .max_cols = 2};
  options.matmul_hook = [&](Mat<const float> x_TI, std::span<MatMulTask> tasks) {
    seen += x_TI.rows * tasks.size();
    if (tasks[0].w_OI == &w) {
      tasks[0].w_OI = &swapped;
    }
  };
  const std::unique_ptr<Ops> ops = MakeCpuOps(options).value();
  const std::vector<float> x = {1, 1};
  float y = 0;
  const MatMulTask task{&w, Mat<float>(&y, 1, 1)};
  ops->MatMul(Mat<const float>(x.data(), 1, 2), {&task, 1});
  EXPECT_EQ(y, 30);
  EXPECT_EQ(seen, 1U);
  EXPECT_EQ(task.w_OI, &w);  // the caller's task is left alone
}

}  // namespace
}  // namespace tandem
