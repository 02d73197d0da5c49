#pragma once

#include <cstddef>
#include <span>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/ops.h"

namespace tandem::cpu {

/// Matrix products over a thread pool: rounds the activations once per format, splits the weight
/// rows into bands and calls the table's kernel for each. Single-threaded object; the pool and the
/// table must outlive it.
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
  void Quantize(Mat<const float> x_TI, Activation format);
  void RunBand(Mat<const float> x_TI, const MatMulTask& task, std::size_t begin, std::size_t end,
               std::byte* scratch);

  const KernelTable& table_;
  ThreadPool& pool_;
  AlignedBuffer<std::byte> q8k_;
  AlignedBuffer<std::byte> q8x32_;
};

}  // namespace tandem::cpu
