#include "chat/media.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

Result<std::vector<MediaSource>> Take(std::string_view parts) {
  const std::string json = R"([{"role":"user","content":)" + std::string(parts) + "}]";
  Conversation conversation = ParseConversation(json, "test").value();
  return TakeMedia(conversation);
}

std::string Message(const Result<std::vector<MediaSource>>& result) {
  return result.ok() ? "ok" : result.status().message();
}

TEST(Media, FindsPicturesAndClipsInEveryForm) {
  const auto media = Take(R"([{"type":"image","image":"a.png"},
      {"type":"text","text":"x"}, {"type":"image","path":"b.png"}, {"type":"image","url":"c.png"},
      {"type":"image_url","image_url":{"url":"d.png"}}, {"type":"image_url","image_url":"e.png"},
      {"image":"f.png"}, {"type":"video","video":"g.mkv"}, {"type":"video","path":"h.mkv"},
      {"type":"image","image":"file:///tmp/my%20cat.png"}])")
                         .value();
  std::string names;
  for (const MediaSource& source : media) {
    names += source.path + (source.video ? "! " : " ");
  }
  EXPECT_EQ(names, "a.png b.png c.png d.png e.png f.png g.mkv! h.mkv! /tmp/my cat.png ");
}

TEST(Media, BringsPartsToTheFormThatTemplatesKnow) {
  Conversation conversation = ParseConversation(R"([{"role":"user","content":[{"type":"image_url",
          "image_url":{"url":"d.png","detail":"low"}}, {"type":"text","text":"image"}]}])",
                                                "test")
                                  .value();
  ASSERT_TRUE(TakeMedia(conversation).ok());
  EXPECT_EQ(conversation.messages[0]["content"].dump(),
            R"([{"type":"image","image":"d.png"},{"type":"text","text":"image"}])");
}

TEST(Media, ReadsPicturesInDataUrls) {
  const auto media = Take(R"([{"image":"data:image/png;base64,aGVsbG8="}])").value();
  ASSERT_EQ(media.size(), 1U);
  EXPECT_EQ(media[0].bytes, "hello");
  EXPECT_EQ(media[0].path, "picture in message 0");
}

TEST(Media, KeepsAddressesAndShowsThemWithoutSecrets) {
  const auto media =
      Take(R"([{"type":"image_url","image_url":{"url":"https://me:pw@x.org/a.png?k=1#f"}},
      {"type":"video","url":"HTTP://x.org/b.mp4"}, {"image":"https://x.org/@/c.png"}])")
          .value();
  ASSERT_EQ(media.size(), 3U);
  EXPECT_EQ(media[0].url, "https://me:pw@x.org/a.png?k=1#f");
  EXPECT_EQ(media[0].path, "https://x.org/a.png");
  EXPECT_EQ(media[1].url, "HTTP://x.org/b.mp4");
  EXPECT_TRUE(media[1].video);
  EXPECT_EQ(media[2].path, "https://x.org/@/c.png");
}

TEST(Media, RefusesWhatItCannotRead) {
  EXPECT_EQ(Message(Take(R"([{"type":"image"}])")),
            "message 0: a part of type image needs \"image\", \"path\" or \"url\"");
  EXPECT_EQ(Message(Take(R"([{"type":"image","image":7}])")),
            "message 0: \"image\" must be a path or a URL");
  EXPECT_EQ(Message(Take(R"([{"type":"image","image":"data:image/png,raw"}])")),
            "message 0: a data: URL must hold base64");
  EXPECT_EQ(Message(Take(R"([{"type":"image","image":"data:image/png;base64,a?"}])")),
            "message 0: a data: URL does not hold base64");
}

TEST(Media, Base64IsReadWithAndWithoutPadding) {
  EXPECT_EQ(DecodeBase64("aGVsbG8="), "hello");
  EXPECT_EQ(DecodeBase64("aGVs\nbG8"), "hello");
  EXPECT_EQ(DecodeBase64("_-8="), "\xFF\xEF");
  EXPECT_EQ(DecodeBase64(""), "");
  EXPECT_EQ(DecodeBase64("a"), std::nullopt);
  EXPECT_EQ(DecodeBase64("aG=s"), std::nullopt);
}

}  // namespace
}  // namespace tandem
