#include "measure/text_loss.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "base/format.h"
#include "measure/window_journal.h"

namespace tandem {
namespace {

constexpr double kQuantile = 0.99;

std::size_t Argmax(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// log of the sum of exponentials, in double.
double LogSum(std::span<const float> logits) {
  const auto largest = static_cast<double>(logits[Argmax(logits)]);
  double sum = 0;
  for (const float logit : logits) {
    sum += std::exp(static_cast<double>(logit) - largest);
  }
  return largest + std::log(sum);
}

double KlDivergence(std::span<const float> base, double base_log_sum, std::span<const float> model,
                    double model_log_sum) {
  double kl = 0;
  for (std::size_t i = 0; i < base.size(); ++i) {
    const double log_p = static_cast<double>(base[i]) - base_log_sum;
    const double log_q = static_cast<double>(model[i]) - model_log_sum;
    kl += std::exp(log_p) * (log_p - log_q);
  }
  return kl;
}

Estimate MeanOf(const std::vector<double>& values) {
  Estimate estimate;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) {
    estimate.mean += value;
  }
  estimate.mean /= n;
  double squares = 0;
  for (const double value : values) {
    squares += (value - estimate.mean) * (value - estimate.mean);
  }
  estimate.error = values.size() < 2 ? 0 : std::sqrt(squares / (n - 1) / n);
  return estimate;
}

// A stretch of the text that is read from an empty state.
struct Window {
  std::size_t begin = 0;
  std::size_t tokens = 0;
  std::size_t first_row = 0;  // that is scored
};

std::vector<Window> WindowsOf(std::size_t text_tokens, const TextLossOptions& options) {
  std::vector<Window> windows;
  if (options.parts.empty()) {
    const std::size_t tokens = options.window;
    for (std::size_t begin = 0; begin + tokens <= text_tokens; begin += tokens) {
      windows.push_back({.begin = begin, .tokens = tokens, .first_row = tokens / 2});
    }
    return windows;
  }
  std::size_t begin = 0;
  for (const std::size_t tokens : options.parts) {
    windows.push_back({.begin = begin, .tokens = tokens});
    begin += tokens;
  }
  TANDEM_CHECK(begin == text_tokens, "the parts are the text");
  return windows;
}

std::size_t LongestWindow(const TextLossOptions& options) {
  return options.parts.empty() ? options.window
                               : *std::max_element(options.parts.begin(), options.parts.end());
}

// One model reading a batch of windows.
class Reader {
 public:
  using OnLogits =
      std::function<void(std::size_t window, std::size_t row, std::span<const float> logits)>;

  static Result<std::unique_ptr<Reader>> Create(const Network& network,
                                                const TextLossOptions& options) {
    EngineOptions engine = options.engine;
    engine.context_tokens = LongestWindow(options);
    TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<Engine> made, Engine::Create(network, engine));
    return std::unique_ptr<Reader>(new Reader(std::move(made)));
  }

  Status Start(std::span<const TokenId> text, std::span<const Window> all,
               std::span<const std::size_t> windows, const OnLogits& on_logits) {
    requests_.clear();
    sequences_.clear();
    for (const std::size_t window : windows) {
      const Window& at = all[window];
      Sequence& sequence = sequences_.emplace_back(engine_->NewSequence());
      Request& request = requests_.emplace_back();
      request.sequence = &sequence;
      const std::span<const TokenId> ids = text.subspan(at.begin, at.tokens);
      request.prompt.assign(ids.begin(), ids.end());
      // Row i predicts token i + 1.
      for (std::size_t row = at.first_row; row + 1 < at.tokens; ++row) {
        request.logit_rows.push_back(row);
      }
      request.on_logits = [&on_logits, window](std::size_t row, std::span<const float> logits) {
        on_logits(window, row, logits);
      };
      TANDEM_RETURN_IF_ERROR(engine_->Submit(request));
    }
    return OkStatus();
  }

  bool Step() { return engine_->Step(); }

  Status CheckFinished() const {
    for (const Request& request : requests_) {
      if (request.finish == FinishReason::kError) {
        return request.error;
      }
    }
    return OkStatus();
  }

