#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/command_sheet.h"
#include "cli/commands.h"
#include "cli/man_page.h"
#include "cli/shell_completion.h"
#include "cli/terminal.h"
#include "io/file.h"
#include "store/builtin.h"
#include "store/catalogue.h"
#include "store/installed.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// Today, or the day that a build which is to be repeatable names.
std::string PageDate() {
  std::time_t now = std::time(nullptr);
  if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH"); epoch != nullptr) {
    now = static_cast<std::time_t>(std::strtoll(epoch, nullptr, 10));
  }
  std::tm day{};
  gmtime_r(&now, &day);
  return Format("{:04}-{:02}-{:02}", day.tm_year + 1900, day.tm_mon + 1, day.tm_mday);
}

// What can stand for a model: one name a line.
std::string ModelNames() {
  std::string text;
  for (const std::string& name : BuiltinModelNames()) {
    text += name + "\n";
  }
  for (const InstalledModel& model : InstalledModels()) {
    text += Printable(model.name, 350) + "\n";
  }
  for (const CatalogueModel& model : Catalogue::BuiltIn().models()) {
    text += model.name + "\n";
  }
  return text;
}

Status Write(const fs::path& path, const std::string& text) {
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  return WriteFileAtomically(path, text);
}

/// Hidden: for the build, which installs what it writes, and for the completion scripts.
class PagesCommand : public Command {
 public:
  explicit PagesCommand(CLI::App& app) : Command(app) {
    app.add_option("KIND", kind_, "bash, zsh, fish, man, names or all")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish", "man", "names", "all"}));
    app.add_option("WHAT", what_, "A command (man), the folder to write to (all)");
    app.footer("Manual pages and completion scripts, made from what --help is made from.");
  }

  Result<ExitCode> Run() override {
    commands_ = DescribeCommands(tandem());
    if (kind_ == "all") {
      if (what_.empty()) {
        return UsageError(*this, "'all' needs the folder to write to");
      }
      TANDEM_RETURN_IF_ERROR(WriteAll(what_));
      return ExitCode::kSuccess;
    }
    TANDEM_ASSIGN_OR_RETURN(const std::string text, Page());
    WriteNow(text, STDOUT_FILENO);
    return ExitCode::kSuccess;
  }

 private:
  const CLI::App& tandem() const { return *app().get_parent(); }

  Result<std::string> Page() const {
    if (kind_ == "bash") {
      return BashCompletion(commands_);
    }
    if (kind_ == "zsh") {
      return ZshCompletion(commands_);
    }
    if (kind_ == "fish") {
      return FishCompletion(commands_);
    }
    if (kind_ == "names") {
      return ModelNames();
    }
    if (what_.empty()) {
      return MainManPage(tandem(), commands_, PageDate());
    }
    for (const CommandSheet& command : commands_) {
      if (command.name == what_) {
        return CommandManPage(command, PageDate());
      }
    }
    return Status(StatusCode::kNotFound, Format("'{}' is not a command", Printable(what_)));
  }

  Status WriteAll(const fs::path& folder) const {
    const std::string date = PageDate();
    TANDEM_RETURN_IF_ERROR(Write(folder / "man1/tandem.1", MainManPage(tandem(), commands_, date)));
    for (const CommandSheet& command : commands_) {
      TANDEM_RETURN_IF_ERROR(Write(folder / "man1" / Format("tandem-{}.1", command.name),
                                   CommandManPage(command, date)));
    }
    TANDEM_RETURN_IF_ERROR(Write(folder / "bash/tandem", BashCompletion(commands_)));
    TANDEM_RETURN_IF_ERROR(Write(folder / "zsh/_tandem", ZshCompletion(commands_)));
    return Write(folder / "fish/tandem.fish", FishCompletion(commands_));
  }

  std::string kind_;
  std::string what_;
  std::vector<CommandSheet> commands_;
};

}  // namespace

std::unique_ptr<Command> AddPages(CLI::App& tandem) {
  CLI::App* app = tandem.add_subcommand("pages", "Print manual pages and completion scripts");
  app->group("");  // hidden
  return std::make_unique<PagesCommand>(*app);
}

}  // namespace tandem
