#include "text/nfc.h"

#include <chrono>
#include <fstream>
#include <random>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "tests/support/shared_data.h"

namespace tandem::text {
namespace {

TEST(Nfc, ComposesReordersAndReplacesSingletons) {
  EXPECT_EQ(ToNfc("e\xCC\x81"), "\xC3\xA9");
  EXPECT_EQ(ToNfc("a\xCC\x81\xCC\xA3"), "\xE1\xBA\xA1\xCC\x81");  // the dot below binds first
  EXPECT_EQ(ToNfc("\xE2\x84\xA6"), "\xCE\xA9");                   // ohm sign
  EXPECT_EQ(ToNfc("\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8"), "\xEA\xB0\x81");  // Hangul
  EXPECT_EQ(ToNfc("\xE0\xA5\x98"), "\xE0\xA4\x95\xE0\xA4\xBC");  // excluded from composition
}

TEST(Nfc, QuickCheckTrustsPlainTextAndDoubtsDecomposedText) {
  EXPECT_TRUE(IsSurelyNfc(""));
  EXPECT_TRUE(IsSurelyNfc("plain text, longer than one word of the machine"));
  EXPECT_TRUE(IsSurelyNfc("\xC3\xA9t\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC \xEA\xB0\x81"));
  EXPECT_TRUE(IsSurelyNfc("\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xA8\xE0\xA5\x8D"));  // Hindi
  EXPECT_FALSE(IsSurelyNfc("12345678e\xCC\x81"));
  EXPECT_FALSE(IsSurelyNfc("\xE2\x84\xA6"));
  EXPECT_FALSE(IsSurelyNfc("\xE0\xA5\x8D\xCC\xA1\xCC\xB8"));  // classes out of order
}

TEST(Nfc, KeepsTheCodePointBeforeTheTrailingConsonants) {
  EXPECT_EQ(ToNfc("\xEA\xB0\x80\xE1\x86\xA7"), "\xEA\xB0\x80\xE1\x86\xA7");
}

TEST(Nfc, KeepsIllFormedBytes) {
  EXPECT_EQ(ToNfc("e\xCC\x81\xFF\xCC\x81\xC3"), "\xC3\xA9\xFF\xCC\x81\xC3");
}

TEST(Nfc, QuickCheckIsNeverWrongWhenItTrusts) {
  std::mt19937 random(7);
  for (char32_t c = 0x80; c < 0x30000; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) {
      continue;
    }
    std::string text;
    AppendUtf8(c, text);
    ASSERT_TRUE(!IsSurelyNfc(text) || ToNfc(text) == text) << static_cast<unsigned>(c);
    for (const char32_t base : {U'a', U'\u1100', U'\uAC00', U'\u0915', U'\u09C7'}) {
      std::string pair;
      AppendUtf8(base, pair);
      pair += text;
      ASSERT_TRUE(!IsSurelyNfc(pair) || ToNfc(pair) == pair) << static_cast<unsigned>(c);
    }
  }
}

TEST(Nfc, AMegabyteOfMarksInTheWrongOrderIsNoTrap) {
  std::string text = "b";
  for (int i = 0; i < 250'000; ++i) {
    text += "\xCC\x81\xCC\xA3";  // class 230, then 220
  }
  const auto start = std::chrono::steady_clock::now();
  const std::string nfc = ToNfc(text);
  EXPECT_TRUE(nfc.starts_with("\xE1\xB8\x85\xCC\xA3"));  // b with dot below, then the other dots
  EXPECT_TRUE(nfc.ends_with("\xCC\x81\xCC\x81"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Nfc, MatchesTheCasesOfPythonsUnicodedata) {
  TANDEM_SHARED_OR_SKIP(path, "tokenizers/nfc-cases.jsonl");
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line); ++count) {
    const nlohmann::json test = nlohmann::json::parse(line);
    const auto in = test.at("in").get<std::string>();
    const auto nfc = test.at("nfc").get<std::string>();
    EXPECT_EQ(ToNfc(in), nfc) << line;
    EXPECT_TRUE(in == nfc || !IsSurelyNfc(in)) << line;
  }
  EXPECT_EQ(count, 5573U);
}

}  // namespace
}  // namespace tandem::text
