#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "base/check.h"

namespace tandem {

/// Memory for `size` objects of a trivial type, aligned to a cache line, zero-filled. Move-only
/// owner.
template <typename T>
class AlignedBuffer {
 public:
  static constexpr std::size_t kAlignment = 64;

  AlignedBuffer() = default;
  explicit AlignedBuffer(std::size_t size) : size_(size) {
    static_assert(std::is_trivial_v<T>);
    if (size > 0) {
      data_.reset(static_cast<T*>(::operator new (size * sizeof(T), std::align_val_t{kAlignment})));
      std::memset(static_cast<void*>(data_.get()), 0, size * sizeof(T));
    }
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::size_t i) {
    TANDEM_DCHECK(i < size_, "index past the end");
    return data_.get()[i];
  }
  const T& operator[](std::size_t i) const {
    TANDEM_DCHECK(i < size_, "index past the end");
    return data_.get()[i];
  }
  std::span<T> span() { return {data(), size_}; }
  std::span<const T> span() const { return {data(), size_}; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

}  // namespace tandem
