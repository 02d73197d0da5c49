// Safetensors files: any bytes must give an error of one line or tensors that lie in the file, each
// byte in one of them. Corpus: fuzz/corpus/safetensors.

#include <cstddef>
#include <cstdint>
#include <span>

#include "fuzz/fuzz_input.h"
#include "hf/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  const auto tensors = hf::ParseSafetensors(bytes, "fuzz");
  fuzz::RequireLine(tensors.status());
  if (!tensors.ok()) {
    return 0;
  }
  std::size_t covered = 0;
  unsigned sum = 0;
  for (const hf::Tensor& tensor : *tensors) {
    covered += tensor.bytes.size();
    for (const std::byte byte : tensor.bytes) {
      sum += static_cast<unsigned>(byte);
    }
    fuzz::Require(
        tensor.dtype != hf::DType::kF32 || tensor.elements() * sizeof(float) == tensor.bytes.size(),
        "a tensor of another size than its shape");
  }
  fuzz::Require(covered <= size && sum <= 255 * covered, "tensors that overlap");
  return 0;
}
