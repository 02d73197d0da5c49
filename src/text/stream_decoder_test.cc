#include "text/stream_decoder.h"

#include <gtest/gtest.h>

#include "text/vocabulary_for_test.h"

namespace tandem::text {
namespace {

class StreamDecoderTest : public testing::Test {
 protected:
  StreamDecoderTest()
      : control_(bytes_.Add("<|end|>", TokenType::kControl)),
        unused_(bytes_.Add("[PAD0]", TokenType::kUnused)),
        tokenizer_(Tokenizer::Create(bytes_.View(PreTokenizer::kQwen35)).value()),
        decoder_(tokenizer_) {}

  std::string PushByte(unsigned char byte) {
    return decoder_.Push(*tokenizer_.Find(ByteCharacter(byte)));
  }

  // What the bytes give, one token each, and the flush.
  std::string Decode(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) {
      text += PushByte(static_cast<unsigned char>(byte));
    }
    return text + decoder_.Flush();
  }

  TestVocabulary bytes_;
  TokenId control_;
  TokenId unused_;
  Tokenizer tokenizer_;
  StreamDecoder decoder_;
};

TEST_F(StreamDecoderTest, HoldsACharacterUntilItIsWhole) {
  EXPECT_EQ(PushByte(0xF0), "");
  EXPECT_EQ(PushByte(0x9F), "");
  EXPECT_EQ(PushByte(0x98), "");
  EXPECT_EQ(PushByte(0x80), "\xF0\x9F\x98\x80");
  EXPECT_EQ(decoder_.Flush(), "");
}

TEST_F(StreamDecoderTest, ReplacesMaximalSubparts) {
  EXPECT_EQ(Decode("\xC3("), "\xEF\xBF\xBD(");
  EXPECT_EQ(Decode("\xE2\x82"
                   "a"),
            "\xEF\xBF\xBD"
            "a");
  EXPECT_EQ(Decode("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(Decode("\xFF"), "\xEF\xBF\xBD");
}

TEST_F(StreamDecoderTest, FlushesAnIncompleteCharacterAsOneReplacement) {
  EXPECT_EQ(Decode("a\xF0\x9F\x98"), "a\xEF\xBF\xBD");
  EXPECT_EQ(decoder_.Flush(), "");
}

TEST_F(StreamDecoderTest, KeepsAByteOrderMark) {
  EXPECT_EQ(Decode("\xEF\xBB\xBFx"), "\xEF\xBB\xBFx");
}

TEST_F(StreamDecoderTest, GivesAddedTokensLiterallyAndUnusedRowsNotAtAll) {
  EXPECT_EQ(decoder_.Push(control_), "<|end|>");
  EXPECT_EQ(decoder_.Push(unused_), "");
  EXPECT_EQ(decoder_.Push(-1), "");
}

}  // namespace
}  // namespace tandem::text
