#include "cli/inspection.h"

#include <charconv>
#include <limits>
#include <system_error>

#include "base/format.h"
#include "io/file.h"
#include "store/builtin.h"

namespace tandem {

Result<ThinkMode> ParseThink(const std::optional<std::string>& value) {
  if (!value.has_value()) {
    return ThinkMode::kDefault;
  }
  if (*value == "true" || *value == "false") {
    return *value == "true" ? ThinkMode::kOn : ThinkMode::kOff;
  }
  return Status(StatusCode::kInvalidArgument,
                Format("--think is '{}'; it takes true or false", Printable(*value)));
}

Result<std::optional<PixelRange>> ParsePixels(const std::optional<std::string>& value,
                                              std::string_view option) {
  if (!value.has_value()) {
    return std::optional<PixelRange>();
  }
  PixelRange range;
  const char* const end = value->data() + value->size();
  const auto [colon, first] = std::from_chars(value->data(), end, range.min);
  const bool divided = first == std::errc() && colon != end && *colon == ':';
  const auto [last, second] = std::from_chars(divided ? colon + 1 : end, end, range.max);
  if (!divided || second != std::errc() || last != end || range.min == 0 || range.min > range.max) {
    return Status(
        StatusCode::kInvalidArgument,
        Format("{} is '{}'; it takes MIN:MAX, two numbers above 0", option, Printable(*value)));
  }
  return std::optional(range);
}

Result<Conversation> ReadConversationFile(const std::string& path) {
  TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseConversation(text, path);
}

Result<std::vector<TokenId>> ParseIds(std::string_view json, std::string_view where) {
  TANDEM_ASSIGN_OR_RETURN(const Json parsed, ParseJson(json, where));
  if (!parsed.is_array()) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: token ids must be a JSON array of numbers", where));
  }
  std::vector<TokenId> ids;
  ids.reserve(parsed.size());
  for (std::size_t i = 0; i < parsed.size(); ++i) {
    const Json& item = parsed[i];
    const bool fits = item.is_number_integer() && item.get<std::int64_t>() >= 0 &&
                      item.get<std::int64_t>() <= std::numeric_limits<TokenId>::max();
    if (!fits) {
      return Status(StatusCode::kInvalidArgument,
                    Format("{}: entry {} is {}, not a token id", where, i,
                           Printable(item.dump(-1, ' ', false, Json::error_handler_t::replace))));
    }
    ids.push_back(item.get<TokenId>());
  }
  return ids;
}

Result<OpenedTokenizer> OpenedTokenizer::Open(const std::string& name_or_path) {
  OpenedTokenizer opened;
  TANDEM_ASSIGN_OR_RETURN(opened.file, OpenModelFile(name_or_path));
  TANDEM_ASSIGN_OR_RETURN(opened.text, text::FileTokenizer::Read(*opened.file));
  return opened;
}

}  // namespace tandem
