#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/token_id.h"
#include "chat/loaded_model.h"
#include "grammar/matcher.h"

namespace tandem {

/// What an answer begins with.
enum class AnswerStart {
  kValue,
  kThinking,  // the prompt has opened it
  kEither,    // the model may open a think block in front of the value
};

/// Holds the answers of a conversation to a format: says at each token which ones may come next.
/// The tokens of the thinking are free, but for one that would write on behind a closing mark that
/// is spelt in ordinary text; behind the mark two line ends may stand in front of the value, as
/// models are used to it. Within the value no added token is allowed, behind it only those that end
/// the turn. Allocates only when it meets a state of the grammar for the first time.
/// Single-threaded; the model must outlive it.
class AnswerFormat {
 public:
  /// format: as grammar::CompileFormat takes it; its errors, with "format" as the name.
  static Result<std::unique_ptr<AnswerFormat>> Create(const std::string& format,
                                                      const LoadedModel& model);

  const std::string& format() const { return format_; }

  /// A new answer.
  void Start(AnswerStart start);
  /// The answer goes on with this token, behind which the thinking goes on or does not.
  void OnToken(TokenId token, bool in_reasoning);

  /// The tokens that may come next, as Sampler::Restrict takes them; empty: all.
  std::span<const std::uint64_t> allowed() const {
    return all_ ? std::span<const std::uint64_t>() : allowed_;
  }
  bool thinking() const { return thinking_; }
  /// The value is whole; nothing may follow it.
  bool complete() const { return !thinking_ && matcher_.complete(); }
  bool must_end() const { return !thinking_ && matcher_.must_end(); }

 private:
  AnswerFormat(std::string format, const LoadedModel& model,
               std::shared_ptr<const grammar::Grammar> grammar);
  void FindTokens();
  void Allow(TokenId token);
  void SettleAllowed();
  void SettleThinking();
  bool TakeOpening(TokenId token, bool in_reasoning);
  void TakeThinking(TokenId token, bool in_reasoning);

  std::string format_;
  const LoadedModel& model_;
  grammar::Matcher matcher_;
  std::vector<std::uint64_t> allowed_;
  std::vector<TokenId> line_ends_;     // tokens of one or two line ends and nothing else
  std::optional<TokenId> open_token_;  // the marks around thinking, where they are tokens
  std::optional<TokenId> close_token_;
  // Where they are not: by the bytes of the opening mark that are there, the tokens that go on in
  // it; by those of the closing mark, the tokens behind whose rest of it something follows.
  std::vector<std::vector<TokenId>> opening_;
  std::vector<std::vector<TokenId>> spoiling_;
  bool all_ = false;
  bool may_open_ = false;
  std::size_t opened_ = 0;  // bytes of the opening mark
  std::string tail_;        // of the thinking, what may begin the closing mark
  bool thinking_ = false;
  std::size_t blank_ = 0;  // line ends that may come yet in front of the value
};

}  // namespace tandem
