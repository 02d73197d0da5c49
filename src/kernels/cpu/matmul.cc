#include "kernels/cpu/matmul.h"

#include <algorithm>
#include <optional>

#include "quant/formats.h"

namespace tandem::cpu {
namespace {

// Rows of a weight in a band: enough to pay for taking it, few enough to stay even. With few tokens
// the weights are read at the pace of memory; with many a band's rows share the passes over x.
constexpr std::size_t kStreamTokens = 16;
constexpr std::size_t kStreamBandRows = 32;
constexpr std::size_t kBandRows = 64;
static_assert(kBandRows <= kWideRows);
// From so many panels of tokens on packing pays.
constexpr std::size_t kPackFromPanels = 2;
// Slots of x per range of columns: whole tiles of tokens.
constexpr std::size_t kSlotMultiple = 16;

std::size_t RoundUp(std::size_t n, std::size_t multiple) {
  return (n + multiple - 1) / multiple * multiple;
}
std::size_t Bands(const MatMulTask& task, std::size_t band_rows) {
  return (task.w_OI->rows + band_rows - 1) / band_rows;
}

constexpr unsigned kEndShift = 32;
constexpr std::uint64_t kBeginMask = 0xFFFFFFFF;
std::uint64_t Stretched(std::uint64_t begin, std::uint64_t end) {
  return begin | (end << kEndShift);
}

std::optional<std::size_t> TakeFirst(std::atomic<std::uint64_t>& bands) {
  std::uint64_t now = bands.load(std::memory_order_relaxed);
  while ((now & kBeginMask) < now >> kEndShift) {
    const std::uint64_t begin = now & kBeginMask;
    if (bands.compare_exchange_weak(now, Stretched(begin + 1, now >> kEndShift),
                                    std::memory_order_relaxed)) {
      return begin;
    }
  }
  return std::nullopt;
}

std::optional<std::size_t> TakeLast(std::atomic<std::uint64_t>& bands) {
  std::uint64_t now = bands.load(std::memory_order_relaxed);
  while ((now & kBeginMask) < now >> kEndShift) {
    const std::uint64_t end = (now >> kEndShift) - 1;
    if (bands.compare_exchange_weak(now, Stretched(now & kBeginMask, end),
                                    std::memory_order_relaxed)) {
      return end;
    }
  }
  return std::nullopt;
}

}  // namespace

MatMulDriver::MatMulDriver(const KernelTable& table, ThreadPool& pool, std::size_t max_rows,
                           std::size_t max_cols)
    : table_(table),
      pool_(pool),
      q8k_bytes_(RoundUp(max_rows, kSlotMultiple) * (max_cols / 256) * sizeof(BlockQ8K)),
      q8x32_bytes_(RoundUp(max_rows, kSlotMultiple) * (max_cols / 32) * sizeof(BlockQ8x32)),
      packed_floats_(table.packed_tokens == 0
                         ? 0
                         : RoundUp(max_rows, table.packed_tokens) *
                               std::min(kPackedColumns, RoundUp(max_cols, kPackedMultiple))),
      memory_(std::max(q8k_bytes_ + q8x32_bytes_, packed_floats_ * sizeof(float))),
      stretches_(pool.size()) {}

std::size_t MatMulDriver::scratch_bytes() const {
  return memory_.size();
}

void MatMulDriver::Quantize(Mat<const float> x_TI, std::span<const MatMulTask> tasks) {
  bool needs_q8k = false;
  bool needs_q8x32 = false;
  for (const MatMulTask& task : tasks) {
    const MatMulKernel& kernel = table_.matmul[static_cast<std::size_t>(task.w_OI->type)];
    needs_q8k = needs_q8k || (kernel.run != nullptr && kernel.activation == Activation::kQ8K);
    needs_q8x32 = needs_q8x32 || (kernel.run != nullptr && kernel.activation == Activation::kQ8_0);
  }
  if (!needs_q8k && !needs_q8x32) {
    return;
  }
  const std::size_t slots = RoundUp(x_TI.rows, kSlotMultiple);
  TANDEM_CHECK(!needs_q8k || slots * (x_TI.cols / 256) * sizeof(BlockQ8K) <= q8k_bytes_,
               "x is larger than the device was made for");
  TANDEM_CHECK(!needs_q8x32 || slots * (x_TI.cols / 32) * sizeof(BlockQ8x32) <= q8x32_bytes_,
               "x is larger than the device was made for");
  pool_.Run(x_TI.rows, [&](std::size_t t, std::size_t) {
    if (needs_q8k) {
      table_.quantize_q8k(x_TI.Row(t), x_TI.cols, q8k() + t, slots);
    }
    if (needs_q8x32) {
      table_.quantize_q8_0(x_TI.Row(t), x_TI.cols, q8x32() + t, slots);
    }
  });
}

void MatMulDriver::RunBand(Mat<const float> x_TI, const MatMulTask& task, std::size_t begin,
                           std::size_t end, const std::byte* w_end, std::byte* scratch) {
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
  const void* x = x_TI.data;
  if (kernel.activation != Activation::kF32) {
    x = kernel.activation == Activation::kQ8K ? static_cast<const void*>(q8k()) : q8x32();
  }
  kernel.run({.w = w.Row(begin),
              .w_row_bytes = w.row_bytes,
              .rows = end - begin,
              .cols = w.cols,
              .x = x,
              .x_slots = RoundUp(x_TI.rows, kSlotMultiple),
              .x_row_bytes = x_TI.stride * sizeof(float),
              .tokens = x_TI.rows,
              .y = task.y_TO.data + begin,
              .y_stride = task.y_TO.stride,
              .w_end = w_end,
              .scratch = scratch});
}

bool MatMulDriver::IsPacked(const MatMulTask& task, bool wide) const {
  const MatMulKernel& kernel = table_.matmul[static_cast<std::size_t>(task.w_OI->type)];
  if (wide) {
    return kernel.run_wide != nullptr;
  }
  return task.y_TO.rows >= kPackFromPanels * table_.packed_tokens && kernel.run_packed != nullptr;
}

std::size_t MatMulDriver::BandsIn(const Pass& pass, const MatMulTask& task) const {
  return IsPacked(task, pass.wide) == pass.packed ? Bands(task, pass.band_rows) : 0;
}

std::size_t MatMulDriver::PanelFloats(std::size_t columns) const {
  return table_.packed_tokens * RoundUp(columns, kPackedMultiple);
}

void MatMulDriver::Pack(Mat<const float> x_TI, const Pass& pass) {
  const std::size_t panel = table_.packed_tokens;
  const std::size_t panels = (x_TI.rows + panel - 1) / panel;
  TANDEM_CHECK(panels * PanelFloats(pass.columns) <= packed_floats_,
               "x is larger than the device was made for");
  const auto pack = pass.wide ? table_.pack_columns : table_.pack_floats;
  pool_.Run(panels, [&](std::size_t p, std::size_t) {
    const std::size_t first = p * panel;
    const float* x = x_TI.Row(first) + pass.column;
    for (std::size_t column = 0; column < pass.columns; column += kPackedBlock) {
      const std::size_t columns = std::min(kPackedBlock, pass.columns - column);
      pack(x + column, x_TI.stride, std::min(panel, x_TI.rows - first), columns,
           packed() + column * panels * panel + p * PanelFloats(columns));
    }
  });
}

void MatMulDriver::RunPackedBand(Mat<const float> x_TI, const Pass& pass, const MatMulTask& task,
                                 std::size_t begin, std::size_t end, const std::byte* w_end,
                                 std::byte* scratch) {
  const QMat& w = *task.w_OI;
  const MatMulKernel& kernel = table_.matmul[static_cast<std::size_t>(w.type)];
  const bool adds_bias = !task.bias_O.empty() && pass.column + pass.columns == w.cols;
  const auto run = pass.wide ? kernel.run_wide : kernel.run_packed;
  run({.w = w.Row(begin),
       .w_row_bytes = w.row_bytes,
       .rows = end - begin,
       .column = pass.column,
       .columns = pass.columns,
       .x = packed(),
       .tokens = x_TI.rows,
       .y = task.y_TO.data + begin,
       .y_stride = task.y_TO.stride,
       .bias = adds_bias ? task.bias_O.data() + begin : nullptr,
       .w_end = w_end,
       .scratch = scratch});
}

void MatMulDriver::Work(Mat<const float> x_TI, const Pass& pass, std::size_t worker,
                        std::byte* scratch) {
  const auto run = [&](std::size_t band, std::size_t stretch_end) {
    std::size_t i = 0;
    for (; band >= BandsIn(pass, pass.tasks[i]); ++i) {
      band -= BandsIn(pass, pass.tasks[i]);
      stretch_end -= BandsIn(pass, pass.tasks[i]);
    }
    const MatMulTask& task = pass.tasks[i];
    const QMat& w = *task.w_OI;
    const std::size_t begin = band * pass.band_rows;
    const std::size_t end = std::min(w.rows, begin + pass.band_rows);
    const std::byte* w_end = w.Row(std::min(w.rows, stretch_end * pass.band_rows));
    if (pass.packed) {
      RunPackedBand(x_TI, pass, task, begin, end, w_end, scratch);
    } else {
      RunBand(x_TI, task, begin, end, w_end, scratch);
    }
  };
  std::atomic<std::uint64_t>& mine = stretches_[worker].bands;
  while (const std::optional<std::size_t> band = TakeFirst(mine)) {
    run(*band, std::max<std::size_t>(*band + 1, mine.load(std::memory_order_relaxed) >> kEndShift));
  }
  for (std::size_t other = 1; other < stretches_.size(); ++other) {
    std::atomic<std::uint64_t>& theirs = stretches_[(worker + other) % stretches_.size()].bands;
    while (const std::optional<std::size_t> band = TakeLast(theirs)) {
      run(*band, *band + 1);
    }
  }
}

void MatMulDriver::RunPass(Mat<const float> x_TI, const Pass& pass,
                           std::span<std::byte* const> worker_scratch) {
  std::size_t bands = 0;
  for (const MatMulTask& task : pass.tasks) {
    bands += BandsIn(pass, task);
  }
  TANDEM_CHECK(bands <= kBeginMask, "too many rows");
  if (bands == 0) {
    return;
  }
  const std::size_t workers = stretches_.size();
  for (std::size_t i = 0; i < workers; ++i) {
    stretches_[i].bands.store(Stretched(bands * i / workers, bands * (i + 1) / workers),
                              std::memory_order_relaxed);
  }
  // A stretch is named by the task's number, not by who runs it: a worker that comes late finds its
  // stretch taken.
  pool_.Run(std::min(workers, bands), [&](std::size_t stretch, std::size_t worker) {
    Work(x_TI, pass, stretch, worker_scratch[worker]);
  });
}

void MatMulDriver::Run(Mat<const float> x_TI, std::span<const MatMulTask> tasks,
                       std::span<std::byte* const> worker_scratch) {
  RunAll(x_TI, tasks, /*wide=*/false, worker_scratch);
}

void MatMulDriver::RunWide(Mat<const float> x_TI, std::span<const MatMulTask> tasks,
                           std::span<std::byte* const> worker_scratch) {
  RunAll(x_TI, tasks, /*wide=*/true, worker_scratch);
}

void MatMulDriver::AddBias(const MatMulTask& task) {
  pool_.Run(task.y_TO.rows, [&](std::size_t t, std::size_t) {
    table_.add(task.bias_O.data(), task.y_TO.Row(t), task.y_TO.cols);
  });
}

void MatMulDriver::RunAll(Mat<const float> x_TI, std::span<const MatMulTask> tasks, bool wide,
                          std::span<std::byte* const> worker_scratch) {
  bool any_packed = false;
  for (const MatMulTask& task : tasks) {
    TANDEM_CHECK(task.w_OI->cols == x_TI.cols, "weight rows must be as long as the input");
    TANDEM_CHECK(task.y_TO.rows == x_TI.rows && task.y_TO.cols == task.w_OI->rows, "output shape");
    TANDEM_CHECK(x_TI.cols * sizeof(float) <= kScratchBytes,
                 "a decoded row must fit the scratch memory");
    TANDEM_CHECK(task.bias_O.empty() || task.bias_O.size() == task.w_OI->rows, "bias shape");
    any_packed = any_packed || IsPacked(task, wide);
  }
  if (x_TI.rows == 0) {
    return;  // an empty view may have no memory to point into
  }
  Quantize(x_TI, tasks);
  const std::size_t band_rows = x_TI.rows <= kStreamTokens ? kStreamBandRows : kBandRows;
  RunPass(x_TI, {.tasks = tasks, .wide = wide, .band_rows = band_rows}, worker_scratch);
  const std::size_t most = wide ? kPackedBlock : kPackedColumns;
  for (std::size_t column = 0; any_packed && column < x_TI.cols; column += most) {
    const Pass pass = {.tasks = tasks,
                       .wide = wide,
                       .packed = true,
                       .band_rows = kBandRows,
                       .column = column,
                       .columns = std::min(most, x_TI.cols - column)};
    Pack(x_TI, pass);
    RunPass(x_TI, pass, worker_scratch);
  }
  for (const MatMulTask& task : tasks) {
    if (!task.bias_O.empty() && !(wide && IsPacked(task, wide))) {
      AddBias(task);
    }
  }
}

}  // namespace tandem::cpu
