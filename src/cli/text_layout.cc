#include "cli/text_layout.h"

#include <utf8proc.h>

#include <algorithm>

#include "base/utf8.h"

namespace tandem {
namespace {

constexpr std::string_view kEllipsis = "…";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr char32_t kEmojiStyle = 0xFE0F;  // variation selector 16: show as an emoji
constexpr std::size_t kTabCells = 4;

std::size_t CharCells(char32_t c) {
  const int width = utf8proc_charwidth(static_cast<utf8proc_int32_t>(c));
  return width > 0 ? static_cast<std::size_t>(width) : 0;
}

std::string ExpandTabs(std::string_view line) {
  std::string out;
  std::size_t cells = 0;
  while (!line.empty()) {
    const Cluster cluster = FirstCluster(line);
    if (line[0] == '\t') {
      const std::size_t spaces = kTabCells - cells % kTabCells;
      out.append(spaces, ' ');
      cells += spaces;
    } else {
      out += line.substr(0, cluster.bytes);
      cells += cluster.cells;
    }
    line.remove_prefix(cluster.bytes);
  }
  return out;
}

// Builds the lines of one paragraph.
class Wrapper {
 public:
  Wrapper(std::size_t cells, std::vector<std::string>& lines) : cells_(cells), lines_(lines) {}

  void AddSpaces(std::size_t count) {
    if (at_start_) {
      // Indentation, as far as it leaves room for text.
      const std::size_t kept = std::min(count, cells_ / 2);
      line_.append(kept, ' ');
      used_ += kept;
    } else {
      pending_ += count;
    }
  }

  void AddWord(std::string_view word) {
    const std::size_t width = TextCells(word);
    if (!at_start_ && used_ + pending_ + width > cells_) {
      Break();
    }
    line_.append(pending_, ' ');
    used_ += pending_;
    pending_ = 0;
    at_start_ = false;
    while (!word.empty()) {
      const Cluster cluster = FirstCluster(word);
      if (used_ + cluster.cells > cells_ && used_ > 0) {
        Break();
        at_start_ = false;
      }
      line_ += word.substr(0, cluster.bytes);
      used_ += cluster.cells;
      word.remove_prefix(cluster.bytes);
    }
  }

  void Finish() { lines_.push_back(std::move(line_)); }

 private:
  void Break() {
    lines_.push_back(std::move(line_));
    line_.clear();
    used_ = 0;
    pending_ = 0;
    at_start_ = true;
  }

  std::size_t cells_;
  std::vector<std::string>& lines_;
  std::string line_;
  std::size_t used_ = 0;
  std::size_t pending_ = 0;  // spaces that only appear when a word follows on the same line
  bool at_start_ = true;
};

// The bytes up to the next place where a line may break: a run without spaces, or one wide
// character (scripts without spaces break anywhere).
std::size_t WordBytes(std::string_view text) {
  std::size_t bytes = 0;
  while (bytes < text.size() && text[bytes] != ' ') {
    const Cluster cluster = FirstCluster(text.substr(bytes));
    if (cluster.cells == 2) {
      return bytes == 0 ? cluster.bytes : bytes;
    }
    bytes += cluster.bytes;
  }
  return bytes;
}

void WrapParagraph(std::string_view paragraph, std::size_t cells, std::vector<std::string>& lines) {
  const std::string expanded = ExpandTabs(paragraph);
  std::string_view rest = expanded;
  Wrapper wrapper(cells, lines);
  while (!rest.empty()) {
    const std::size_t spaces = std::min(rest.find_first_not_of(' '), rest.size());
    if (spaces > 0) {
      wrapper.AddSpaces(spaces);
    } else {
      wrapper.AddWord(rest.substr(0, WordBytes(rest)));
    }
    rest.remove_prefix(spaces > 0 ? spaces : WordBytes(rest));
  }
  wrapper.Finish();
}

}  // namespace

Cluster FirstCluster(std::string_view text) {
  const Utf8Char first = DecodeUtf8(text);
  Cluster cluster{.bytes = first.length, .cells = CharCells(first.code_point)};
  utf8proc_int32_t state = 0;
  char32_t last = first.code_point;
  while (cluster.bytes < text.size()) {
    const Utf8Char next = DecodeUtf8(text.substr(cluster.bytes));
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(last),
                                         static_cast<utf8proc_int32_t>(next.code_point), &state)) {
      break;
    }
    cluster.bytes += next.length;
    cluster.cells = next.code_point == kEmojiStyle
                        ? std::max<std::size_t>(cluster.cells, 2)
                        : std::max(cluster.cells, CharCells(next.code_point));
    last = next.code_point;
  }
  return cluster;
}

std::size_t TextCells(std::string_view line) {
  std::size_t cells = 0;
  while (!line.empty()) {
    const Cluster cluster = FirstCluster(line);
    cells += cluster.cells;
    line.remove_prefix(cluster.bytes);
  }
  return cells;
}

std::string CutText(std::string_view line, std::size_t cells) {
  if (TextCells(line) <= cells) {
    return std::string(line);
  }
  std::string out;
  std::size_t used = 0;
  while (!line.empty()) {
    const Cluster cluster = FirstCluster(line);
    if (used + cluster.cells + 1 > cells) {
      break;
    }
    out += line.substr(0, cluster.bytes);
    used += cluster.cells;
    line.remove_prefix(cluster.bytes);
  }
  return cells == 0 ? out : out + std::string(kEllipsis);
}

std::string FitText(std::string_view line, std::size_t cells) {
  std::string out = CutText(line, cells);
  const std::size_t used = TextCells(out);
  return out.append(cells - std::min(cells, used), ' ');
}

std::string FitTextRight(std::string_view line, std::size_t cells) {
  const std::string out = CutText(line, cells);
  return std::string(cells - std::min(cells, TextCells(out)), ' ') + out;
}

std::vector<std::string> WrapText(std::string_view text, std::size_t cells) {
  std::vector<std::string> lines;
  const std::size_t width = std::max<std::size_t>(cells, 2);
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    WrapParagraph(text.substr(start, end - start), width, lines);
    start = end + 1;
  }
  return lines;
}

std::string SafeForTerminal(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Char c = DecodeUtf8(text);
    const bool control = c.code_point < 0x20 ? c.code_point != '\n' && c.code_point != '\t'
                                             : c.code_point >= 0x7F && c.code_point < 0xA0;
    if (control && c.code_point == '\r') {
      // Line ends of other systems: the line feed that follows is enough.
    } else if (control || !c.valid) {
      out += kReplacement;
    } else {
      out += text.substr(0, c.length);
    }
    text.remove_prefix(c.length);
  }
  return out;
}

}  // namespace tandem
