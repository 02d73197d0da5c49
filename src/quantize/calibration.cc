#include "quantize/calibration.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "base/format.h"
#include "base/utf8.h"
#include "runtime/sequence.h"

namespace tandem::quantize {

Result<Chunks> CutText(const text::FileTokenizer& tokenizer, std::string_view text,
                       const CutOptions& options) {
  if (const std::size_t bad = FindInvalidUtf8(text); bad != std::string_view::npos) {
    return Status(StatusCode::kInvalidArgument,
                  Format("the calibration text is not UTF-8 at byte {}", bad));
  }
  const std::vector<TokenId> ids = options.special ? tokenizer.tokenizer().EncodeSpecial(text)
                                                   : tokenizer.tokenizer().EncodePlain(text);
  if (ids.empty()) {
    return Status(StatusCode::kInvalidArgument, "the calibration text has no tokens");
  }
  const bool bos = tokenizer.adds_bos() && tokenizer.bos().has_value();
  const std::size_t each = std::max<std::size_t>(2, options.chunk_tokens) - (bos ? 1 : 0);
  Chunks chunks;
  for (std::size_t begin = 0;
       begin < ids.size() && (options.most == 0 || chunks.size() < options.most); begin += each) {
    const std::size_t end = std::min(ids.size(), begin + each);
    if (end - begin < each && !chunks.empty()) {
      break;
    }
    std::vector<TokenId>& chunk = chunks.emplace_back();
    if (bos) {
      chunk.push_back(*tokenizer.bos());
    }
    chunk.insert(chunk.end(), ids.begin() + static_cast<std::ptrdiff_t>(begin),
                 ids.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return chunks;
}

WeightNames::WeightNames(const gguf::File& file) {
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    by_address_.push_back(&tensor);
  }
  std::sort(by_address_.begin(), by_address_.end(),
            [](const gguf::TensorInfo* a, const gguf::TensorInfo* b) {
              return std::less<>()(a->bytes.data(), b->bytes.data());
            });
}

const gguf::TensorInfo* WeightNames::Find(const std::byte* data) const {
  const auto after = std::upper_bound(by_address_.begin(), by_address_.end(), data,
                                      [](const std::byte* at, const gguf::TensorInfo* tensor) {
                                        return std::less<>()(at, tensor->bytes.data());
                                      });
  if (after == by_address_.begin()) {
    return nullptr;
  }
  const gguf::TensorInfo* tensor = *std::prev(after);
  const std::byte* end = tensor->bytes.data() + tensor->bytes.size();
  return std::less<>()(data, end) ? tensor : nullptr;
}

Status ReadChunk(Engine& engine, const std::vector<TokenId>& chunk,
                 std::span<const std::size_t> rows, const TakeLogits& take) {
  Sequence sequence = engine.NewSequence();
  Request request;
  request.sequence = &sequence;
  request.prompt = chunk;
  request.logit_rows.assign(rows.begin(), rows.end());
  request.on_logits = take;
  return engine.Run(request);
}

Result<std::unique_ptr<Engine>> MakeEngine(const Network& network, std::size_t chunk_tokens,
                                           std::size_t threads, MatMulHook hook) {
  if (chunk_tokens > network.info().context_length) {
    return Status(StatusCode::kInvalidArgument,
                  Format("pieces of {} tokens are more than the model's limit of {}", chunk_tokens,
                         network.info().context_length));
  }
  EngineOptions options;
  options.cpu.threads = threads;
  options.cpu.matmul_hook = std::move(hook);
  options.kv = KvType::kF32;
  options.context_tokens = chunk_tokens;
  options.max_step_rows = std::min<std::size_t>(chunk_tokens, 512);
  return Engine::Create(network, options);
}

}  // namespace tandem::quantize
