#include "chat/media.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/format.h"

namespace tandem {
namespace {

Status Bad(std::size_t message, std::string_view what) {
  return {StatusCode::kInvalidArgument, Format("message {}: {}", message, what)};
}

constexpr std::array<std::string_view, 2> kKinds = {"image", "video"};

// 0 for a picture, 1 for a clip, nothing for other parts.
std::optional<std::size_t> KindOf(const Json& part) {
  if (!part.is_object()) {
    return std::nullopt;
  }
  const auto type = part.find("type");
  for (std::size_t kind = 0; kind < kKinds.size(); ++kind) {
    const std::string name(kKinds[kind]);
    const bool typed = type != part.end() && (*type == name || *type == name + "_url");
    if (typed || part.contains(name) || part.contains(name + "_url")) {
      return kind;
    }
  }
  return std::nullopt;
}

// Where the picture is: a string, or an object with "url".
Result<std::string> PlaceIn(const Json& part, std::size_t kind, std::size_t message) {
  const std::string name(kKinds[kind]);
  for (const std::string& key : {name, name + "_url", std::string("path"), std::string("url")}) {
    const auto found = part.find(key);
    if (found == part.end()) {
      continue;
    }
    const Json* place = &*found;
    if (place->is_object() && place->contains("url")) {
      place = &(*place)["url"];
    }
    if (!place->is_string() || place->get_ref<const std::string&>().empty()) {
      return Bad(message, Format("\"{}\" must be a path or a URL", key));
    }
    return place->get<std::string>();
  }
  return Bad(message, Format("a part of type {0} needs \"{0}\", \"path\" or \"url\"", name));
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string DecodePercent(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
        HexDigit(text[i + 2]) >= 0) {
      out += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Of a data: URL.
Result<MediaSource> FromData(std::string_view url, bool video, std::size_t message) {
  const std::size_t comma = url.find(',');
  const std::string_view head = url.substr(0, std::min(comma, url.size()));
  if (comma == std::string_view::npos || !head.ends_with(";base64")) {
    return Bad(message, "a data: URL must hold base64");
  }
  std::optional<std::string> bytes = DecodeBase64(url.substr(comma + 1));
  if (!bytes.has_value() || bytes->empty()) {
    return Bad(message, "a data: URL does not hold base64");
  }
  return MediaSource{.video = video,
                     .path = Format("{} in message {}", video ? "clip" : "picture", message),
                     .bytes = std::move(*bytes)};
}

// An address without the parts that may hold secrets: user, query, fragment.
std::string ShownAddress(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const std::size_t host = url.find("//") + 2;
  const std::size_t path = std::min(url.find('/', host), url.size());
  const std::size_t at = url.substr(0, path).rfind('@');
  return at == std::string_view::npos || at < host
             ? std::string(url)
             : Format("{}{}", url.substr(0, host), url.substr(at + 1));
}

Result<MediaSource> SourceOf(const std::string& place, bool video, std::size_t message) {
  if (place.starts_with("data:")) {
    return FromData(place, video, message);
  }
  if (place.starts_with("file://")) {
    return MediaSource{.video = video, .path = DecodePercent(place.substr(7)), .bytes = ""};
  }
  if (IsWebAddress(place)) {
    return MediaSource{.video = video, .path = ShownAddress(place), .bytes = "", .url = place};
  }
  return MediaSource{.video = video, .path = place, .bytes = ""};
}

}  // namespace

bool IsWebAddress(std::string_view place) {
  const auto has = [place](std::string_view scheme) {
    return place.size() > scheme.size() &&
           std::equal(scheme.begin(), scheme.end(), place.begin(),
                      [](char a, char b) { return a == b || a == (b | 0x20); });
  };
  return has("http://") || has("https://");
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  bool ended = false;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
      continue;
    }
    if (c == '=') {
      ended = true;
      continue;
    }
    int value = -1;
    if (c >= 'A' && c <= 'Z') {
      value = c - 'A';
    } else if (c >= 'a' && c <= 'z') {
      value = c - 'a' + 26;
    } else if (c >= '0' && c <= '9') {
      value = c - '0' + 52;
    } else if (c == '+' || c == '-') {
      value = 62;
    } else if (c == '/' || c == '_') {
      value = 63;
    }
    if (value < 0 || ended) {
      return std::nullopt;
    }
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xFF);
    }
  }
  return count == 6 ? std::nullopt : std::optional(std::move(out));
}

namespace {

// Calls visit(part, kind, place, index of the message) for each picture and clip in order.
template <typename Visit>
Status ForMedia(Conversation& conversation, Visit visit) {
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    Json& message = conversation.messages[i];
    if (!message.is_object() || !message.contains("content") || !message["content"].is_array()) {
      continue;
    }
    for (Json& part : message["content"]) {
      const std::optional<std::size_t> kind = KindOf(part);
      if (kind.has_value()) {
        TANDEM_ASSIGN_OR_RETURN(const std::string place, PlaceIn(part, *kind, i));
        TANDEM_RETURN_IF_ERROR(visit(part, *kind, place, i));
      }
    }
  }
  return OkStatus();
}

Json NamedPart(std::size_t kind, const std::string& place) {
  const std::string name(kKinds[kind]);
  return {{"type", name}, {name, place}};
}

}  // namespace

Result<std::vector<MediaSource>> TakeMedia(Conversation& conversation) {
  std::vector<MediaSource> media;
  TANDEM_RETURN_IF_ERROR(ForMedia(
      conversation,
      [&media](Json& part, std::size_t kind, const std::string& place, std::size_t i) -> Status {
        TANDEM_ASSIGN_OR_RETURN(MediaSource source, SourceOf(place, kind == 1, i));
        part = NamedPart(kind, source.path);
        media.push_back(std::move(source));
        return OkStatus();
      }));
  return media;
}

Status NameMedia(Conversation& conversation) {
  return ForMedia(conversation,
                  [](Json& part, std::size_t kind, const std::string& place,
                     std::size_t /*message*/) -> Status {
                    part = NamedPart(kind, place);
                    return OkStatus();
                  });
}

}  // namespace tandem
