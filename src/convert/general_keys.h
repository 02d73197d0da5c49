#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "gguf/metadata.h"
#include "hf/config.h"

namespace tandem::convert {

/// A model's name for people, from its folder: "qwen-a" -> "Qwen A". In the Hugging Face cache the
/// folder's own name is a hash, so the repository's name is taken: "models--org--Qwen3.5-4B".
std::string ModelName(const std::filesystem::path& folder);

/// A parameter count as llama.cpp labels it, at least two digits: "447K", "4.0B".
std::string SizeLabel(std::uint64_t parameters);

/// Adds `general.sampling.*` as far as generation_config.json recommends them.
void AddSampling(const hf::GenerationConfig& generation, gguf::Metadata& metadata);

}  // namespace tandem::convert
