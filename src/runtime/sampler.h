#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/token_id.h"
#include "runtime/sampling_options.h"

namespace tandem {

/// Chooses the next tokens of one sequence. Allocates in the constructor only: 4 bytes per
/// vocabulary row, 8 more with penalties, 12 more without top-k. Single-threaded.
class Sampler {
 public:
  struct Draw {
    TokenId token = 0;
    float logprob = 0;  // under the model's own distribution: no bias, penalty, ban or filter
  };

  /// options: valid (Validate). vocabulary: length of the logits, at least 1. banned: rows that are
  /// never chosen; ids out of range are ignored here and in the bias.
  Sampler(SamplingOptions options, std::size_t vocabulary, std::span<const TokenId> banned);

  /// From now on, no id from `first` on is chosen; `first` is at least 1.
  void BanFrom(TokenId first);

  /// From now on only tokens whose bits are set are chosen: a word for each 64 rows, which must
  /// stay where they are and may change between draws. Empty: all again. The filters see only what
  /// it leaves; when nothing is left, or all of it is banned, the draw is as without logits.
  void Restrict(std::span<const std::uint64_t> allowed);

  /// Tells which tokens the sequence holds, for the penalties: those of the prompt, in pieces if
  /// need be, and each token generated (Sample does not do it). Ids out of range are ignored.
  void AcceptPrompt(std::span<const TokenId> ids);
  void Accept(TokenId id);

  /// The token at `position` of the sequence. It depends on the logits, the tokens accepted, the
  /// seed and the position only, not on earlier draws. Of equal logits the lower id ranks first. A
  /// NaN counts as -infinity, which is never chosen, +infinity as the largest float; when nothing
  /// is left, the result is the lowest id that is not banned (0 if all are) with logprob -infinity.
  Draw Sample(std::span<const float> logits, std::uint64_t position);

  const SamplingOptions& options() const { return options_; }

 private:
  struct Candidate {
    float logit = 0;
    float weight = 0;  // proportional to the probability, 1 for the largest logit
    TokenId id = 0;
  };

  static bool RanksBefore(const Candidate& a, const Candidate& b);

  void Read(std::span<const float> logits);
  void Adjust();
  void KeepAllowed();
  void Set(TokenId id, float logit);
  TokenId Best() const;
  TokenId LowestAllowed() const;
  void SelectCandidates();
  void SelectTopK();
  void KeepTopK();
  void ApplyTemperature();
  void KeepTypical();
  void KeepTopP();
  void KeepMinP();
  double TotalWeight() const;
  TokenId Pick(double uniform) const;

  SamplingOptions options_;
  std::size_t vocabulary_;
  std::size_t allowed_end_;  // ids from here on are banned
  std::vector<TokenId> banned_;
  std::span<const std::uint64_t> allowed_;  // empty: all

  // Tokens seen, for the penalties; empty without penalties.
  struct Uses {
    std::uint32_t generated : 31;
    std::uint32_t seen : 1;
  };
  std::vector<Uses> uses_;     // per id
  std::vector<TokenId> seen_;  // each id of the sequence once

  // Working memory of Sample().
  std::vector<float> logits_;     // adjusted; padded to whole blocks with -infinity
  std::vector<float> block_max_;  // at least the largest of each block of logits_
  std::vector<Candidate> candidates_;
  float raw_max_ = 0;     // the largest raw logit
  double log_total_ = 0;  // log of the sum of exp(raw logit - raw_max_)
};

}  // namespace tandem
