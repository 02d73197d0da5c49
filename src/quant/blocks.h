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

#pragma pack(pop)

/// The values of IQ4_NL's and IQ4_XS's sixteen codes.
constexpr std::int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                               1,    13,   25,  38,  53,  69,  89,  113};

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

}  // namespace tandem::quant