 private:
  explicit Reader(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  std::unique_ptr<Engine> engine_;
  std::deque<Sequence> sequences_;
  std::deque<Request> requests_;
};

Status CheckText(const Network& network, std::span<const TokenId> text,
                 const TextLossOptions& options) {
  const std::size_t context = network.info().context_length;
  for (std::size_t i = 0; i < options.parts.size(); ++i) {
    if (options.parts[i] < 2 || options.parts[i] > context) {
      return {StatusCode::kInvalidArgument,
              Format("text {} has {} tokens, which is not within 2 to {}", i + 1, options.parts[i],
                     context)};
    }
  }
  if (!options.parts.empty()) {
    return OkStatus();
  }
  if (options.window < 4 || options.window > context) {
    return {StatusCode::kInvalidArgument,
            Format("a window of {} tokens is not within 4 to {}", options.window, context)};
  }
  if (text.size() < options.window) {
    return {
        StatusCode::kInvalidArgument,
        Format("the text has {} tokens, less than one window of {}", text.size(), options.window)};
  }
  return OkStatus();
}

Result<WindowJournal> OpenJournal(const TextLossOptions& options, std::span<const TokenId> text,
                                  std::string_view kind) {
  if (options.journal.empty()) {
    return WindowJournal();
  }
  std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a
  const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001B3; };
  for (const TokenId id : text) {
    add(static_cast<std::uint64_t>(id));
  }
  for (const std::size_t tokens : options.parts) {
    add(tokens);
  }
  const std::string cut = options.parts.empty() ? Format("window {}", options.window)
                                                : Format("{} texts", options.parts.size());
  return WindowJournal::Open(options.journal,
                             Format("{} {} {} text {:016x}", kind, options.journal_key, cut, hash));
}

// Calls run(windows) for the windows that the journal does not have, a batch at a time; run gives
// their scores. All scores end up in order.
template <typename Run>
Result<WindowScores> ForWindows(std::size_t count, const TextLossOptions& options,
                                WindowJournal journal, Run run) {
  std::map<std::size_t, WindowScores> scores = journal.finished();
  std::vector<std::size_t> missing;
  for (std::size_t window = 0; window < count; ++window) {
    if (!scores.contains(window)) {
      missing.push_back(window);
    }
  }
  for (std::size_t i = 0; i < missing.size(); i += options.windows_together) {
    if (options.progress) {
      options.progress(count - missing.size() + i, count);
    }
    const std::span<const std::size_t> batch =
        std::span(missing).subspan(i, std::min(options.windows_together, missing.size() - i));
    TANDEM_ASSIGN_OR_RETURN(auto done, run(batch));
    for (const std::size_t window : batch) {
      TANDEM_RETURN_IF_ERROR(journal.Add(window, done[window]));
      scores[window] = std::move(done[window]);
    }
  }
  WindowScores all;
  for (const auto& [window, named] : scores) {
    for (const auto& [name, values] : named) {
      all[name].insert(all[name].end(), values.begin(), values.end());
    }
  }
  return all;
}

TextLoss LossOf(std::size_t tokens, const std::vector<double>& nll) {
  TextLoss loss{.tokens = tokens, .scored = nll.size()};
  loss.nll = MeanOf(nll);
  loss.perplexity.mean = std::exp(loss.nll.mean);
  loss.perplexity.error = loss.perplexity.mean * loss.nll.error;
  return loss;
}

double Nll(std::span<const TokenId> text, std::size_t at, std::span<const float> logits,
           double log_sum) {
  return log_sum - static_cast<double>(logits[static_cast<std::size_t>(text[at])]);
}

}  // namespace

Result<TextLoss> MeasurePerplexity(const Network& network, std::span<const TokenId> text,
                                   const TextLossOptions& options) {
  TANDEM_RETURN_IF_ERROR(CheckText(network, text, options));
  TANDEM_ASSIGN_OR_RETURN(WindowJournal journal, OpenJournal(options, text, "perplexity"));
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Reader> reader, Reader::Create(network, options));
  const std::vector<Window> all = WindowsOf(text.size(), options);
  const auto run =
      [&](std::span<const std::size_t> windows) -> Result<std::map<std::size_t, WindowScores>> {
    std::map<std::size_t, WindowScores> done;
    const Reader::OnLogits score = [&](std::size_t window, std::size_t row,
                                       std::span<const float> logits) {
      done[window]["nll"].push_back(Nll(text, all[window].begin + row + 1, logits, LogSum(logits)));
    };
    TANDEM_RETURN_IF_ERROR(reader->Start(text, all, windows, score));
    while (reader->Step()) {
    }
    TANDEM_RETURN_IF_ERROR(reader->CheckFinished());
    return done;
  };
  TANDEM_ASSIGN_OR_RETURN(WindowScores scores,
                          ForWindows(all.size(), options, std::move(journal), run));
  return LossOf(text.size(), scores["nll"]);
}

