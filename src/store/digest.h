#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace tandem {

/// A running SHA-256 or SHA-1. Move-only, single-threaded.
class Digest {
 public:
  enum class Kind { kSha256, kSha1 };

  explicit Digest(Kind kind = Kind::kSha256);
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;
  ~Digest();

  void Add(std::span<const std::byte> bytes);
  void Add(std::string_view text);
  /// In lower-case hex; to be called once, as the last call.
  std::string Hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// The hash that a file must have: SHA-256 of its bytes, or the id that git gives a small file.
struct ExpectedHash {
  std::string sha256;
  std::string git_sha1;

  bool empty() const { return sha256.empty() && git_sha1.empty(); }
  /// The one that is used, in hex.
  const std::string& hex() const { return sha256.empty() ? git_sha1 : sha256; }
  /// A digest that is ready for a file of `size` bytes.
  Digest Start(std::uint64_t size) const;
};

using HashProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// The hash of a file, of the kind that `expected` has (SHA-256 when it has none). Cancelled when
/// `cancel` becomes true. `progress` may be empty.
Result<std::string> HashFile(const std::filesystem::path& path, const ExpectedHash& expected,
                             const HashProgress& progress, const std::atomic<bool>* cancel);

}  // namespace tandem
