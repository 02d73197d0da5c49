#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/ops.h"

namespace tandem::cpu {

/// Matrix products over a thread pool: rounds the activations once per format, splits the weight
/// rows into bands and calls the table's kernel for each. Every worker walks its own stretch of
/// neighbouring bands, so that it reads memory in order, and takes bands off the end of another's
/// when it is done. Single-threaded object; the pool and the table must outlive it.
class MatMulDriver {
 public:
  /// max_rows, max_cols: the largest x that Run will see (working memory is allocated here, not in
  /// Run).
  MatMulDriver(const KernelTable& table, ThreadPool& pool, std::size_t max_rows,
               std::size_t max_cols);

  /// See Ops::MatMul. worker_scratch: kScratchBytes for each worker of the pool.
  void Run(Mat<const float> x_TI, std::span<const MatMulTask> tasks,
           std::span<std::byte* const> worker_scratch);
  /// See Ops::WideMatMul.
  void RunWide(Mat<const float> x_TI, std::span<const MatMulTask> tasks,
               std::span<std::byte* const> worker_scratch);

  std::size_t scratch_bytes() const;

 private:
  /// Bands of one worker that nobody has taken yet: begin in the low half, end in the high half.
  struct alignas(64) Stretch {
    std::atomic<std::uint64_t> bands{0};
  };

  BlockQ8K* q8k() { return reinterpret_cast<BlockQ8K*>(memory_.data()); }
  BlockQ8x32* q8x32() { return reinterpret_cast<BlockQ8x32*>(memory_.data() + q8k_bytes_); }
  float* packed() { return reinterpret_cast<float*>(memory_.data()); }

  void Quantize(Mat<const float> x_TI, std::span<const MatMulTask> tasks);
  /// Which tasks of a call are at work, and on which columns.
  struct Pass {
    std::span<const MatMulTask> tasks;
    bool wide = false;    // of a call of RunWide
    bool packed = false;  // those with float weights and many tokens, or wide
    std::size_t band_rows = 0;
    std::size_t column = 0;  // of a packed pass
    std::size_t columns = 0;
  };

  bool IsPacked(const MatMulTask& task, bool wide) const;
  std::size_t BandsIn(const Pass& pass, const MatMulTask& task) const;
  /// Packs columns of all tokens.
  void Pack(Mat<const float> x_TI, const Pass& pass);
  std::size_t PanelFloats(std::size_t columns) const;
  void RunPackedBand(Mat<const float> x_TI, const Pass& pass, const MatMulTask& task,
                     std::size_t begin, std::size_t end, const std::byte* w_end,
                     std::byte* scratch);
  void RunAll(Mat<const float> x_TI, std::span<const MatMulTask> tasks, bool wide,
              std::span<std::byte* const> worker_scratch);
  void AddBias(const MatMulTask& task);
  void RunBand(Mat<const float> x_TI, const MatMulTask& task, std::size_t begin, std::size_t end,
               const std::byte* w_end, std::byte* scratch);
  void Work(Mat<const float> x_TI, const Pass& pass, std::size_t worker, std::byte* scratch);
  /// Splits the pass over the pool.
  void RunPass(Mat<const float> x_TI, const Pass& pass, std::span<std::byte* const> worker_scratch);

  const KernelTable& table_;
  ThreadPool& pool_;
  std::size_t q8k_bytes_;
  std::size_t q8x32_bytes_;
  std::size_t packed_floats_;  // at most kPackedColumns columns of all tokens
  /// Rounded activations of both formats; when they have been multiplied, packed ones.
  AlignedBuffer<std::byte> memory_;
  std::vector<Stretch> stretches_;
};

}  // namespace tandem::cpu