Result<Divergence> MeasureDivergence(const Network& base, const Network& model,
                                     std::span<const TokenId> text,
                                     const TextLossOptions& options) {
  TANDEM_RETURN_IF_ERROR(CheckText(base, text, options));
  TANDEM_RETURN_IF_ERROR(CheckText(model, text, options));
  if (base.info().vocabulary != model.info().vocabulary) {
    return Status(StatusCode::kInvalidArgument,
                  Format("the models have vocabularies of {} and {} tokens; their distributions "
                         "cannot be compared",
                         base.info().vocabulary, model.info().vocabulary));
  }
  TANDEM_ASSIGN_OR_RETURN(WindowJournal journal, OpenJournal(options, text, "kl"));
  TextLossOptions base_options = options;
  base_options.engine.kv = options.base_kv.value_or(options.engine.kv);
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Reader> base_reader,
                          Reader::Create(base, base_options));
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Reader> model_reader,
                          Reader::Create(model, options));
  const std::vector<Window> all = WindowsOf(text.size(), options);
  const auto run =
      [&](std::span<const std::size_t> windows) -> Result<std::map<std::size_t, WindowScores>> {
    std::map<std::size_t, WindowScores> done;
    // Both read the same rows in each step: no more than a step's logits wait here.
    std::map<std::pair<std::size_t, std::size_t>, std::vector<float>> waiting;
    const Reader::OnLogits keep = [&](std::size_t window, std::size_t row,
                                      std::span<const float> logits) {
      waiting[{window, row}].assign(logits.begin(), logits.end());
    };
    const Reader::OnLogits score = [&](std::size_t window, std::size_t row,
                                       std::span<const float> logits) {
      const auto found = waiting.find({window, row});
      TANDEM_CHECK(found != waiting.end(), "both models read the same rows in each step");
      const std::vector<float>& expected = found->second;
      const double base_log_sum = LogSum(expected);
      const double log_sum = LogSum(logits);
      const std::size_t at = all[window].begin + row + 1;
      WindowScores& scores = done[window];
      scores["base_nll"].push_back(Nll(text, at, expected, base_log_sum));
      scores["nll"].push_back(Nll(text, at, logits, log_sum));
      scores["kl"].push_back(KlDivergence(expected, base_log_sum, logits, log_sum));
      scores["same"].push_back(Argmax(expected) == Argmax(logits) ? 1 : 0);
      waiting.erase(found);
    };
    TANDEM_RETURN_IF_ERROR(base_reader->Start(text, all, windows, keep));
    TANDEM_RETURN_IF_ERROR(model_reader->Start(text, all, windows, score));
    while (base_reader->Step()) {
      TANDEM_RETURN_IF_ERROR(base_reader->CheckFinished());
      model_reader->Step();
    }
    TANDEM_RETURN_IF_ERROR(model_reader->CheckFinished());
    return done;
  };
  TANDEM_ASSIGN_OR_RETURN(WindowScores scores,
                          ForWindows(all.size(), options, std::move(journal), run));
  Divergence result{.base = LossOf(text.size(), scores["base_nll"]),
                    .model = LossOf(text.size(), scores["nll"]),
                    .kl = MeanOf(scores["kl"]),
                    .same_top = MeanOf(scores["same"])};
  std::vector<double>& kl = scores["kl"];
  std::sort(kl.begin(), kl.end());
  result.kl_median = kl[kl.size() / 2];
  result.kl_99 = kl[static_cast<std::size_t>(kQuantile * static_cast<double>(kl.size() - 1))];
  result.kl_max = kl.back();
  return result;
}

}  // namespace tandem
