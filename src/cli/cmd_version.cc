#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "tandem/version.h"

#include "base/format.h"
#include "cli/commands.h"
#include "io/json.h"
#include "kernels/cpu/cpu_features.h"

namespace tandem {
namespace {

// Best first.
std::vector<std::string> UsableIsas() {
  const cpu::CpuFeatures features = cpu::DetectCpuFeatures();
  std::vector<std::string> isas;
  if (features.amx_int8) {
    isas.emplace_back("amx");
  }
  if (features.avx512_vnni) {
    isas.emplace_back("avx512vnni");
  }
  if (features.avx2) {
    isas.emplace_back("avx2");
  }
  if (features.neon_dotprod) {
    isas.emplace_back("neon");
  }
  isas.emplace_back("scalar");
  return isas;
}

std::string CompilerName() {
#ifdef __clang__
  return Format("Clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return Format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

class VersionCommand : public Command {
 public:
  explicit VersionCommand(CLI::App& app) : Command(app) {
    app.add_flag("--json", json_, "Print one JSON object");
  }

  Result<ExitCode> Run() override {
    const std::vector<std::string> isas = UsableIsas();
    if (json_) {
      const Json object = {{"version", TANDEM_VERSION},
                           {"build", TANDEM_BUILD_TYPE},
                           {"compiler", CompilerName()},
                           {"isas", isas}};
      std::puts(object.dump(2).c_str());
      return ExitCode::kSuccess;
    }
    std::string list;
    for (const std::string& isa : isas) {
      list += list.empty() ? isa : ", " + isa;
    }
    const std::string text = Format("tandem {}\nbuild     {}, {}\nthis CPU  {}\n", TANDEM_VERSION,
                                    TANDEM_BUILD_TYPE, CompilerName(), list);
    std::fputs(text.c_str(), stdout);
    return ExitCode::kSuccess;
  }

 private:
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> AddVersion(CLI::App& tandem) {
  CLI::App* app = tandem.add_subcommand(
      "version", "Show the version, the build and the instruction sets of this CPU");
  return std::make_unique<VersionCommand>(*app);
}

}  // namespace tandem
