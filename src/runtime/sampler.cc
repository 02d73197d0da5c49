#include "runtime/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/rng.h"

namespace tandem {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr std::size_t kBlock = 64;
// Four numbers at once, which GCC and Clang compile for every CPU; they do not find it by
// themselves in these loops.
constexpr std::size_t kLanes = 4;
using Floats [[gnu::vector_size(16)]] = float;
using Words [[gnu::vector_size(16)]] = std::uint32_t;

/// e^x for x <= 0, within 3e-7 of relative error; 0 from -87 down and for NaN. The same bits
/// whichever C library is there. Cephes' expf: e^x = 2^n e^r with |r| <= log(2)/2, and a polynomial
/// for e^r.
inline Floats ExpOfNegative(Floats x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number
  const Floats shifted = x * 1.44269504F + kRound;
  const Floats n = shifted - kRound;
  const Floats r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  Floats p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + r + 1.0F;
  const Words value = std::bit_cast<Words>(p) + (std::bit_cast<Words>(shifted) << 23);
  return std::bit_cast<Floats>(value & std::bit_cast<Words>(x > -87.0F));
}

inline float ExpOfNegative(float x) {
  return ExpOfNegative(Floats{x})[0];
}

inline Floats LoadFloats(const float* from) {
  Floats x;
  std::memcpy(&x, from, sizeof(x));
  return x;
}

/// Copies a block of logits, with NaN as -infinity and +infinity as the largest float, and returns
/// the largest.
float CopyBlock(const float* from, float* to) {
  const Floats lowest = Floats{} - kInfinity;
  const Floats highest = Floats{} + kLargest;
  Floats max = lowest;
  for (std::size_t i = 0; i < kBlock; i += kLanes) {
    Floats x = LoadFloats(from + i);
    x = x > lowest ? x : lowest;
    x = x < highest ? x : highest;
    max = x > max ? x : max;
    std::memcpy(to + i, &x, sizeof(x));
  }
  return std::max(std::max(max[0], max[1]), std::max(max[2], max[3]));
}

/// The sum of e^(x - max) over a block.
double SumOfExp(const float* block, float max) {
  Floats even{};
  Floats odd{};
  for (std::size_t i = 0; i < kBlock; i += 2 * kLanes) {
    even += ExpOfNegative(LoadFloats(block + i) - max);
    odd += ExpOfNegative(LoadFloats(block + i + kLanes) - max);
  }
  const Floats sum = even + odd;
  return static_cast<double>((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

}  // namespace

Sampler::Sampler(SamplingOptions options, std::size_t vocabulary, std::span<const TokenId> banned)
    : options_(std::move(options)), vocabulary_(vocabulary), allowed_end_(vocabulary) {
  TANDEM_CHECK(vocabulary > 0, "a vocabulary has at least one row");
  TANDEM_CHECK(Validate(options_).ok(), "the caller validates the options");
  for (const TokenId id : banned) {
    if (id >= 0 && static_cast<std::size_t>(id) < vocabulary) {
      banned_.push_back(id);
    }
  }
  std::sort(banned_.begin(), banned_.end());
  std::erase_if(options_.logit_bias, [vocabulary](const auto& item) {
    return item.first < 0 || static_cast<std::size_t>(item.first) >= vocabulary;
  });

  const std::size_t blocks = (vocabulary + kBlock - 1) / kBlock;
  logits_.assign(blocks * kBlock, -kInfinity);
  block_max_.assign(blocks, -kInfinity);
  if (options_.repetition_penalty != 1 || options_.presence_penalty != 0 ||
      options_.frequency_penalty != 0) {
    uses_.resize(vocabulary);
    seen_.reserve(vocabulary);
  }
  if (options_.temperature > 0) {
    const bool all = options_.top_k == 0 || options_.top_k >= vocabulary;
    candidates_.reserve(all ? vocabulary
                            : std::min(vocabulary, std::max(kBlock, 2 * options_.top_k)));
  }
}

void Sampler::BanFrom(TokenId first) {
  TANDEM_CHECK(first > 0, "at least one id stays allowed");
  allowed_end_ = std::min(allowed_end_, static_cast<std::size_t>(first));
}

void Sampler::Restrict(std::span<const std::uint64_t> allowed) {
  TANDEM_CHECK(allowed.empty() || allowed.size() == block_max_.size(), "a word for each 64 rows");
  allowed_ = allowed;
}

void Sampler::AcceptPrompt(std::span<const TokenId> ids) {
  for (const TokenId id : ids) {
    if (id >= 0 && static_cast<std::size_t>(id) < uses_.size()) {
      Uses& uses = uses_[static_cast<std::size_t>(id)];
      if (uses.seen == 0) {
        uses.seen = 1;
        seen_.push_back(id);
      }
    }
  }
}

void Sampler::Accept(TokenId id) {
  AcceptPrompt({&id, 1});
  if (id >= 0 && static_cast<std::size_t>(id) < uses_.size()) {
    Uses& uses = uses_[static_cast<std::size_t>(id)];
    uses.generated = (uses.generated + 1) & 0x7FFFFFFFU;
  }
}

Sampler::Draw Sampler::Sample(std::span<const float> logits, std::uint64_t position) {
  TANDEM_CHECK(logits.size() == vocabulary_, "one logit per row of the vocabulary");
  Read(logits);
  Adjust();
  const TokenId best = Best();
  if (best < 0) {
    return {.token = LowestAllowed(), .logprob = -kInfinity};
  }
  TokenId token = best;
  if (options_.temperature > 0) {
    SelectCandidates();
    ApplyTemperature();
    KeepTypical();
    KeepTopP();
    KeepMinP();
    token = Pick(UniformAt(options_.seed, position));
  }
  const double below_max =
      static_cast<double>(std::min(logits[static_cast<std::size_t>(token)], kLargest)) -
      static_cast<double>(raw_max_);
  return {.token = token, .logprob = static_cast<float>(below_max - log_total_)};
}

/// Copies the logits and sums their exponentials in the same pass, while a block is in the cache.
void Sampler::Read(std::span<const float> logits) {
  float max = -kInfinity;
  double total = 0;
  for (std::size_t block = 0; block < block_max_.size(); ++block) {
    const std::size_t begin = block * kBlock;
    float* to = logits_.data() + begin;
    float block_max = -kInfinity;
    if (begin + kBlock <= logits.size()) {
      block_max = CopyBlock(logits.data() + begin, to);
    } else {
      std::array<float, kBlock> padded;
      padded.fill(-kInfinity);
      std::copy(logits.begin() + static_cast<std::ptrdiff_t>(begin), logits.end(), padded.begin());
      block_max = CopyBlock(padded.data(), to);
    }
    block_max_[block] = block_max;
    if (block_max > max) {
      total *= static_cast<double>(ExpOfNegative(max - block_max));
      max = block_max;
    }
    if (max > -kInfinity) {
      total += SumOfExp(to, max);
    }
  }
  raw_max_ = max;
  log_total_ = std::log(total);
}

void Sampler::Set(TokenId id, float logit) {
  const auto index = static_cast<std::size_t>(id);
  logits_[index] = std::min(logit, kLargest);
  block_max_[index / kBlock] = std::max(block_max_[index / kBlock], logits_[index]);
}

void Sampler::Adjust() {
  for (const auto& [id, bias] : options_.logit_bias) {
    Set(id, logits_[static_cast<std::size_t>(id)] + bias);
  }
  for (const TokenId id : seen_) {
    const Uses& uses = uses_[static_cast<std::size_t>(id)];
    float logit = logits_[static_cast<std::size_t>(id)];
    logit = logit > 0 ? logit / options_.repetition_penalty : logit * options_.repetition_penalty;
    if (uses.generated > 0) {
      logit -= options_.frequency_penalty * static_cast<float>(uses.generated);
      logit -= options_.presence_penalty;
    }
    Set(id, logit);
  }
  for (const TokenId id : banned_) {
    logits_[static_cast<std::size_t>(id)] = -kInfinity;
  }
  if (!allowed_.empty()) {
    KeepAllowed();
  }
}

/// A word of the set is a block of logits.
void Sampler::KeepAllowed() {
  static_assert(kBlock == 64);
  for (std::size_t block = 0; block < block_max_.size(); ++block) {
    const std::uint64_t word = allowed_[block];
    if (word == ~std::uint64_t{0}) {
      continue;
    }
    float* logits = logits_.data() + block * kBlock;
    float max = -kInfinity;
    for (std::size_t i = 0; i < kBlock; ++i) {
      logits[i] = (word >> i & 1) != 0 ? logits[i] : -kInfinity;
      max = std::max(max, logits[i]);
    }
    block_max_[block] = max;
  }
}

/// The first of the largest logits, or -1 when all are -infinity.
TokenId Sampler::Best() const {
  float best = -kInfinity;
  TokenId id = -1;
  for (std::size_t begin = 0; begin < allowed_end_; begin += kBlock) {
    if (block_max_[begin / kBlock] <= best) {
      continue;
    }
    const std::size_t end = std::min(begin + kBlock, allowed_end_);
    for (std::size_t i = begin; i < end; ++i) {
      if (logits_[i] > best) {
        best = logits_[i];
        id = static_cast<TokenId>(i);
      }
    }
  }
  return id;
}

TokenId Sampler::LowestAllowed() const {
  auto banned = banned_.begin();
  for (std::size_t i = 0; i < allowed_end_; ++i) {
    const auto id = static_cast<TokenId>(i);
    banned = std::find_if(banned, banned_.end(), [id](TokenId other) { return other >= id; });
    const bool is_banned = banned != banned_.end() && *banned == id;
    if (!is_banned && (allowed_.empty() || (allowed_[i / kBlock] >> (i % kBlock) & 1) != 0)) {
      return id;
    }
  }
  return 0;
}

bool Sampler::RanksBefore(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

/// Fills candidates_ with what top-k leaves, best first; without top-k with all, in order of id.
void Sampler::SelectCandidates() {
  candidates_.clear();
  if (options_.top_k != 0 && options_.top_k < allowed_end_) {
    SelectTopK();
    return;
  }
  for (std::size_t i = 0; i < allowed_end_; ++i) {
    if (logits_[i] > -kInfinity) {
      candidates_.push_back({.logit = logits_[i], .id = static_cast<TokenId>(i)});
    }
  }
}

/// One pass that keeps the best so far: a logit enters when it beats the k-th best of those before
/// it, and twice as many as are wanted are thinned out to k. Equal logits that come later have a
/// higher id and need not enter.
void Sampler::SelectTopK() {
  const std::size_t room = std::max(kBlock, 2 * options_.top_k);
  float threshold = -kInfinity;
  for (std::size_t begin = 0; begin < allowed_end_; begin += kBlock) {
    if (block_max_[begin / kBlock] <= threshold) {
      continue;
    }
    const std::size_t end = std::min(begin + kBlock, allowed_end_);
    for (std::size_t i = begin; i < end; ++i) {
      if (logits_[i] > threshold) {
        candidates_.push_back({.logit = logits_[i], .id = static_cast<TokenId>(i)});
        if (candidates_.size() == room) {
          KeepTopK();
          threshold = candidates_.back().logit;
        }
      }
    }
  }
  KeepTopK();
  std::sort(candidates_.begin(), candidates_.end(), &RanksBefore);
}

/// Leaves the best top_k, the least of them last.
void Sampler::KeepTopK() {
  if (candidates_.size() > options_.top_k) {
    const auto last = candidates_.begin() + static_cast<std::ptrdiff_t>(options_.top_k) - 1;
    std::nth_element(candidates_.begin(), last, candidates_.end(), &RanksBefore);
    candidates_.resize(options_.top_k);
  }
}

void Sampler::ApplyTemperature() {
  float max = -kInfinity;
  for (const Candidate& c : candidates_) {
    max = std::max(max, c.logit);
  }
  for (Candidate& c : candidates_) {
    c.weight = ExpOfNegative((c.logit - max) / options_.temperature);
  }
  std::erase_if(candidates_, [](const Candidate& c) { return c.weight <= 0; });
}

double Sampler::TotalWeight() const {
  double total = 0;
  for (const Candidate& c : candidates_) {
    total += static_cast<double>(c.weight);
  }
  return total;
}

/// Locally typical sampling, arXiv:2202.00666, section 3.3: first the tokens whose surprise is
/// closest to the expected one, until they have the wanted mass.
void Sampler::KeepTypical() {
  if (options_.typical_p >= 1) {
    return;
  }
  const double total = TotalWeight();
  double entropy = 0;
  for (const Candidate& c : candidates_) {
    const double p = static_cast<double>(c.weight) / total;
    entropy -= p * std::log(p);
  }
  for (Candidate& c : candidates_) {
    const double surprise = -std::log(static_cast<double>(c.weight) / total);
    c.logit = -static_cast<float>(std::abs(surprise - entropy));
  }
  std::sort(candidates_.begin(), candidates_.end(), &RanksBefore);
  const double wanted = static_cast<double>(options_.typical_p) * total;
  double mass = 0;
  std::size_t kept = 0;
  while (kept < candidates_.size() && (kept == 0 || mass < wanted)) {
    mass += static_cast<double>(candidates_[kept++].weight);
  }
  candidates_.resize(kept);
  for (Candidate& c : candidates_) {
    c.logit = logits_[static_cast<std::size_t>(c.id)];
  }
  std::sort(candidates_.begin(), candidates_.end(), &RanksBefore);
}

/// Nucleus sampling, arXiv:1904.09751, section 3.1. Sorts no more than about twice what it keeps.
void Sampler::KeepTopP() {
  if (options_.top_p >= 1) {
    return;
  }
  const double wanted = static_cast<double>(options_.top_p) * TotalWeight();
  const std::size_t count = candidates_.size();
  const auto at = [this](std::size_t i) {
    return candidates_.begin() + static_cast<std::ptrdiff_t>(i);
  };
  double mass = 0;
  std::size_t sorted = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == sorted) {
      sorted = std::min(count, std::max(kBlock, 2 * sorted));
      if (sorted < count) {
        std::nth_element(at(i), at(sorted), at(count), &RanksBefore);
      }
      std::sort(at(i), at(sorted), &RanksBefore);
    }
    mass += static_cast<double>(candidates_[i].weight);
    if (mass >= wanted) {
      candidates_.resize(i + 1);
      return;
    }
  }
}

/// arXiv:2407.01082, section 3.
void Sampler::KeepMinP() {
  if (options_.min_p <= 0) {
    return;
  }
  float largest = 0;
  for (const Candidate& c : candidates_) {
    largest = std::max(largest, c.weight);
  }
  std::erase_if(candidates_,
                [&](const Candidate& c) { return c.weight < options_.min_p * largest; });
}

TokenId Sampler::Pick(double uniform) const {
  const double wanted = uniform * TotalWeight();
  double mass = 0;
  for (const Candidate& c : candidates_) {
    mass += static_cast<double>(c.weight);
    if (mass > wanted) {
      return c.id;
    }
  }
  return candidates_.back().id;
}

}  // namespace tandem
