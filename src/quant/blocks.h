#pragma once

#include <cstdint>

/// Memory layouts of the block formats, byte for byte as in a file. Plain data without functions
/// and with nothing included, so that kernels compiled for one instruction set may use them.
/// Packed: alignment 1, since a file's general.alignment may be anything. Halves are IEEE binary16
/// bits. Source: ggml-common.h of llama.cpp; formats in docs of the same names.
namespace tandem::quant {

#pragma pack(push, 1)

/// value = d * (q - 8); qs[i] holds values i (low nibble) and i + 16 (high).
struct BlockQ4_0 {
  static constexpr int kLength = 32;
  std::uint16_t d;
  std::uint8_t qs[16];
};

/// value = d * q + m; nibbles as in Q4_0.
struct BlockQ4_1 {
  static constexpr int kLength = 32;
  std::uint16_t d;
  std::uint16_t m;
  std::uint8_t qs[16];
};

/// value = d * (q - 16); the low 4 bits of q as in Q4_0, the fifth of value i is bit i of qh
/// (32 bits, little endian).
struct BlockQ5_0 {
  static constexpr int kLength = 32;
  std::uint16_t d;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};

/// value = d * q + m; bits as in Q5_0.
struct BlockQ5_1 {
  static constexpr int kLength = 32;
  std::uint16_t d;
  std::uint16_t m;
  std::uint8_t qh[4];
  std::uint8_t qs[16];
};

/// value = d * q.
struct BlockQ8_0 {
  static constexpr int kLength = 32;
  std::uint16_t d;
  std::int8_t qs[32];
};

/// 16 sub-blocks of 16: value = d * (scale & 15) * q - dmin * (scale >> 4). For half h (128
/// values), bits 2j and 2j + 1 of qs[32 h + i] belong to value 128 h + 32 j + i.
struct BlockQ2_K {
  static constexpr int kLength = 256;
  std::uint8_t scales[16];
  std::uint8_t qs[64];
  std::uint16_t d;
  std::uint16_t dmin;
};

/// 16 sub-blocks of 16: value = d * (scale - 32) * (q - 4), q of 3 bits: two as in Q2_K, the third
/// of value 128 h + 32 j + i is bit 4 h + j of hmask[i]. The 6-bit scale of sub-block s: low
/// nibbles in scales[0..7], upper two bits in scales[8..11] (see decode).
struct BlockQ3_K {
  static constexpr int kLength = 256;
  std::uint8_t hmask[32];
  std::uint8_t qs[64];
  std::uint8_t scales[12];
  std::uint16_t d;
};

/// 8 sub-blocks of 32: value = d * scale * q - dmin * min, scale and min of 6 bits packed in
/// scales. Sub-blocks 2 j and 2 j + 1 are the low and high nibbles of qs[32 j ...].
struct BlockQ4_K {
  static constexpr int kLength = 256;
  std::uint16_t d;
  std::uint16_t dmin;
  std::uint8_t scales[12];
  std::uint8_t qs[128];
};

/// As Q4_K; the fifth bit of value 32 s + i is bit s of qh[i].
struct BlockQ5_K {
  static constexpr int kLength = 256;
  std::uint16_t d;
  std::uint16_t dmin;
  std::uint8_t scales[12];
  std::uint8_t qh[32];
  std::uint8_t qs[128];
};

/// 16 sub-blocks of 16: value = d * scale * (q - 32). For half h: value 128 h + 32 j + i has its
/// low nibble in ql[64 h + 32 (j & 1) + i] (high nibble for j >= 2), its upper two bits at bit 2 j
/// of qh[32 h + i].
struct BlockQ6_K {
  static constexpr int kLength = 256;
  std::uint8_t ql[128];
  std::uint8_t qh[64];
  std::int8_t scales[16];
  std::uint16_t d;
};

/// value = d * table[q]; nibbles as in Q4_0.
struct BlockIQ4_NL {
  static constexpr int kLength = 32;
  std::uint16_t d;
  std::uint8_t qs[16];
};

/// 8 sub-blocks of 32: value = d * (scale - 32) * table[q]; scale s: 4 bits in scales_l, 2 in
/// scales_h; nibbles of each 16 bytes as in Q4_0.
struct BlockIQ4_XS {
  static constexpr int kLength = 256;
  std::uint16_t d;
  std::uint16_t scales_h;
  std::uint8_t scales_l[4];
  std::uint8_t qs[128];
};

/// 8 groups of 32 values: four bytes are places in a codebook of eight magnitudes, then 32 bits:
/// 4 x 7 bits of signs (the eighth makes their number even) and, above, a scale:
/// value = d * (0.5 + scale) / 4 * magnitude.
struct BlockIQ2_XXS {
  static constexpr int kLength = 256;
  std::uint16_t d;
  std::uint8_t qs[64];
};

/// 9 bits of place and 7 of signs for eight values; a 4-bit scale for 16 values, as in IQ2_XXS.
struct BlockIQ2_XS {
  static constexpr int kLength = 256;
  std::uint16_t d;
  std::uint16_t qs[32];
  std::uint8_t scales[8];
};

/// As IQ2_XS, with 10 bits of place (two of them in qh) and all 8 signs.
struct BlockIQ2_S {
  static constexpr int kLength = 256;
  std::uint16_t d;
  std::uint8_t qs[32];
  std::uint8_t signs[32];
  std::uint8_t qh[8];
  std::uint8_t scales[8];
};

/// 8 groups of 32 values: eight places in a codebook of four magnitudes; signs and scale of the
/// groups, 32 bits each, behind all places: value = d * (0.5 + scale) / 2 * magnitude.
struct BlockIQ3_XXS {
  static constexpr int kLength = 256;
  std::uint16_t d;
  std::uint8_t qs[64];
  std::uint8_t signs_scales[32];
};

/// Places of 9 bits (the ninth in qh); value = d * (1 + 2 scale) * magnitude, a 4-bit scale for 32
/// values.
struct BlockIQ3_S {
  static constexpr int kLength = 256;
  std::uint16_t d;
  std::uint8_t qs[64];
  std::uint8_t qh[8];
  std::uint8_t signs[32];
  std::uint8_t scales[4];
};

/// Places of 11 bits in a codebook of eight values -1, 0, 1; qh of 32 values: 4 x 3 upper bits of
/// places, 3 bits of scale, the sign of the shift: value = d * (2 scale + 1) * (level +- 1/8).
struct BlockIQ1_S {
  static constexpr int kLength = 256;
  std::uint16_t d;
  std::uint8_t qs[32];
  std::uint16_t qh[8];
};

/// As IQ1_S: qh of 16 values has 2 x (3 bits of place, sign of the shift); scales of 16 values have
/// 3 bits, four to a word, and the upper 4 bits of the words are d, lowest first.
struct BlockIQ1_M {
  static constexpr int kLength = 256;
  std::uint8_t qs[32];
  std::uint8_t qh[16];
  std::uint16_t scales[4];
};

/// value = d * (digit - 1); five base-3 digits of a byte, four in qh: digit n of a byte b is the
/// upper part of 3 * (b * 3^n mod 256) / 256.
struct BlockTQ1_0 {
  static constexpr int kLength = 256;
  std::uint8_t qs[48];
  std::uint8_t qh[4];
  std::uint16_t d;
};

/// value = d * (q - 1); value 128 h + 32 j + i is at bit 2 j of qs[32 h + i].
struct BlockTQ2_0 {
  static constexpr int kLength = 256;
  std::uint8_t qs[64];
  std::uint16_t d;
};

/// value = 2^(e - 128) * table[q]; nibbles as in Q4_0. Source: OCP Microscaling Formats 1.0.
struct BlockMXFP4 {
  static constexpr int kLength = 32;
  std::uint8_t e;
  std::uint8_t qs[16];
};

#pragma pack(pop)

/// The values of IQ4_NL's and IQ4_XS's sixteen codes.
constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                        1,    13,   25,  38,  53,  69,  89,  113};

