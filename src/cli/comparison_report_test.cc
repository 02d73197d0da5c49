#include "cli/comparison_report.h"

#include <gtest/gtest.h>

#include "cli/prompts_file.h"

namespace tandem {
namespace {

ColumnResult Answered(const std::string& text, double first_token_seconds) {
  ColumnResult result;
  result.answer.text = text;
  result.answer.figures.first_token_seconds = first_token_seconds;
  result.answer.figures.answer_tokens = text.size();
  return result;
}

PromptsRun ThreePrompts() {
  PromptsRun run;
  run.columns.resize(2);
  run.columns[0].label = "a";
  run.columns[1].label = "b";
  run.planned = 3;
  run.outcomes.push_back({.prompt = "p1", .results = {Answered("x", 1), Answered("x\n", 5)}});
  run.outcomes.push_back({.prompt = "p2|<b>", .results = {Answered("y", 3), Answered("z", 6)}});
  ColumnResult failed;
  failed.error = Status(StatusCode::kInvalidArgument, "too long");
  run.outcomes.push_back({.prompt = "p3", .results = {Answered("y", 2), failed}});
  return run;
}

TEST(ComparisonReport, FindsWhereAnswersDiffer) {
  const PromptsRun run = ThreePrompts();
  EXPECT_FALSE(AnswersDiffer(run.outcomes[0]));  // a line end is no difference
  EXPECT_TRUE(AnswersDiffer(run.outcomes[1]));
  EXPECT_TRUE(AnswersDiffer(run.outcomes[2]));
  EXPECT_EQ(DifferencesText(run), "the answers differ for 2 of 3 prompts: 2, 3");
}

TEST(ComparisonReport, GivesMediansOfWhatWasAnswered) {
  const Json medians = MediansJson(ThreePrompts());
  EXPECT_EQ(medians[0]["first_token_seconds"], 2.0);
  EXPECT_EQ(medians[1]["first_token_seconds"], 5.5);
  EXPECT_EQ(medians[0]["errors"], 0);
  EXPECT_EQ(medians[1]["errors"], 1);
}

TEST(ComparisonReport, ShowsTextAsItIs) {
  const std::string report = ReportMarkdown(ThreePrompts());
  EXPECT_NE(report.find("> p2\\|&lt;b&gt;"), std::string::npos);
  EXPECT_NE(report.find("**Error:** too long"), std::string::npos);
  EXPECT_NE(report.find("### Prompt 2 (answers differ)"), std::string::npos);
  EXPECT_NE(report.find("| y | z |"), std::string::npos);
  EXPECT_NE(report.find("The answers differ from the first word on."), std::string::npos);
}

TEST(ComparisonReport, SaysThatItWasInterrupted) {
  PromptsRun run = ThreePrompts();
  run.planned = 9;
  EXPECT_NE(ReportMarkdown(run).find("Interrupted after 3 of 9 prompts."), std::string::npos);
  run.outcomes.clear();
  EXPECT_NE(ReportMarkdown(run).find("Interrupted before the first answer."), std::string::npos);
}

TEST(ParsePrompts, ReadsTheThreeForms) {
  const auto cases = ParsePrompts(
      "\"one\"\n\n{\"prompt\": \"two\"}\r\n{\"messages\": [{\"role\": \"user\", \"content\": "
      "\"three\"}]}",
      "p.jsonl");
  ASSERT_TRUE(cases.ok()) << cases.status().message();
  ASSERT_EQ(cases->size(), 3U);
  EXPECT_EQ((*cases)[0].text, "one");
  EXPECT_EQ((*cases)[1].messages[0].content, "two");
}

TEST(ParsePrompts, NamesTheBadLine) {
  const auto error = [](std::string_view text) {
    return ParsePrompts(text, "p.jsonl").status().message();
  };
  EXPECT_EQ(error("\"a\"\n{\"prompt\": 3}\n").rfind("p.jsonl:2: ", 0), 0U);
  EXPECT_EQ(error("\"a\"\n\nnope\n").rfind("p.jsonl:3", 0), 0U);
  EXPECT_EQ(error("{\"messages\": []}").rfind("p.jsonl:1: ", 0), 0U);
  EXPECT_EQ(error("\"a\"\n\"\xFF\"").rfind("p.jsonl:2 is not valid UTF-8", 0), 0U);
  EXPECT_EQ(error("\n\n"), "p.jsonl: there is no prompt in it");
}

}  // namespace
}  // namespace tandem
