#include "store/builtin.h"

#include <cstddef>
#include <span>

#include "base/format.h"
#include "store/ascii.h"
#include "store/installed.h"
#include "store/model_name.h"

// The labels of builtin_bytes.S.
extern "C" {
extern const std::byte tandem_builtin_qwen3_5_begin[];
extern const std::byte tandem_builtin_qwen3_5_end[];
extern const std::byte tandem_builtin_phi4_mini_begin[];
extern const std::byte tandem_builtin_phi4_mini_end[];
}

namespace tandem {
namespace {

struct Builtin {
  std::string_view name;
  std::string_view source;
  const std::byte* begin;
  const std::byte* end;

  std::span<const std::byte> bytes() const {
    return {begin, static_cast<std::size_t>(end - begin)};
  }
};

constexpr Builtin kBuiltins[] = {
    {"qwen3.5:demo", "assets/demo/qwen3.5-demo.gguf", tandem_builtin_qwen3_5_begin,
     tandem_builtin_qwen3_5_end},
    {"phi4-mini:demo", "assets/demo/phi4-mini-demo.gguf", tandem_builtin_phi4_mini_begin,
     tandem_builtin_phi4_mini_end},
};

const Builtin* FindBuiltin(std::string_view name) {
  for (const Builtin& builtin : kBuiltins) {
    if (SameIgnoringCase(builtin.name, name)) {
      return &builtin;
    }
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> BuiltinModelNames() {
  std::vector<std::string> names;
  for (const Builtin& builtin : kBuiltins) {
    if (!builtin.bytes().empty()) {
      names.emplace_back(builtin.name);
    }
  }
  return names;
}

bool IsBuiltinModelName(std::string_view name) {
  return FindBuiltin(name) != nullptr;
}

Result<std::unique_ptr<gguf::ModelFile>> OpenModelFile(const std::string& name_or_path) {
  TANDEM_ASSIGN_OR_RETURN(const ModelPlace place, FindModelPlace(name_or_path));
  return OpenModelFile(name_or_path, place);
}

Result<std::unique_ptr<gguf::ModelFile>> OpenModelFile(const std::string& name_or_path,
                                                       const ModelPlace& place) {
  const Builtin* builtin = FindBuiltin(name_or_path);
  if (builtin == nullptr) {
    return gguf::ModelFile::Open(place.model);
  }
  if (builtin->bytes().empty()) {
    return Status(StatusCode::kNotFound,
                  Format("the model '{}' is not part of this build: {} was missing when it was "
                         "configured",
                         builtin->name, builtin->source));
  }
  return gguf::ModelFile::FromBytes(builtin->bytes(), builtin->name);
}

Result<ModelPlace> FindModelPlace(const std::string& name_or_path) {
  if (name_or_path.empty()) {
    return Status(StatusCode::kInvalidArgument, "the name of the model is empty");
  }
  if (FindBuiltin(name_or_path) != nullptr) {
    return ModelPlace();
  }
  TANDEM_ASSIGN_OR_RETURN(const ModelName name, ParseModelName(name_or_path));
  if (name.kind == ModelName::Kind::kPath) {
    return ModelPlace{.model = name_or_path, .projector = {}};
  }
  TANDEM_ASSIGN_OR_RETURN(InstalledModel installed, FindInstalled(name));
  return ModelPlace{.model = std::move(installed.model),
                    .projector = std::move(installed.projector)};
}

}  // namespace tandem
