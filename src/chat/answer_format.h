#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"
#include "chat/loaded_model.h"
#include "grammar/matcher.h"

namespace tandem {

/// Holds the answers of a conversation to a format: says at each token which ones may come next.
/// The tokens of the thinking are free; behind its closing mark two line ends may stand in front of
/// the value, as models are used to it. Within the value no added token is allowed, behind it only
/// those that end the turn. Allocates only when it meets a state of the grammar for the first time.
/// Single-threaded; the model must outlive it.
class AnswerFormat {
 public:
  /// format: as grammar::CompileFormat takes it; its errors, with "format" as the name.
  static Result<std::unique_ptr<AnswerFormat>> Create(const std::string& format,
                                                      const LoadedModel& model);

  const std::string& format() const { return format_; }

  /// A new answer; thinking: it begins within the thinking.
  void Start(bool thinking);
  /// The answer goes on with this token, behind which the thinking goes on or does not.
  void OnToken(TokenId token, bool in_reasoning);

  /// The tokens that may come next, as Sampler::Restrict takes them; empty: all, while thinking.
  std::span<const std::uint64_t> allowed() const {
    return thinking_ ? std::span<const std::uint64_t>() : allowed_;
  }
  bool thinking() const { return thinking_; }
  /// The value is whole; nothing may follow it.
  bool complete() const { return !thinking_ && matcher_.complete(); }
  bool must_end() const { return !thinking_ && matcher_.must_end(); }

 private:
  AnswerFormat(std::string format, const LoadedModel& model,
               std::shared_ptr<const grammar::Grammar> grammar);
  void Allow(TokenId token);
  void SettleAllowed();

  std::string format_;
  const LoadedModel& model_;
  grammar::Matcher matcher_;
  std::vector<std::uint64_t> allowed_;
  std::vector<TokenId> line_ends_;  // tokens of one or two line ends and nothing else
  bool thinking_ = false;
  std::size_t blank_ = 0;  // line ends that may come yet in front of the value
};

}  // namespace tandem