/// Twice the values of MXFP4's sixteen codes (sign, two bits of exponent, one of mantissa).
constexpr std::int8_t kMxfp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static_assert(sizeof(BlockQ4_0) == 18);
static_assert(sizeof(BlockQ4_1) == 20);
static_assert(sizeof(BlockQ5_0) == 22);
static_assert(sizeof(BlockQ5_1) == 24);
static_assert(sizeof(BlockQ8_0) == 34);
static_assert(sizeof(BlockQ2_K) == 84);
static_assert(sizeof(BlockQ3_K) == 110);
static_assert(sizeof(BlockQ4_K) == 144);
static_assert(sizeof(BlockQ5_K) == 176);
static_assert(sizeof(BlockQ6_K) == 210);
static_assert(sizeof(BlockIQ4_NL) == 18);
static_assert(sizeof(BlockIQ4_XS) == 136);
static_assert(sizeof(BlockIQ2_XXS) == 66);
static_assert(sizeof(BlockIQ2_XS) == 74);
static_assert(sizeof(BlockIQ2_S) == 82);
static_assert(sizeof(BlockIQ3_XXS) == 98);
static_assert(sizeof(BlockIQ3_S) == 110);
static_assert(sizeof(BlockIQ1_S) == 50);
static_assert(sizeof(BlockIQ1_M) == 56);
static_assert(sizeof(BlockTQ1_0) == 54);
static_assert(sizeof(BlockTQ2_0) == 66);
static_assert(sizeof(BlockMXFP4) == 17);

}  // namespace tandem::quant
