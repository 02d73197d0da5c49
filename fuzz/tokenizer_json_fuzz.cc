// The tokenizer of a checkpoint folder, imported as `convert` does, then read back from the
// metadata that it wrote. The input is the folder: tokenizer.json, tokenizer_config.json,
// config.json, vocab.json and merges.txt with a NUL between; an empty part is an absent file.
// Corpus: fuzz/corpus/tokenizer_json.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "convert/vocabulary.h"
#include "fuzz/fuzz_input.h"
#include "gguf/reader.h"
#include "gguf/writer.h"
#include "hf/config.h"
#include "hf/tokenizer.h"
#include "text/file_tokenizer.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

/// One folder for the whole run, in memory where the system has such a place.
class Folder {
 public:
  Folder() {
    const fs::path memory = "/dev/shm";
    const fs::path place = fs::exists(memory) ? memory : fs::temp_directory_path();
    path_ = place / ("tandem-fuzz-" + std::to_string(::getpid()));
    fs::create_directory(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  void Fill(fuzz::Input& input) const {
    for (const char* name :
         {"tokenizer.json", "tokenizer_config.json", "config.json", "vocab.json", "merges.txt"}) {
      const std::string_view text = input.Part();
      if (text.empty()) {
        fs::remove(path_ / name);
      } else {
        std::ofstream(path_ / name, std::ios::binary) << text;
      }
    }
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void ReadBack(const gguf::Metadata& metadata) {
  const auto bytes =
      gguf::WriteBytes(metadata, {}, [](std::size_t, const gguf::ByteSink&) { return OkStatus(); });
  fuzz::Require(bytes.ok(), "metadata that cannot be written");
  const auto file = gguf::File::Parse(*bytes, "written");
  fuzz::Require(file.ok(), "metadata that was written cannot be read");
  fuzz::RequireLine(text::FileTokenizer::Read(*file).status());
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  static const Folder folder;
  fuzz::Input input(data, size);
  folder.Fill(input);
  fuzz::RequireLine(hf::ReadChatTemplates(folder.path()).status());
  const auto tokenizer = hf::ReadTokenizer(folder.path());
  fuzz::RequireLine(tokenizer.status());
  const auto config = hf::Config::Read(folder.path());
  fuzz::RequireLine(config.status());
  // `convert` has held the rows against the embedding by then; a fuzzer's must fit in memory.
  constexpr std::uint64_t kMostRows = 100'000;
  if (tokenizer.ok() && config.ok() && config->GetUintOr("vocab_size", 0).ok() &&
      *config->GetUintOr("vocab_size", 0) <= kMostRows) {
    gguf::Metadata metadata;
    const Status added = convert::AddVocabulary(folder.path(), *config, {}, metadata);
    fuzz::RequireLine(added);
    if (added.ok()) {
      ReadBack(metadata);
    }
  }
  return 0;
}
