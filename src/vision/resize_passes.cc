#include "vision/resize_passes.h"

#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

// Sums of products of bytes with 16-bit weights in 32-bit integers: exact, so every version gives
// the same bits. SSE2 is part of every 64-bit x86 processor; others take the plain loops.

namespace tandem {
namespace {

std::uint8_t Narrow(std::int32_t sum, int precision) {
  return static_cast<std::uint8_t>(std::clamp(sum >> precision, 0, 255));
}

void ResizePixel(const ResizeWindow& window, int precision, const std::uint8_t* from,
                 std::uint8_t* out) {
  const std::uint8_t* pixel = from + 3 * window.first;
  std::int32_t sums[3];
  std::fill_n(sums, 3, 1 << (precision - 1));
  for (std::size_t j = 0; j < window.count; ++j, pixel += 3) {
    for (std::size_t c = 0; c < 3; ++c) {
      sums[c] += window.weights[j] * pixel[c];
    }
  }
  for (std::size_t c = 0; c < 3; ++c) {
    out[c] = Narrow(sums[c], precision);
  }
}

void ResizeColumn(const ResizeWindow& window, int precision, const Picture& from, std::size_t i,
                  std::uint8_t* out) {
  std::int32_t sum = 1 << (precision - 1);
  for (std::size_t j = 0; j < window.count; ++j) {
    sum += window.weights[j] * from.Row(window.first + j)[i];
  }
  out[i] = Narrow(sum, precision);
}

#if defined(__SSE2__)

// Two neighbouring weights in every pair of lanes.
__m128i WeightPair(const std::int16_t* weights) {
  std::int32_t pair = 0;
  std::memcpy(&pair, weights, sizeof(pair));
  return _mm_set1_epi32(pair);
}

// To bytes: shifted, then saturated twice, which is the clamp.
__m128i NarrowLanes(__m128i a, __m128i b, __m128i c, __m128i d, int precision) {
  const __m128i shift = _mm_cvtsi32_si128(precision);
  const __m128i low = _mm_packs_epi32(_mm_sra_epi32(a, shift), _mm_sra_epi32(b, shift));
  const __m128i high = _mm_packs_epi32(_mm_sra_epi32(c, shift), _mm_sra_epi32(d, shift));
  return _mm_packus_epi16(low, high);
}

// Reads two bytes past each pair of pixels; writes four bytes.
void ResizePixelWide(const ResizeWindow& window, int precision, const std::uint8_t* from,
                     std::uint8_t* out) {
  const std::uint8_t* pixel = from + 3 * window.first;
  const __m128i zero = _mm_setzero_si128();
  __m128i sums = _mm_set1_epi32(1 << (precision - 1));
  for (std::size_t j = 0; j < window.count; j += 2, pixel += 6) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(pixel));
    const __m128i words = _mm_unpacklo_epi8(bytes, zero);  // r0 g0 b0 r1 g1 b1 ..
    const __m128i pairs = _mm_unpacklo_epi16(words, _mm_srli_si128(words, 6));
    sums = _mm_add_epi32(sums, _mm_madd_epi16(pairs, WeightPair(window.weights + j)));
  }
  const std::int32_t result = _mm_cvtsi128_si32(NarrowLanes(sums, sums, sums, sums, precision));
  std::memcpy(out, &result, sizeof(result));
}

// Sixteen neighbouring bytes of the height pass.
void ResizeSixteen(const ResizeWindow& window, int precision, const Picture& from, std::size_t i,
                   std::uint8_t* out) {
  const __m128i zero = _mm_setzero_si128();
  __m128i sums[4];
  std::fill_n(sums, 4, _mm_set1_epi32(1 << (precision - 1)));
  for (std::size_t j = 0; j < window.count; j += 2) {
    // A zero weight's row may not exist.
    const std::size_t other = std::min(j + 1, window.count - 1);
    const auto* a = reinterpret_cast<const __m128i*>(from.Row(window.first + j) + i);
    const auto* b = reinterpret_cast<const __m128i*>(from.Row(window.first + other) + i);
    const __m128i low = _mm_unpacklo_epi8(_mm_loadu_si128(a), _mm_loadu_si128(b));
    const __m128i high = _mm_unpackhi_epi8(_mm_loadu_si128(a), _mm_loadu_si128(b));
    const __m128i weights = WeightPair(window.weights + j);
    const __m128i words[4] = {_mm_unpacklo_epi8(low, zero), _mm_unpackhi_epi8(low, zero),
                              _mm_unpacklo_epi8(high, zero), _mm_unpackhi_epi8(high, zero)};
    for (std::size_t k = 0; k < 4; ++k) {
      sums[k] = _mm_add_epi32(sums[k], _mm_madd_epi16(words[k], weights));
    }
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                   NarrowLanes(sums[0], sums[1], sums[2], sums[3], precision));
}

constexpr bool kWide = true;

#else

// Never called.
void ResizePixelWide(const ResizeWindow&, int, const std::uint8_t*, std::uint8_t*) {}
void ResizeSixteen(const ResizeWindow&, int, const Picture&, std::size_t, std::uint8_t*) {}

constexpr bool kWide = false;

#endif

}  // namespace

void ResizeRow(std::span<const ResizeWindow> windows, int precision, const std::uint8_t* from,
               std::size_t room, std::uint8_t* out) {
  for (std::size_t x = 0; x < windows.size(); ++x) {
    const ResizeWindow& window = windows[x];
    const std::size_t read = 3 * (window.first + (window.count + 1) / 2 * 2) + 2;
    if (kWide && read <= room && x + 1 < windows.size()) {
      ResizePixelWide(window, precision, from, out + 3 * x);
    } else {
      ResizePixel(window, precision, from, out + 3 * x);
    }
  }
}

void ResizeColumns(const ResizeWindow& window, int precision, const Picture& from,
                   std::uint8_t* out) {
  constexpr std::size_t kLanes = 16;
  std::size_t i = 0;
  for (; kWide && i + kLanes <= from.row_bytes(); i += kLanes) {
    ResizeSixteen(window, precision, from, i, out);
  }
  for (; i < from.row_bytes(); ++i) {
    ResizeColumn(window, precision, from, i, out);
  }
}

}  // namespace tandem
