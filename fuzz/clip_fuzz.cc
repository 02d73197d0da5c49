// What ffprobe and ffmpeg print about a hostile clip: any text must give an error or a value.
// Corpus: fuzz/corpus/clip.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vision/clip_output.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(ReadPpmHeader(text));
  static_cast<void>(ReadProbe(text, "nb_read_packets"));
  return 0;
}
