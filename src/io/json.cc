#include "io/json.h"

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/format.h"
#include "io/file.h"

template <>
void nlohmann::ordered_json::json_value::destroy(value_t t) {
  switch (t) {
    case value_t::object:
      delete object;
      break;
    case value_t::array:
      delete array;
      break;
    case value_t::string:
      delete string;
      break;
    case value_t::binary:
      delete binary;
      break;
    default:
      break;
  }
}

namespace tandem {
namespace {

/// Builds the value from the parser's events. The library's own builder searches every object for
/// every new key, which is quadratic with ordered keys; this one appends and removes duplicates
/// when the object ends.
class Builder {
 public:
  explicit Builder(std::size_t max_depth) : max_depth_(max_depth) {}

  bool null() { return Add(nullptr); }
  bool boolean(bool value) { return Add(value); }
  bool number_integer(Json::number_integer_t value) { return Add(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return Add(value); }
  bool number_float(Json::number_float_t value, const Json::string_t&) { return Add(value); }
  bool string(Json::string_t& value) { return Add(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }
  bool key(Json::string_t& name) {
    keys_.back() = std::move(name);
    return true;
  }
  bool start_object(std::size_t) { return Open(Json::object()); }
  bool start_array(std::size_t) { return Open(Json::array()); }
  bool end_array() { return Close(); }
  bool end_object() {
    RemoveDuplicates(open_.back().get_ref<Json::object_t&>());
    return Close();
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) {
    position_ = position;
    error_ = error.what();
    return false;
  }

  Json& result() { return result_; }
  bool too_deep() const { return too_deep_; }
  std::size_t position() const { return position_; }
  const std::string& error() const { return error_; }

 private:
  bool Open(Json empty) {
    too_deep_ = open_.size() >= max_depth_;
    open_.push_back(std::move(empty));
    keys_.emplace_back();
    return !too_deep_;
  }

  bool Close() {
    Json done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    return Add(std::move(done));
  }

  bool Add(Json value) {
    if (open_.empty()) {
      result_ = std::move(value);
    } else if (open_.back().is_array()) {
      open_.back().get_ref<Json::array_t&>().push_back(std::move(value));
    } else {
      open_.back().get_ref<Json::object_t&>().emplace_back(std::move(keys_.back()),
                                                           std::move(value));
    }
    return true;
  }

  /// Keeps each key at its first place, with its last value.
  static void RemoveDuplicates(Json::object_t& object) {
    std::unordered_map<std::string_view, Json*> last;
    last.reserve(object.size());
    for (auto& [name, value] : object) {
      last[name] = &value;
    }
    if (last.size() == object.size()) {
      return;
    }
    Json::object_t kept;
    for (auto& [name, value] : object) {
      const auto found = last.find(name);
      if (found->second != nullptr) {
        kept.emplace_back(name, std::move(*found->second));
        found->second = nullptr;
      }
    }
    object = std::move(kept);
  }

  std::size_t max_depth_;
  std::vector<Json> open_;         // the containers being filled, outermost first
  std::vector<std::string> keys_;  // the latest key of each of them
  Json result_;
  bool too_deep_ = false;
  std::size_t position_ = 0;
  std::string error_;
};

/// The library's message without its "[json.exception....] " tag and its own position.
std::string_view Reason(std::string_view message) {
  if (const std::size_t tag = message.find("] "); tag != std::string_view::npos) {
    message.remove_prefix(tag + 2);
  }
  if (const std::size_t colon = message.find(": "); colon != std::string_view::npos) {
    message.remove_prefix(colon + 2);
  }
  return message;
}

}  // namespace

Result<Json> ParseJson(std::string_view text, std::string_view where, std::size_t max_depth) {
  Builder builder(max_depth);
  if (Json::sax_parse(text, &builder)) {
    return std::move(builder.result());
  }
  if (builder.too_deep()) {
    return Status(StatusCode::kUnsupported,
                  Format("{}: more than {} nested levels of JSON", where, max_depth));
  }
  return Status(StatusCode::kCorrupt,
                Format("{}: not valid JSON at byte {}: {}", where, builder.position(),
                       Printable(Reason(builder.error()), 200)));
}

Result<Json> ReadJsonFile(const std::filesystem::path& path, std::uint64_t limit_bytes) {
  TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, limit_bytes));
  return ParseJson(text, Printable(path.native(), 400));
}

}  // namespace tandem
