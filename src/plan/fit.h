#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plan/memory.h"

namespace tandem {

/// One line of a memory guide.
struct FitRow {
  std::size_t context_tokens = 0;
  MemoryNeed need;
};

/// The need at 4K, 8K, ... 1M tokens up to the model's limit, and at the limit itself. `extended`:
/// a longer limit that the model has been published with (YaRN), up to which the table then goes.
std::vector<FitRow> FitTable(const ModelInfo& model, const MemoryRequest& request,
                             std::size_t extended = 0);

/// A common recipe of number formats and what it takes for each parameter, about.
struct QuantChoice {
  std::string_view name;
  double bits_per_parameter = 0;
};

/// The recipe to take: the one of most bits whose weights, about, fit `available` together with a
/// conversation of `request.context_tokens`. Nothing when not even the smallest does.
std::optional<QuantChoice> BestQuant(const ModelInfo& model, std::uint64_t parameters,
                                     const MemoryRequest& request, std::uint64_t available);

/// "128k", "4096", "1m": tokens in units of 1024. Nothing for anything else.
std::optional<std::uint64_t> ParseTokens(std::string_view text);
/// "8g", "512m", "8gib", "16000000000": bytes; g and m are decimal, gib and mib binary. Nothing for
/// anything else.
std::optional<std::uint64_t> ParseBytes(std::string_view text);

}  // namespace tandem
