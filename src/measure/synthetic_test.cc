#include "measure/synthetic.h"

#include <cmath>
#include <cstdlib>
#include <utility>

#include <gtest/gtest.h>

#include "gguf/model_file.h"
#include "model/network.h"
#include "quant/formats.h"

namespace tandem {
namespace {

class SyntheticTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / "tandem_synthetic_test";
    std::filesystem::remove_all(folder_);
    ::setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

// The sizes that publishers' files of these mixes have.
TEST_F(SyntheticTest, SizesAreThoseOfPublishedFiles) {
  const auto qwen = PlanSynthetic("qwen3.5:4b", "q4_k_m");
  ASSERT_TRUE(qwen.ok()) << qwen.status().message();
  EXPECT_EQ(qwen->quant, "Q4_K_M");
  EXPECT_NEAR(static_cast<double>(qwen->bytes), 2.70e9, 0.02e9);
  const auto phi = PlanSynthetic("phi4-mini", "Q4_K_M");
  ASSERT_TRUE(phi.ok()) << phi.status().message();
  EXPECT_NEAR(static_cast<double>(phi->bytes), 2.49e9, 0.02e9);
  EXPECT_FALSE(phi->exists);
  EXPECT_EQ(PlanSynthetic("qwen3.5:5b", "Q4_K_M").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(PlanSynthetic("phi4-mini", "Q4_K_X").status().code(), StatusCode::kInvalidArgument);
}

// The parameters that are published; nothing of their size is held in memory or on disk.
TEST_F(SyntheticTest, AnOutlineHasTheShapeWithoutTheNumbers) {
  for (const auto& [name, parameters] :
       {std::pair("qwen3.5:0.8b", 752'393'024U), std::pair("qwen3.5:2b", 1'881'825'088U),
        std::pair("qwen3.5:4b", 4'205'751'296U), std::pair("phi4-mini", 3'836'021'760U),
        std::pair("phi4-mini-reasoning", 3'836'021'760U)}) {
    const auto outline = OpenOutline(name, "Q4_K_M");
    ASSERT_TRUE(outline.ok()) << outline.status().message();
    std::uint64_t sum = 0;
    for (const gguf::TensorInfo& tensor : (*outline)->tensors()) {
      sum += tensor.elements();
    }
    EXPECT_NEAR(static_cast<double>(sum), parameters, 1000.0) << name;  // but for rotary factors
    EXPECT_TRUE(LoadNetwork(**outline).ok()) << name;
  }
  EXPECT_TRUE(OpenOutline("qwen3.5:9b", "IQ4_XS").ok());
  EXPECT_EQ(OpenOutline("qwen3.5:5b", "Q4_K_M").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenOutline("phi4-mini", "Q4_K_X").status().code(), StatusCode::kInvalidArgument);
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

// The smallest one, made whole: it loads, and its numbers are as large as they should be.
TEST_F(SyntheticTest, AFileLoadsAndItsWeightsAreOfPlausibleSize) {
  const auto plan = PlanSynthetic("qwen3.5:0.8b", "Q4_K_M");
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  std::uint64_t last = 0;
  const Status made = MakeSynthetic(*plan, [&](std::uint64_t bytes) { last = bytes; });
  ASSERT_TRUE(made.ok()) << made.message();
  EXPECT_EQ(last, plan->bytes);
  EXPECT_TRUE(PlanSynthetic("qwen3.5:0.8b", "Q4_K_M")->exists);
  const auto file = gguf::ModelFile::Open(plan->path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_TRUE(LoadNetwork(**file).ok());
  for (const char* name : {"blk.0.ffn_gate.weight", "blk.0.ffn_down.weight", "token_embd.weight"}) {
    const gguf::TensorInfo* tensor = (*file)->FindTensor(name);
    ASSERT_NE(tensor, nullptr) << name;
    const quant::Format& format = *quant::FindFormat(tensor->type);
    std::vector<float> row(tensor->dims[0]);
    format.decode(tensor->bytes.data(), row.size() / format.block_len, row.data());
    double squares = 0;
    for (const float v : row) {
      squares += static_cast<double>(v) * static_cast<double>(v);
    }
    const double sigma = std::sqrt(squares / static_cast<double>(row.size()));
    const double expected = 1 / std::sqrt(static_cast<double>(row.size()));
    EXPECT_LT(sigma, 1.5 * expected) << name;
    EXPECT_GT(sigma, 0.1 * expected) << name;
  }
}

}  // namespace
}  // namespace tandem
