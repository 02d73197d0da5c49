#include "quantize/collector.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "base/format.h"

namespace tandem::quantize {
namespace {

/// The sums of one matrix while they grow: in double, since a long text adds small squares to large
/// sums.
struct Growing {
  std::vector<double> sums;
  std::size_t rows = 0;
};

class Collector {
 public:
  explicit Collector(const gguf::File& file) : names_(file) {}

  /// A MatMulHook. All tasks of a call have the same input.
  void See(Mat<const float> x_TI, std::span<const MatMulTask> tasks) {
    squares_.assign(x_TI.cols, 0.0);
    for (std::size_t t = 0; t < x_TI.rows; ++t) {
      const float* row = x_TI.Row(t);
      for (std::size_t i = 0; i < x_TI.cols; ++i) {
        squares_[i] += static_cast<double>(row[i] * row[i]);
      }
    }
    seen_.clear();
    for (const MatMulTask& task : tasks) {
      const gguf::TensorInfo* tensor = names_.Find(task.w_OI->data);
      // Only layers: what the head multiplies is the embedding table in most models. Parts of one
      // matrix count once.
      if (tensor == nullptr || !tensor->name.starts_with("blk.") ||
          std::find(seen_.begin(), seen_.end(), tensor) != seen_.end()) {
        continue;
      }
      seen_.push_back(tensor);
      Growing& growing = matrices_[tensor];
      growing.sums.resize(x_TI.cols);
      for (std::size_t i = 0; i < x_TI.cols; ++i) {
        growing.sums[i] += squares_[i];
      }
      growing.rows += x_TI.rows;
    }
  }

  Result<Importance> Take() const {
    Importance importance;
    for (const auto& [tensor, growing] : matrices_) {
      Importance::Entry entry;
      for (const double sum : growing.sums) {
        if (!std::isfinite(sum)) {
          return Status(StatusCode::kInternal,
                        Format("the input of '{}' is not finite", Printable(tensor->name)));
        }
        entry.sums.push_back(static_cast<float>(sum));
      }
      entry.counts = {static_cast<float>(growing.rows)};
      importance.entries().emplace(tensor->name, std::move(entry));
    }
    return importance;
  }

 private:
  WeightNames names_;
  std::map<const gguf::TensorInfo*, Growing> matrices_;
  std::vector<double> squares_;
  std::vector<const gguf::TensorInfo*> seen_;
};

}  // namespace

Result<Importance> CollectImportance(const LoadedModel& model, const Chunks& chunks,
                                     const CollectOptions& options) {
  std::size_t longest = 0;
  for (const std::vector<TokenId>& chunk : chunks) {
    longest = std::max(longest, chunk.size());
  }
  Collector collector(model.file());
  TANDEM_ASSIGN_OR_RETURN(
      const std::unique_ptr<Engine> engine,
      MakeEngine(model.network(), longest, options.threads,
                 [&collector](Mat<const float> x_TI, std::span<MatMulTask> tasks) {
                   collector.See(x_TI, tasks);
                 }));
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    TANDEM_RETURN_IF_ERROR(ReadChunk(*engine, chunks[i], {}, nullptr));
    if (options.progress && !options.progress(i + 1, chunks.size())) {
      return Status(StatusCode::kCancelled,
                    Format("cancelled after {} of {} pieces", i + 1, chunks.size()));
    }
  }
  TANDEM_ASSIGN_OR_RETURN(Importance importance, collector.Take());
  importance.chunks = static_cast<std::uint32_t>(chunks.size());
  importance.chunk_tokens = static_cast<std::uint32_t>(longest);
  return importance;
}

}  // namespace tandem::quantize
