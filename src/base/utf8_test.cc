#include "base/utf8.h"

#include <gtest/gtest.h>

#include "base/format.h"

namespace tandem {
namespace {

TEST(Utf8, IllFormedBytesFormMaximalSubparts) {
  EXPECT_EQ(DecodeUtf8("\xC3(").length, 1U);
  EXPECT_EQ(DecodeUtf8("\xE2\x82"
                       "a")
                .length,
            2U);
  EXPECT_EQ(DecodeUtf8("\xED\xA0\x80").length, 1U);  // a surrogate: each byte by itself
  EXPECT_EQ(DecodeUtf8("\xF4\x90\x80\x80").length, 1U);
  EXPECT_EQ(DecodeUtf8("\xFF").length, 1U);
}

TEST(Utf8, EveryScalarValueSurvivesTheRoundTrip) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) {
      continue;
    }
    std::string text;
    AppendUtf8(c, text);
    const Utf8Char decoded = DecodeUtf8(text);
    ASSERT_TRUE(decoded.valid && decoded.code_point == c && decoded.length == text.size())
        << static_cast<unsigned>(c);
  }
}

TEST(Utf8, IncompleteTailIsToldFromIllFormedBytes) {
  EXPECT_TRUE(DecodeUtf8("\xF0\x9F\x98").incomplete);
  EXPECT_FALSE(DecodeUtf8("\xF0\x9F(").incomplete);
}

TEST(Printable, EscapesControlBytesAndCutsLongText) {
  EXPECT_EQ(Printable("a\nb\xFF"), "a\\x0Ab\\xFF");
  EXPECT_EQ(Printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace tandem
