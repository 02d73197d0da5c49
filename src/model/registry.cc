#include <string_view>

#include "base/format.h"
#include "model/network.h"
#include "model/phi3.h"
#include "model/qwen3_5.h"

namespace tandem {
namespace {

struct Architecture {
  std::string_view name;  // general.architecture
  Result<std::unique_ptr<Network>> (*load)(const gguf::File& file);
};

constexpr Architecture kArchitectures[] = {
    {"qwen35", &LoadQwen35},
    {"phi3", &LoadPhi3},
};

}  // namespace

Result<std::unique_ptr<Network>> LoadNetwork(const gguf::ModelFile& file) {
  TANDEM_ASSIGN_OR_RETURN(const std::string_view name, file.GetString("general.architecture"));
  std::string known;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.name == name) {
      return architecture.load(file);
    }
    known += known.empty() ? std::string(architecture.name) : Format(", {}", architecture.name);
  }
  return Status(StatusCode::kUnsupported,
                Format("{}: architecture '{}' is not one that Tandem runs ({})", file.name(),
                       Printable(name), known));
}

}  // namespace tandem
