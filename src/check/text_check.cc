#include "check/text_check.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "base/format.h"
#include "plan/memory.h"
#include "runtime/engine.h"

namespace tandem {
namespace {

constexpr double kLeastPerplexity = 2;
constexpr double kMostPerplexity = 40;
constexpr std::uint64_t kFullModel = 500'000'000;

// -log p of `id`; NaN when a logit is no number.
double Surprise(std::span<const float> logits, TokenId id) {
  double most = -HUGE_VAL;
  for (const float logit : logits) {
    if (std::isnan(logit)) {
      return NAN;
    }
    most = std::max(most, static_cast<double>(logit));
  }
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(static_cast<double>(logit) - most);
  }
  return std::log(sum) + most - static_cast<double>(logits[static_cast<std::size_t>(id)]);
}

std::string IdList(const std::vector<TokenId>& ids) {
  std::string text;
  for (std::size_t i = 0; i < ids.size() && i < 12; ++i) {
    text += Format("{}{}", i == 0 ? "" : ",", ids[i]);
  }
  return ids.size() > 12 ? text + ",..." : text;
}

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool IsWordByte(char c) {
  return (c >= '0' && c <= '9') || (Lower(c) >= 'a' && Lower(c) <= 'z');
}

}  // namespace

bool IsFullModel(const LoadedModel& loaded) {
  std::uint64_t parameters = 0;
  for (const gguf::TensorInfo& tensor : loaded.file().tensors()) {
    parameters += tensor.elements();
  }
  return parameters >= kFullModel;
}

void CheckIds(const LoadedModel& loaded, const CheckData& data, CheckReport& report) {
  const std::string& architecture = loaded.network().info().architecture;
  for (const IdVectors& known : data.ids) {
    if (known.architecture != architecture || known.vocabulary != loaded.tokenizer().size()) {
      continue;
    }
    std::size_t wrong = 0;
    std::string first;
    for (const IdVector& vector : known.vectors) {
      const std::vector<TokenId> ids = vector.special
                                           ? loaded.tokenizer().EncodeSpecial(vector.text)
                                           : loaded.tokenizer().EncodePlain(vector.text);
      if (ids != vector.ids && wrong++ == 0) {
        first = Format("'{}' gives {}, the published tokenizer {}", Printable(vector.text, 40),
                       IdList(ids), IdList(vector.ids));
      }
    }
    if (wrong == 0) {
      report.Ok("token ids",
                Format("all {} texts as the published tokenizer", known.vectors.size()));
    } else {
      report.Failed("token ids",
                    Format("{} of {} texts differ; {}", wrong, known.vectors.size(), first));
    }
    return;
  }
  report.Note("token ids", Format("no ids are known for a vocabulary of {} tokens of {}",
                                  loaded.tokenizer().size(), architecture));
}

Result<double> Perplexity(const OpenedModel& opened, std::string_view text) {
  const std::vector<TokenId> ids = opened.loaded->tokenizer().EncodePlain(text);
  if (ids.size() < 2) {
    return Status(StatusCode::kInvalidArgument, "the text has fewer than two tokens");
  }
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                          Engine::Create(opened.loaded->network(), opened.engine));
  Sequence sequence = engine->NewSequence();
  Request request;
  request.sequence = &sequence;
  request.prompt = ids;
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    request.logit_rows.push_back(i);
  }
  double sum = 0;
  std::optional<std::size_t> bad_row;
  request.on_logits = [&](std::size_t row, std::span<const float> logits) {
    const double surprise = Surprise(logits, ids[row + 1]);
    if (std::isnan(surprise) && !bad_row.has_value()) {
      bad_row = row;
    }
    sum += surprise;
  };
  TANDEM_RETURN_IF_ERROR(engine->Run(request));
  if (request.finish == FinishReason::kError) {
    return request.error;
  }
  if (bad_row.has_value()) {
    return Status(StatusCode::kCorrupt,
                  Format("the logits after token {} are no numbers", *bad_row));
  }
  return std::exp(sum / static_cast<double>(ids.size() - 1));
}

bool CheckPerplexity(const OpenedModel& opened, const CheckData& data, CheckReport& report) {
  const Result<double> perplexity = Perplexity(opened, data.text);
  if (!perplexity.ok()) {
    report.Failed("perplexity", perplexity.status().message());
    return false;
  }
  const std::string text = Format("{:.2f} on the bundled text", *perplexity);
  if (!IsFullModel(*opened.loaded)) {
    report.Note("perplexity", text + "; not judged, the model is a small one");
  } else if (*perplexity >= kLeastPerplexity && *perplexity <= kMostPerplexity) {
    report.Ok("perplexity", text);
  } else {
    report.Failed("perplexity", text + Format("; between {} and {} was expected", kLeastPerplexity,
                                              kMostPerplexity));
  }
  return true;
}

std::optional<std::string> FindLoop(std::string_view answer) {
  constexpr std::size_t kTimes = 4;
  constexpr std::size_t kLeastBytes = 60;
  for (std::size_t length = 1; length * kTimes <= answer.size() && length <= 400; ++length) {
    const std::string_view piece = answer.substr(answer.size() - length);
    std::size_t times = 1;
    while ((times + 1) * length <= answer.size() &&
           answer.substr(answer.size() - (times + 1) * length, length) == piece) {
      ++times;
    }
    if (times >= kTimes && times * length >= kLeastBytes) {
      return std::string(piece);
    }
  }
  return std::nullopt;
}

bool HasExpectedWord(std::string_view answer, const SanityPrompt& prompt) {
  std::string lower(answer);
  std::transform(lower.begin(), lower.end(), lower.begin(), &Lower);
  for (const std::string& word : prompt.words) {
    for (std::size_t at = lower.find(word); at != std::string::npos;
         at = lower.find(word, at + 1)) {
      const bool begins = at == 0 || !IsWordByte(lower[at - 1]);
      const std::size_t end = at + word.size();
      if (begins && (end == lower.size() || !IsWordByte(lower[end]))) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace tandem
