#pragma once

#include <memory>

#include "model/network.h"

namespace tandem {

/// Phi-3 and Phi-4-mini from their GGUF layout, architecture "phi3".
Result<std::unique_ptr<Network>> LoadPhi3(const gguf::File& file);

}  // namespace tandem
