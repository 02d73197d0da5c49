#include "cli/column_arguments.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

CompareColumn Common() {
  CompareColumn column;
  column.options.max_tokens = 2048;
  return column;
}

TEST(IsModelArgument, TellsModelsFromWords) {
  EXPECT_TRUE(IsModelArgument("qwen3.5:demo"));
  EXPECT_TRUE(IsModelArgument("phi4-mini:demo@nothink"));
  EXPECT_TRUE(IsModelArgument("missing.gguf"));
  EXPECT_TRUE(IsModelArgument("missing.gguf@temperature=0,seed=7"));
  EXPECT_TRUE(IsModelArgument("unknown@think"));
  EXPECT_TRUE(IsModelArgument("qwen3.5:demo@thnik"));  // so that the slip is named
  EXPECT_FALSE(IsModelArgument("Hello"));
  EXPECT_FALSE(IsModelArgument("What is a=b?"));
  EXPECT_FALSE(IsModelArgument("me@example.org"));
  EXPECT_FALSE(IsModelArgument("mail me @a=b now please"));
  EXPECT_FALSE(IsModelArgument("@"));
  EXPECT_FALSE(IsModelArgument(""));
}

TEST(ParseColumn, AppliesItsSettingsOverTheCommonOnes) {
  const Result<CompareColumn> column = ParseColumn(
      "dir/a.gguf@nothink,temperature=0,seed=7,max-tokens=9,ctx=512,kv=q8_0,top-k=3", Common());
  ASSERT_TRUE(column.ok()) << column.status().message();
  EXPECT_EQ(column->model, "dir/a.gguf");
  EXPECT_EQ(column->label, "a@nothink,temperature=0,seed=7,max-tokens=9,ctx=512,kv=q8_0,top-k=3");
  EXPECT_EQ(column->options.thinking, Thinking::kOff);
  EXPECT_EQ(column->options.sampling.temperature, 0.0F);
  EXPECT_EQ(column->options.sampling.seed, 7U);
  EXPECT_EQ(column->options.sampling.top_k, 3U);
  EXPECT_EQ(column->options.max_tokens, 9U);
  EXPECT_EQ(column->open.context_tokens, 512U);
  EXPECT_EQ(column->open.kv, "q8_0");
}

TEST(ParseColumn, NamesTheWrongSetting) {
  const Result<CompareColumn> slip = ParseColumn("a.gguf@temprature=0", Common());
  ASSERT_FALSE(slip.ok());
  EXPECT_NE(slip.status().message().find("did you mean 'temperature'?"), std::string::npos);
  const Result<CompareColumn> value = ParseColumn("a.gguf@seed=x", Common());
  ASSERT_FALSE(value.ok());
  EXPECT_NE(value.status().message().find("'x' is no value of seed"), std::string::npos);
  EXPECT_FALSE(ParseColumn("a.gguf@seed=-1", Common()).ok());
  EXPECT_FALSE(ParseColumn("a.gguf@think,", Common()).ok());
}

TEST(MakeLabelsUnique, NumbersEqualLabels) {
  std::vector<CompareColumn> columns(3);
  columns[0].label = columns[1].label = columns[2].label = "a";
  MakeLabelsUnique(columns);
  EXPECT_EQ(columns[0].label, "a");
  EXPECT_EQ(columns[1].label, "a (2)");
  EXPECT_EQ(columns[2].label, "a (3)");
}

}  // namespace
}  // namespace tandem
