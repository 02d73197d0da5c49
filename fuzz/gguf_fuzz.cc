// GGUF containers as the program opens them: directory, metadata, values of tensors, the sheet that
// `show` prints, network, tokenizer and chat template, and two steps of the network. Any bytes must
// give an error of one line or a model. Corpus: fuzz/corpus/gguf.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "chat/loaded_model.h"
#include "chat/sampling_defaults.h"
#include "fuzz/fuzz_input.h"
#include "gguf/model_file.h"
#include "model/network.h"
#include "plan/spec_sheet.h"
#include "quant/formats.h"
#include "runtime/engine.h"
#include "runtime/sampler.h"
#include "text/file_tokenizer.h"

namespace tandem {
namespace {

constexpr std::size_t kMostBlocks = 64;  // decoded of each tensor

void ReadValues(const gguf::File& file) {
  for (const gguf::KeyValue& item : file.metadata()) {
    const std::string_view key = item.key;
    fuzz::RequireLine(file.GetUint(key).status());
    fuzz::RequireLine(file.GetInt(key).status());
    fuzz::RequireLine(file.GetFloat(key).status());
    fuzz::RequireLine(file.GetBool(key).status());
    fuzz::RequireLine(file.GetString(key).status());
    fuzz::RequireLine(file.GetStringArray(key).status());
    fuzz::RequireLine(file.GetIntArray(key).status());
    fuzz::RequireLine(file.GetFloatArray(key).status());
    fuzz::RequireLine(file.GetBoolArray(key).status());
  }
}

void DecodeTensors(const gguf::File& file) {
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    const quant::Format* format = quant::FindFormat(tensor.type);
    fuzz::Require(tensor.bytes.size() == tensor.size, "a tensor without its bytes");
    if (format == nullptr) {
      continue;
    }
    fuzz::Require(tensor.elements() / format->block_len * format->block_bytes == tensor.size,
                  "a tensor whose bytes are not its blocks");
    const std::size_t blocks = std::min<std::size_t>(
        kMostBlocks, static_cast<std::size_t>(tensor.elements()) / format->block_len);
    std::vector<float> values(blocks * format->block_len);
    quant::Decode(*format, tensor.bytes.first(blocks * format->block_bytes), values);
  }
}

// A prompt of three tokens and one more; what comes out may be anything but a crash.
void Step(const Network& network) {
  const ModelInfo& info = network.info();
  // A file that claims to be large is refused by the planner of memory, which is not asked here.
  constexpr std::size_t kMostFloats = std::size_t{1} << 20;
  const std::size_t rows = 4;
  const KvLayout layout = network.kv_layout(KvType::kF16);
  if (info.scratch_floats_per_row > kMostFloats || info.recurrent_floats > kMostFloats ||
      info.widest_input > kMostFloats || layout.page_bytes() > kMostFloats) {
    return;
  }
  const auto engine = Engine::Create(
      network,
      {.cpu = {.threads = 1, .isa = "scalar"}, .max_step_rows = rows, .context_tokens = 0});
  fuzz::RequireLine(engine.status());
  if (!engine.ok()) {
    return;
  }
  Sequence sequence = (*engine)->NewSequence();
  Sampler sampler({.temperature = 0.7F, .top_p = 0.9F, .seed = 1}, info.vocabulary, {});
  Request request;
  request.sequence = &sequence;
  request.prompt = {0, static_cast<TokenId>(info.vocabulary - 1), 0};
  request.sampler = &sampler;
  request.max_tokens = 2;
  fuzz::RequireLine((*engine)->Run(request));
}

void ReadModel(std::unique_ptr<gguf::ModelFile> file) {
  fuzz::RequireLine(ReadSpecSheet(*file).status());
  for (const bool thinking : {false, true}) {
    fuzz::RequireLine(DefaultSampling(*file, thinking, false).status());
  }
  const auto network = LoadNetwork(*file);
  fuzz::RequireLine(network.status());
  if (network.ok()) {
    Step(**network);
  }
  fuzz::RequireLine(text::FileTokenizer::Read(*file).status());
  const auto loaded = LoadedModel::Load(std::move(file));
  fuzz::RequireLine(loaded.status());
  if (loaded.ok()) {
    fuzz::RequireLine((*loaded)->chat_template().status());
  }
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  // Where a file's bytes lie: at the beginning of a page.
  constexpr std::align_val_t kPage{4096};
  const std::unique_ptr<std::byte, void (*)(std::byte*)> copy(
      static_cast<std::byte*>(::operator new(size, kPage)),
      [](std::byte* memory) { ::operator delete (memory, std::align_val_t{4096}); });
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, copy.get());
  const std::span<const std::byte> bytes(copy.get(), size);
  // As of a file of which only the beginning is here.
  fuzz::RequireLine(gguf::File::ParseDirectory(bytes, size + 4096, "fuzz").status());
  auto file = gguf::ModelFile::FromBytes(bytes, "fuzz");
  fuzz::RequireLine(file.status());
  if (file.ok()) {
    ReadValues(**file);
    DecodeTensors(**file);
    ReadModel(std::move(file).value());
  }
  return 0;
}
