#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

#include "base/check.h"

namespace tandem {

/// A borrowed row-major matrix: element (r, c) is data[r * stride + c]. Whoever owns the memory
/// must outlive it.
template <typename T>
struct Mat {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t stride = 0;  // elements from one row to the next, at least cols

  Mat() = default;
  Mat(T* data_in, std::size_t rows_in, std::size_t cols_in)
      : Mat(data_in, rows_in, cols_in, cols_in) {}
  Mat(T* data_in, std::size_t rows_in, std::size_t cols_in, std::size_t stride_in)
      : data(data_in), rows(rows_in), cols(cols_in), stride(stride_in) {
    TANDEM_DCHECK(stride >= cols, "rows of a matrix must not overlap");
  }

  T* Row(std::size_t r) const {
    TANDEM_DCHECK(r < rows, "row past the end");
    return data + r * stride;
  }
  std::span<T> RowSpan(std::size_t r) const { return {Row(r), cols}; }
  /// Rows [begin, begin + count).
  Mat RowRange(std::size_t begin, std::size_t count) const {
    TANDEM_CHECK(begin + count <= rows, "row range past the end");
    return Mat(data + begin * stride, count, cols, stride);
  }
  /// Columns [begin, begin + count) of every row.
  Mat ColRange(std::size_t begin, std::size_t count) const {
    TANDEM_CHECK(begin + count <= cols, "column range past the end");
    return Mat(data + begin, rows, count, stride);
  }

  // A view of mutable elements is a view of const ones.
  // NOLINTNEXTLINE(google-explicit-constructor): see above.
  operator Mat<const T>() const requires(!std::is_const_v<T>) {
    return Mat<const T>(data, rows, cols, stride);
  }
};

}  // namespace tandem
