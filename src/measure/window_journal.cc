#include "measure/window_journal.h"

#include <cerrno>
#include <cstring>

#include "base/format.h"
#include "io/file.h"
#include "io/json.h"

namespace tandem {
namespace {

Status JournalError(const std::filesystem::path& path, int error) {
  return {StatusCode::kIo,
          Format("cannot write '{}': {}", Printable(path.native(), 400), std::strerror(error))};
}

// The whole lines of `text` are taken over; false when the first is not this measurement's.
bool ReadLines(std::string_view text, const std::string& key,
               std::map<std::size_t, WindowScores>& finished, std::string& kept) {
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      break;  // cut short
    }
    const std::string_view line = text.substr(0, end + 1);
    text.remove_prefix(end + 1);
    const Result<Json> parsed = ParseJson(line, "journal");
    if (!parsed.ok() || !parsed->is_object()) {
      return !first;
    }
    if (first) {
      if (parsed->value("measurement", Json()) != key) {
        return false;
      }
      first = false;
    } else if (parsed->contains("window") && (*parsed)["window"].is_number_unsigned()) {
      WindowScores scores;
      for (const auto& [name, values] : parsed->items()) {
        if (values.is_array()) {
          for (const Json& value : values) {
            scores[name].push_back(value.is_number() ? value.get<double>() : 0);
          }
        }
      }
      finished[(*parsed)["window"].get<std::size_t>()] = std::move(scores);
    }
    kept += line;
  }
  return true;
}

}  // namespace

Result<WindowJournal> WindowJournal::Open(const std::filesystem::path& path,
                                          const std::string& key) {
  WindowJournal journal;
  journal.path_ = path;
  std::string kept;
  const Result<std::string> text = ReadFile(path);
  if (text.ok()) {
    if (!ReadLines(*text, key, journal.finished_, kept)) {
      return Status(StatusCode::kInvalidArgument,
                    Format("'{}' belongs to another measurement; remove it or name another file",
                           Printable(path.native(), 400)));
    }
  } else if (text.status().code() != StatusCode::kNotFound) {
    return text.status();
  }
  if (kept.empty()) {
    kept = Json{{"measurement", key}}.dump() + "\n";
  }
  TANDEM_RETURN_IF_ERROR(WriteFileAtomically(path, kept));
  journal.file_.reset(std::fopen(path.c_str(), "a"));
  if (journal.file_ == nullptr) {
    return JournalError(path, errno);
  }
  return journal;
}

Status WindowJournal::Add(std::size_t window, const WindowScores& scores) {
  if (file_ == nullptr) {
    return OkStatus();
  }
  Json line = {{"window", window}};
  for (const auto& [name, values] : scores) {
    line[name] = values;
  }
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size() ||
      std::fflush(file_.get()) != 0) {
    return JournalError(path_, errno);
  }
  return OkStatus();
}

}  // namespace tandem
