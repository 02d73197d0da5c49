#include "quantize/sensitivity.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "base/thread_pool.h"
#include "quant/formats.h"
#include "quantize/mix.h"
#include "quantize/plan.h"

namespace tandem::quantize {
namespace {

using gguf::TensorType;

/// A matrix rounded to a type, and what that cost.
struct Rounded {
  std::vector<std::byte> blocks;
  double error = 0;
};

constexpr std::size_t kTaskValues = std::size_t{1} << 16;

Rounded RoundTo(const gguf::TensorInfo& tensor, TensorType type,
                const std::vector<float>& importance, ThreadPool& pool) {
  const quant::Format& from = *quant::FindFormat(tensor.type);
  const quant::Format& to = *quant::FindFormat(type);
  const auto length = static_cast<std::size_t>(tensor.dims[0]);
  const auto rows = static_cast<std::size_t>(tensor.elements()) / length;
  const std::size_t from_bytes = from.RowBytes(length);
  const std::size_t to_bytes = to.RowBytes(length);
  Rounded rounded;
  rounded.blocks.resize(rows * to_bytes);
  const std::size_t each = std::max<std::size_t>(1, kTaskValues / length);
  std::vector<double> errors((rows + each - 1) / each);
  pool.Run(errors.size(), [&](std::size_t task, std::size_t) {
    std::vector<float> values(length);
    std::vector<float> back(length);
    for (std::size_t row = task * each; row < std::min(rows, (task + 1) * each); ++row) {
      quant::Decode(from, tensor.bytes.subspan(row * from_bytes, from_bytes), values);
      const std::span<std::byte> out = std::span(rounded.blocks).subspan(row * to_bytes, to_bytes);
      if (importance.empty()) {
        quant::Encode(to, values, out);
      } else {
        quant::EncodeRows(to, values, importance, out);
      }
      quant::Decode(to, out, back);
      for (std::size_t i = 0; i < length; ++i) {
        const double off = static_cast<double>(values[i]) - static_cast<double>(back[i]);
        errors[task] += off * off * (importance.empty() ? 1.0 : static_cast<double>(importance[i]));
      }
    }
  });
  for (const double error : errors) {
    rounded.error += error;  // in task order: the same for any number of threads
  }
  return rounded;
}

class Measurer {
 public:
  Measurer(const LoadedModel& model, const Chunks& chunks, const SensitivityOptions& options)
      : model_(model),
        chunks_(chunks),
        options_(options),
        names_(model.file()),
        pool_(options.threads) {}

  Result<std::vector<Sensitivity>> Run() {
    std::size_t longest = 0;
    for (const std::vector<TokenId>& chunk : chunks_) {
      longest = std::max(longest, chunk.size());
      std::vector<std::size_t>& rows = rows_.emplace_back();
      for (std::size_t row = options_.row_step - 1; row < chunk.size(); row += options_.row_step) {
        rows.push_back(row);
      }
      if (rows.empty()) {
        rows.push_back(chunk.size() - 1);
      }
    }
    TANDEM_ASSIGN_OR_RETURN(
        engine_,
        MakeEngine(model_.network(), longest, options_.threads,
                   [this](Mat<const float>, std::span<MatMulTask> tasks) { Substitute(tasks); }));
    TANDEM_RETURN_IF_ERROR(ReadBaseline());
    return MeasureAll();
  }

 private:
  /// The MatMulHook: notes which matrices are used, and swaps the probed one.
  void Substitute(std::span<MatMulTask> tasks) {
    swapped_.clear();
    swapped_.reserve(tasks.size());  // the tasks point into it
    for (MatMulTask& task : tasks) {
      const gguf::TensorInfo* tensor = names_.Find(task.w_OI->data);
      if (tensor == nullptr) {
        continue;
      }
      used_.insert(tensor);
      if (tensor != probed_) {
        continue;
      }
      QMat mat = *task.w_OI;
      const auto row = static_cast<std::size_t>(mat.data - tensor->bytes.data()) / mat.row_bytes;
      mat.type = probe_type_;
      mat.row_bytes = quant::FindFormat(probe_type_)->RowBytes(mat.cols);
      mat.data = probe_.blocks.data() + row * mat.row_bytes;
      task.w_OI = &swapped_.emplace_back(mat);
    }
  }

  Status ReadBaseline() {
    log_p_.resize(chunks_.size());
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
      TANDEM_RETURN_IF_ERROR(ReadChunk(
          *engine_, chunks_[c], rows_[c], [&](std::size_t, std::span<const float> logits) {
            std::vector<float>& p = log_p_[c].emplace_back(logits.begin(), logits.end());
            LogSoftmaxInPlace(p);
          }));
    }
    return OkStatus();
  }

