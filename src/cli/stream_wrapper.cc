#include "cli/stream_wrapper.h"

#include <utility>

#include "cli/text_layout.h"

namespace tandem {

void StreamWrapper::SetColumns(std::size_t columns) {
  columns_ = columns;
  if (columns_ > 0 && used_ > columns_) {
    used_ = (used_ - 1) % columns_ + 1;
  }
}

void StreamWrapper::PutWord(std::string_view word, std::string& out) {
  if (word.empty()) {
    return;
  }
  const std::size_t cells = TextCells(word);
  if (used_ > 0 && used_ + spaces_ + cells > columns_) {
    out += '\n';
    used_ = 0;
    spaces_ = 0;
  }
  out.append(spaces_, ' ');
  out += word;
  // The terminal itself breaks a word that is longer than a line.
  const std::size_t total = used_ + spaces_ + cells;
  used_ = total <= columns_ ? total : (total - 1) % columns_ + 1;
  spaces_ = 0;
}

std::string StreamWrapper::Feed(std::string_view text) {
  if (columns_ == 0) {
    return std::string(text);
  }
  std::string out;
  const std::string all = std::exchange(pending_, "") + std::string(text);
  std::string_view rest = all;
  std::string_view word = rest.substr(0, 0);
  while (!rest.empty()) {
    const Cluster cluster = FirstCluster(rest);
    const char c = rest[0];
    const bool last = cluster.bytes == rest.size();
    if (c == '\n' || c == ' ' || c == '\t') {
      PutWord(word, out);
      word = rest.substr(1, 0);
      spaces_ += c == ' ' ? 1 : 0;
      if (c == '\t') {
        PutWord("    ", out);
      } else if (c == '\n') {
        out += '\n';
        used_ = 0;
        spaces_ = 0;
      }
      rest.remove_prefix(1);
      continue;
    }
    if (cluster.cells == 2 && !last) {  // scripts without spaces break anywhere
      PutWord(word, out);
      PutWord(rest.substr(0, cluster.bytes), out);
      word = rest.substr(cluster.bytes, 0);
    } else {
      word =
          std::string_view(word.empty() ? rest.data() : word.data(), word.size() + cluster.bytes);
    }
    rest.remove_prefix(cluster.bytes);
  }
  pending_ = word;
  return out;
}

std::string StreamWrapper::Flush() {
  std::string out;
  PutWord(std::exchange(pending_, ""), out);
  used_ = 0;
  spaces_ = 0;
  return out;
}

}  // namespace tandem
