#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "chat/loaded_model.h"
#include "check/check_data.h"
#include "check/report.h"
#include "compare/opened_model.h"

namespace tandem {

/// Encodes the vectors of the model's published vocabulary and compares ids. A vocabulary of
/// another size is a note: nothing is known of it.
void CheckIds(const LoadedModel& loaded, const CheckData& data, CheckReport& report);

/// exp of the mean of -log p of each token of `text` after the first. Corrupt when a logit is no
/// number, with its position.
Result<double> Perplexity(const OpenedModel& opened, std::string_view text);

/// Perplexity of the bundled text. A model of more than half a billion parameters that has learnt
/// English is within 2 and 40; for smaller ones the number is only told. False when the model gives
/// no numbers, so that there is no use in asking it anything.
bool CheckPerplexity(const OpenedModel& opened, const CheckData& data, CheckReport& report);

/// The piece of text that the end of `answer` repeats over and over (at least four times and sixty
/// bytes in all), or nothing.
std::optional<std::string> FindLoop(std::string_view answer);

/// Whether `answer` has one of the words, each whole, in any letter case.
bool HasExpectedWord(std::string_view answer, const SanityPrompt& prompt);

/// Whether so many parameters make a model that is to be believed; smaller ones are toys and tests.
bool IsFullModel(const LoadedModel& loaded);

}  // namespace tandem