  Result<double> MeanLoss() {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t c = 0; c < chunks_.size(); ++c) {
      std::size_t next = 0;
      TANDEM_RETURN_IF_ERROR(ReadChunk(*engine_, chunks_[c], rows_[c],
                                       [&](std::size_t, std::span<const float> logits) {
                                         sum += KlFromLogits(log_p_[c][next++], logits);
                                       }));
      count += next;
    }
    return sum / static_cast<double>(count);
  }

  Result<std::vector<Sensitivity>> MeasureAll() {
    std::vector<const gguf::TensorInfo*> tensors;
    for (const gguf::TensorInfo& tensor : model_.file().tensors()) {
      if (used_.count(&tensor) != 0 && IsQuantisable(DescribeTensor(tensor))) {
        tensors.push_back(&tensor);
      }
    }
    std::vector<Sensitivity> all;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      TANDEM_ASSIGN_OR_RETURN(Sensitivity one, Measure(*tensors[i]));
      all.push_back(std::move(one));
      if (options_.progress && !options_.progress(i + 1, tensors.size())) {
        return Status(StatusCode::kCancelled,
                      Format("cancelled after {} of {} matrices", i + 1, tensors.size()));
      }
    }
    return all;
  }

  Result<Sensitivity> Measure(const gguf::TensorInfo& tensor) {
    Sensitivity result;
    result.tensor = tensor.name;
    std::vector<float> importance;
    if (options_.importance != nullptr) {
      TANDEM_ASSIGN_OR_RETURN(importance,
                              options_.importance->MeansFor(tensor.name, tensor.dims[0], 1));
    }
    double largest = -1;
    for (const TensorType wanted : options_.types) {
      const TensorType type = FallbackFor(wanted, tensor.dims[0]);
      Rounded rounded = RoundTo(tensor, type, importance, pool_);
      result.error[type] = rounded.error;
      // The coarsest type moves the answers furthest out of the noise of float arithmetic.
      if (rounded.error > largest) {
        largest = rounded.error;
        result.probe = type;
        probe_ = std::move(rounded);
      }
    }
    probe_type_ = result.probe;
    probed_ = &tensor;
    const Result<double> loss = MeanLoss();
    probed_ = nullptr;
    TANDEM_RETURN_IF_ERROR(loss.status());
    result.probe_loss = *loss;
    return result;
  }

  const LoadedModel& model_;
  const Chunks& chunks_;
  const SensitivityOptions& options_;
  WeightNames names_;
  ThreadPool pool_;
  std::unique_ptr<Engine> engine_;
  std::vector<std::vector<std::size_t>> rows_;
  std::vector<std::vector<std::vector<float>>> log_p_;
  std::set<const gguf::TensorInfo*> used_;
  const gguf::TensorInfo* probed_ = nullptr;
  TensorType probe_type_ = TensorType::kF32;
  Rounded probe_;
  std::vector<QMat> swapped_;
};

}  // namespace

double Sensitivity::LossIn(TensorType type) const {
  const auto found = error.find(type);
  TANDEM_CHECK(found != error.end(), "only measured types have a loss");
  const double probed = error.at(probe);
  return probed > 0 ? probe_loss * found->second / probed : 0;
}

void LogSoftmaxInPlace(std::span<float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(static_cast<double>(logit - largest));
  }
  const auto shift = static_cast<float>(std::log(sum)) + largest;
  for (float& logit : logits) {
    logit -= shift;
  }
}

double KlFromLogits(std::span<const float> log_p, std::span<const float> logits_q) {
  const float largest = *std::max_element(logits_q.begin(), logits_q.end());
  double sum = 0;
  for (const float logit : logits_q) {
    sum += std::exp(static_cast<double>(logit - largest));
  }
  const double shift = std::log(sum) + static_cast<double>(largest);
  double kl = 0;
  for (std::size_t i = 0; i < log_p.size(); ++i) {
    const auto p = static_cast<double>(log_p[i]);
    kl += std::exp(p) * (p - (static_cast<double>(logits_q[i]) - shift));
  }
  return std::max(kl, 0.0);  // rounding may leave a negative nothing
}

Result<std::vector<Sensitivity>> MeasureSensitivity(const LoadedModel& model, const Chunks& chunks,
                                                    const SensitivityOptions& options) {
  return Measurer(model, chunks, options).Run();
}

}  // namespace tandem::quantize
