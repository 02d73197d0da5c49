#include "cli/columns.h"

#include <gtest/gtest.h>

#include "cli/comparison_view.h"
#include "cli/fact_table.h"
#include "cli/live_region.h"
#include "cli/state_line.h"
#include "cli/text_layout.h"

namespace tandem {
namespace {

Terminal Plain(std::size_t columns, std::size_t rows = 24) {
  return {.interactive = true, .escapes = true, .colour = false, .columns = columns, .rows = rows};
}

std::string Joined(const std::vector<ScreenLine>& lines) {
  std::string out;
  for (const ScreenLine& line : lines) {
    EXPECT_EQ(line.cells, TextCells(line.text)) << line.text;
    out += line.text + "\n";
  }
  return out;
}

std::vector<ColumnText> TwoColumns() {
  ColumnText left;
  left.label = "left";
  left.answer = "one two three";
  ColumnText right;
  right.label = "right";
  right.state = "thinking";
  right.reasoning = "hm";
  right.reasoning_open = true;
  return {left, right};
}

TEST(LayOutColumns, PutsColumnsBesideEachOther) {
  EXPECT_EQ(Joined(LayOutColumns(TwoColumns(), Plain(23), 0)),
            "left       │ right  th…\n"
            "───────────┼───────────\n"
            "one two    │ Thinking..\n"
            "three      │ .\n"
            "           │ hm\n");
}

TEST(LayOutColumns, ShowsTheNewestLinesOfEachColumn) {
  std::vector<ColumnText> columns = TwoColumns();
  columns[0].answer = "1\n2\n3\n4\n5";
  const std::string text = Joined(LayOutColumns(columns, Plain(83), 4));
  EXPECT_NE(text.find("\n4 "), std::string::npos);
  EXPECT_NE(text.find("\n5 "), std::string::npos);
  EXPECT_EQ(text.find("\n3 "), std::string::npos);
}

TEST(LayOutColumns, AlignsWideCharacters) {
  std::vector<ColumnText> columns = TwoColumns();
  columns[0].answer = "日本語 👩‍🚀\nab";
  const std::string text = Joined(LayOutColumns(columns, Plain(83), 0));
  for (const std::string& line : WrapText(text, 200)) {
    const std::size_t bar = line.find("│");
    if (bar != std::string::npos) {
      EXPECT_EQ(TextCells(std::string_view(line).substr(0, bar)), 41U) << line;
    }
  }
}

TEST(FitSideBySide, NeedsRoomAndEscapes) {
  EXPECT_TRUE(FitSideBySide(Plain(80), 2));
  EXPECT_FALSE(FitSideBySide(Plain(79 - 3), 2));
  EXPECT_FALSE(FitSideBySide(Plain(80), 3));
  EXPECT_TRUE(FitSideBySide(Plain(160), 3));
  Terminal dumb = Plain(160);
  dumb.escapes = false;
  EXPECT_FALSE(FitSideBySide(dumb, 2));
  EXPECT_FALSE(FitSideBySide(Terminal{.columns = 500}, 2));  // a pipe
}

TEST(LiveRegion, SendsOnlyLinesThatChanged) {
  std::string sent;
  {
    LiveRegion region([&sent](std::string_view text) { sent += text; }, -1);
    region.Draw({{"same", 4}, {"old", 3}}, Plain(80));
    sent.clear();
    region.Draw({{"same", 4}, {"new", 3}}, Plain(80));
    EXPECT_EQ(sent.find("same"), std::string::npos);
    EXPECT_NE(sent.find("new\x1b[K"), std::string::npos);
    EXPECT_NE(sent.find("\x1b[2A"), std::string::npos);
    sent.clear();
  }
  EXPECT_EQ(sent, "\x1b[?25h");  // the cursor is back
}

TEST(LiveRegion, CountsTheRowsOfLinesThatANarrowWindowBroke) {
  std::string sent;
  LiveRegion region([&sent](std::string_view text) { sent += text; }, -1);
  region.Draw({{std::string(70, 'x'), 70}, {"short", 5}}, Plain(80));
  sent.clear();
  region.Draw({{"a", 1}}, Plain(30));
  EXPECT_NE(sent.find("\x1b[4A"), std::string::npos);  // 3 rows for the long line, 1 for the other
}

// What a view prints, without a clock that moves.
std::string ViewText(const Terminal& terminal, const std::vector<ColumnResult>& results,
                     const std::vector<std::pair<std::size_t, Event>>& events) {
  std::string out;
  ComparisonView view(
      {"a", "b"}, {.terminal = [terminal] { return terminal; }, .err = terminal},
      [&out](std::string_view text) { out += text; },
      [&out](std::string_view text) { out += text; },
      [] { return std::chrono::steady_clock::time_point(); });
  for (const auto& [column, event] : events) {
    view.OnEvent(column, event);
  }
  view.Finish(results, std::vector<CompareColumn>(2));
  return out;
}

std::vector<ColumnResult> TwoResults() {
  std::vector<ColumnResult> results(2);
  results[0].answer.text = "first";
  results[1].error = Status(StatusCode::kInvalidArgument, "too long");
  return results;
}

TEST(ComparisonView, FollowsOneAfterTheOtherInAPipe) {
  EXPECT_EQ(ViewText(Terminal{}, TwoResults(), {}),
            "== a ==\nfirst\n\n== b ==\n[Error: too long]\n");
}

TEST(ComparisonView, StreamsTheFirstColumnOfANarrowTerminal) {
  const Event piece{.kind = Event::Kind::kAnswer, .text = "first", .done = 0, .total = 0};
  EXPECT_EQ(ViewText(Plain(30), TwoResults(), {{0, piece}, {1, piece}}),
            "== a ==\nfirst\n\n== b ==\n[Error: too long]\n");
}

TEST(ComparisonView, EndsAsPlainTextOnAWideTerminal) {
  const std::string text = ViewText(Plain(80), TwoResults(), {});
  EXPECT_NE(text.find("first"), std::string::npos);
  EXPECT_NE(text.find("│ [Error: too long]"), std::string::npos);
}

TEST(StateLine, TakesASilentColumnForEnded) {
  const Terminal err = Plain(80);
  std::string sent;
  auto now = std::chrono::steady_clock::time_point();
  StateLine states(
      {"a", "b"}, err, [&sent](std::string_view text) { sent += text; }, [&now] { return now; });
  EXPECT_EQ(states.state(0), "waiting");
  const Event piece{.kind = Event::Kind::kAnswer, .text = "x", .done = 0, .total = 0};
  states.OnEvent(0, piece);
  for (int i = 0; i < 100; ++i) {
    states.OnEvent(1, piece);
  }
  EXPECT_EQ(states.state(0), "");
  EXPECT_EQ(states.state(1), "answering");
  EXPECT_EQ(sent, "");  // not yet due
  now += std::chrono::seconds(1);
  states.OnEvent(1, piece);
  EXPECT_NE(sent.find("a: done, b: answering"), std::string::npos);
  sent.clear();
  states.Erase();
  EXPECT_EQ(sent, "\r\x1b[K");
}

TEST(FactTable, PutsWhatDoesNotFitBelowItsLabel) {
  FactTable table({"m"});
  table.StartSection("S");
  table.Set(0, "label", "a value that is long");
  EXPECT_EQ(table.Render(Plain(20)), "m\nS\n  label\n    a value that is\n    long\n");
  EXPECT_EQ(table.Render(Plain(60)), "m\nS\n  label              a value that is long\n");
}

TEST(FactTable, WrapsAValueInsideItsColumn) {
  FactTable table({"m", "n"});
  table.StartSection("");
  table.Set(0, "x", "one two three four five six seven eight nine ten eleven twelve");
  table.Set(1, "x", "1");
  const std::string text = table.Render(Plain(60));
  EXPECT_NE(text.find("\n  x  one two three four five"), std::string::npos) << text;
  EXPECT_NE(text.find("\n     six seven eight nine ten\n"), std::string::npos) << text;
  EXPECT_EQ(table.Render(Plain(100)).find("\n     six"), std::string::npos);
}

TEST(FactTable, ShowsTwoColumnsOrOneAfterTheOther) {
  FactTable table({"m", "n"});
  table.StartSection("");
  table.Set(0, "x", "1");
  table.Set(1, "y", "2");
  EXPECT_EQ(table.Render(Plain(40)), "     m  n\n  x  1  –\n  y  –  2\n");
  EXPECT_EQ(table.Render(Plain(8)), "m\n  x  1\n\nn\n  y  2\n");
}

}  // namespace
}  // namespace tandem
