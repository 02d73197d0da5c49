#include "store/builtin.h"

#include <filesystem>

#include <gtest/gtest.h>

namespace tandem {
namespace {

TEST(Builtin, NamesAreKnownWhateverTheBuildHolds) {
  EXPECT_TRUE(IsBuiltinModelName("qwen3.5:demo"));
  EXPECT_TRUE(IsBuiltinModelName("Phi4-Mini:Demo"));
  EXPECT_FALSE(IsBuiltinModelName("qwen3.5"));
  EXPECT_FALSE(IsBuiltinModelName(""));
}

TEST(Builtin, EveryNameOfThisBuildOpens) {
  for (const std::string& name : BuiltinModelNames()) {
    const auto file = OpenModelFile(name);
    ASSERT_TRUE(file.ok()) << file.status().message();
    EXPECT_EQ((*file)->name(), name);
    EXPECT_FALSE((*file)->tensors().empty());
  }
}

TEST(Builtin, ANameWithoutItsBytesSaysWhichFileWasMissing) {
  if (!BuiltinModelNames().empty()) {
    GTEST_SKIP() << "this build holds the demo models";
  }
  const auto file = OpenModelFile("qwen3.5:demo");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), StatusCode::kNotFound);
  EXPECT_NE(file.status().message().find("assets/demo/qwen3.5-demo.gguf"), std::string::npos);
}

TEST(OpenModelFile, ABareNameThatIsNothingListsWhatThereIs) {
  const auto file = OpenModelFile("llama:demo");
  ASSERT_FALSE(file.ok());
  EXPECT_EQ(file.status().code(), StatusCode::kNotFound);
  EXPECT_NE(file.status().message().find("qwen3.5:demo, phi4-mini:demo"), std::string::npos)
      << file.status().message();
}

TEST(OpenModelFile, AMissingPathIsNamed) {
  for (const char* path : {"./no-such-model", "no-such-model.gguf"}) {
    const auto file = OpenModelFile(path);
    ASSERT_FALSE(file.ok());
    EXPECT_EQ(file.status().code(), StatusCode::kNotFound);
    EXPECT_NE(file.status().message().find("no-such-model"), std::string::npos);
  }
}

TEST(OpenModelFile, RefusesAFolderAndAnEmptyName) {
  EXPECT_EQ(OpenModelFile(std::filesystem::temp_directory_path().string()).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(OpenModelFile("").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace tandem
