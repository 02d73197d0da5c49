#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "gguf/model_file.h"
#include "model/network.h"

namespace tandem {

/// What a made-up model is like. The families' layers at toy size, random weights.
struct TinyModelOptions {
  std::size_t context = 4096;
  std::size_t original_context = 64;  // Phi: up to here the short rotary factors hold
  /// Of all matrices of the layers: F32, or a type whose blocks can be encoded.
  gguf::TensorType type = gguf::TensorType::kF32;
  std::uint64_t seed = 1;
};

/// A model made in memory, for tests of laws that hold for any weights. The network's views point
/// into `bytes`.
struct TinyModel {
  std::vector<std::byte> bytes;
  std::unique_ptr<gguf::ModelFile> file;
  std::unique_ptr<Network> network;
};

/// Qwen3.5: four layers, three recurrent ones and one of attention (two heads of 64 share one).
TinyModel MakeTinyQwen(const TinyModelOptions& options);

/// Phi-4-mini: two layers (four heads of 32 share two), partial rotary with LongRoPE.
TinyModel MakeTinyPhi(const TinyModelOptions& options);

}  // namespace tandem
