#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "cli/model_options.h"
#include "cli/repl/compare_repl.h"
#include "cli/repl/line_editor.h"
#include "cli/repl/saved_chat.h"

namespace tandem {
namespace {

std::filesystem::path TempFile(const char* name) {
  return std::filesystem::path(testing::TempDir()) / name;
}

TEST(MessageLines, ALineIsAMessage) {
  MessageLines lines;
  EXPECT_TRUE(lines.Push("Hello", false));
  EXPECT_EQ(lines.Take(), "Hello");
  EXPECT_TRUE(lines.empty());
}

TEST(MessageLines, AFenceHoldsSeveralLines) {
  MessageLines lines;
  EXPECT_FALSE(lines.Push("  \"\"\"one", false));
  EXPECT_FALSE(lines.Push("", false));
  EXPECT_TRUE(lines.Push("two\"\"\"  ", false));
  EXPECT_EQ(lines.Take(), "one\n\ntwo");
  EXPECT_TRUE(lines.Push("\"\"\"both on one\"\"\"", false));
  EXPECT_EQ(lines.Take(), "both on one");
  EXPECT_FALSE(lines.Push("\"\"\"", false));
  EXPECT_FALSE(lines.Push("  inside", false));
  EXPECT_TRUE(lines.Push("\"\"\"", false));
  EXPECT_EQ(lines.Take(), "  inside");
}

TEST(MessageLines, PastedLineEndsGoOn) {
  MessageLines lines;
  EXPECT_FALSE(lines.Push("one", true));
  EXPECT_FALSE(lines.Push("two", true));
  EXPECT_TRUE(lines.Push("three", false));
  EXPECT_EQ(lines.Take(), "one\ntwo\nthree");
}

TEST(SavedChat, IsReadAsItWasWritten) {
  const auto path = TempFile("chat.json");
  const SavedChat chat{
      .model = "qwen3.5:demo",
      .settings = {"temperature=0.25", "nothink"},
      .stop = {"END"},
      .messages = {{.role = "system", .content = "Be brief.", .reasoning = ""},
                   {.role = "user",
                    .content = "",
                    .reasoning = "",
                    .parts = {{.kind = ContentPart::Kind::kText, .value = "look"},
                              {.kind = ContentPart::Kind::kImage, .value = "/tmp/a b.png"}}},
                   {.role = "assistant", .content = "A \"quote\"\nand a line", .reasoning = "so"}}};
  ASSERT_TRUE(WriteSavedChat(path, chat).ok());
  const SavedChat read = ReadSavedChat(path).value();
  EXPECT_EQ(read.model, chat.model);
  EXPECT_EQ(read.settings, chat.settings);
  EXPECT_EQ(read.stop, chat.stop);
}

TEST(SavedChat, WhatIsNoneIsRefusedByItsField) {
  const auto path = TempFile("broken.json");
  const auto message = [&](const char* text) {
    std::ofstream(path) << text;
    return ReadSavedChat(path).status().message();
  };
  EXPECT_NE(message("[1]").find("tandem_chat"), std::string::npos);
  EXPECT_NE(message(R"({"tandem_chat": 2})").find("form 2"), std::string::npos);
  EXPECT_NE(message(R"({"tandem_chat": 1})").find("model"), std::string::npos);
  EXPECT_NE(message(R"({"tandem_chat": 1, "model": "m", "settings": [1]})").find("settings"),
            std::string::npos);
  EXPECT_NE(message(R"({"tandem_chat": 1, "model": "m"})").find("messages"), std::string::npos);
  EXPECT_NE(message("{").find("broken.json"), std::string::npos);
}

TEST(Settings, AreTheOnesThatDifferAndGoBack) {
  OpenOptions open;
  GenerateOptions generate;
  EXPECT_TRUE(SettingsOf(open, generate).empty());
  const std::vector<std::string> given = {"ctx=512", "kv=q8_0",   "seed=7", "max-tokens=9",
                                          "top-k=0", "top-p=0.3", "nothink"};
  for (const std::string& setting : given) {
    ASSERT_TRUE(ApplySetting(setting, open, generate).ok()) << setting;
  }
  EXPECT_EQ(SettingsOf(open, generate), given);
}

TEST(TurnSummary, IsALineForEachColumn) {
  std::vector<ColumnResult> results(2);
  results[0].answer.figures = {.reasoning_tokens = 1200,
                               .answer_tokens = 4,
                               .first_token_seconds = 0.5,
                               .decode_tokens_per_second = 12.34};
  results[1].error = Status(StatusCode::kUnsupported, "cannot see images");
  EXPECT_EQ(TurnSummary({"one", "two"}, results),
            "a  one: 1,200 thinking and 4 answer tokens, first after 0.50 s, 12.3 tok/s\n"
            "b  two: no answer\n");
}

}  // namespace
}  // namespace tandem
