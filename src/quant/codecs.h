#pragma once

#include <cstddef>

/// The decoders and encoders that formats.cc lists; everyone else goes through FindFormat(). All
/// take whole blocks at any alignment. Decoding is bit for bit ggml's reference (dequantize_row_*),
/// without fused multiply-add. No failure is possible: any bytes decode to something.
namespace tandem::quant {

void DecodeF32(const std::byte* blocks, std::size_t count, float* out);
void DecodeF16(const std::byte* blocks, std::size_t count, float* out);
void DecodeBf16(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ4_0(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ4_1(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ5_0(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ5_1(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ8_0(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ2_K(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ3_K(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ4_K(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ5_K(const std::byte* blocks, std::size_t count, float* out);
void DecodeQ6_K(const std::byte* blocks, std::size_t count, float* out);
void DecodeIQ4_NL(const std::byte* blocks, std::size_t count, float* out);
void DecodeIQ4_XS(const std::byte* blocks, std::size_t count, float* out);
void DecodeIQ1_S(const std::byte* blocks, std::size_t count, float* out);
void DecodeIQ1_M(const std::byte* blocks, std::size_t count, float* out);
void DecodeIQ2_XXS(const std::byte* blocks, std::size_t count, float* out);
void DecodeIQ2_XS(const std::byte* blocks, std::size_t count, float* out);
void DecodeIQ2_S(const std::byte* blocks, std::size_t count, float* out);
void DecodeIQ3_XXS(const std::byte* blocks, std::size_t count, float* out);
void DecodeIQ3_S(const std::byte* blocks, std::size_t count, float* out);
void DecodeTQ1_0(const std::byte* blocks, std::size_t count, float* out);
void DecodeTQ2_0(const std::byte* blocks, std::size_t count, float* out);
void DecodeMXFP4(const std::byte* blocks, std::size_t count, float* out);

// These round value by value; importance is not looked at.
void EncodeF32(const float* values, const float* importance, std::size_t count, std::byte* blocks);
/// Rounds to nearest even; values beyond the range become infinities.
void EncodeF16(const float* values, const float* importance, std::size_t count, std::byte* blocks);
void EncodeBf16(const float* values, const float* importance, std::size_t count, std::byte* blocks);
/// d = max|x| / 127 in float, q = round(x / d) half away from zero with the unrounded d, d stored
/// as a half. Source: quantize_row_q8_0_ref in ggml-quants.c.
void EncodeQ8_0(const float* values, const float* importance, std::size_t count, std::byte* blocks);

}  // namespace tandem::quant
