#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/status.h"

// The library's own takes memory (to flatten deep values), and a destructor that finds none ends
// the program. This one recurses, which the limit of ParseJson on nested levels allows (json.cc).
template <>
void nlohmann::ordered_json::json_value::destroy(value_t t);

namespace tandem {

/// A JSON value whose objects keep their keys in file order. Looking a key up is linear; objects
/// with many thousand keys (a vocabulary) are iterated instead.
using Json = nlohmann::ordered_json;

/// Parses one JSON text without throwing, in linear time. The last of several equal keys wins.
/// `where` names the text in errors: Corrupt with the byte offset for malformed text, Unsupported
/// for more than `max_depth` nested levels.
Result<Json> ParseJson(std::string_view text, std::string_view where, std::size_t max_depth = 256);

/// Reads and parses a file of at most `limit_bytes`.
Result<Json> ReadJsonFile(const std::filesystem::path& path,
                          std::uint64_t limit_bytes = std::uint64_t{1} << 28);

}  // namespace tandem
