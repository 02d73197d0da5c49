#include "text/stream_decoder.h"

#include <string_view>
#include <utility>

#include "base/utf8.h"

namespace tandem::text {
namespace {

// The first two bytes of an encoded surrogate. They can no longer become a character, yet CPython's
// incremental decoder, which made our reference vectors, waits for a third byte before it replaces
// them. Only the chunk differs, not the text; following it keeps the vectors exact.
bool IsSurrogateStart(std::string_view bytes) {
  return bytes.size() == 2 && bytes[0] == '\xED' && static_cast<unsigned char>(bytes[1]) >= 0xA0 &&
         static_cast<unsigned char>(bytes[1]) <= 0xBF;
}

}  // namespace

std::string StreamDecoder::Push(TokenId id) {
  const std::string bytes = std::exchange(held_, {}).append(tokenizer_->TokenBytes(id));
  std::string out;
  for (std::string_view left = bytes; !left.empty();) {
    const Utf8Char c = DecodeUtf8(left);
    if (c.incomplete || IsSurrogateStart(left)) {
      held_ = left;
      break;
    }
    AppendUtf8(c.code_point, out);  // U+FFFD when ill-formed
    left.remove_prefix(c.length);
  }
  return out;
}

std::string StreamDecoder::Flush() {
  const std::string bytes = std::exchange(held_, {});
  std::string out;
  for (std::string_view left = bytes; !left.empty();) {
    AppendUtf8(0xFFFD, out);
    left.remove_prefix(DecodeUtf8(left).length);
  }
  return out;
}

}  // namespace tandem::text
