#include "chat/answer_format.h"

#include <algorithm>
#include <utility>

#include "chat/stream_tags.h"
#include "grammar/format.h"

namespace tandem {
namespace {

constexpr std::size_t kBlankLines = 2;

// Whether the bytes are a beginning of `rest`, or begin with it and open no further mark.
bool GoesOnIn(std::string_view rest, std::string_view bytes) {
  return rest.starts_with(bytes) ||
         (bytes.starts_with(rest) && bytes.find('<', rest.size()) == bytes.npos);
}

bool OnlyLineEnds(std::string_view bytes) {
  return bytes.size() <= kBlankLines && bytes.find_first_not_of('\n') == bytes.npos;
}

}  // namespace

Result<std::unique_ptr<AnswerFormat>> AnswerFormat::Create(const std::string& format,
                                                           const LoadedModel& model) {
  TANDEM_ASSIGN_OR_RETURN(std::shared_ptr<const grammar::Grammar> grammar,
                          grammar::CompileFormat(format, "format"));
  return std::unique_ptr<AnswerFormat>(new AnswerFormat(format, model, std::move(grammar)));
}

AnswerFormat::AnswerFormat(std::string format, const LoadedModel& model,
                           std::shared_ptr<const grammar::Grammar> grammar)
    : format_(std::move(format)),
      model_(model),
      matcher_(std::move(grammar), model.token_trie()),
      allowed_(model.token_trie()->words()),
      open_token_(AddedToken(model.tokenizer(), kThinkOpen)),
      close_token_(AddedToken(model.tokenizer(), kThinkClose)),
      opening_(kThinkOpen.size()),
      spoiling_(kThinkClose.size()) {
  FindTokens();
}

void AnswerFormat::FindTokens() {
  const text::Tokenizer& tokens = model_.tokenizer();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string_view bytes = tokens.TokenBytes(id);
    if (bytes == "\n" || bytes == "\n\n") {
      line_ends_.push_back(id);
    }
    if (bytes.empty() || tokens.IsControl(id) || tokens.IsUserDefined(id) || tokens.IsUnused(id)) {
      continue;
    }
    for (std::size_t k = 0; k < opening_.size() && !open_token_.has_value(); ++k) {
      if (GoesOnIn(kThinkOpen.substr(k), bytes)) {
        opening_[k].push_back(id);
      }
    }
    for (std::size_t k = 0; k < spoiling_.size() && !close_token_.has_value(); ++k) {
      const std::string_view rest = kThinkClose.substr(k);
      // The whole mark may also stand within a token.
      const std::size_t at = k == 0 ? bytes.find(rest) : bytes.starts_with(rest) ? 0 : bytes.npos;
      if (at != bytes.npos && !OnlyLineEnds(bytes.substr(at + rest.size()))) {
        spoiling_[k].push_back(id);
      }
    }
  }
}

void AnswerFormat::Start(AnswerStart start) {
  matcher_.Start();
  may_open_ = start == AnswerStart::kEither;
  thinking_ = start == AnswerStart::kThinking;
  opened_ = 0;
  tail_.clear();
  blank_ = 0;
  SettleAllowed();
}

void AnswerFormat::OnToken(TokenId token, bool in_reasoning) {
  const std::string_view bytes = model_.tokenizer().TokenBytes(token);
  if (may_open_ && TakeOpening(token, in_reasoning)) {
    // Part of the opening mark.
  } else if (thinking_) {
    TakeThinking(token, in_reasoning);
  } else if (blank_ > 0 &&
             std::find(line_ends_.begin(), line_ends_.end(), token) != line_ends_.end()) {
    blank_ -= std::min(blank_, bytes.size());
  } else {
    // What is no part of the value, the token that ends the turn, is not taken.
    blank_ = matcher_.Accept(bytes) ? 0 : blank_;
  }
  SettleAllowed();
}

// False when the answer begins with something else.
bool AnswerFormat::TakeOpening(TokenId token, bool in_reasoning) {
  const std::string_view bytes = model_.tokenizer().TokenBytes(token);
  may_open_ = false;
  if (in_reasoning) {
    thinking_ = true;
    return true;
  }
  if (open_token_.has_value() || bytes.empty() || !kThinkOpen.substr(opened_).starts_with(bytes)) {
    return false;
  }
  may_open_ = true;
  opened_ += bytes.size();
  return true;
}

void AnswerFormat::TakeThinking(TokenId token, bool in_reasoning) {
  const std::string_view bytes = model_.tokenizer().TokenBytes(token);
  if (!in_reasoning) {
    thinking_ = false;
    const std::size_t mark = close_token_.has_value() ? bytes.npos : bytes.rfind('>');
    const std::size_t behind = mark == bytes.npos ? 0 : bytes.size() - mark - 1;
    blank_ = kBlankLines - std::min(behind, kBlankLines);
    return;
  }
  // Both together are shorter than what a string holds without allocating.
  tail_ += bytes.substr(bytes.size() - std::min(bytes.size(), kThinkClose.size() - 1));
  tail_.erase(0, tail_.size() - PartialTag(tail_, kThinkClose));
}

void AnswerFormat::Allow(TokenId token) {
  const auto index = static_cast<std::size_t>(token);
  allowed_[index / 64] |= std::uint64_t{1} << (index % 64);
}

// All tokens but those that close the thinking and go on: what follows is the value's.
void AnswerFormat::SettleThinking() {
  const std::vector<TokenId>& always = spoiling_[0];
  const std::vector<TokenId>& here = spoiling_[tail_.size()];
  all_ = always.empty() && here.empty();
  if (all_) {
    return;
  }
  std::fill(allowed_.begin(), allowed_.end(), ~std::uint64_t{0});
  for (const std::vector<TokenId>* tokens : {&always, &here}) {
    for (const TokenId token : *tokens) {
      const auto index = static_cast<std::size_t>(token);
      allowed_[index / 64] &= ~(std::uint64_t{1} << (index % 64));
    }
  }
}

void AnswerFormat::SettleAllowed() {
  if (thinking_) {
    SettleThinking();
    return;
  }
  all_ = false;
  if (opened_ > 0 && may_open_) {
    std::fill(allowed_.begin(), allowed_.end(), 0);  // a mark that is begun goes on
  } else {
    matcher_.AllowedTokens(allowed_);
  }
  if (may_open_ && open_token_.has_value()) {
    Allow(*open_token_);
  } else if (may_open_) {
    for (const TokenId token : opening_[opened_]) {
      Allow(token);
    }
  }
  for (const TokenId token : line_ends_) {
    if (model_.tokenizer().TokenBytes(token).size() <= blank_) {
      Allow(token);
    }
  }
  if (matcher_.complete()) {
    for (const TokenId token : model_.text().stop_tokens()) {
      Allow(token);
    }
  }
}

}  // namespace tandem
