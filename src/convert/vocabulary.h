#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/status.h"
#include "gguf/metadata.h"
#include "hf/config.h"

namespace tandem::convert {

/// Adds the keys `tokenizer.*` of a checkpoint folder, and ours:
///   tandem.tokenizer.rstrip_ids  i32 array: added tokens that eat the whitespace after them
///   tandem.tokenizer.nfc         bool, only when it differs from what tokenizer.ggml.pre implies
///   tandem.tokenizer.eos_ids     i32 array, from generation_config.json, when it names any
/// The pre-tokenizer is chosen by its exact pattern; Unsupported for an unknown one. Corrupt when
/// an id lies outside the embedding's rows.
Status AddVocabulary(const std::filesystem::path& folder, const hf::Config& config,
                     const hf::GenerationConfig& generation, gguf::Metadata& metadata);

}  // namespace tandem::convert
