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

  std::size_t scratch_bytes() const;

 private:
  /// Bands of one worker that nobody has taken yet: begin in the low half, end in the high half.
  struct alignas(64) Stretch {
    std::atomic<std::uint64_t> bands{0};
  };

  void Quantize(Mat<const float> x_TI, std::span<const MatMulTask> tasks);
  void RunBand(Mat<const float> x_TI, const MatMulTask& task, std::size_t begin, std::size_t end,
               const std::byte* w_end, std::byte* scratch);
  void Work(Mat<const float> x_TI, std::span<const MatMulTask> tasks, std::size_t band_rows,
            std::size_t worker, std::byte* scratch);

  const KernelTable& table_;
  ThreadPool& pool_;
  AlignedBuffer<std::byte> q8k_;
  AlignedBuffer<std::byte> q8x32_;
  std::vector<Stretch> stretches_;
};

}  // namespace tandem::cpu
