// The tokenizer against vectors made with other implementations on real vocabularies. They are not
// ours to keep in the tree, so these tests skip where the shared folder is absent.

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "tests/support/shared_data.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/vocabulary_for_test.h"

namespace tandem::text {
namespace {

using Ids = std::vector<TokenId>;
using nlohmann::json;

std::string ReadXz(const std::filesystem::path& path) {
  std::string text;
  std::FILE* pipe = popen(("xz -dc '" + path.string() + "'").c_str(), "r");
  if (pipe == nullptr) {
    return text;
  }
  std::array<char, 65536> buffer{};
  for (std::size_t n = 1; n > 0;) {
    n = std::fread(buffer.data(), 1, buffer.size(), pipe);
    text.append(buffer.data(), n);
  }
  pclose(pipe);
  return text;
}

// Parts of `text` between separators; what follows the last separator only if it is not empty.
std::vector<std::string> SplitText(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + separator.size(), text.size()));
  }
  return parts;
}

class TokenizerVectors : public testing::Test {
 protected:
  void SetUp() override {
    TANDEM_SHARED_OR_SKIP(folder, "tokenizers");
    folder_ = folder;
  }

  std::string Read(const char* name) const {
    std::ifstream file(folder_ / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::vector<json> ReadCases(const char* name) const {
    std::vector<json> cases;
    for (const std::string& line : SplitText(Read(name), "\n")) {
      cases.push_back(json::parse(line));
    }
    EXPECT_FALSE(cases.empty()) << name;
    return cases;
  }

  void AddMerges(const char* name) {
    for (const std::string& line : SplitText(ReadXz(folder_ / name), "\n")) {
      vocabulary_.AddMerge(line);
    }
    ASSERT_GT(vocabulary_.size(), 100'000U) << "is xz installed?";
  }

  Vocabulary Phi4() {
    AddMerges("phi4-o200k.merges.txt.xz");
    const json special = json::parse(Read("special-tokens.json")).at("phi4-mini");
    std::map<std::size_t, json> added;
    for (const json& token : special.at("added")) {
      added[token.at("id").get<std::size_t>()] = token;
    }
    std::vector<TokenId> rstrip_ids;
    while (vocabulary_.size() < special.at("vocab_rows").get<std::size_t>()) {
      const auto token = added.find(vocabulary_.size());
      if (token == added.end()) {
        vocabulary_.Add("[PAD" + std::to_string(vocabulary_.size()) + "]", TokenType::kUnused);
        continue;
      }
      const TokenId id = vocabulary_.Add(token->second.at("content").get<std::string>(),
                                         TokenType{token->second.at("gguf_type").get<int>()});
      if (token->second.at("rstrip").get<bool>()) {
        rstrip_ids.push_back(id);
      }
    }
    Vocabulary view = vocabulary_.View(PreTokenizer::kGpt4o);
    view.rstrip_ids = rstrip_ids;
    return view;
  }

  Vocabulary Qwen2(PreTokenizer pre) {
    AddMerges("qwen2-merges.txt.xz");
    return vocabulary_.View(pre);
  }

  // llama.cpp's pairs of files: texts with a line between them, and one line of ids for each.
  void ExpectLlamaCppVectors(const Tokenizer& tokenizer, const std::string& name) {
    const auto texts = SplitText(Read((name + ".inp").c_str()), "\n__ggml_vocab_test__\n");
    const auto lines = SplitText(Read((name + ".out").c_str()), "\n");
    ASSERT_EQ(texts.size(), lines.size());
    ASSERT_GE(texts.size(), 46U);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::istringstream line(lines[i]);
      const Ids ids{std::istream_iterator<TokenId>(line), {}};
      EXPECT_EQ(tokenizer.EncodePlain(texts[i]), ids) << texts[i];
    }
  }

  std::filesystem::path folder_;
  TestVocabulary vocabulary_;
};

std::string Decode(const Tokenizer& tokenizer, const Ids& ids) {
  std::string text;
  for (const TokenId id : ids) {
    text += tokenizer.TokenBytes(id);
  }
  return text;
}

TEST_F(TokenizerVectors, Phi4OrdinaryText) {
  const Tokenizer tokenizer = Tokenizer::Create(Phi4()).value();
  EXPECT_EQ(tokenizer.SkippedMerges(), 0U);
  for (const char* name : {"phi4-cases.jsonl", "o200k-cases.jsonl"}) {
    for (const json& test : ReadCases(name)) {
      const auto text = test.at("text").get<std::string>();
      const Ids ids = tokenizer.EncodePlain(text);
      EXPECT_EQ(ids, test.at("ids").get<Ids>()) << text;
      EXPECT_EQ(Decode(tokenizer, ids), text);
    }
  }
}

TEST_F(TokenizerVectors, Phi4AddedTokensWithAndWithoutRstrip) {
  Vocabulary vocabulary = Phi4();
  const Tokenizer tokenizer = Tokenizer::Create(vocabulary).value();
  vocabulary.rstrip_ids.clear();
  const Tokenizer keeping = Tokenizer::Create(vocabulary).value();
  for (const json& test : ReadCases("phi4-special-cases.jsonl")) {
    const auto text = test.at("text").get<std::string>();
    const auto ids = test.at("ids").get<Ids>();
    EXPECT_EQ(tokenizer.EncodeSpecial(text), ids) << text;
    EXPECT_EQ(keeping.EncodeSpecial(text), test.value("ids_no_rstrip", ids)) << text;
  }
}

TEST_F(TokenizerVectors, Phi4EveryTokenIsRebuiltFromItsBytes) {
  const Tokenizer tokenizer = Tokenizer::Create(Phi4()).value();
  // Only tokens that the pattern leaves in one piece can come back as one.
  const PieceMatcher piece_end = MatcherOf(PreTokenizer::kGpt4o);
  std::size_t checked = 0;
  for (TokenId id = 0; id < 199'998; ++id) {
    const std::string_view bytes = tokenizer.TokenBytes(id);
    if (piece_end(bytes, 0) == bytes.size()) {
      ASSERT_EQ(tokenizer.EncodePlain(bytes), Ids{id});
      ++checked;
    }
  }
  EXPECT_GT(checked, 190'000U);
}

TEST_F(TokenizerVectors, StreamedText) {
  const Tokenizer tokenizer = Tokenizer::Create(Phi4()).value();
  for (const json& test : ReadCases("stream-cases.jsonl")) {
    StreamDecoder decoder(tokenizer);
    std::vector<std::string> chunks;
    for (const TokenId id : test.at("ids").get<Ids>()) {
      chunks.push_back(decoder.Push(id));
    }
    EXPECT_EQ(chunks, test.at("chunks").get<std::vector<std::string>>());
    EXPECT_EQ(decoder.Flush(), test.at("flush").get<std::string>());
  }
}

TEST_F(TokenizerVectors, Qwen35PipelineOnQwen2Vocabulary) {
  Vocabulary vocabulary = Qwen2(PreTokenizer::kQwen35);
  const Tokenizer literal = Tokenizer::Create(vocabulary).value();
  vocabulary.nfc = true;
  const Tokenizer normalising = Tokenizer::Create(vocabulary).value();
  for (const json& test : ReadCases("qwen35pre-qwen2vocab-cases.jsonl")) {
    const auto text = test.at("text").get<std::string>();
    const auto ids = test.at("ids").get<Ids>();
    EXPECT_EQ(normalising.EncodePlain(text), ids) << text;
    EXPECT_EQ(literal.EncodePlain(text), test.value("ids_no_nfc", ids)) << text;
    EXPECT_EQ(Decode(normalising, ids), test.value("nfc", text));
  }
  ExpectLlamaCppVectors(literal, "qwen35");
}

TEST_F(TokenizerVectors, Qwen2) {
  const Tokenizer tokenizer = Tokenizer::Create(Qwen2(PreTokenizer::kQwen2)).value();
  ExpectLlamaCppVectors(tokenizer, "ggml-vocab-qwen2.gguf");
}

TEST_F(TokenizerVectors, FingerprintTextOfThePreTokenizers) {
  const json fingerprint = json::parse(Read("pretokenizer-fingerprint.json"));
  const auto text = fingerprint.at("text").get<std::string>();
  const Vocabulary qwen2 = Qwen2(PreTokenizer::kQwen2);
  EXPECT_EQ(Tokenizer::Create(qwen2).value().EncodePlain(text),
            fingerprint.at("ids").at("qwen2").get<Ids>());
  vocabulary_ = TestVocabulary();
  EXPECT_EQ(Tokenizer::Create(Phi4()).value().EncodePlain(text),
            fingerprint.at("ids").at("gpt-4o").get<Ids>());
}

TEST_F(TokenizerVectors, RandomValidUtf8ComesBack) {
  const Tokenizer tokenizer = Tokenizer::Create(Phi4()).value();
  std::mt19937 random(4);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (std::size_t length = random() % 200; length > 0; --length) {
      // Mostly low code points, where the classes are dense.
      const auto c = static_cast<char32_t>(random() % (1U << (7 + random() % 14)));
      if (c < 0xD800 || (c > 0xDFFF && c <= 0x10FFFF)) {
        AppendUtf8(c, text);
      }
    }
    ASSERT_EQ(Decode(tokenizer, tokenizer.EncodePlain(text)), text);
  }
}

TEST_F(TokenizerVectors, OneEndlessPieceIsNoTrap) {
  const Tokenizer tokenizer = Tokenizer::Create(Phi4()).value();
  for (const char* unit : {"=", "a", "ab", " ", "\xE6\x97\xA5", "\xCC\x81", "A"}) {
    std::string text;
    while (text.size() < 300'000) {
      text += unit;
    }
    EXPECT_EQ(Decode(tokenizer, tokenizer.EncodePlain(text)), text) << unit;
  }
}

}  // namespace
}  // namespace tandem::text
