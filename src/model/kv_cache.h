#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "kernels/ops.h"

namespace tandem {

/// Where the parts of a cache page lie. A page holds kKvPageTokens positions of one sequence in all
/// layers.
struct KvLayout {
  std::size_t layers = 0;  // layers that cache keys and values
  std::size_t kv_heads = 0;
  std::size_t head_dim = 0;
  KvType type = KvType::kF16;

  /// Keys and values of one layer in a page, bytes.
  std::size_t layer_bytes() const {
    return 2 * kv_heads * kKvPageTokens * KvRowBytes(type, head_dim);
  }
  std::size_t page_bytes() const { return layers * layer_bytes(); }
};

/// Pages of one layout, reference-counted so that forked sequences share them. Grows on demand and
/// keeps freed pages for the next sequence. Thread-compatible; must outlive every KvCache made from
/// it.
class KvPool {
 public:
  explicit KvPool(const KvLayout& layout) : layout_(layout) {}
  ~KvPool();
  KvPool(const KvPool&) = delete;
  KvPool& operator=(const KvPool&) = delete;

  using PageId = std::uint32_t;

  const KvLayout& layout() const { return layout_; }
  /// A page with one reference, its content undefined. OutOfMemory when the system has none left.
  Result<PageId> Allocate();
  void AddReference(PageId page) { ++references_[page]; }
  void Release(PageId page);
  bool shared(PageId page) const { return references_[page] > 1; }
  std::byte* data(PageId page) const { return pages_[page]; }
  /// Bytes of all pages ever allocated.
  std::size_t allocated_bytes() const { return pages_.size() * layout_.page_bytes(); }

 private:
  KvLayout layout_;
  std::vector<std::byte*> pages_;
  std::vector<std::uint32_t> references_;
  std::vector<PageId> free_;
};

/// The keys and values of one sequence: a table of pages, copy-on-write. Move-only; Fork() copies.
class KvCache {
 public:
  explicit KvCache(KvPool& pool) : pool_(&pool) {}
  ~KvCache() { Truncate(0); }
  KvCache(KvCache&& other) noexcept { Swap(other); }
  KvCache& operator=(KvCache&& other) noexcept {
    Swap(other);
    return *this;
  }
  KvCache(const KvCache&) = delete;
  KvCache& operator=(const KvCache&) = delete;

  /// Makes the positions [length, end) writable: adds pages, and copies the page that position
  /// `length` falls in when another sequence shares it. On OutOfMemory nothing has changed that a
  /// later call would not repeat.
  Status Reserve(std::size_t length, std::size_t end);
  /// Drops the pages past the first `length` positions.
  void Truncate(std::size_t length);
  /// A cache of the same content that shares every page until one of the two writes to it.
  KvCache Fork() const;

  std::byte* const* pages() const { return data_.data(); }
  const KvLayout& layout() const { return pool_->layout(); }

 private:
  void Swap(KvCache& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(ids_, other.ids_);
    std::swap(data_, other.data_);
  }

  KvPool* pool_ = nullptr;
  std::vector<KvPool::PageId> ids_;
  std::vector<std::byte*> data_;  // data_[i] is the memory of ids_[i]
};

}  // namespace tandem
