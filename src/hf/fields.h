#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/json.h"

namespace tandem::hf {

/// The member `key` of a JSON object, or nullptr when it is absent or null, or `object` is none.
const Json* FindField(const Json& object, std::string_view key);

// The value of a member as a C++ type. Absent and null give nothing; a value of another kind is
// Corrupt, and the message names `where` (a file), the key and what stands there.
Result<std::optional<std::uint64_t>> UintField(const Json& object, std::string_view key,
                                               std::string_view where);
Result<std::optional<double>> NumberField(const Json& object, std::string_view key,
                                          std::string_view where);
Result<std::optional<bool>> BoolField(const Json& object, std::string_view key,
                                      std::string_view where);
Result<std::optional<std::string>> StringField(const Json& object, std::string_view key,
                                               std::string_view where);
/// An absent list is an empty one.
Result<std::vector<double>> NumbersField(const Json& object, std::string_view key,
                                         std::string_view where);

/// The Corrupt status of the functions above: "config.json: 'hidden_size' is "x", but ... is
/// needed".
Status WrongField(std::string_view where, std::string_view key, const Json& value,
                  std::string_view wanted);

/// Whether `folder`/`name` exists and, if so, its JSON.
Result<std::optional<Json>> ReadOptionalJson(const std::filesystem::path& folder,
                                             std::string_view name);

}  // namespace tandem::hf
