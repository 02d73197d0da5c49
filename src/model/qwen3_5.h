#pragma once

#include <memory>

#include "model/network.h"

namespace tandem {

/// Qwen3.5 dense (0.8B, 2B, 4B, 9B) from its GGUF layout, architecture "qwen35".
Result<std::unique_ptr<Network>> LoadQwen35(const gguf::File& file);

}  // namespace tandem
