#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "chat/loaded_model.h"
#include "quantize/calibration.h"
#include "quantize/importance.h"

namespace tandem::quantize {

/// Called after each piece; false cancels.
using ChunkProgress = std::function<bool(std::size_t done, std::size_t total)>;

struct CollectOptions {
  std::size_t threads = 1;
  ChunkProgress progress = nullptr;
};

/// Reads the pieces with the model and adds up the squares of what enters each matrix of its
/// layers. The sums are the same for any number of threads. Errors of the engine; Internal for
/// activations that are not finite; Cancelled.
Result<Importance> CollectImportance(const LoadedModel& model, const Chunks& chunks,
                                     const CollectOptions& options);

}  // namespace tandem::quantize
