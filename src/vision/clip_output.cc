#include "vision/clip_output.h"

#include <charconv>
#include <cmath>
#include <system_error>

#include "io/json.h"

namespace tandem {
namespace {

constexpr double kAssumedFps = 24;

// "30000/1001"; nothing for "0/0" and other nonsense.
std::optional<double> ParseRate(const Json& stream, const char* key) {
  const auto found = stream.find(key);
  if (found == stream.end() || !found->is_string()) {
    return std::nullopt;
  }
  const std::string& text = found->get_ref<const std::string&>();
  double above = 0;
  double below = 0;
  const char* const end = text.data() + text.size();
  const auto [slash, first] = std::from_chars(text.data(), end, above);
  if (first != std::errc() || slash == end || *slash != '/') {
    return std::nullopt;
  }
  const auto [last, second] = std::from_chars(slash + 1, end, below);
  const double rate = above / below;
  return second == std::errc() && std::isfinite(rate) && rate > 0 ? std::optional(rate)
                                                                  : std::nullopt;
}

std::uint64_t ParseCount(const Json& stream, const char* key) {
  const auto found = stream.find(key);
  std::uint64_t count = 0;
  if (found != stream.end() && found->is_string()) {
    const std::string& text = found->get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), count);
  } else if (found != stream.end() && found->is_number_unsigned()) {
    count = found->get<std::uint64_t>();
  }
  return count;
}

}  // namespace

Result<std::optional<ClipInfo>> ReadProbe(std::string_view text, const std::string& counter) {
  TANDEM_ASSIGN_OR_RETURN(const Json probe, ParseJson(text, "ffprobe's answer"));
  const auto streams = probe.find("streams");
  if (streams == probe.end() || !streams->is_array() || streams->empty()) {
    return std::optional<ClipInfo>();
  }
  const Json& stream = (*streams)[0];
  ClipInfo info;
  info.size = {ParseCount(stream, "height"), ParseCount(stream, "width")};
  info.frames = ParseCount(stream, counter.c_str());
  info.fps = ParseRate(stream, "avg_frame_rate")
                 .value_or(ParseRate(stream, "r_frame_rate").value_or(kAssumedFps));
  return std::optional(info);
}

std::optional<PixelSize> ReadPpmHeader(std::string_view header) {
  constexpr std::string_view kStart = "P6\n";
  constexpr std::string_view kEnd = "\n255\n";
  if (!header.starts_with(kStart) || !header.ends_with(kEnd) ||
      header.size() < kStart.size() + kEnd.size()) {
    return std::nullopt;
  }
  const std::string_view sides =
      header.substr(kStart.size(), header.size() - kStart.size() - kEnd.size());
  const char* const end = sides.data() + sides.size();
  PixelSize size;
  const auto [space, first] = std::from_chars(sides.data(), end, size.width);
  if (first != std::errc() || space == end || *space != ' ') {
    return std::nullopt;
  }
  const auto [last, second] = std::from_chars(space + 1, end, size.height);
  return second == std::errc() && last == end ? std::optional(size) : std::nullopt;
}

}  // namespace tandem
