#include "cli/prompt_media.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace tandem {
namespace {

namespace fs = std::filesystem;

/// A folder with a few files, whose path is short in what is expected: D.
class PromptMedia : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tandem-media-XXXXXX").native();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    for (const char* file : {"cat.png", "my cat.JPG", "walk.mkv", "it's.png", "notes.txt"}) {
      std::ofstream(folder_ / file) << "x";
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  // "D" stands for the folder in `prompt` and in the result: [text] {picture} <clip>.
  std::string Cut(std::string prompt) const {
    for (std::size_t at = 0; (at = prompt.find("D/", at)) != std::string::npos;) {
      prompt.replace(at, 1, folder_.native());
      at += folder_.native().size();
    }
    std::string text;
    for (const ContentPart& part : CutAtFiles(prompt)) {
      std::string value = part.value;
      const std::size_t at = value.find(folder_.native());
      if (at != std::string::npos) {
        value.replace(at, folder_.native().size(), "D");
      }
      const char* brackets = part.kind == ContentPart::Kind::kText    ? "[]"
                             : part.kind == ContentPart::Kind::kImage ? "{}"
                                                                      : "<>";
      text += brackets[0] + value + brackets[1];
    }
    return text;
  }

  fs::path folder_;
};

TEST_F(PromptMedia, FindsNamesOfFilesInAPrompt) {
  EXPECT_EQ(Cut("What is this? D/cat.png"), "[What is this?]{D/cat.png}");
  EXPECT_EQ(Cut("Is D/cat.png a cat?"), "[Is]{D/cat.png}[a cat?]");
  EXPECT_EQ(Cut("Look at D/cat.png, please."), "[Look at]{D/cat.png}[, please.]");
  EXPECT_EQ(Cut("D/cat.png D/walk.mkv Same?"), "{D/cat.png}<D/walk.mkv>[Same?]");
  EXPECT_EQ(Cut("D/cat.png?"), "{D/cat.png}[?]");
}

TEST_F(PromptMedia, FindsNamesWithSpaces) {
  EXPECT_EQ(Cut("What is D/my cat.JPG doing"), "[What is]{D/my cat.JPG}[doing]");
  EXPECT_EQ(Cut("'D/my cat.JPG' what"), "{D/my cat.JPG}[what]");
  EXPECT_EQ(Cut("say \"D/my cat.JPG\""), "[say]{D/my cat.JPG}");
  EXPECT_EQ(Cut("D/my\\ cat.JPG what"), "{D/my cat.JPG}[what]");
  EXPECT_EQ(Cut("D/it's.png"), "{D/it's.png}");
  EXPECT_EQ(Cut("D/it\\'s.png"), "{D/it's.png}");
}

TEST_F(PromptMedia, FindsAddressesWhenTheyAreAllowed) {
  const auto kinds = [](std::string_view prompt, bool addresses) {
    std::string text;
    for (const ContentPart& part : CutAtFiles(prompt, addresses)) {
      text += (part.kind == ContentPart::Kind::kText ? "[" : "{") + part.value + "|";
    }
    return text;
  };
  constexpr std::string_view kPrompt = "What is at https://x.org/a.png, and http://x.org/b.mp4?";
  EXPECT_EQ(kinds(kPrompt, true),
            "[What is at|{https://x.org/a.png|[, and|{http://x.org/b.mp4|[?|");
  EXPECT_EQ(kinds(kPrompt, false), "[" + std::string(kPrompt) + "|");
  EXPECT_EQ(kinds("see https://x.org/notes.txt", true), "[see https://x.org/notes.txt|");
}

TEST_F(PromptMedia, LeavesOtherTextAlone) {
  EXPECT_EQ(Cut("Read D/notes.txt"), "[Read D/notes.txt]");
  EXPECT_EQ(Cut("Draw missing.png"), "[Draw missing.png]");
  EXPECT_EQ(Cut("D/cat.pngx"), "[D/cat.pngx]");
  EXPECT_EQ(Cut(".png"), "[.png]");
  EXPECT_EQ(Cut(""), "");
}

TEST_F(PromptMedia, OptionsComeBeforeTheText) {
  const Message plain = UserMessage("Hello", {}, {});
  EXPECT_TRUE(plain.parts.empty());
  EXPECT_EQ(plain.content, "Hello");
  const Message message = UserMessage("Same?", {"a.png"}, {"b.mkv"});
  ASSERT_EQ(message.parts.size(), 3U);
  EXPECT_EQ(message.parts[0].value, "a.png");
  EXPECT_EQ(message.parts[1].kind, ContentPart::Kind::kVideo);
  EXPECT_EQ(message.parts[2].value, "Same?");
}

}  // namespace
}  // namespace tandem
