#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"
#include "cli/terminal.h"
#include "store/known_files.h"
#include "store/model_name.h"

namespace tandem {
namespace {

class VerifyCommand : public Command {
 public:
  explicit VerifyCommand(CLI::App& app) : Command(app) {
    app.add_option("NAME", names_,
                   "Names that 'tandem list' shows; default: all that Tandem pulled");
    app.footer(
        "Reads every file and compares length and hash with what its server promised. Exit code 1\n"
        "when one is damaged or missing; 'tandem pull --force NAME' replaces it.");
  }

  Result<ExitCode> Run() override {
    std::vector<KnownFile> files;
    if (names_.empty()) {
      files = FilesOfStore();
    }
    for (const std::string& given : names_) {
      TANDEM_ASSIGN_OR_RETURN(const ModelName name, ParseModelName(given));
      TANDEM_ASSIGN_OR_RETURN(const std::vector<KnownFile> more, FilesOfModel(name));
      files.insert(files.end(), more.begin(), more.end());
    }
    const InterruptGuard interrupt;
    ExitCode code = ExitCode::kSuccess;
    for (const KnownFile& file : files) {
      ProgressBar bar(
          Terminal::Of(STDERR_FILENO), [](std::string_view text) { WriteNow(text, STDERR_FILENO); },
          [] { return std::chrono::steady_clock::now(); });
      const Status status = VerifyFile(
          file,
          [&](std::uint64_t done, std::uint64_t total) {
            bar.Show(file.path.filename().string(), done, total, done);
          },
          interrupt.flag());
      bar.Erase();
      if (status.code() == StatusCode::kCancelled) {
        return status;
      }
      code = status.ok() ? code : ExitCode::kFailure;
      const std::string verdict = status.ok()
                                      ? (file.hash.empty() ? "length right, no hash known" : "ok")
                                      : status.message();
      WriteNow(Format("{}: {}: {}\n", file.model, Printable(file.path.filename().string(), 200),
                      verdict),
               STDOUT_FILENO);
    }
    return code;
  }

 private:
  std::vector<std::string> names_;
};

}  // namespace

std::unique_ptr<Command> AddVerify(CLI::App& tandem) {
  return std::make_unique<VerifyCommand>(
      *tandem.add_subcommand("verify", "Compare downloaded files with their hashes"));
}

}  // namespace tandem
