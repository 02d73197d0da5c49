#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "model/network.h"

namespace tandem {

/// What one opened model takes, in bytes.
struct MemoryNeed {
  std::uint64_t weights = 0;  // the mapped file
  std::uint64_t cache = 0;    // keys and values of `context_tokens` positions
  std::uint64_t state = 0;    // fixed state of one conversation and its snapshot
  std::uint64_t working = 0;  // buffers of a step

  std::uint64_t total() const { return weights + cache + state + working; }
};

struct MemoryRequest {
  std::uint64_t file_bytes = 0;
  std::size_t context_tokens = 0;
  KvType kv = KvType::kF16;
  std::size_t step_rows = 512;
  std::size_t threads = 1;
};

/// The need of one conversation of `context_tokens` tokens.
MemoryNeed PlanMemory(const ModelInfo& model, const MemoryRequest& request);

/// The largest context, a multiple of 256 up to the model's limit, whose need fits `available`
/// bytes; 0 when not even 256 tokens do.
std::size_t LargestContext(const ModelInfo& model, MemoryRequest request, std::uint64_t available);

/// Memory that this process may still use: what the system calls available, within the cgroup's
/// limit.
std::uint64_t AvailableMemory();

}  // namespace tandem
