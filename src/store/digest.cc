#include "store/digest.h"

#include <unistd.h>

#include <cerrno>
#include <vector>

#include <openssl/evp.h>

#include "base/check.h"
#include "base/format.h"
#include "io/descriptor.h"

namespace tandem {

struct Digest::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> evp{EVP_MD_CTX_new(), &EVP_MD_CTX_free};
};

Digest::Digest(Kind kind) : context_(std::make_unique<Context>()) {
  const EVP_MD* algorithm = kind == Kind::kSha256 ? EVP_sha256() : EVP_sha1();
  TANDEM_CHECK(
      context_->evp != nullptr && EVP_DigestInit_ex(context_->evp.get(), algorithm, nullptr) == 1,
      "libcrypto has no SHA");
}
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::Add(std::span<const std::byte> bytes) {
  TANDEM_CHECK(EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size()) == 1,
               "SHA goes on");
}

void Digest::Add(std::string_view text) {
  Add(std::as_bytes(std::span(text.data(), text.size())));
}

std::string Digest::Hex() {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  TANDEM_CHECK(EVP_DigestFinal_ex(context_->evp.get(), bytes, &size) == 1, "SHA ends");
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex += Format("{:02x}", bytes[i]);
  }
  return hex;
}

Digest ExpectedHash::Start(std::uint64_t size) const {
  if (!sha256.empty() || git_sha1.empty()) {
    return Digest(Digest::Kind::kSha256);
  }
  Digest digest(Digest::Kind::kSha1);
  const std::string header = Format("blob {}", size);
  digest.Add(std::string_view(header.c_str(), header.size() + 1));  // with its zero
  return digest;
}

Result<std::string> HashFile(const std::filesystem::path& path, const ExpectedHash& expected,
                             const HashProgress& progress, const std::atomic<bool>* cancel) {
  TANDEM_ASSIGN_OR_RETURN(const ReadableFile file, OpenRegularFile(path));
  Digest digest = expected.Start(file.size);
  std::vector<std::byte> buffer(std::size_t{1} << 22);
  std::uint64_t done = 0;
  while (true) {
    const ssize_t count = read(file.fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return SystemError("read", path, errno);
    }
    if (count == 0) {
      return digest.Hex();
    }
    digest.Add(std::span(buffer).first(static_cast<std::size_t>(count)));
    done += static_cast<std::uint64_t>(count);
    if (progress) {
      progress(done, file.size);
    }
    if (cancel != nullptr && cancel->load()) {
      return Status(StatusCode::kCancelled, "interrupted");
    }
  }
}

}  // namespace tandem
