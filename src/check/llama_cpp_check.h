#pragma once

#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/status.h"
#include "check/check_data.h"
#include "check/report.h"
#include "compare/opened_model.h"

namespace tandem {

/// How a continuation that another program chose looks to a model of ours that reads it.
struct Agreement {
  std::size_t tokens = 0;
  std::size_t same = 0;     // that are our most likely token as well
  double worst_regret = 0;  // the logit of our most likely token less that of theirs, the largest
  double regret = 0;        // the sum of all

  void Add(const Agreement& other);
};

/// Reads `prompt` (special tokens count) with `continuation` behind it. InvalidArgument when either
/// has no token; errors of the engine.
Result<Agreement> Agree(const OpenedModel& opened, std::string_view prompt,
                        std::string_view continuation);

/// What llama.cpp's completion program (llama-completion; llama-cli before the end of 2025) writes
/// behind `prompt` when it always takes the most likely token. Errors: NotFound when there is no
/// such program, Io with its last line when it fails, Cancelled.
Result<std::string> CompleteWithLlamaCpp(const std::string& program,
                                         const std::filesystem::path& model,
                                         std::string_view prompt, std::size_t threads,
                                         const std::atomic<bool>* cancel);

/// Adds one item: an odd token out is fine, since numbers of both are rounded and two likely tokens
/// may change places; a regret that rounding does not explain is not.
void ReportAgreement(const Agreement& agreement, CheckReport& report);

/// Lets the program continue pieces of the bundled text and looks whether this model would have
/// said the same, token by token given theirs. Adds one item. Cancelled is the only error.
Status CheckLlamaCpp(const OpenedModel& opened, const std::string& program,
                     const std::filesystem::path& model, const CheckData& data,
                     const std::atomic<bool>* cancel, CheckReport& report);

}  // namespace tandem
