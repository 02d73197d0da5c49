#include "runtime/loop_detector.h"

#include <algorithm>

namespace tandem {

bool LoopDetector::Push(TokenId token) {
  // recent_[begin_ + p - 1] is the token p before this one.
  const std::size_t known = std::min(count_, kLongestPassage);
  passage_ = 0;
  for (std::size_t p = 1; p <= known; ++p) {
    std::uint32_t& run = runs_[p - 1];
    run = recent_[begin_ + p - 1] == token ? run + 1 : 0;
    // The shortest passage is the one to speak of.
    if (passage_ == 0 && run + p >= std::max(kLeastTokens, kLeastRepeats * p)) {
      passage_ = p;
      repeated_ = run + p;
    }
  }
  if (begin_ == 0) {
    std::copy_n(recent_.begin(), kLongestPassage - 1, recent_.begin() + kLongestPassage + 1);
    begin_ = kLongestPassage + 1;
  }
  recent_[--begin_] = token;
  ++count_;
  return passage_ != 0;
}

}  // namespace tandem
