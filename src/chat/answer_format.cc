#include "chat/answer_format.h"

#include <algorithm>
#include <utility>

#include "grammar/format.h"

namespace tandem {
namespace {

constexpr std::size_t kBlankLines = 2;

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
      allowed_(model.token_trie()->words()) {
  for (std::size_t i = 0; i < model.tokenizer().size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string_view bytes = model.tokenizer().TokenBytes(id);
    if (bytes == "\n" || bytes == "\n\n") {
      line_ends_.push_back(id);
    }
  }
}

void AnswerFormat::Start(bool thinking) {
  matcher_.Start();
  thinking_ = thinking;
  blank_ = 0;
  SettleAllowed();
}

void AnswerFormat::OnToken(TokenId token, bool in_reasoning) {
  if (thinking_) {
    thinking_ = in_reasoning;
    blank_ = kBlankLines;
  } else if (blank_ > 0 &&
             std::find(line_ends_.begin(), line_ends_.end(), token) != line_ends_.end()) {
    blank_ -= std::min(blank_, model_.tokenizer().TokenBytes(token).size());
  } else {
    // What is no part of the value, the token that ends the turn, is not taken.
    blank_ = matcher_.Accept(model_.tokenizer().TokenBytes(token)) ? 0 : blank_;
  }
  SettleAllowed();
}

void AnswerFormat::Allow(TokenId token) {
  const auto index = static_cast<std::size_t>(token);
  allowed_[index / 64] |= std::uint64_t{1} << (index % 64);
}

void AnswerFormat::SettleAllowed() {
  if (thinking_) {
    return;
  }
  matcher_.AllowedTokens(allowed_);
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
