#include "chat/stop_strings.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tandem {
namespace {

struct Shown {
  std::string shown;
  bool matched = false;
};

/// `text` pushed in pieces of `piece` bytes.
Shown Stream(const std::vector<std::string>& stops, const std::string& text, std::size_t piece) {
  StopStrings matcher(stops);
  Shown run;
  for (std::size_t i = 0; i < text.size(); i += piece) {
    run.shown += matcher.Push(text.substr(i, piece));
  }
  run.shown += matcher.Flush();
  run.matched = matcher.matched();
  return run;
}

struct Case {
  std::vector<std::string> stops;
  std::string text;
  std::string shown;
  bool matched;
};

TEST(StopStrings, ResultDoesNotDependOnHowTheTextIsCut) {
  const std::vector<Case> cases = {
      {{}, "abc", "abc", false},
      {{""}, "abc", "abc", false},
      {{"END"}, "all ENDless", "all ", true},
      {{"END"}, "all EN", "all EN", false},
      {{"END"}, "all EEND", "all E", true},
      {{"aab"}, "aaab!", "a", true},        // the first a is not part of the match
      {{"abcd", "bc"}, "abcd", "a", true},  // bc is complete first
      {{"abc", "bc"}, "xabc", "x", true},   // both at once: the one that began first
      {{"\n\n", "User:"}, "a\nb\n\nc", "a\nb", true},
      {{"\xC3\xA9t\xC3\xA9"}, "\xC3\xA9t\xC3\xA8", "\xC3\xA9t\xC3\xA8", false},
  };
  for (const Case& c : cases) {
    for (std::size_t piece = 1; piece <= c.text.size(); ++piece) {
      const Shown run = Stream(c.stops, c.text, piece);
      EXPECT_EQ(run.shown, c.shown) << c.text << " in pieces of " << piece;
      EXPECT_EQ(run.matched, c.matched) << c.text << " in pieces of " << piece;
    }
  }
}

TEST(StopStrings, ShowsTextAsSoonAsItCannotBePartOfAMatch) {
  StopStrings matcher({"stop here"});
  EXPECT_EQ(matcher.Push("go st"), "go ");
  EXPECT_EQ(matcher.Push("op "), "");
  EXPECT_EQ(matcher.Push("now"), "stop now");
  EXPECT_EQ(matcher.Push("stop here and there"), "");
  EXPECT_TRUE(matcher.matched());
  EXPECT_EQ(matcher.Push("more"), "");
  EXPECT_EQ(matcher.Flush(), "");
}

}  // namespace
}  // namespace tandem
