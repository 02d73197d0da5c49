// Text to ids and back, with the vocabularies of the built-in models and a small one under each
// pre-tokeniser. The input is a byte that chooses the vocabulary, one that says where text is cut
// into spans, then the text. Corpus: fuzz/corpus/tokenizer.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "fuzz/fuzz_input.h"
#include "store/builtin.h"
#include "text/file_tokenizer.h"
#include "text/nfc.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"
#include "text/vocabulary_for_test.h"

namespace tandem {
namespace {

using text::Tokenizer;
using text::TokenType;

struct Subject {
  const Tokenizer* tokenizer = nullptr;
  bool nfc = false;
};

/// A vocabulary with merges that compete, an added token inside another, and one that eats spaces.
class SmallVocabulary {
 public:
  explicit SmallVocabulary(text::PreTokenizer pre, bool nfc) {
    for (const char* merge : {"a b", "b c", "ab c", "\xC4\xA0 a", "\xC4\xA0 \xC4\xA0",
                              "\xC3\x83 \xC2\xA9", "1 2", "12 3", "' s"}) {
      words_.AddMerge(merge);
    }
    words_.AddMergeLine("a bc");  // another way to the same token
    words_.AddMergeLine("no such");
    words_.Add("<|a|>", TokenType::kControl);
    words_.Add("<|a|>b", TokenType::kControl);
    const TokenId eats = words_.Add("<|e|>", TokenType::kControl);
    words_.Add("<u>", TokenType::kUserDefined);
    words_.Add("unused", TokenType::kUnused);
    text::Vocabulary view = words_.View(pre);
    view.nfc = nfc;
    view.rstrip_ids = {eats};
    tokenizer_ = std::make_unique<Tokenizer>(Tokenizer::Create(view).value());
  }
  const Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  text::TestVocabulary words_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

/// Everything that the first byte can choose from, made once.
class Subjects {
 public:
  Subjects() {
    for (const std::string& name : BuiltinModelNames()) {
      files_.push_back(OpenModelFile(name).value());
      read_.push_back(text::FileTokenizer::Read(*files_.back()).value());
      subjects_.push_back({&read_.back()->tokenizer(), name.starts_with("qwen")});
    }
    for (const text::PreTokenizer pre :
         {text::PreTokenizer::kQwen35, text::PreTokenizer::kGpt4o, text::PreTokenizer::kQwen2,
          text::PreTokenizer::kGpt2, text::PreTokenizer::kStarcoder}) {
      for (const bool nfc : {false, true}) {
        small_.push_back(std::make_unique<SmallVocabulary>(pre, nfc));
        subjects_.push_back({&small_.back()->tokenizer(), nfc});
      }
    }
  }
  const Subject& Choose(std::uint8_t byte) const { return subjects_[byte % subjects_.size()]; }

 private:
  std::vector<std::unique_ptr<gguf::ModelFile>> files_;
  std::vector<std::unique_ptr<text::FileTokenizer>> read_;
  std::vector<std::unique_ptr<SmallVocabulary>> small_;
  std::vector<Subject> subjects_;
};

std::string BytesOf(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string bytes;
  for (const TokenId id : ids) {
    bytes += tokenizer.TokenBytes(id);
  }
  return bytes;
}

std::string StreamOf(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  text::StreamDecoder decoder(tokenizer);
  std::string out;
  for (const TokenId id : ids) {
    const std::string piece = decoder.Push(id);
    fuzz::Require(FindInvalidUtf8(piece) == std::string_view::npos, "a stream that is no UTF-8");
    out += piece;
  }
  return out + decoder.Flush();
}

void CheckPlain(const Subject& subject, std::string_view text) {
  const std::vector<TokenId> ids = subject.tokenizer->EncodePlain(text);
  const std::string wanted = subject.nfc ? text::ToNfc(text) : std::string(text);
  fuzz::Require(BytesOf(*subject.tokenizer, ids) == wanted, "data that does not come back");
  for (const TokenId id : ids) {
    fuzz::Require(!subject.tokenizer->IsControl(id), "data that became a control token");
  }
  const std::string streamed = StreamOf(*subject.tokenizer, ids);
  fuzz::Require(FindInvalidUtf8(wanted) != std::string_view::npos || streamed == wanted,
                "a stream of other text");
}

/// How data is cut into spans, and empty spans between, must not show.
void CheckSpans(const Subject& subject, std::string_view text, std::uint8_t cut) {
  const std::size_t at = text.empty() ? 0 : cut % text.size();
  const std::vector<Tokenizer::Span> halves = {
      {text.substr(0, at)}, {{}, true}, {text.substr(at)}, {{}, false}};
  fuzz::Require(subject.tokenizer->Encode(halves) == subject.tokenizer->EncodePlain(text),
                "a cut between two spans of data shows");
  const std::vector<Tokenizer::Span> mixed = {{text.substr(0, at), true}, {text.substr(at)}};
  for (const TokenId id : subject.tokenizer->Encode(mixed)) {
    fuzz::Require(id >= 0 && static_cast<std::size_t>(id) < subject.tokenizer->size(),
                  "an id outside the vocabulary");
  }
  StreamOf(*subject.tokenizer, subject.tokenizer->EncodeSpecial(text));
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  static const Subjects subjects;
  fuzz::Input input(data, size);
  const Subject& subject = subjects.Choose(input.Byte());
  const std::uint8_t cut = input.Byte();
  const std::string_view text = input.Rest();
  CheckPlain(subject, text);
  CheckSpans(subject, text, cut);
  // The same bytes as ids, valid or not.
  std::vector<TokenId> ids;
  for (const char c : text) {
    ids.push_back(static_cast<TokenId>(c) * 3);
  }
  StreamOf(*subject.tokenizer, ids);
  return 0;
}
