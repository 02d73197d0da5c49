#include "model/kv_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/format.h"

namespace tandem {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Cache pages as large as huge pages lie on those where the system has some: long contexts are read
// in full for every token.
std::align_val_t Alignment(const KvLayout& layout) {
  return std::align_val_t{layout.page_bytes() >= kHugePage ? kHugePage : 4096};
}

}  // namespace

KvPool::~KvPool() {
  for (std::byte* page : pages_) {
    ::operator delete(page, Alignment(layout_));
  }
}

Result<KvPool::PageId> KvPool::Allocate() {
  if (!free_.empty()) {
    const PageId page = free_.back();
    free_.pop_back();
    references_[page] = 1;
    return page;
  }
  // Room in all three lists first, so that neither entering the page nor ever giving it back can
  // fail half-way.
  if (pages_.size() >= std::min({pages_.capacity(), references_.capacity(), free_.capacity()})) {
    const std::size_t room = 2 * pages_.size() + 16;
    pages_.reserve(room);
    references_.reserve(room);
    free_.reserve(room);
  }
  auto* memory = static_cast<std::byte*>(
      ::operator new(layout_.page_bytes(), Alignment(layout_), std::nothrow));
  if (memory == nullptr) {
    return Status(StatusCode::kOutOfMemory,
                  Format("no memory for {} more tokens of key-value cache ({}; {} are in use)",
                         kKvPageTokens, FormatBytes(static_cast<double>(layout_.page_bytes())),
                         FormatBytes(static_cast<double>(allocated_bytes()))));
  }
#ifdef MADV_HUGEPAGE
  if (layout_.page_bytes() >= kHugePage) {
    (void)::madvise(memory, layout_.page_bytes(), MADV_HUGEPAGE);  // a hint
  }
#endif
  pages_.push_back(memory);
  references_.push_back(1);
  return static_cast<PageId>(pages_.size() - 1);
}

void KvPool::Release(PageId page) {
  TANDEM_CHECK(references_[page] > 0, "page released twice");
  if (--references_[page] == 0) {
    free_.push_back(page);
  }
}

Status KvCache::Reserve(std::size_t length, std::size_t end) {
  if (pool_->layout().layers == 0) {
    return OkStatus();
  }
  const std::size_t pages = (end + kKvPageTokens - 1) / kKvPageTokens;
  if (pages > std::min(ids_.capacity(), data_.capacity())) {
    ids_.reserve(std::max(pages, 2 * ids_.size()));
    data_.reserve(std::max(pages, 2 * ids_.size()));
  }
  const std::size_t partial = length / kKvPageTokens;
  if (length % kKvPageTokens != 0 && end > length && pool_->shared(ids_[partial])) {
    TANDEM_ASSIGN_OR_RETURN(const KvPool::PageId copy, pool_->Allocate());
    std::memcpy(pool_->data(copy), data_[partial], pool_->layout().page_bytes());
    pool_->Release(ids_[partial]);
    ids_[partial] = copy;
    data_[partial] = pool_->data(copy);
  }
  while (ids_.size() * kKvPageTokens < end) {
    TANDEM_ASSIGN_OR_RETURN(const KvPool::PageId page, pool_->Allocate());
    ids_.push_back(page);
    data_.push_back(pool_->data(page));
  }
  return OkStatus();
}

void KvCache::Truncate(std::size_t length) {
  const std::size_t pages = (length + kKvPageTokens - 1) / kKvPageTokens;
  while (ids_.size() > pages) {
    pool_->Release(ids_.back());
    ids_.pop_back();
    data_.pop_back();
  }
}

KvCache KvCache::Fork() const {
  std::vector<KvPool::PageId> ids = ids_;
  std::vector<std::byte*> data = data_;
  KvCache copy(*pool_);
  for (const KvPool::PageId page : ids) {
    pool_->AddReference(page);
  }
  copy.ids_ = std::move(ids);
  copy.data_ = std::move(data);
  return copy;
}

}  // namespace tandem
