#include "cli/answer_printer.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

using Kind = Event::Kind;

// A printer whose streams are strings and whose clock stands until it is moved.
class Screen {
 public:
  explicit Screen(AnswerPrinter::Options options)
      : printer_(
            options, [this](std::string_view text) { out += text; },
            [this](std::string_view text) { err += text; }, [this] { return now; }) {}

  void Send(Kind kind, std::string_view text) {
    printer_.OnEvent({.kind = kind, .text = text, .done = 0, .total = 0});
  }
  void EndCall(const ToolCall& call) {
    printer_.OnEvent(
        {.kind = Kind::kToolCallEnd, .text = "", .done = 0, .total = 0, .call = &call});
  }
  void Read(std::size_t done, std::size_t total, std::string_view text = "") {
    printer_.OnEvent({.kind = Kind::kPrefill, .text = text, .done = done, .total = total});
  }
  void Finish() { printer_.Finish(); }

  std::string out;
  std::string err;
  std::chrono::steady_clock::time_point now;

 private:
  AnswerPrinter printer_;
};

Terminal Colourful() {
  return {.interactive = true, .escapes = true, .colour = true, .columns = 80, .rows = 24};
}

TEST(AnswerPrinter, MarksAndDimsReasoningOnATerminal) {
  Screen screen({.out = Colourful(), .err = Colourful()});
  screen.Send(Kind::kReasoning, "I think");
  screen.Send(Kind::kAnswer, "Yes.");
  screen.Finish();
  EXPECT_EQ(screen.out, "\x1b[2mThinking...\nI think\n...done thinking.\x1b[0m\n\nYes.\n");
  EXPECT_EQ(screen.err, "");
}

TEST(AnswerPrinter, BreaksLinesAtTheWidthOfTheMoment) {
  std::size_t columns = 20;
  Terminal narrow = Colourful();
  narrow.columns = columns;
  Screen screen({.out = narrow, .err = narrow, .columns = [&columns] { return columns; }});
  screen.Send(Kind::kAnswer, "one two three four five ");
  EXPECT_EQ(screen.out, "one two three four\nfive");
  columns = 9;
  screen.Send(Kind::kAnswer, "six seven eight ");
  columns = 40;
  screen.Send(Kind::kAnswer, "nine ten eleven ");
  screen.Finish();
  EXPECT_EQ(screen.out, "one two three four\nfive six\nseven\neight nine ten eleven\n");
}

TEST(AnswerPrinter, ShowsACallAsADimLine) {
  ToolCall call{.id = "call_1", .name = "f", .arguments = "{\"a\":\n\"\x1b[2J\"}"};
  const Terminal terminal = Colourful();
  for (const bool interactive : {true, false}) {
    Screen screen({.out = interactive ? terminal : Terminal(), .err = {}});
    screen.Send(Kind::kAnswer, "Let me see.");
    screen.Send(Kind::kToolCall, "f");
    screen.Send(Kind::kToolArguments, call.arguments);
    screen.EndCall(call);
    screen.Send(Kind::kAnswer, "So.");
    screen.Finish();
    EXPECT_EQ(screen.out, interactive
                              ? "Let me see.\n\x1b[2mcalls f {\"a\": \"\uFFFD[2J\"}\x1b[0m\nSo.\n"
                              : "Let me see.\ncalls f {\"a\": \"\x1b[2J\"}\nSo.\n");
  }
  call.complete = false;
  call.raw = "<tool_call>\n<func";
  Screen screen({.out = {}, .err = {}});
  screen.EndCall(call);
  screen.Finish();
  EXPECT_EQ(screen.out, "an incomplete call: <tool_call> <func\n");
}

TEST(AnswerPrinter, KeepsTheMarkersWithoutColour) {
  Terminal plain = Colourful();
  plain.colour = false;
  Screen screen({.out = plain, .err = plain});
  screen.Send(Kind::kReasoning, "I think\n");
  screen.Send(Kind::kAnswer, "Yes.\n");
  screen.Finish();
  EXPECT_EQ(screen.out, "Thinking...\nI think\n...done thinking.\n\nYes.\n");
}

TEST(AnswerPrinter, GivesAPipeTheAnswerAlone) {
  Screen screen({.out = {}, .err = {}, .show_reasoning = false});
  screen.Send(Kind::kReasoning, "I think");
  screen.Send(Kind::kAnswer, "a\x1b[1mb");
  screen.Finish();
  EXPECT_EQ(screen.out, "a\x1b[1mb\n");  // bytes are not ours to change
}

TEST(AnswerPrinter, DisarmsEscapesOnATerminal) {
  Screen screen({.out = Colourful(), .err = Colourful()});
  screen.Send(Kind::kAnswer, "a\x1b[2Jb");
  screen.Finish();
  EXPECT_EQ(screen.out, "a\uFFFD[2Jb\n");
}

TEST(AnswerPrinter, ShowsProgressOnlyForALongPromptAndErasesIt) {
  Screen screen({.out = Colourful(), .err = Colourful()});
  screen.Read(100, 1000);
  EXPECT_EQ(screen.err, "");
  screen.now += std::chrono::milliseconds(600);
  screen.Read(500, 1000);
  EXPECT_NE(screen.err.find("500 of 1,000 tokens, 50 %"), std::string::npos);
  const std::size_t shown = screen.err.size();
  screen.Read(510, 1000);  // too soon for another line
  EXPECT_EQ(screen.err.size(), shown);
  screen.Send(Kind::kAnswer, "Yes.");
  EXPECT_EQ(screen.err.substr(shown), "\r\x1b[K");
}

TEST(AnswerPrinter, ShowsHowFarAPictureIs) {
  Screen screen({.out = Colourful(), .err = Colourful()});
  screen.now += std::chrono::milliseconds(600);
  screen.Read(6, 24, "looking at cat.png");
  EXPECT_NE(screen.err.find("looking at cat.png: 25 %"), std::string::npos);
  const std::size_t shown = screen.err.size();
  screen.Send(Kind::kNote, "cat.png: 64 x 64 pixels");
  EXPECT_EQ(screen.err.substr(shown, 4), "\r\x1b[K");
}

TEST(AnswerPrinter, ClosesReasoningThatWasBrokenOff) {
  Screen screen({.out = Colourful(), .err = Colourful()});
  screen.Send(Kind::kReasoning, "I th");
  screen.Finish();
  EXPECT_EQ(screen.out, "\x1b[2mThinking...\nI th\n...done thinking.\x1b[0m\n");
}

TEST(AnswerPrinter, PutsNotesOnLinesOfTheirOwn) {
  Screen screen({.out = Colourful(), .err = Colourful()});
  screen.Send(Kind::kAnswer, "half");
  screen.Send(Kind::kNote, "read anew");
  EXPECT_EQ(screen.err, "\nNote: read anew\n");
}

TEST(AnswerPrinter, IsQuietWhenAsked) {
  Screen screen({.out = Colourful(), .err = Colourful(), .quiet = true});
  screen.now += std::chrono::seconds(5);
  screen.Read(1, 2);
  screen.Send(Kind::kNote, "read anew");
  EXPECT_EQ(screen.err, "");
}

}  // namespace
}  // namespace tandem
