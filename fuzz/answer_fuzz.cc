// What a model may say, as a session takes it: reasoning told from the answer, stop strings. The
// input is a byte that chooses vocabulary and start, a stop string, a NUL, another, a NUL, then the
// answer: its text becomes tokens, byte 0xFF with the byte behind it a token by number.
// Corpus: fuzz/corpus/answer.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "chat/stop_strings.h"
#include "chat/stream_splitter.h"
#include "fuzz/fuzz_input.h"
#include "store/builtin.h"
#include "text/file_tokenizer.h"

namespace tandem {
namespace {

struct Vocabularies {
  std::vector<std::unique_ptr<gguf::ModelFile>> files;
  std::vector<std::unique_ptr<text::FileTokenizer>> read;

  Vocabularies() {
    for (const std::string& name : BuiltinModelNames()) {
      files.push_back(OpenModelFile(name).value());
      read.push_back(text::FileTokenizer::Read(*files.back()).value());
    }
  }
};

std::vector<TokenId> ToTokens(const text::Tokenizer& tokenizer, std::string_view answer) {
  std::vector<TokenId> ids;
  while (!answer.empty()) {
    const std::size_t end = std::min(answer.find('\xFF'), answer.size());
    for (const TokenId id : tokenizer.EncodeSpecial(answer.substr(0, end))) {
      ids.push_back(id);
    }
    answer.remove_prefix(end);
    if (answer.size() >= 2) {
      // The last tokens of a vocabulary are its added ones.
      const auto back = static_cast<TokenId>(static_cast<std::uint8_t>(answer[1]));
      ids.push_back(static_cast<TokenId>(tokenizer.size()) - back);
    }
    answer.remove_prefix(std::min<std::size_t>(2, answer.size()));
  }
  return ids;
}

struct Split {
  std::string reasoning;
  std::string answer;
  std::string shown;
};

Split Run(const text::Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool in_reasoning,
          const std::vector<std::string>& stops) {
  StreamSplitter splitter(tokenizer, in_reasoning);
  StopStrings watcher(stops);
  Split all;
  const auto take = [&](const SplitText& piece) {
    fuzz::Require(FindInvalidUtf8(piece.reasoning) == std::string_view::npos &&
                      FindInvalidUtf8(piece.answer) == std::string_view::npos,
                  "a piece that is no UTF-8");
    all.reasoning += piece.reasoning;
    all.answer += piece.answer;
    all.shown += watcher.Push(piece.answer);
  };
  for (const TokenId id : ids) {
    take(splitter.Push(id));
    // A parser of tool calls comes between the splitter and the stop strings: it belongs here.
  }
  take(splitter.Flush());
  all.shown += watcher.Flush();
  fuzz::Require(splitter.reasoning_tokens() + splitter.answer_tokens() <= ids.size(),
                "more tokens counted than there were");
  fuzz::Require(all.answer.starts_with(all.shown), "what is shown is no beginning of the answer");
  fuzz::Require(watcher.matched() || all.shown == all.answer, "text was lost without a match");
  for (const std::string& stop : stops) {
    fuzz::Require(stop.empty() || all.shown.find(stop) == std::string::npos, "a stop was shown");
  }
  return all;
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  static const Vocabularies vocabularies;
  fuzz::Input input(data, size);
  const std::uint8_t choice = input.Byte();
  const text::Tokenizer& tokenizer =
      vocabularies.read[choice / 2 % vocabularies.read.size()]->tokenizer();
  std::vector<std::string> stops;
  stops.emplace_back(input.Part());
  stops.emplace_back(input.Part());
  const std::vector<TokenId> ids = ToTokens(tokenizer, input.Rest());
  Run(tokenizer, ids, choice % 2 == 1, stops);
  return 0;
}
