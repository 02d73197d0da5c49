#include "cli/model_download.h"

#include <unistd.h>

#include <chrono>
#include <iostream>

#include "base/format.h"
#include "cli/interrupt.h"
#include "cli/progress_bar.h"
#include "cli/terminal.h"
#include "store/ascii.h"
#include "store/installed.h"
#include "store/model_name.h"
#include "store/pull.h"

namespace tandem {
namespace {

void Say(const std::string& line) {
  WriteNow(line + "\n", STDERR_FILENO);
}

// Anything that begins with y, or nothing, is yes.
bool AskYes(const std::string& question) {
  WriteNow(question + " [Y/n] ", STDERR_FILENO);
  std::string line;
  if (!std::getline(std::cin, line)) {
    Say("");
    return false;
  }
  return line.empty() || LowerAscii(line[0]) == 'y';
}

bool CanAsk() {
  return isatty(STDIN_FILENO) != 0 && isatty(STDERR_FILENO) != 0;
}

}  // namespace

std::string DescribeRemote(const RemoteModel& model) {
  return Format("{}, {} in {} file{}, licence {}", model.origin,
                FormatBytes(static_cast<double>(model.TotalBytes())), model.files.size(),
                model.files.size() == 1 ? "" : "s",
                model.licence.empty() ? "not stated" : Printable(model.licence));
}

Result<StoredModel> DownloadModel(const RemoteModel& model, const RemoteSettings& settings,
                                  const DownloadManners& manners) {
  const InterruptGuard interrupt;
  ProgressBar bar(
      manners.quiet ? Terminal{} : Terminal::Of(STDERR_FILENO),
      [](std::string_view text) { WriteNow(text, STDERR_FILENO); },
      [] { return std::chrono::steady_clock::now(); });
  PullOptions options{.http = settings.http, .connections = 4, .on_progress = {}};
  options.http.cancel = interrupt.flag();
  options.http.on_note = [&](const std::string& note) {
    bar.Erase();
    if (!manners.quiet) {
      Say(Format("Note: {}", note));
    }
  };
  options.on_progress = [&bar](const std::string& file, const DownloadProgress& progress) {
    bar.Show(file.substr(file.rfind('/') + 1), progress.done, progress.total, progress.fetched);
  };
  Result<StoredModel> stored = PullModel(model, LocalStore::Default(), options);
  bar.Erase();
  if (stored.status().code() == StatusCode::kCancelled) {
    return Status(StatusCode::kCancelled,
                  "interrupted; the next pull goes on where this one stopped");
  }
  return stored;
}

Status EnsureModel(const std::string& name, const DownloadManners& manners) {
  const Result<ModelName> parsed = ParseModelName(name);
  const bool remote =
      parsed.ok() &&
      (parsed->kind == ModelName::Kind::kCatalogue || parsed->kind == ModelName::Kind::kHub ||
       parsed->kind == ModelName::Kind::kModelScope || parsed->kind == ModelName::Kind::kOllama);
  if (!remote || FindInstalled(*parsed).ok()) {
    return OkStatus();
  }
  if (!manners.yes && !CanAsk()) {
    return {StatusCode::kNotFound,
            Format("'{0}' is not on this machine; 'tandem pull {0}' gets it, or --yes here",
                   parsed->canonical)};
  }
  TANDEM_ASSIGN_OR_RETURN(const RemoteSettings settings, RemoteSettings::FromEnvironment());
  TANDEM_ASSIGN_OR_RETURN(const RemoteModel model, LookUpModel(*parsed, settings));
  if (!manners.yes) {
    Say(Format("'{}' is not on this machine.", parsed->canonical));
    if (!AskYes(Format("Download {}?", DescribeRemote(model)))) {
      return {StatusCode::kNotFound, Format("'{}' was not downloaded", parsed->canonical)};
    }
  } else if (!manners.quiet) {
    Say(Format("Downloading {}", DescribeRemote(model)));
  }
  return DownloadModel(model, settings, manners).status();
}

}  // namespace tandem
