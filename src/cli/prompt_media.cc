#include "cli/prompt_media.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <system_error>

namespace tandem {
namespace {

using Kind = ContentPart::Kind;

struct Ending {
  std::string_view text;
  Kind kind;
};
constexpr std::array<Ending, 14> kEndings = {{{".png", Kind::kImage},
                                              {".jpg", Kind::kImage},
                                              {".jpeg", Kind::kImage},
                                              {".webp", Kind::kImage},
                                              {".mp4", Kind::kVideo},
                                              {".m4v", Kind::kVideo},
                                              {".mkv", Kind::kVideo},
                                              {".mov", Kind::kVideo},
                                              {".webm", Kind::kVideo},
                                              {".avi", Kind::kVideo},
                                              {".mpg", Kind::kVideo},
                                              {".mpeg", Kind::kVideo},
                                              {".ogv", Kind::kVideo},
                                              {".gif", Kind::kVideo}}};
constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kQuotes = "'\"";
// A name of so many words is tried; more would be a lot of looking at the disk.
constexpr std::size_t kMostWords = 24;

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EndsWith(std::string_view text, std::string_view ending) {
  return text.size() > ending.size() && std::equal(ending.rbegin(), ending.rend(), text.rbegin(),
                                                   [](char a, char b) { return a == Lower(b); });
}

std::optional<Kind> KindOf(std::string_view name) {
  for (const Ending& ending : kEndings) {
    if (EndsWith(name, ending.text)) {
      return ending.kind;
    }
  }
  return std::nullopt;
}

// What a terminal writes for a dropped file, as a path: without backslashes, ~ and file: resolved.
std::string PathOf(std::string_view written) {
  if (written.starts_with("file://")) {
    return std::string(written);  // resolved where the file is read
  }
  std::string path;
  if (written.starts_with("~/")) {
    const char* home = std::getenv("HOME");
    path = home != nullptr ? home : "~";
    written.remove_prefix(1);
  }
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written[i] != '\\' || i + 1 == written.size()) {
      path += written[i];
    } else {
      path += written[++i];
    }
  }
  return path;
}

bool IsFile(const std::string& path) {
  std::error_code error;
  return path.starts_with("file://") || std::filesystem::is_regular_file(path, error);
}

// Addresses hold no white space, so that words before one do not count to it.
bool IsAddress(std::string_view written) {
  return (written.starts_with("http://") || written.starts_with("https://")) &&
         written.find_first_of(kSpace) == std::string_view::npos;
}

/// A name found in the prompt, quotes included.
struct Found {
  std::size_t begin = 0;
  std::size_t end = 0;
  ContentPart part;
};

// The name that ends at `end` and begins at or after `from`: the longest there is a file for.
std::optional<Found> NameEndingAt(std::string_view prompt, std::size_t from, std::size_t end,
                                  bool addresses) {
  const std::optional<Kind> kind = KindOf(prompt.substr(from, end - from));
  if (!kind.has_value()) {
    return std::nullopt;
  }
  std::vector<std::size_t> begins;
  for (std::size_t i = end; i-- > from;) {
    const bool starts = i == from || kSpace.find(prompt[i - 1]) != std::string_view::npos ||
                        kQuotes.find(prompt[i - 1]) != std::string_view::npos ||
                        prompt[i - 1] == '(';
    if (starts && kSpace.find(prompt[i]) == std::string_view::npos) {
      begins.push_back(i);
      if (begins.size() == kMostWords) {
        break;
      }
    }
  }
  for (auto begin = begins.rbegin(); begin != begins.rend(); ++begin) {
    const std::string_view written = prompt.substr(*begin, end - *begin);
    // As it stands first: a file's own name may hold a backslash.
    for (const std::string& path : {std::string(written), PathOf(written)}) {
      if (!IsFile(path) && !(addresses && IsAddress(written))) {
        continue;
      }
      Found found{.begin = *begin, .end = end, .part = {.kind = *kind, .value = path}};
      const bool quoted = found.begin > from && end < prompt.size() &&
                          prompt[found.begin - 1] == prompt[end] &&
                          kQuotes.find(prompt[end]) != std::string_view::npos;
      if (quoted) {
        --found.begin;
        ++found.end;
      }
      return found;
    }
  }
  return std::nullopt;
}

// The first name at or after `from`.
std::optional<Found> FindName(std::string_view prompt, std::size_t from, bool addresses) {
  for (std::size_t end = from + 1; end <= prompt.size(); ++end) {
    const bool letter =
        end < prompt.size() && (Lower(prompt[end]) >= 'a' && Lower(prompt[end]) <= 'z');
    if (letter || !KindOf(prompt.substr(from, end - from)).has_value()) {
      continue;
    }
    if (std::optional<Found> found = NameEndingAt(prompt, from, end, addresses)) {
      return found;
    }
  }
  return std::nullopt;
}

void AddText(std::string_view text, std::vector<ContentPart>& parts) {
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) {
    return;
  }
  const std::size_t last = text.find_last_not_of(kSpace);
  parts.push_back(
      {.kind = Kind::kText, .value = std::string(text.substr(first, last + 1 - first))});
}

}  // namespace

bool IsMediaName(std::string_view name) {
  return KindOf(name).has_value();
}

std::vector<ContentPart> CutAtFiles(std::string_view prompt, bool addresses) {
  std::vector<ContentPart> parts;
  std::size_t done = 0;
  while (std::optional<Found> found = FindName(prompt, done, addresses)) {
    AddText(prompt.substr(done, found->begin - done), parts);
    parts.push_back(std::move(found->part));
    done = found->end;
  }
  AddText(prompt.substr(done), parts);
  return parts;
}

Message UserMessage(std::string_view prompt, const std::vector<std::string>& images,
                    const std::vector<std::string>& videos, bool addresses) {
  Message message{.role = "user", .content = std::string(prompt), .reasoning = ""};
  std::vector<ContentPart> parts = CutAtFiles(prompt, addresses);
  const bool named = std::any_of(parts.begin(), parts.end(),
                                 [](const ContentPart& p) { return p.kind != Kind::kText; });
  if (!named && images.empty() && videos.empty()) {
    return message;
  }
  for (const std::string& path : images) {
    message.parts.push_back({.kind = Kind::kImage, .value = path});
  }
  for (const std::string& path : videos) {
    message.parts.push_back({.kind = Kind::kVideo, .value = path});
  }
  message.parts.insert(message.parts.end(), std::make_move_iterator(parts.begin()),
                       std::make_move_iterator(parts.end()));
  return message;
}

}  // namespace tandem
