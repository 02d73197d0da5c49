#include "plan/memory.h"

#include <algorithm>

namespace tandem {
namespace {

// Per-worker kernel scratch, see kernels/cpu/kernel_table.h.
constexpr std::uint64_t kWorkerBytes = std::uint64_t{1} << 20;
// Measured (peak resident size of `tandem tokenize` on vocabularies of 2 k, 200 k and 248 k
// tokens): the program with its libraries, and the tables of a tokenizer for each token.
constexpr std::uint64_t kProgramBytes = std::uint64_t{13} << 20;
constexpr std::uint64_t kTokenizerBytesPerToken = 120;
// Rounded activations: 292 bytes for 256 values in one format, 40 for 32 in the other.
constexpr double kRoundedBytesPerValue = 292.0 / 256.0 + 40.0 / 32.0;

}  // namespace

MemoryNeed PlanMemory(const ModelInfo& model, const MemoryRequest& request) {
  const KvLayout layout{.layers = model.kv_layers,
                        .kv_heads = model.kv_heads,
                        .head_dim = model.head_dim,
                        .type = request.kv};
  const std::uint64_t pages = (request.context_tokens + kKvPageTokens - 1) / kKvPageTokens;
  MemoryNeed need;
  need.weights = request.file_bytes;
  need.vision = request.vision_bytes;
  need.cache = request.conversations * pages * layout.page_bytes();
  // The running state and the snapshot that the next turn starts from.
  need.state = request.conversations * 2 * sizeof(float) * model.recurrent_floats;
  const std::uint64_t row =
      sizeof(float) * model.scratch_floats_per_row +
      static_cast<std::uint64_t>(kRoundedBytesPerValue * static_cast<double>(model.widest_input));
  need.working = request.step_rows * row + request.threads * kWorkerBytes +
                 2 * sizeof(float) * model.vocabulary * request.conversations;
  need.program = kProgramBytes + kTokenizerBytesPerToken * model.vocabulary;
  return need;
}

std::size_t LargestContext(const ModelInfo& model, MemoryRequest request, std::uint64_t available) {
  constexpr std::size_t kStep = 256;
  std::size_t low = 0;
  std::size_t high = model.context_length / kStep + 1;  // exclusive
  while (low + 1 < high) {
    const std::size_t middle = low + (high - low) / 2;
    request.context_tokens = middle * kStep;
    if (PlanMemory(model, request).total() <= available) {
      low = middle;
    } else {
      high = middle;
    }
  }
  request.context_tokens = model.context_length;
  return PlanMemory(model, request).total() <= available ? model.context_length : low * kStep;
}

std::uint64_t TogetherBytes(std::span<const MemoryNeed> needs) {
  std::uint64_t sum = 0;
  for (const MemoryNeed& need : needs) {
    sum += need.total();
  }
  return needs.empty() ? 0 : sum - (needs.size() - 1) * kProgramBytes;
}

}  // namespace tandem
