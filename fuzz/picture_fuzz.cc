// Pictures from bytes to patches, as the encoder reads them: any bytes must give an error or
// patches. Corpus: tests/data/media and tests/data/vision.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vision/decode.h"
#include "vision/patches.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem;  // NOLINT(google-build-using-namespace): a program of one function
  // Small, so that a run sees many pictures.
  const DecodeLimits limits{.max_pixels = 1 << 18, .max_ratio = 200};
  Result<Picture> picture = DecodePicture(std::as_bytes(std::span(data, size)), "fuzz", limits);
  if (!picture.ok()) {
    return 0;
  }
  const PatchShape shape;
  const PixelRange range{4096, 65536};
  const Result<PreparedMedia> media =
      PrepareImage(std::move(picture).value(), range, shape, "fuzz");
  if (media.ok()) {
    std::vector<float> rows(media->grid.patches() * PatchValues(shape));
    FillPatches(*media, shape, 0,
                Mat<float>(rows.data(), media->grid.patches(), PatchValues(shape)));
  }
  return 0;
}
