#include "plan/fit.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/checked.h"

namespace tandem {
namespace {

// Bits of whole files of these recipes, about: file sizes of many published models, divided by
// their parameters.
constexpr QuantChoice kChoices[] = {
    {"BF16", 16.0},  {"Q8_0", 8.5},   {"Q6_K", 6.6}, {"Q5_K_M", 5.7},
    {"Q4_K_M", 5.1}, {"Q3_K_M", 4.1}, {"Q2_K", 3.3},
};

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::uint64_t kKibi = 1024;
constexpr Unit kTokenUnits[] = {{"", 1}, {"k", kKibi}, {"m", kKibi* kKibi}};
constexpr Unit kByteUnits[] = {
    {"", 1},
    {"m", 1'000'000},
    {"mb", 1'000'000},
    {"mib", kKibi* kKibi},
    {"g", 1'000'000'000},
    {"gb", 1'000'000'000},
    {"gib", kKibi* kKibi* kKibi},
};

std::optional<std::uint64_t> Parse(std::string_view text, std::span<const Unit> units) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) {
    return std::nullopt;
  }
  std::string unit;
  for (const char c : text.substr(static_cast<std::size_t>(end - text.data()))) {
    unit += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  for (const Unit& known : units) {
    if (known.name == unit) {
      return CheckedMul(number, known.factor);
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<FitRow> FitTable(const ModelInfo& model, const MemoryRequest& request,
                             std::size_t extended) {
  constexpr std::size_t kFirst = 4096;
  constexpr std::size_t kLast = std::size_t{1} << 20;
  std::vector<std::size_t> contexts = {model.context_length, extended};
  for (std::size_t context = kFirst; context <= kLast; context *= 2) {
    contexts.push_back(context);
  }
  std::sort(contexts.begin(), contexts.end());
  contexts.erase(std::unique(contexts.begin(), contexts.end()), contexts.end());
  std::vector<FitRow> rows;
  MemoryRequest at = request;
  for (const std::size_t context : contexts) {
    if (context != 0 && context <= std::max(model.context_length, extended)) {
      at.context_tokens = context;
      rows.push_back({.context_tokens = context, .need = PlanMemory(model, at)});
    }
  }
  return rows;
}

std::optional<QuantChoice> BestQuant(const ModelInfo& model, std::uint64_t parameters,
                                     const MemoryRequest& request, std::uint64_t available) {
  for (const QuantChoice& choice : kChoices) {
    MemoryRequest with = request;
    with.file_bytes =
        static_cast<std::uint64_t>(static_cast<double>(parameters) * choice.bits_per_parameter / 8);
    if (PlanMemory(model, with).total() <= available) {
      return choice;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ParseTokens(std::string_view text) {
  return Parse(text, kTokenUnits);
}

std::optional<std::uint64_t> ParseBytes(std::string_view text) {
  return Parse(text, kByteUnits);
}

}  // namespace tandem
