#include "chat/media_prompt.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "base/format.h"
#include "text/vocabulary_for_test.h"

namespace tandem {
namespace {

using text::TokenType;
using MediaList = std::vector<std::shared_ptr<const EncodedMedia>>;

/// The bytes and the tokens of pictures.
class MediaPrompt : public testing::Test {
 protected:
  MediaPrompt() {
    start_ = vocabulary_.Add("<|vision_start|>", TokenType::kControl);
    end_ = vocabulary_.Add("<|vision_end|>", TokenType::kControl);
    image_ = vocabulary_.Add("<|image_pad|>", TokenType::kControl);
    video_ = vocabulary_.Add("<|video_pad|>", TokenType::kControl);
    tokenizer_.emplace(
        std::move(text::Tokenizer::Create(vocabulary_.View(text::PreTokenizer::kQwen35))).value());
  }

  // Text of the template and of a user, in turns.
  static text::Rendered Text(std::initializer_list<std::string> parts) {
    text::Rendered rendered;
    bool trusted = true;
    for (const std::string& part : parts) {
      const std::size_t begin = rendered.text.size();
      rendered.text += part;
      rendered.spans.push_back({begin, rendered.text.size(), trusted});
      trusted = !trusted;
    }
    return rendered;
  }

  static std::shared_ptr<EncodedMedia> Seen(const PatchGrid& grid, std::uint64_t key,
                                            std::vector<double> seconds = {}) {
    auto media = std::make_shared<EncodedMedia>();
    media->video = !seconds.empty();
    media->grid = grid;
    media->pair_seconds = std::move(seconds);
    media->tokens_per_step = grid.h * grid.w / 4;
    media->width = 2;
    media->key = key;
    for (std::size_t i = 0; i < media->tokens() * 2; ++i) {
      media->vectors.push_back(static_cast<float>(key * 100 + i));
    }
    return media;
  }

  Result<ExpandedPrompt> Expand(const text::Rendered& rendered, const MediaList& media) const {
    return ExpandMedia(rendered, *tokenizer_, media, 2);
  }

  static std::string Positions(const ExpandedPrompt& prompt) {
    std::string text;
    for (const RowPosition& p : prompt.positions) {
      text += p[0] == p[1] && p[1] == p[2] ? Format("{} ", p[0])
                                           : Format("({},{},{}) ", p[0], p[1], p[2]);
    }
    return text;
  }

  text::TestVocabulary vocabulary_;
  std::optional<text::Tokenizer> tokenizer_;
  TokenId start_ = 0;
  TokenId end_ = 0;
  TokenId image_ = 0;
  TokenId video_ = 0;
};

constexpr const char* kPicture = "<|vision_start|><|image_pad|><|vision_end|>";
constexpr const char* kClip = "<|vision_start|><|video_pad|><|vision_end|>";

// models.md 7.4, both worked examples.
TEST_F(MediaPrompt, PositionsOfPicturesAreTheReferences) {
  const auto one = Expand(Text({std::string("abc") + kPicture + "de"}), {Seen({1, 4, 6}, 1)});
  EXPECT_EQ(Positions(*one), "0 1 2 3 4 (4,4,5) (4,4,6) (4,5,4) (4,5,5) (4,5,6) 7 8 9 ");
  const auto two = Expand(Text({std::string("ab") + kPicture + "c" + kPicture + "d"}),
                          {Seen({1, 4, 6}, 1), Seen({1, 4, 4}, 2)});
  EXPECT_EQ(Positions(*two),
            "0 1 2 3 (3,3,4) (3,3,5) (3,4,3) (3,4,4) (3,4,5) 6 7 8 9 (9,9,10) (9,10,9) (9,10,10) "
            "11 12 ");
}

TEST_F(MediaPrompt, RowsNameTheirContent) {
  const auto a = Expand(Text({kPicture}), {Seen({1, 4, 4}, 1)}).value();
  const auto b = Expand(Text({kPicture}), {Seen({1, 4, 4}, 2)}).value();
  ASSERT_EQ(a.ids, (std::vector<TokenId>{start_, image_, image_, image_, image_, end_}));
  EXPECT_EQ(a.ids, b.ids);
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_LT(a.rows[i], 0);
    EXPECT_NE(a.rows[i], b.rows[i]);
  }
  EXPECT_EQ(a.rows, Expand(Text({kPicture}), {Seen({1, 4, 4}, 1)})->rows);
  EXPECT_EQ(a.rows[0], start_);
}

TEST_F(MediaPrompt, AClipBecomesTimesAndPlaces) {
  const auto clip =
      Expand(Text({std::string("a") + kClip + "b"}), {Seen({3, 4, 4}, 1, {0.25, 1.25, 2.0})})
          .value();
  const std::string place = "<|vision_start|><|video_pad|><|vision_end|>";
  const std::vector<TokenId> short_ids = tokenizer_->EncodeSpecial(
      "a<0.2 seconds>" + place + "<1.2 seconds>" + place + "<2.0 seconds>" + place + "b");
  std::vector<TokenId> ids;
  for (const TokenId id : short_ids) {
    ids.insert(ids.end(), id == video_ ? 4 : 1, id);
  }
  EXPECT_EQ(clip.ids, ids);
  ASSERT_EQ(clip.runs.size(), 3U);
  EXPECT_EQ(clip.runs[2].first, 8U);
}

TEST_F(MediaPrompt, WhatAUserWritesIsNoPlace) {
  const auto prompt = Expand(Text({"x", kPicture, kPicture}), {Seen({1, 4, 4}, 1)});
  ASSERT_TRUE(prompt.ok()) << prompt.status().message();
  EXPECT_EQ(std::count(prompt->ids.begin(), prompt->ids.end(), image_), 4);
  EXPECT_EQ(prompt->runs[0].begin, 1 + std::string(kPicture).size() + 1);
}

TEST_F(MediaPrompt, PlacesMustMatchThePictures) {
  EXPECT_EQ(Expand(Text({"x"}), {Seen({1, 4, 4}, 1)}).status().message(),
            "the conversation has 1 pictures and clips, but the chat template wrote places for 0");
  EXPECT_EQ(Expand(Text({kClip}), {Seen({1, 4, 4}, 1)}).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(Expand(Text({std::string(kPicture) + kPicture}), {Seen({1, 4, 4}, 1)}).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(MediaPrompt, VectorsOfAnyPart) {
  const auto prompt =
      Expand(Text({std::string("a") + kPicture + "b"}), {Seen({1, 4, 4}, 1)}).value();
  EXPECT_EQ(GatherVectors(prompt.runs, 1, 4), (std::vector<float>{0, 0, 100, 101, 102, 103}));
  EXPECT_EQ(GatherVectors(prompt.runs, 5, 7), (std::vector<float>{106, 107, 0, 0}));
  EXPECT_TRUE(GatherVectors(prompt.runs, 0, 2).empty());
}

}  // namespace
}  // namespace tandem
