#include "convert/general_keys.h"

#include <algorithm>
#include <cmath>
#include <system_error>

#include "base/format.h"

namespace tandem::convert {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

/// Upper case at the start of a word that is all lower case and no version number.
/// Source: gguf-py metadata.py, Metadata.id_to_title.
std::string TitleWord(std::string word) {
  const bool upper =
      std::any_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  const bool lower =
      std::any_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  const bool version =
      IsDigit(word[0]) || (word[0] == 'v' && word.size() > 1 && IsDigit(word[1]) &&
                           word.find_first_not_of("0123456789.", 1) == std::string::npos);
  if (!upper && lower && !version) {
    bool start = true;
    for (char& c : word) {
      const bool letter = c >= 'a' && c <= 'z';
      if (letter && start) {
        c = static_cast<char>(c - 'a' + 'A');
      }
      start = !letter;
    }
  }
  return word;
}

}  // namespace

std::string ModelName(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::weakly_canonical(folder, error);
  if (path.filename().empty()) {
    path = path.parent_path();  // "folder/"
  }
  std::string name = path.filename().native();
  if (path.parent_path().filename() == "snapshots") {
    const std::string repository = path.parent_path().parent_path().filename().native();
    const std::size_t dashes = repository.rfind("--");
    name = dashes == std::string::npos ? repository : repository.substr(dashes + 2);
  }
  std::replace(name.begin(), name.end(), '-', ' ');
  std::string title;
  std::size_t at = 0;
  while (at < name.size()) {
    const std::size_t end = std::min(name.find(' ', at), name.size());
    if (end > at) {
      title += Format("{}{}", title.empty() ? "" : " ", TitleWord(name.substr(at, end - at)));
    }
    at = end + 1;
  }
  return title;
}

std::string SizeLabel(std::uint64_t parameters) {
  struct Unit {
    double above;
    char suffix;
  };
  constexpr Unit kUnits[] = {{1e12, 'T'}, {1e9, 'B'}, {1e6, 'M'}, {0, 'K'}};
  const auto count = static_cast<double>(parameters);
  for (const Unit& unit : kUnits) {
    if (count > unit.above) {
      const double scaled = count / (unit.above == 0 ? 1e3 : unit.above);
      const int decimals = std::nearbyint(scaled) >= 10 ? 0 : std::nearbyint(scaled) >= 1 ? 1 : 2;
      return Format("{:.{}f}{}", scaled, decimals, unit.suffix);
    }
  }
  return "0.00K";
}

void AddSampling(const hf::GenerationConfig& generation, gguf::Metadata& metadata) {
  if (generation.top_k.has_value()) {
    metadata.SetInt32("general.sampling.top_k", static_cast<std::int32_t>(std::min<std::uint64_t>(
                                                    *generation.top_k, INT32_MAX)));
  }
  if (generation.top_p.has_value()) {
    metadata.SetFloat32("general.sampling.top_p", static_cast<float>(*generation.top_p));
  }
  if (generation.min_p.has_value()) {
    metadata.SetFloat32("general.sampling.min_p", static_cast<float>(*generation.min_p));
  }
  if (generation.temperature.has_value()) {
    metadata.SetFloat32("general.sampling.temp", static_cast<float>(*generation.temperature));
  }
  if (generation.every_mode.value_or(false)) {
    metadata.SetBool("tandem.sampling.every_mode", true);
  }
}

}  // namespace tandem::convert
