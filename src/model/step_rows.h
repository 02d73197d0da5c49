#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/network.h"
#include "tensor/mat.h"

namespace tandem {

/// The rows of a step gathered from its sequences: ids, where each sequence's rows begin, which
/// rows want logits. Capacity is reserved once, so that gathering a decode step allocates nothing.
struct StepRows {
  std::vector<TokenId> ids;
  std::vector<std::size_t> logit_rows;  // indices into the step's rows
  std::vector<KvSegment> kv;            // one per sequence; layer_offset is set layer by layer

  explicit StepRows(std::size_t max_rows);
  std::size_t rows() const { return ids.size(); }
  /// Collects `batch`; ready vectors are copied into their rows of x_TE by CopyVectors.
  void Gather(std::span<const BatchSequence> batch);
  /// Points the key-value views at the index-th layer that caches.
  void SetLayer(std::size_t index);

 private:
  std::size_t layer_bytes_ = 0;
};

/// Copies the ready vectors of a batch into their rows.
void CopyVectors(std::span<const BatchSequence> batch, Mat<float> x_TE);
/// Copies the rows `rows` of x_TE to the front of out_RE.
void PickRows(Mat<const float> x_TE, std::span<const std::size_t> rows, Mat<float> out_RE);

}  // namespace tandem
