#include "check/llama_cpp_check.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include "base/format.h"
#include "io/child_process.h"
#include "runtime/engine.h"

namespace tandem {
namespace {

constexpr std::size_t kTokens = 24;  // that the program writes behind each piece
constexpr std::array<std::size_t, 3> kPieces = {80, 240, 600};  // bytes of the text, about
// Rounded activations of a 4-bit model move logits by some tenths. A wrong rotation, state or
// tokenizer moves them by whole numbers.
constexpr double kMostRegret = 2.0;
constexpr double kMostMeanRegret = 0.2;
constexpr const char* kItem = "llama.cpp";

// `text` without what the program adds: its word for the end of an answer, and empty lines.
std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kEnd = "[end of text]";
  const auto strip = [&text] {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) {
      text.remove_suffix(1);
    }
  };
  strip();
  if (text.ends_with(kEnd)) {
    text.remove_suffix(kEnd.size());
    strip();
  }
  return text;
}

// The first words of `text`, at least `bytes` long, ending with a word.
std::string_view FirstWords(std::string_view text, std::size_t bytes) {
  return text.substr(0, std::min(text.find(' ', std::min(bytes, text.size())), text.size()));
}

}  // namespace

void Agreement::Add(const Agreement& other) {
  tokens += other.tokens;
  same += other.same;
  worst_regret = std::max(worst_regret, other.worst_regret);
  regret += other.regret;
}

Result<Agreement> Agree(const OpenedModel& opened, std::string_view prompt,
                        std::string_view continuation) {
  const text::Tokenizer& tokenizer = opened.loaded->tokenizer();
  std::vector<TokenId> ids = tokenizer.EncodeSpecial(prompt);
  const std::size_t first = ids.size();
  // A program spells out the special tokens that it shows, </think> for one.
  const std::vector<TokenId> theirs = tokenizer.EncodeSpecial(continuation);
  if (first == 0 || theirs.empty()) {
    return Status(StatusCode::kInvalidArgument, "there is no text to compare");
  }
  ids.insert(ids.end(), theirs.begin(), theirs.end());
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                          Engine::Create(opened.loaded->network(), opened.engine));
  Sequence sequence = engine->NewSequence();
  Request request;
  request.sequence = &sequence;
  request.prompt = ids;
  for (std::size_t i = first - 1; i + 1 < ids.size(); ++i) {
    request.logit_rows.push_back(i);
  }
  Agreement agreement;
  request.on_logits = [&](std::size_t row, std::span<const float> logits) {
    const float best = *std::max_element(logits.begin(), logits.end());
    const float chosen = logits[static_cast<std::size_t>(ids[row + 1])];
    const auto regret = static_cast<double>(best - chosen);
    agreement.Add({.tokens = 1,
                   .same = regret <= 0 ? std::size_t{1} : std::size_t{0},
                   .worst_regret = regret,
                   .regret = regret});
  };
  TANDEM_RETURN_IF_ERROR(engine->Run(request));
  if (request.finish == FinishReason::kError) {
    return request.error;
  }
  return agreement;
}

Result<std::string> CompleteWithLlamaCpp(const std::string& program,
                                         const std::filesystem::path& model,
                                         std::string_view prompt, std::size_t threads,
                                         const std::atomic<bool>* cancel) {
  TANDEM_ASSIGN_OR_RETURN(
      ChildProcess child,
      ChildProcess::Start({program, "-m", model.string(), "-p", std::string(prompt), "-n",
                           Format("{}", kTokens), "-c", "1024", "-t", Format("{}", threads),
                           "--temp", "0", "-no-cnv", "--no-display-prompt"},
                          std::uint64_t{256} << 30));
  std::vector<std::byte> output(std::size_t{64} << 10);
  TANDEM_ASSIGN_OR_RETURN(const std::size_t length, child.Read(output, cancel));
  if (!child.Succeeded()) {
    return Status(StatusCode::kIo, Format("{} failed: {}", Printable(program, 200),
                                          Printable(child.Complaint(), 200)));
  }
  return std::string(
      Trimmed(std::string_view(reinterpret_cast<const char*>(output.data()), length)));
}

void ReportAgreement(const Agreement& agreement, CheckReport& report) {
  const double mean = agreement.regret / static_cast<double>(agreement.tokens);
  const std::string text = Format(
      "{} of the {} tokens it chose are ours as well; ours were better by {:.3f} on average, by "
      "{:.2f} at most",
      agreement.same, agreement.tokens, mean, agreement.worst_regret);
  if (agreement.worst_regret <= kMostRegret && mean <= kMostMeanRegret) {
    report.Ok(kItem, text);
  } else {
    report.Failed(kItem, text + Format("; {:.1f} and {:.1f} are expected of rounding",
                                       kMostMeanRegret, kMostRegret));
  }
}

Status CheckLlamaCpp(const OpenedModel& opened, const std::string& program,
                     const std::filesystem::path& model, const CheckData& data,
                     const std::atomic<bool>* cancel, CheckReport& report) {
  Agreement all;
  for (const std::size_t bytes : kPieces) {
    const std::string_view prompt = FirstWords(data.text, bytes);
    const Result<std::string> theirs =
        CompleteWithLlamaCpp(program, model, prompt, opened.engine.cpu.threads, cancel);
    if (theirs.status().code() == StatusCode::kCancelled) {
      return theirs.status();
    }
    if (!theirs.ok()) {
      report.Failed(kItem, theirs.status().message());
      return OkStatus();
    }
    const Result<Agreement> agreement = Agree(opened, prompt, *theirs);
    if (agreement.ok()) {
      all.Add(*agreement);
    }
  }
  if (all.tokens == 0) {
    report.Failed(kItem, Format("{} wrote nothing", Printable(program, 200)));
    return OkStatus();
  }
  ReportAgreement(all, report);
  return OkStatus();
}

}  // namespace tandem
