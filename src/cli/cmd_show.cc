#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/spec_sheet_text.h"
#include "cli/terminal.h"
#include "store/builtin.h"
#include "store/model_name.h"

namespace tandem {
namespace {

Result<ShownModel> Open(const std::string& name) {
  ShownModel model{.name = name, .file = nullptr, .sheet = {}};
  Result<std::unique_ptr<gguf::ModelFile>> file = OpenModelFile(name);
  const Result<ModelName> parsed = ParseModelName(name);
  if (file.status().code() == StatusCode::kNotFound && parsed.ok() &&
      parsed->kind == ModelName::Kind::kCatalogue) {
    return model;  // the catalogue knows something
  }
  TANDEM_ASSIGN_OR_RETURN(model.file, std::move(file));
  TANDEM_ASSIGN_OR_RETURN(model.sheet, ReadSpecSheet(*model.file));
  return model;
}

class ShowCommand : public Command {
 public:
  explicit ShowCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", names_, "Path of a GGUF file, or a name; two are shown side by side")
        ->required()
        ->expected(1, 2);
    app.add_flag("--json", json_, "Print one JSON object, or an array of two");
    app.footer(
        "Reads the description of the file only, so it is quick for files of any size. What a "
        "file\n"
        "does not say comes from the built-in catalogue, marked (catalogue); of a model of the\n"
        "catalogue that is not on this machine that is all there is.\n"
        "\n"
        "Examples:\n"
        "  tandem show model.gguf\n"
        "  tandem show qwen3.5:4b phi4-mini\n"
        "  tandem show --json model.gguf | jq .memory");
  }

  Result<ExitCode> Run() override {
    std::vector<ShownModel> models;
    for (const std::string& name : names_) {
      TANDEM_ASSIGN_OR_RETURN(ShownModel model, Open(name));
      models.push_back(std::move(model));
    }
    std::fputs(json_ ? JsonText(models).c_str()
                     : SheetTable(models).Render(Terminal::Of(STDOUT_FILENO)).c_str(),
               stdout);
    return ExitCode::kSuccess;
  }

 private:
  static std::string JsonText(const std::vector<ShownModel>& models) {
    Json out = SheetJson(models[0]);
    if (models.size() > 1) {
      out = Json::array({out, SheetJson(models[1])});
    }
    // A file's strings need not be UTF-8; JSON must be.
    return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }

  std::vector<std::string> names_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> AddShow(CLI::App& tandem) {
  CLI::App* app = tandem.add_subcommand(
      "show", "Show what is in a model file: sizes, number formats, memory, metadata");
  return std::make_unique<ShowCommand>(*app);
}

}  // namespace tandem
