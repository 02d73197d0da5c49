#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "model/network.h"

namespace tandem {

/// What one opened model takes, in bytes.
struct MemoryNeed {
  std::uint64_t weights = 0;  // the mapped file
  std::uint64_t cache = 0;    // keys and values of `context_tokens` positions
  std::uint64_t state = 0;    // fixed state of each conversation and its snapshot
  std::uint64_t working = 0;  // buffers of a step
  std::uint64_t vision = 0;   // the vision file, and looking at the largest picture
  std::uint64_t program = 0;  // the program itself and the tokenizer

  std::uint64_t total() const { return weights + cache + state + working + vision + program; }
};

struct MemoryRequest {
  std::uint64_t file_bytes = 0;
  std::uint64_t vision_bytes = 0;  // the vision file, and looking at the largest picture
  std::size_t context_tokens = 0;
  KvType kv = KvType::kF16;
  std::size_t step_rows = 256;
  std::size_t threads = 1;
  std::size_t conversations = 1;  // at the same time, each of `context_tokens` tokens
};

/// The need of a model whose conversations are as long as they may be. Held against the measured
/// peak of the process by tests/e2e/fit_test.py.
MemoryNeed PlanMemory(const ModelInfo& model, const MemoryRequest& request);

/// The largest context, a multiple of 256 up to the model's limit, whose need fits `available`
/// bytes; 0 when not even 256 tokens do.
std::size_t LargestContext(const ModelInfo& model, MemoryRequest request, std::uint64_t available);

/// What several models take in one process: their sum, with the program itself counted once.
std::uint64_t TogetherBytes(std::span<const MemoryNeed> needs);

/// The memory of this machine, in bytes.
struct MachineMemory {
  std::uint64_t total = 0;      // RAM
  std::uint64_t available = 0;  // that this process may still use, the cgroup's limit included
  std::optional<std::uint64_t> cgroup_limit;
};
/// `root`: where /proc and /sys are found. The limit is the lowest of the process's cgroup and
/// of those it lies in.
MachineMemory ReadMachineMemory(const std::filesystem::path& root = "/");

/// ReadMachineMemory().available.
std::uint64_t AvailableMemory();

}  // namespace tandem
