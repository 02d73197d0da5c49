#include "cli/progress_bar.h"

#include <gtest/gtest.h>

#include "cli/text_layout.h"

namespace tandem {
namespace {

TEST(ProgressLine, SaysHowFarHowFastAndHowLong) {
  const std::string line = ProgressLine("model.gguf", 1'230'000'000, 2'740'000'000, 34.5e6, 100);
  EXPECT_NE(line.find("model.gguf"), std::string::npos) << line;
  EXPECT_NE(line.find(" 44 %  1.23 GB of 2.74 GB  34.5 MB/s  0:44 left"), std::string::npos)
      << line;
}

TEST(ProgressLine, FitsEveryWidth) {
  for (std::size_t columns = 1; columns < 130; ++columns) {
    const std::string line =
        ProgressLine("a-rather-long-name-of-a-file.gguf", 5, 2'740'000'000, 1.0, columns);
    EXPECT_LE(TextCells(line), columns) << line;
  }
}

TEST(ProgressLine, SaysAHundredOnlyAtTheEnd) {
  EXPECT_NE(ProgressLine("m", 999, 1000, 0, 80).find(" 99 %"), std::string::npos);
  EXPECT_NE(ProgressLine("m", 1000, 1000, 0, 80).find("100 %"), std::string::npos);
}

TEST(ProgressBar, SaysNothingWithoutATerminal) {
  std::string out;
  {
    ProgressBar bar(
        Terminal{}, [&](std::string_view text) { out += text; },
        [] { return std::chrono::steady_clock::now(); });
    bar.Show("m", 1, 2, 1);
  }
  EXPECT_EQ(out, "");
}

TEST(ProgressBar, TakesTheRateFromWhatThisRunMoved) {
  std::string out;
  auto now = std::chrono::steady_clock::time_point(std::chrono::hours(1));
  Terminal terminal;
  terminal.interactive = terminal.escapes = true;
  ProgressBar bar(
      terminal, [&](std::string_view text) { out = text; }, [&] { return now; });
  // 900 MB were there before.
  bar.Show("m", 900'000'000, 1'000'000'000, 0);
  now += std::chrono::seconds(1);
  bar.Show("m", 910'000'000, 1'000'000'000, 10'000'000);
  EXPECT_NE(out.find("10.0 MB/s  0:09 left"), std::string::npos) << out;
  bar.Erase();
  EXPECT_EQ(out, "\r\x1b[K");
}

}  // namespace
}  // namespace tandem
