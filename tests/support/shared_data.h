#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace tandem {

/// The place of shared test data (see shared/data/README.md), or nothing when it is not on this
/// machine. Looks in $TANDEM_SHARED, then beside the checkout.
inline std::optional<std::filesystem::path> SharedData(std::string_view relative) {
  const char* root = std::getenv("TANDEM_SHARED");
  const std::filesystem::path path =
      std::filesystem::path(root != nullptr ? root : TANDEM_SOURCE_DIR "/../shared/data") /
      relative;
  std::error_code error;
  return std::filesystem::exists(path, error) ? std::optional(path) : std::nullopt;
}

/// The folder of an oracle checkpoint: the repository's own copy, else the shared one, else
/// nothing.
inline std::optional<std::filesystem::path> OracleFolder(const std::string& name) {
  const std::filesystem::path own =
      std::filesystem::path(TANDEM_SOURCE_DIR) / "tests/data/oracle" / name;
  std::error_code error;
  return std::filesystem::exists(own / "f32.gguf", error) ? std::optional(own)
                                                          : SharedData("oracle/" + name);
}

}  // namespace tandem

/// Defines `name` as the path of shared data, or skips the test with a line that says what is
/// missing.
#define TANDEM_SHARED_OR_SKIP(name, relative)                                                \
  const std::optional<std::filesystem::path> name##_found_ = ::tandem::SharedData(relative); \
  if (!name##_found_.has_value()) {                                                          \
    GTEST_SKIP() << "shared test data '" << (relative) << "' is not here";                   \
  }                                                                                          \
  const std::filesystem::path& name = *name##_found_
