#include "kernels/cpu/matmul.h"

#include <algorithm>

#include "quant/formats.h"

namespace tandem::cpu {
namespace {

// Rows of a weight that one task of the pool takes: enough to pay for handing it out, few enough to
// stay even.
constexpr std::size_t kBandRows = 64;

std::size_t Q8KRowBytes(std::size_t cols) {
  return cols / 256 * sizeof(BlockQ8K);
}
std::size_t Q8x32RowBytes(std::size_t cols) {
  return cols / 32 * sizeof(BlockQ8x32);
}

}  // namespace

MatMulDriver::MatMulDriver(const KernelTable& table, ThreadPool& pool, std::size_t max_rows,
                           std::size_t max_cols)
    : table_(table),
      pool_(pool),
      q8k_(max_rows * Q8KRowBytes(max_cols)),
      q8x32_(max_rows * Q8x32RowBytes(max_cols)) {}

std::size_t MatMulDriver::scratch_bytes() const {
  return q8k_.size() + q8x32_.size();
}

void MatMulDriver::Quantize(Mat<const float> x_TI, Activation format) {
  pool_.Run(x_TI.rows, [&](std::size_t t, std::size_t) {
    if (format == Activation::kQ8K) {
      auto* out = q8k_.data() + t * Q8KRowBytes(x_TI.cols);
      table_.quantize_q8k(x_TI.Row(t), x_TI.cols, reinterpret_cast<BlockQ8K*>(out));
    } else {
      auto* out = q8x32_.data() + t * Q8x32RowBytes(x_TI.cols);
      table_.quantize_q8_0(x_TI.Row(t), x_TI.cols, reinterpret_cast<BlockQ8x32*>(out));
    }
  });
}

void MatMulDriver::RunBand(Mat<const float> x_TI, const MatMulTask& task, std::size_t begin,
                           std::size_t end, std::byte* scratch) {
  const QMat& w = *task.w_OI;
  const MatMulKernel& kernel = table_.matmul[static_cast<std::size_t>(w.type)];
  if (kernel.run == nullptr) {
    const quant::Format& format = *quant::FindFormat(w.type);
    auto* row = reinterpret_cast<float*>(scratch);
    for (std::size_t r = begin; r < end; ++r) {
      format.decode(w.Row(r), w.cols / format.block_len, row);
      table_.dot_rows(row, x_TI.data, x_TI.stride, x_TI.rows, w.cols, task.y_TO.data + r,
                      task.y_TO.stride);
    }
    return;
  }
  MatMulArgs args{.w = w.Row(begin),
                  .w_row_bytes = w.row_bytes,
                  .rows = end - begin,
                  .cols = w.cols,
                  .x = x_TI.data,
                  .x_row_bytes = x_TI.stride * sizeof(float),
                  .tokens = x_TI.rows,
                  .y = task.y_TO.data + begin,
                  .y_stride = task.y_TO.stride,
                  .scratch = scratch};
  if (kernel.activation == Activation::kQ8K) {
    args.x = q8k_.data();
    args.x_row_bytes = Q8KRowBytes(w.cols);
  } else if (kernel.activation == Activation::kQ8_0) {
    args.x = q8x32_.data();
    args.x_row_bytes = Q8x32RowBytes(w.cols);
  }
  kernel.run(args);
}

void MatMulDriver::Run(Mat<const float> x_TI, std::span<const MatMulTask> tasks,
                       std::span<std::byte* const> worker_scratch) {
  bool needs_q8k = false;
  bool needs_q8x32 = false;
  std::size_t bands = 0;
  for (const MatMulTask& task : tasks) {
    TANDEM_CHECK(task.w_OI->cols == x_TI.cols, "weight rows must be as long as the input");
    TANDEM_CHECK(task.y_TO.rows == x_TI.rows && task.y_TO.cols == task.w_OI->rows, "output shape");
    TANDEM_CHECK(x_TI.cols * sizeof(float) <= kScratchBytes,
                 "a decoded row must fit the scratch memory");
    const MatMulKernel& kernel = table_.matmul[static_cast<std::size_t>(task.w_OI->type)];
    needs_q8k = needs_q8k || (kernel.run != nullptr && kernel.activation == Activation::kQ8K);
    needs_q8x32 = needs_q8x32 || (kernel.run != nullptr && kernel.activation == Activation::kQ8_0);
    bands += (task.w_OI->rows + kBandRows - 1) / kBandRows;
  }
  if (needs_q8k) {
    Quantize(x_TI, Activation::kQ8K);
  }
  if (needs_q8x32) {
    Quantize(x_TI, Activation::kQ8_0);
  }
  pool_.Run(bands, [&](std::size_t band, std::size_t worker) {
    std::size_t i = 0;
    for (; band >= (tasks[i].w_OI->rows + kBandRows - 1) / kBandRows; ++i) {
      band -= (tasks[i].w_OI->rows + kBandRows - 1) / kBandRows;
    }
    const std::size_t begin = band * kBandRows;
    RunBand(x_TI, tasks[i], begin, std::min(tasks[i].w_OI->rows, begin + kBandRows),
            worker_scratch[worker]);
  });
}

}  // namespace tandem::cpu
