#include "quant/formats.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/format.h"
#include "quant/blocks.h"
#include "quant/codecs.h"
#include "quant/encode/encoder_table.h"

namespace tandem::quant {
namespace {

using gguf::TensorType;

// clang-format off
constexpr Format kFormats[] = {
    {"F32",    TensorType::kF32,    1,   4,                   &DecodeF32,    &EncodeF32},
    {"F16",    TensorType::kF16,    1,   2,                   &DecodeF16,    &EncodeF16},
    {"BF16",   TensorType::kBF16,   1,   2,                   &DecodeBf16,   &EncodeBf16},
    {"Q4_0",   TensorType::kQ4_0,   32,  sizeof(BlockQ4_0),   &DecodeQ4_0,   &EncodeBest<&EncoderTable::q4_0>},
    {"Q4_1",   TensorType::kQ4_1,   32,  sizeof(BlockQ4_1),   &DecodeQ4_1,   &EncodeBest<&EncoderTable::q4_1>},
    {"Q5_0",   TensorType::kQ5_0,   32,  sizeof(BlockQ5_0),   &DecodeQ5_0,   &EncodeBest<&EncoderTable::q5_0>},
    {"Q5_1",   TensorType::kQ5_1,   32,  sizeof(BlockQ5_1),   &DecodeQ5_1,   &EncodeBest<&EncoderTable::q5_1>},
    {"Q8_0",   TensorType::kQ8_0,   32,  sizeof(BlockQ8_0),   &DecodeQ8_0,   &EncodeQ8_0},
    {"Q2_K",   TensorType::kQ2_K,   256, sizeof(BlockQ2_K),   &DecodeQ2_K,   &EncodeBest<&EncoderTable::q2_k>},
    {"Q3_K",   TensorType::kQ3_K,   256, sizeof(BlockQ3_K),   &DecodeQ3_K,   &EncodeBest<&EncoderTable::q3_k>},
    {"Q4_K",   TensorType::kQ4_K,   256, sizeof(BlockQ4_K),   &DecodeQ4_K,   &EncodeBest<&EncoderTable::q4_k>},
    {"Q5_K",   TensorType::kQ5_K,   256, sizeof(BlockQ5_K),   &DecodeQ5_K,   &EncodeBest<&EncoderTable::q5_k>},
    {"Q6_K",   TensorType::kQ6_K,   256, sizeof(BlockQ6_K),   &DecodeQ6_K,   &EncodeBest<&EncoderTable::q6_k>},
    {"IQ4_NL", TensorType::kIQ4_NL, 32,  sizeof(BlockIQ4_NL), &DecodeIQ4_NL, &EncodeBest<&EncoderTable::iq4_nl>},
    {"IQ4_XS", TensorType::kIQ4_XS, 256, sizeof(BlockIQ4_XS), &DecodeIQ4_XS, &EncodeBest<&EncoderTable::iq4_xs>},
    {"IQ1_S",   TensorType::kIQ1_S,    256, sizeof(BlockIQ1_S),    &DecodeIQ1_S,   nullptr},
    {"IQ1_M",   TensorType::kIQ1_M,    256, sizeof(BlockIQ1_M),    &DecodeIQ1_M,   nullptr},
    {"IQ2_XXS", TensorType::kIQ2_XXS,  256, sizeof(BlockIQ2_XXS),  &DecodeIQ2_XXS, nullptr},
    {"IQ2_XS",  TensorType::kIQ2_XS,   256, sizeof(BlockIQ2_XS),   &DecodeIQ2_XS,  nullptr},
    {"IQ2_S",   TensorType::kIQ2_S,    256, sizeof(BlockIQ2_S),    &DecodeIQ2_S,   nullptr},
    {"IQ3_XXS", TensorType::kIQ3_XXS,  256, sizeof(BlockIQ3_XXS),  &DecodeIQ3_XXS, nullptr},
    {"IQ3_S",   TensorType::kIQ3_S,    256, sizeof(BlockIQ3_S),    &DecodeIQ3_S,   nullptr},
    {"TQ1_0",   TensorType::kTQ1_0,    256, sizeof(BlockTQ1_0),    &DecodeTQ1_0,   nullptr},
    {"TQ2_0",   TensorType::kTQ2_0,    256, sizeof(BlockTQ2_0),    &DecodeTQ2_0,   nullptr},
    {"MXFP4",   TensorType::kMXFP4,    32,  sizeof(BlockMXFP4),    &DecodeMXFP4,   nullptr},
};
// clang-format on

char Upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

}  // namespace

std::span<const Format> Formats() {
  return kFormats;
}

const Format* FindFormat(TensorType type) {
  const auto* found = std::find_if(std::begin(kFormats), std::end(kFormats),
                                   [&](const Format& format) { return format.type == type; });
  return found == std::end(kFormats) ? nullptr : found;
}

const Format* FindFormat(std::string_view name) {
  const auto* found =
      std::find_if(std::begin(kFormats), std::end(kFormats), [&](const Format& format) {
        return std::equal(format.name.begin(), format.name.end(), name.begin(), name.end(),
                          [](char a, char b) { return a == Upper(b); });
      });
  return found == std::end(kFormats) ? nullptr : found;
}

Result<const Format*> RequireFormat(TensorType type, std::string_view tensor) {
  const Format* format = FindFormat(type);
  if (format == nullptr) {
    return Status(StatusCode::kUnsupported,
                  tandem::Format("tensor '{}' has type {}, which cannot be decoded",
                                 Printable(tensor), gguf::Info(type).name));
  }
  return format;
}

void Decode(const Format& format, std::span<const std::byte> blocks, std::span<float> out) {
  const std::size_t count = out.size() / format.block_len;
  TANDEM_CHECK(
      count * format.block_len == out.size() && count * format.block_bytes == blocks.size(),
      "Decode needs whole blocks and exactly their values");
  format.decode(blocks.data(), count, out.data());
}

void Encode(const Format& format, std::span<const float> values, std::span<std::byte> blocks) {
  const std::size_t count = values.size() / format.block_len;
  TANDEM_CHECK(format.encode != nullptr, "this format has no encoder");
  TANDEM_CHECK(
      count * format.block_len == values.size() && count * format.block_bytes == blocks.size(),
      "Encode needs whole blocks and exactly their bytes");
  format.encode(values.data(), nullptr, count, blocks.data());
}

void EncodeRows(const Format& format, std::span<const float> values,
                std::span<const float> importance, std::span<std::byte> blocks) {
  const std::size_t length = importance.size();
  TANDEM_CHECK(format.encode != nullptr, "this format has no encoder");
  TANDEM_CHECK(length != 0 && length % format.block_len == 0 && values.size() % length == 0,
               "EncodeRows needs whole rows of whole blocks");
  const std::size_t row_bytes = format.RowBytes(length);
  TANDEM_CHECK(values.size() / length * row_bytes == blocks.size(), "blocks of another size");
  for (std::size_t row = 0; row < values.size() / length; ++row) {
    format.encode(values.data() + row * length, importance.data(), length / format.block_len,
                  blocks.data() + row * row_bytes);
  }
}

}  // namespace tandem::quant
