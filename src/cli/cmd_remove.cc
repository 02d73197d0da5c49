#include <unistd.h>

#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "store/installed.h"
#include "store/local_store.h"
#include "store/model_name.h"

namespace tandem {
namespace {

void Say(const std::string& line) {
  WriteNow(line + "\n", STDOUT_FILENO);
}

class RemoveCommand : public Command {
 public:
  explicit RemoveCommand(CLI::App& app) : Command(app) {
    app.add_option("NAME", names_, "A name that 'tandem list' shows")->required();
    app.add_flag("--force", force_, "Also models that another program has downloaded");
    app.footer(
        "Files that another name still needs stay. With --force a file of the Hugging Face cache "
        "or\n"
        "of LM Studio is deleted; of Ollama's store only the name goes, and Ollama deletes the\n"
        "bytes when it starts.");
  }

  Result<ExitCode> Run() override {
    for (const std::string& given : names_) {
      TANDEM_RETURN_IF_ERROR(Remove(given));
    }
    return ExitCode::kSuccess;
  }

 private:
  Status Remove(const std::string& given) const {
    TANDEM_ASSIGN_OR_RETURN(const ModelName name, ParseModelName(given));
    if (name.kind == ModelName::Kind::kBuiltin || name.kind == ModelName::Kind::kPath) {
      return {StatusCode::kInvalidArgument,
              Format("'{}' is {}; only models that 'tandem list' shows can be removed",
                     Printable(given),
                     name.kind == ModelName::Kind::kPath ? "a path" : "part of the program")};
    }
    const Result<std::uint64_t> freed = LocalStore::Default().Remove(name.canonical);
    if (freed.ok()) {
      Say(Format("removed {} ({} freed)", name.canonical,
                 FormatBytes(static_cast<double>(*freed))));
      return OkStatus();
    }
    if (freed.status().code() != StatusCode::kNotFound) {
      return freed.status();
    }
    TANDEM_ASSIGN_OR_RETURN(const InstalledModel model, FindInstalled(name));
    if (model.origin == Origin::kTandem) {
      return {
          StatusCode::kInvalidArgument,
          Format("'{}' is kept under the name '{}'; give that one", name.canonical, model.name)};
    }
    if (!force_) {
      return {StatusCode::kInvalidArgument,
              Format("'{}' belongs to {}; remove it there, or here with --force", model.name,
                     OriginName(model.origin))};
    }
    return RemoveForeign(model);
  }

  static Status RemoveForeign(const InstalledModel& model) {
    namespace fs = std::filesystem;
    std::error_code error;
    std::vector<fs::path> paths = {model.record};
    if (model.record.empty()) {
      // A link of the Hugging Face cache goes with the bytes it points to.
      paths = {fs::weakly_canonical(model.model, error), model.model};
    }
    for (const fs::path& path : paths) {
      fs::remove(path, error);
      if (error) {
        return {StatusCode::kIo,
                Format("cannot remove '{}': {}", Printable(path.string(), 200), error.message())};
      }
    }
    Say(Format("removed {} from {}", model.name, OriginName(model.origin)));
    return OkStatus();
  }

  std::vector<std::string> names_;
  bool force_ = false;
};

class CopyCommand : public Command {
 public:
  explicit CopyCommand(CLI::App& app) : Command(app) {
    app.add_option("SOURCE", source_, "A model that Tandem has pulled")->required();
    app.add_option("NAME", target_, "The further name")->required();
    app.footer("The files are shared; each name can be removed by itself.");
  }

  Result<ExitCode> Run() override {
    TANDEM_ASSIGN_OR_RETURN(const ModelName source, ParseModelName(source_));
    TANDEM_ASSIGN_OR_RETURN(const ModelName target, ParseModelName(target_));
    if (target.kind != ModelName::Kind::kOther) {
      return Status(
          StatusCode::kInvalidArgument,
          Format("'{}' already means something; choose a name of your own", Printable(target_)));
    }
    const LocalStore store = LocalStore::Default();
    Result<StoredModel> model = store.Find(source.canonical);
    if (model.status().code() == StatusCode::kNotFound) {
      TANDEM_ASSIGN_OR_RETURN(const InstalledModel other, FindInstalled(source));
      return Status(StatusCode::kInvalidArgument,
                    Format("'{}' belongs to {}; only what Tandem has pulled can get a further name",
                           other.name, OriginName(other.origin)));
    }
    TANDEM_RETURN_IF_ERROR(model.status());
    if (store.Find(target.canonical).ok()) {
      return Status(StatusCode::kInvalidArgument,
                    Format("there is a model '{}' already", target.canonical));
    }
    model->name = target.canonical;
    TANDEM_RETURN_IF_ERROR(store.Save(*model));
    Say(Format("copied {} to {}", source.canonical, target.canonical));
    return ExitCode::kSuccess;
  }

 private:
  std::string source_;
  std::string target_;
};

}  // namespace

std::unique_ptr<Command> AddRemove(CLI::App& tandem) {
  return std::make_unique<RemoveCommand>(*tandem.add_subcommand("rm", "Remove models"));
}

std::unique_ptr<Command> AddCopy(CLI::App& tandem) {
  return std::make_unique<CopyCommand>(*tandem.add_subcommand("cp", "Give a model a further name"));
}

}  // namespace tandem
