#include "model/step_rows.h"

#include <algorithm>

namespace tandem {

StepRows::StepRows(std::size_t max_rows) {
  ids.reserve(max_rows);
  logit_rows.reserve(max_rows);
  kv.reserve(max_rows);
}

void StepRows::Gather(std::span<const BatchSequence> batch) {
  ids.clear();
  logit_rows.clear();
  kv.clear();
  for (const BatchSequence& sequence : batch) {
    const std::size_t begin = ids.size();
    TANDEM_CHECK(sequence.positions.size() == sequence.ids.size(), "a position for every row");
    const KvLayout& layout = sequence.state->kv().layout();
    layer_bytes_ = layout.layer_bytes();
    kv.push_back(
        {.row_begin = begin,
         .rows = sequence.ids.size(),
         .past = sequence.state->length(),
         .kv = {.pages = sequence.state->kv().pages(), .layer_offset = 0, .type = layout.type}});
    ids.insert(ids.end(), sequence.ids.begin(), sequence.ids.end());
    for (const std::size_t row : sequence.logit_rows) {
      logit_rows.push_back(begin + row);
    }
  }
}

void StepRows::SetLayer(std::size_t index) {
  for (KvSegment& segment : kv) {
    segment.kv.layer_offset = index * layer_bytes_;
  }
}

void CopyVectors(std::span<const BatchSequence> batch, Mat<float> x_TE) {
  std::size_t row = 0;
  for (const BatchSequence& sequence : batch) {
    for (std::size_t t = 0; t < sequence.ids.size(); ++t, ++row) {
      if (sequence.ids[t] < 0) {
        std::copy_n(sequence.vectors_TE.Row(t), x_TE.cols, x_TE.Row(row));
      }
    }
  }
}

void PickRows(Mat<const float> x_TE, std::span<const std::size_t> rows, Mat<float> out_RE) {
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::copy_n(x_TE.Row(rows[r]), x_TE.cols, out_RE.Row(r));
  }
}

}  // namespace tandem
