#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"
#include "model/network.h"
#include "runtime/engine.h"
#include "text/file_tokenizer.h"

namespace tandem::quantize {

/// Calibration text in tokens, cut into pieces that are read each on its own.
using Chunks = std::vector<std::vector<TokenId>>;

struct CutOptions {
  std::size_t chunk_tokens = 512;
  std::size_t most = 0;  // pieces; 0: as many as there are
  bool special = false;  // the spelling of a special token in the text means that token
};

/// Cuts `text` into pieces; a rest that fills no piece is left out unless there is nothing else.
/// InvalidArgument when the text is not UTF-8 or has no tokens.
Result<Chunks> CutText(const text::FileTokenizer& tokenizer, std::string_view text,
                       const CutOptions& options);

/// The network's matrices by the memory their weights lie in, so that a MatMulHook knows them.
class WeightNames {
 public:
  explicit WeightNames(const gguf::File& file);

  /// The tensor that holds the weights at `data`, or nullptr.
  const gguf::TensorInfo* Find(const std::byte* data) const;

 private:
  std::vector<const gguf::TensorInfo*> by_address_;
};

/// Logits of row `row` of a piece.
using TakeLogits = std::function<void(std::size_t row, std::span<const float> logits)>;

/// Reads a piece into a new sequence. rows: those whose logits are wanted, ascending.
Status ReadChunk(Engine& engine, const std::vector<TokenId>& chunk,
                 std::span<const std::size_t> rows, const TakeLogits& take);

/// An engine for pieces of `chunk_tokens` with f32 caches and this hook.
Result<std::unique_ptr<Engine>> MakeEngine(const Network& network, std::size_t chunk_tokens,
                                           std::size_t threads, MatMulHook hook);

}  // namespace tandem::quantize
