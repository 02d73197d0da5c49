#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/commands.h"
#include "cli/model_download.h"
#include "cli/terminal.h"
#include "store/installed.h"
#include "store/model_name.h"
#include "store/remote.h"

namespace tandem {
namespace {

constexpr const char* kFooter =
    "NAME is a short name (qwen3.5:4b, qwen3.5:4b-q8_0, phi4-mini), hf.co/OWNER/REPO[:QUANT],\n"
    "ms:OWNER/REPO[:QUANT] (ModelScope) or ollama:NAME[:TAG]. A download that was interrupted\n"
    "goes on where it stopped; the file gets its name only when its hash is right. The vision\n"
    "file comes along.\n"
    "\n"
    "Environment: HF_TOKEN, HF_ENDPOINT (a mirror), HF_HUB_DOWNLOAD_TIMEOUT (seconds without\n"
    "a byte), TANDEM_MODELS (the folder), TANDEM_OLLAMA_REGISTRY and TANDEM_MODELSCOPE (mirrors),\n"
    "TANDEM_DOWNLOAD_ATTEMPTS.\n"
    "\n"
    "Examples:\n"
    "  tandem pull qwen3.5:4b\n"
    "  tandem pull hf.co/unsloth/Phi-4-mini-instruct-GGUF:Q8_0";

class PullCommand : public Command {
 public:
  explicit PullCommand(CLI::App& app) : Command(app) {
    app.add_option("NAME", names_, "Short name, hf.co/OWNER/REPO[:QUANT] and so on; see below")
        ->required();
    app.add_flag("--force", force_, "Ask the server even when the model is there already");
    app.add_flag("!--no-vision", vision_, "Leave the vision file out");
    app.add_flag("--quiet", quiet_, "Nothing but errors");
    app.footer(kFooter);
  }

  Result<ExitCode> Run() override {
    TANDEM_ASSIGN_OR_RETURN(RemoteSettings settings, RemoteSettings::FromEnvironment());
    settings.vision = vision_;
    for (const std::string& name : names_) {
      TANDEM_RETURN_IF_ERROR(Pull(name, settings));
    }
    return ExitCode::kSuccess;
  }

 private:
  Status Pull(const std::string& given, const RemoteSettings& settings) const {
    TANDEM_ASSIGN_OR_RETURN(const ModelName name, ParseModelName(given));
    if (name.kind == ModelName::Kind::kBuiltin || name.kind == ModelName::Kind::kPath) {
      Say(Format("{}: nothing to pull, it is {}", Printable(given),
                 name.kind == ModelName::Kind::kPath ? "a file" : "part of the program"));
      return OkStatus();
    }
    const Result<InstalledModel> installed = FindInstalled(name);
    if (installed.ok() && !force_) {
      Say(Format("{}: already here ({})", name.canonical, OriginName(installed->origin)));
      return OkStatus();
    }
    TANDEM_ASSIGN_OR_RETURN(const RemoteModel model, LookUpModel(name, settings));
    Say(Format("{}: {}", name.canonical, DescribeRemote(model)));
    TANDEM_ASSIGN_OR_RETURN(const StoredModel stored,
                            DownloadModel(model, settings, {.yes = true, .quiet = quiet_}));
    Say(Format("{}: {}, hashes verified", stored.name,
               FormatBytes(static_cast<double>(stored.TotalBytes()))));
    return OkStatus();
  }

  void Say(const std::string& line) const {
    if (!quiet_) {
      WriteNow(line + "\n", STDOUT_FILENO);
    }
  }

  std::vector<std::string> names_;
  bool force_ = false;
  bool vision_ = true;
  bool quiet_ = false;
};

}  // namespace

std::unique_ptr<Command> AddPull(CLI::App& tandem) {
  return std::make_unique<PullCommand>(*tandem.add_subcommand("pull", "Download a model"));
}

}  // namespace tandem
