#include "cli/text_layout.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/suggestion.h"
#include "cli/numbers.h"
#include "cli/stream_wrapper.h"

namespace tandem {
namespace {

using Lines = std::vector<std::string>;

TEST(TextCells, CountsWideAndCombiningCharacters) {
  EXPECT_EQ(TextCells("abc"), 3U);
  EXPECT_EQ(TextCells("日本"), 4U);
  EXPECT_EQ(TextCells("e\u0301"), 1U);
  EXPECT_EQ(TextCells("👍"), 2U);
  EXPECT_EQ(TextCells("👨‍👩‍👧"), 2U);  // joined by U+200D
  EXPECT_EQ(TextCells("\u2764\uFE0F"), 2U);        // a heart, shown as an emoji
  EXPECT_EQ(TextCells(""), 0U);
}

TEST(FitText, CutsAndFillsByCells) {
  EXPECT_EQ(FitText("abc", 5), "abc  ");
  EXPECT_EQ(FitText("abcdef", 5), "abcd…");
  EXPECT_EQ(FitText("日本語", 5), "日本…");
  EXPECT_EQ(FitText("日本語", 4), "日… ");  // no half character
  EXPECT_EQ(FitTextRight("abc", 5), "  abc");
  EXPECT_EQ(CutText("abc", 0), "");
}

TEST(WrapText, BreaksBetweenWords) {
  EXPECT_EQ(WrapText("the quick brown fox", 10), (Lines{"the quick", "brown fox"}));
  EXPECT_EQ(WrapText("a\n\nb", 10), (Lines{"a", "", "b"}));
  EXPECT_EQ(WrapText("", 10), (Lines{""}));
  EXPECT_EQ(WrapText("word ", 4), (Lines{"word"}));
}

TEST(WrapText, BreaksAWordThatIsLongerThanALine) {
  EXPECT_EQ(WrapText("abcdefgh", 3), (Lines{"abc", "def", "gh"}));
  EXPECT_EQ(WrapText("x abcdefgh", 4), (Lines{"x", "abcd", "efgh"}));
}

TEST(WrapText, BreaksBetweenWideCharacters) {
  EXPECT_EQ(WrapText("日本語です", 4), (Lines{"日本", "語で", "す"}));
  EXPECT_EQ(WrapText("ab日本語", 5), (Lines{"ab日", "本語"}));
}

TEST(WrapText, KeepsIndentation) {
  EXPECT_EQ(WrapText("if x:\n    return y", 12), (Lines{"if x:", "    return y"}));
  EXPECT_EQ(WrapText("\tx", 12), (Lines{"    x"}));
}

TEST(WrapText, NoLineIsWiderThanAsked) {
  const std::string text =
      "Grüße, 世界! 👩‍🚀 says \"supercalifragilistic\"\n\tend  of   it";
  for (std::size_t cells = 2; cells < 40; ++cells) {
    for (const std::string& line : WrapText(text, cells)) {
      EXPECT_LE(TextCells(line), cells) << line;
    }
  }
}

// `text` fed in pieces of `size` bytes that end at character borders.
std::string Streamed(std::string_view text, std::size_t cells, std::size_t size) {
  StreamWrapper wrapper(cells);
  std::string out;
  while (!text.empty()) {
    std::size_t end = std::min(size, text.size());
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
      ++end;
    }
    out += wrapper.Feed(text.substr(0, end));
    text.remove_prefix(end);
  }
  return out + wrapper.Flush();
}

TEST(StreamWrapper, BreaksBetweenWordsHoweverTheTextComes) {
  for (std::size_t size = 1; size < 12; ++size) {
    EXPECT_EQ(Streamed("the quick brown fox", 10, size), "the quick\nbrown fox");
    EXPECT_EQ(Streamed("a  b\n\n  c d", 10, size), "a  b\n\n  c d");
    EXPECT_EQ(Streamed("日本語です", 4, size), "日本\n語で\nす");
    EXPECT_EQ(Streamed("word and\n", 20, size), "word and\n");
    EXPECT_EQ(Streamed("a bc", 0, size), "a bc");
  }
}

TEST(StreamWrapper, StartsALineAfterFlush) {
  StreamWrapper wrapper(6);
  EXPECT_EQ(wrapper.Feed("abc de"), "abc");
  EXPECT_EQ(wrapper.Flush(), " de");
  EXPECT_EQ(wrapper.Feed("fgh ij"), "fgh");
  EXPECT_EQ(wrapper.Flush(), " ij");
}

TEST(StreamWrapper, LeavesALongWordToTheTerminal) {
  EXPECT_EQ(Streamed("x abcdefgh y", 4, 3), "x\nabcdefgh\ny");
}

TEST(SafeForTerminal, DisarmsEscapeSequences) {
  EXPECT_EQ(SafeForTerminal("a\x1b[2Jb"), "a\uFFFD[2Jb");
  EXPECT_EQ(SafeForTerminal("a\tb\r\nc"), "a\tb\nc");
  EXPECT_EQ(SafeForTerminal("\u009B"
                            "2J"),
            "\uFFFD"
            "2J");
  EXPECT_EQ(SafeForTerminal("\xFF"), "\uFFFD");
}

TEST(Numbers, ReadAsPeopleWriteThem) {
  EXPECT_EQ(WithCommas(0), "0");
  EXPECT_EQ(WithCommas(999), "999");
  EXPECT_EQ(WithCommas(1000), "1,000");
  EXPECT_EQ(WithCommas(4'205'751'296), "4,205,751,296");
  EXPECT_EQ(ShortCount(4'205'751'296), "4.21 B");
  EXPECT_EQ(ShortCount(752'393'024), "752 M");
  EXPECT_EQ(ShortSeconds(0.123), "0.12 s");
  EXPECT_EQ(ShortSeconds(12.34), "12.3 s");
  EXPECT_EQ(ShortSeconds(125), "2:05 min");
  EXPECT_EQ(ShortRate(12.34), "12.3");
  EXPECT_EQ(ShortRate(1234.5), "1,235");
  EXPECT_EQ(ShortRate(0), "–");
}

TEST(ClosestName, FindsSlips) {
  const std::vector<std::string> names = {"run", "compare", "show", "version"};
  EXPECT_EQ(ClosestName("shwo", names), "show");
  EXPECT_EQ(ClosestName("comapre", names), "compare");
  EXPECT_EQ(ClosestName("rn", names), "run");
  EXPECT_EQ(ClosestName("explode", names), "");
  EXPECT_EQ(ClosestName(std::string(100, 'x'), names), "");
}

}  // namespace
}  // namespace tandem
