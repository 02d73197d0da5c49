#include "quantize/dynamic.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "base/format.h"

namespace tandem::quantize {
namespace {

using gguf::TensorType;

constexpr TensorType kTypes[] = {TensorType::kQ2_K, TensorType::kQ3_K, TensorType::kIQ4_XS,
                                 TensorType::kQ4_K, TensorType::kQ5_K, TensorType::kQ6_K,
                                 TensorType::kQ8_0};

struct Unit {
  std::string_view name;
  double bytes;
};
constexpr Unit kUnits[] = {{"KB", 1e3},      {"MB", 1e6},      {"GB", 1e9}, {"KiB", 1024},
                           {"MiB", 1048576}, {"GiB", 1 << 30}, {"B", 1}};

/// What a matrix can be: rising bytes, falling loss, each step worth less per byte than the one
/// before (the lower hull).
struct Option {
  TensorType type;
  std::uint64_t bytes;
  double loss;
};

double Worth(const Option& from, const Option& to) {
  return (from.loss - to.loss) / static_cast<double>(to.bytes - from.bytes);
}

std::vector<Option> Hull(const gguf::TensorInfo& tensor, const Sensitivity& sensitivity) {
  std::vector<Option> options;
  for (const auto& [type, error] : sensitivity.error) {
    options.push_back({type, BytesAs(tensor, type), sensitivity.LossIn(type)});
  }
  std::sort(options.begin(), options.end(), [](const Option& a, const Option& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.loss < b.loss;
  });
  std::vector<Option> hull;
  for (const Option& option : options) {
    if (!hull.empty() && (option.bytes == hull.back().bytes || option.loss >= hull.back().loss)) {
      continue;
    }
    while (hull.size() > 1 &&
           Worth(hull[hull.size() - 2], hull.back()) <= Worth(hull.back(), option)) {
      hull.pop_back();
    }
    hull.push_back(option);
  }
  return hull;
}

/// A matrix that was measured, and where on its hull it stands.
struct Ladder {
  std::string_view tensor;
  std::vector<Option> hull;
  std::size_t at = 0;

  bool AtTop() const { return at + 1 == hull.size(); }
  double NextWorth() const { return Worth(hull[at], hull[at + 1]); }
  std::uint64_t NextBytes() const { return hull[at + 1].bytes - hull[at].bytes; }
};

std::uint64_t ValuesOf(const Source& source) {
  std::uint64_t values = 0;
  for (const Source::Tensor& tensor : source.tensors()) {
    values += tensor.info.elements();
  }
  return values;
}

}  // namespace

std::span<const TensorType> DynamicTypes() {
  return kTypes;
}

Result<std::uint64_t> ParseTargetSize(std::string_view text, const Source& source) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && std::isfinite(number) && number > 0) {
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    double bytes = 0;
    if (unit == "bpw") {
      bytes = number / 8 * static_cast<double>(ValuesOf(source));
    }
    for (const Unit& known : kUnits) {
      bytes = unit == known.name ? number * known.bytes : bytes;
    }
    if (bytes >= 1 && bytes < 1e18) {
      return static_cast<std::uint64_t>(bytes);
    }
  }
  const Result<Mix> mix = FindMix(text);
  if (!mix.ok()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("'{}' is no size: a number with B, KB, MB, GB, KiB, MiB, GiB or bpw, or "
                         "the name of a type",
                         Printable(text)));
  }
  TANDEM_ASSIGN_OR_RETURN(const MixModel model, DescribeModel(source.file(), true));
  std::vector<MixTensor> tensors;
  for (const Source::Tensor& tensor : source.tensors()) {
    tensors.push_back(DescribeTensor(tensor.info));
  }
  const std::vector<MixChoice> choices = ChooseTypes(*mix, model, tensors);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    bytes += BytesAs(source.tensors()[i].info, choices[i].type);
  }
  return bytes;
}

