#include "quantize/plan.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "quant/formats.h"

namespace tandem::quantize {
namespace {

bool IsFloatType(gguf::TensorType type) {
  return type == gguf::TensorType::kF32 || type == gguf::TensorType::kF16 ||
         type == gguf::TensorType::kBF16;
}

Status Bad(std::string text) {
  return Status(StatusCode::kInvalidArgument, std::move(text));
}

Status ApplyRecipe(const Recipe& recipe, std::span<const Source::Tensor> tensors,
                   std::vector<MixChoice>& choices) {
  std::vector<bool> used(recipe.rules().size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const gguf::TensorInfo& info = tensors[i].info;
    const Recipe::Rule* rule = recipe.Find(info.name);
    if (rule == nullptr) {
      continue;
    }
    used[static_cast<std::size_t>(rule - recipe.rules().data())] = true;
    const gguf::TensorType type = rule->type.value_or(info.type);
    if (info.dims[0] % gguf::Info(type).block_len != 0) {
      return Bad(Format("{}:{}: tensor '{}' has rows of {} values, no multiple of the {} of {}",
                        Printable(recipe.name(), 400), rule->line, Printable(info.name),
                        info.dims[0], gguf::Info(type).block_len, gguf::Info(type).name));
    }
    choices[i] = {type, type};
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) {
      return Bad(Format("{}:{}: no tensor is left for '{}'", Printable(recipe.name(), 400),
                        recipe.rules()[i].line, Printable(recipe.rules()[i].pattern)));
    }
  }
  return OkStatus();
}

/// Whether a tensor can become `type`, and with what importance.
Status CheckTensor(const Source& source, const gguf::TensorInfo& info, const PlanOptions& options,
                   PlannedType& planned) {
  if (planned.type == info.type) {
    return OkStatus();
  }
  TANDEM_RETURN_IF_ERROR(quant::RequireFormat(info.type, info.name).status());
  if (!IsFloatType(info.type) && !options.allow_requantize) {
    return Bad(Format(
        "{}: tensor '{}' is {} already, and what that lost would be lost twice; start "
        "from an F32, F16 or BF16 file, or pass --allow-requantize",
        Printable(source.file().name(), 400), Printable(info.name), gguf::Info(info.type).name));
  }
  if (options.importance != nullptr && !IsFloatType(planned.type)) {
    TANDEM_ASSIGN_OR_RETURN(
        planned.importance,
        options.importance->MeansFor(info.name, info.dims[0], info.dims[2] * info.dims[3]));
  }
  if (planned.importance.empty() && NeedsImportance(options.mix, info.name, planned.type)) {
    return Bad(
        Format("{} needs an importance matrix, and there is none for '{}'; see 'tandem "
               "imatrix --help'",
               options.mix.name, Printable(info.name)));
  }
  return OkStatus();
}

}  // namespace

std::uint64_t BytesAs(const gguf::TensorInfo& tensor, gguf::TensorType type) {
  const auto bytes = gguf::TensorBytes(type, tensor.dims[0], tensor.elements());
  TANDEM_CHECK(bytes.has_value(), "rows are whole blocks of the chosen type");
  return *bytes;
}

MixTensor DescribeTensor(const gguf::TensorInfo& tensor) {
  return {.name = tensor.name,
          .dims = {tensor.dims.data(), std::max<std::size_t>(tensor.dim_count, 1)},
          .type = tensor.type};
}

Result<MixModel> DescribeModel(const gguf::File& file, bool has_importance) {
  TANDEM_ASSIGN_OR_RETURN(const std::string_view architecture,
                          file.GetStringOr("general.architecture", ""));
  MixModel model{.has_importance = has_importance};
  TANDEM_ASSIGN_OR_RETURN(model.layers, file.GetUintOr(Format("{}.block_count", architecture), 0));
  const gguf::Value* heads = file.Find(Format("{}.attention.head_count", architecture));
  const gguf::Value* kv_heads = file.Find(Format("{}.attention.head_count_kv", architecture));
  // Some architectures have a number per layer; only the first layer's counts there.
  const auto first = [](const gguf::Value* value) {
    std::uint64_t number = 0;
    if (value != nullptr && value->type() == gguf::ValueType::kArray) {
      value->ForEach([&](const gguf::Value& element) {
        number = element.AsUint().value_or(0);
        return false;
      });
      return number;
    }
    return value == nullptr ? number : value->AsUint().value_or(0);
  };
  const std::uint64_t kv = kv_heads == nullptr ? first(heads) : first(kv_heads);
  model.heads_per_kv = kv == 0 ? 0 : static_cast<std::size_t>(first(heads) / kv);
  return model;
}

Result<Plan> MakePlan(const Source& source, const PlanOptions& options) {
  TANDEM_ASSIGN_OR_RETURN(const MixModel model,
                          DescribeModel(source.file(), options.importance != nullptr));
  std::vector<MixTensor> tensors;
  for (const Source::Tensor& tensor : source.tensors()) {
    tensors.push_back(DescribeTensor(tensor.info));
  }
  std::vector<MixChoice> choices = ChooseTypes(options.mix, model, tensors);
  if (options.recipe != nullptr) {
    TANDEM_RETURN_IF_ERROR(ApplyRecipe(*options.recipe, source.tensors(), choices));
  }
  Plan plan;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    PlannedType planned{choices[i].type, choices[i].wanted, {}};
    TANDEM_RETURN_IF_ERROR(CheckTensor(source, source.tensors()[i].info, options, planned));
    plan.weighted += planned.importance.empty() ? 0U : 1U;
    plan.tensors.push_back(std::move(planned));
  }
  if (options.importance != nullptr && plan.weighted == 0) {
    return Bad(Format("{}: has no entry for any tensor of {}: it was made for another model",
                      Printable(options.importance->source, 400),
                      Printable(source.file().name(), 400)));
  }
  return plan;
}

}  // namespace tandem::quantize
