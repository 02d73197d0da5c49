#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace tandem {

/// What a person calls a model, taken apart. A value.
struct ModelName {
  enum class Kind {
    kBuiltin,     // its bytes are part of the program
    kPath,        // a file
    kCatalogue,   // a short name: qwen3.5:4b, phi4-mini:q8_0
    kHub,         // hf.co/OWNER/REPO[:QUANT]
    kOllama,      // ollama:NAME[:TAG]
    kModelScope,  // ms:OWNER/REPO[:QUANT]
    kOther,       // well-formed but of no known place: a name given by `tandem cp`, or a mistake
  };
  Kind kind = Kind::kOther;
  /// As it is stored and shown: "qwen3.5:4b-q4_k_m", "hf.co/owner/repo:Q4_K_M", "ollama:phi4-mini:
  /// latest". A path or built-in name as it was given.
  std::string canonical;
  std::string repository;  // kHub, kModelScope: "owner/repo"; kOllama: "library/phi4-mini";
                           // kCatalogue: its name
  std::string
      tag;  // quant of kHub, kModelScope (empty: the best there is) and kCatalogue; tag of kOllama
};

/// Takes a name apart; looks at the disk only to see whether it is a file. InvalidArgument for an
/// empty or malformed one, with what is wrong with it.
/// An existing file wins over everything but a built-in name; "hf.co/" and "huggingface.co/" start
/// a repository; a name that ends in .gguf or starts with /, ./, ../ or ~ is a path whether or not
/// it exists.
Result<ModelName> ParseModelName(const std::string& name);

/// The error for a name that is nothing: lists what there is, or the name that was probably meant.
Status UnknownModelName(std::string_view name);

/// The quant in the name of a GGUF file: "Q4_K_M" of "Qwen3.5-4B-Q4_K_M.gguf", "UD-Q4_K_XL"; in
/// upper case, without shard numbers; empty when there is none.
std::string QuantOfFile(std::string_view file_name);

}  // namespace tandem