Result<std::vector<DynamicChoice>> ChooseDynamic(const Source& source, const Plan& base,
                                                 std::span<const Sensitivity> sensitivities,
                                                 std::uint64_t target) {
  std::map<std::string_view, const Sensitivity*> measured;
  for (const Sensitivity& sensitivity : sensitivities) {
    measured.emplace(sensitivity.tensor, &sensitivity);
  }
  std::vector<Ladder> ladders;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < base.tensors.size(); ++i) {
    const gguf::TensorInfo& info = source.tensors()[i].info;
    const auto found = measured.find(info.name);
    if (found == measured.end()) {
      bytes += BytesAs(info, base.tensors[i].type);
      continue;
    }
    ladders.push_back({info.name, Hull(info, *found->second)});
    bytes += ladders.back().hull.front().bytes;
  }
  if (bytes > target) {
    return Status(StatusCode::kInvalidArgument,
                  Format("a target of {} bytes is too small: with the smallest types the tensors "
                         "take {}",
                         target, bytes));
  }
  while (true) {
    Ladder* best = nullptr;
    for (Ladder& ladder : ladders) {
      if (!ladder.AtTop() && ladder.NextBytes() <= target - bytes &&
          (best == nullptr || ladder.NextWorth() > best->NextWorth())) {
        best = &ladder;
      }
    }
    if (best == nullptr) {
      break;
    }
    bytes += best->NextBytes();
    ++best->at;
  }
  std::vector<DynamicChoice> choices;
  for (const Ladder& ladder : ladders) {
    const Option& option = ladder.hull[ladder.at];
    choices.push_back({std::string(ladder.tensor), option.type, option.bytes, option.loss});
  }
  return choices;
}

void ApplyChoices(const Source& source, std::span<const DynamicChoice> choices, Plan& plan) {
  std::map<std::string_view, TensorType> types;
  for (const DynamicChoice& choice : choices) {
    types.emplace(choice.tensor, choice.type);
  }
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const auto found = types.find(source.tensors()[i].info.name);
    if (found != types.end()) {
      plan.tensors[i].type = found->second;
      plan.tensors[i].wanted = found->second;
    }
  }
}

std::string DynamicTable(std::span<const DynamicChoice> choices) {
  std::size_t widest = 6;
  for (const DynamicChoice& choice : choices) {
    widest = std::max(widest, choice.tensor.size());
  }
  std::string text =
      Format("{:{}}  {:8}{:>10}  {}\n", "tensor", widest, "type", "bytes", "expected loss (nats)");
  for (const DynamicChoice& choice : choices) {
    text +=
        Format("{:{}}  {:8}{:>10}  {:.3g}\n", choice.tensor, widest, gguf::Info(choice.type).name,
               FormatBytes(static_cast<double>(choice.bytes)), choice.loss);
  }
  return text;
}

void AddChoices(std::span<const DynamicChoice> choices, std::uint64_t target,
                gguf::Metadata& metadata) {
  std::vector<std::string> tensors;
  std::vector<std::string> types;
  std::vector<float> losses;
  std::map<TensorType, std::uint64_t> bytes;
  for (const DynamicChoice& choice : choices) {
    tensors.push_back(choice.tensor);
    types.emplace_back(gguf::Info(choice.type).name);
    losses.push_back(static_cast<float>(choice.loss));
    bytes[choice.type] += choice.bytes;
  }
  metadata.SetStrings("tandem.dynamic.tensors", tensors);
  metadata.SetStrings("tandem.dynamic.types", types);
  metadata.SetFloat32s("tandem.dynamic.losses", losses);
  metadata.SetUint64("tandem.dynamic.target_bytes", target);
  // Files say one type: that of most bytes.
  const auto most = std::max_element(
      bytes.begin(), bytes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  for (const Mix& mix : Mixes()) {
    if (most != bytes.end() && mix.base == most->first) {
      metadata.SetUint32("general.file_type", mix.file_type);
    }
  }
}

}  // namespace tandem::quantize
