#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "chat/loaded_model.h"
#include "quantize/calibration.h"
#include "quantize/collector.h"
#include "quantize/importance.h"

namespace tandem::quantize {

/// What a matrix loses in each type, and what that does to the model's answers.
struct Sensitivity {
  std::string tensor;
  std::map<gguf::TensorType, double> error;  // sum over weights of importance * error^2
  /// Mean Kullback-Leibler divergence from the unquantised model's next-token distributions, in
  /// nats, with only this matrix in type `probe`.
  gguf::TensorType probe = gguf::TensorType::kQ3_K;
  double probe_loss = 0;

  /// The loss in another type: to first order it grows as the squared error does.
  double LossIn(gguf::TensorType type) const;
};

struct SensitivityOptions {
  std::vector<gguf::TensorType> types;  // to weigh against each other
  const Importance* importance = nullptr;
  std::size_t threads = 1;
  std::size_t row_step = 8;          // every so many rows of a piece are compared
  ChunkProgress progress = nullptr;  // of matrices
};

/// Measures every matrix that a mix would quantise and that the network multiplies with: rounds it
/// alone, reads the pieces and compares. The model's file must be in memory (mapped). Memory: one
/// matrix in floats and in the probe's type, and the compared rows' log-probabilities. Errors of
/// the engine; Cancelled.
Result<std::vector<Sensitivity>> MeasureSensitivity(const LoadedModel& model, const Chunks& chunks,
                                                    const SensitivityOptions& options);

/// KL(p || q) in nats between two distributions given as logits; log_p: log-probabilities of p.
double KlFromLogits(std::span<const float> log_p, std::span<const float> logits_q);

/// Turns logits into log-probabilities.
void LogSoftmaxInPlace(std::span<float> logits);

}  // namespace tandem::quantize
