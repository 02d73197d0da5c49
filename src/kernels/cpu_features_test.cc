#include "kernels/cpu/cpu_features.h"

#include <string>

#include <gtest/gtest.h>

namespace tandem::cpu {
namespace {

#if defined(__aarch64__)
constexpr const char* kOfAnotherMachine = "avx2";
#else
constexpr const char* kOfAnotherMachine = "neon";
#endif

TEST(SelectKernels, TellsAnUnknownNameFromOneOfAnotherMachine) {
  const Result<KernelTable> unknown = SelectKernels("mmx");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.status().code(), StatusCode::kInvalidArgument);
  const Result<KernelTable> other = SelectKernels(kOfAnotherMachine);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.status().code(), StatusCode::kUnsupported);
  EXPECT_NE(other.status().message().find("auto, scalar"), std::string::npos);
}

TEST(SelectKernels, GivesTheTierAskedFor) {
  EXPECT_STREQ(SelectKernels("scalar").value().name, "scalar");
  EXPECT_TRUE(SelectKernels("auto").ok());
}

}  // namespace
}  // namespace tandem::cpu
