#include <unistd.h>

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/commands.h"
#include "cli/plain_table.h"
#include "cli/terminal.h"
#include "io/json.h"
#include "store/ascii.h"
#include "store/catalogue.h"
#include "store/installed.h"

namespace tandem {
namespace {

std::string Ago(std::int64_t seconds) {
  struct Unit {
    std::int64_t seconds;
    const char* name;
  };
  constexpr std::int64_t kDay = 86'400;
  for (const Unit& unit :
       {Unit{365 * kDay, "year"}, Unit{30 * kDay, "month"}, Unit{7 * kDay, "week"},
        Unit{kDay, "day"}, Unit{3600, "hour"}, Unit{60, "minute"}}) {
    if (seconds >= unit.seconds) {
      const std::int64_t count = seconds / unit.seconds;
      return Format("{} {}{} ago", count, unit.name, count == 1 ? "" : "s");
    }
  }
  return "just now";
}

class ListCommand : public Command {
 public:
  explicit ListCommand(CLI::App& app) : Command(app) {
    app.add_option("PREFIX", prefix_, "Only names that begin so");
    app.add_flag("--available", available_, "The short names that can be pulled");
    app.add_flag("--json", json_, "Print a JSON array");
    app.footer(
        "Shows Tandem's own models and those that other programs have downloaded: the Hugging\n"
        "Face cache, Ollama and LM Studio. They are used where they lie.\n"
        "\n"
        "--json fields: name, origin, quantisation, bytes, modified (seconds since 1970), path,\n"
        "projector. With --available: name, title, quantisation, licence, context, parameters,\n"
        "about_bytes, repositories.");
  }

  Result<ExitCode> Run() override {
    const std::string text = available_ ? Available() : Installed();
    WriteNow(text, STDOUT_FILENO);
    return ExitCode::kSuccess;
  }

 private:
  bool Wanted(const std::string& name) const {
    return LowerAscii(name).starts_with(LowerAscii(prefix_));
  }

  std::string Installed() const {
    const std::int64_t now = std::time(nullptr);
    Json array = Json::array();
    PlainTable table({"NAME", "QUANT", "SIZE", "ORIGIN", "MODIFIED"});
    for (const InstalledModel& model : InstalledModels()) {
      if (!Wanted(model.name)) {
        continue;
      }
      table.Add({Printable(model.name, 200), Printable(model.quant),
                 FormatBytes(static_cast<double>(model.bytes)),
                 std::string(OriginName(model.origin)), Ago(now - model.modified)});
      array.push_back({{"name", model.name},
                       {"origin", OriginName(model.origin)},
                       {"quantisation", model.quant},
                       {"bytes", model.bytes},
                       {"modified", model.modified},
                       {"path", model.model.string()},
                       {"projector", model.projector.string()}});
    }
    return json_ ? Dump(array) : table.Render();
  }

  std::string Available() const {
    Json array = Json::array();
    PlainTable table({"NAME", "QUANT", "ABOUT", "CONTEXT", "LICENCE", "FROM"});
    for (const CatalogueModel& model : Catalogue::BuiltIn().models()) {
      if (!Wanted(model.name)) {
        continue;
      }
      const std::optional<std::uint64_t> bytes = model.AboutBytes(model.quant);
      table.Add({model.name, model.quant,
                 bytes.has_value() ? FormatBytes(static_cast<double>(*bytes)) : "",
                 Format("{}", model.context), model.licence,
                 Format("hf.co/{}", model.repositories[0])});
      array.push_back({{"name", model.name},
                       {"title", model.title},
                       {"quantisation", model.quant},
                       {"licence", model.licence},
                       {"context", model.context},
                       {"parameters", model.parameters},
                       {"about_bytes", bytes.has_value() ? Json(*bytes) : Json()},
                       {"repositories", model.repositories}});
    }
    return json_ ? Dump(array) : table.Render();
  }

  static std::string Dump(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }

  std::string prefix_;
  bool available_ = false;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> AddList(CLI::App& tandem) {
  CLI::App* app = tandem.add_subcommand("list", "List the models on this machine");
  app->alias("ls");
  return std::make_unique<ListCommand>(*app);
}

}  // namespace tandem
