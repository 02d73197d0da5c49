#pragma once

#include <cstdint>
#include <string>

namespace tandem {

/// The name of a value of general.file_type ("Q4_K_M"), the recipe by which a file's formats were
/// chosen; "type N" for a number that has no name here. Source: enum llama_ftype of llama.h.
std::string FileTypeName(std::uint64_t file_type);

}  // namespace tandem
