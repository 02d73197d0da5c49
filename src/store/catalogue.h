#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tandem {

/// A published size of a download. Rounded: the server is asked for the exact one.
struct PublishedSize {
  std::string quant;
  std::uint64_t about_bytes = 0;
};

/// A model that has a short name, and what its publishers say about it. A value.
struct CatalogueModel {
  std::string name;                       // "qwen3.5:4b"
  std::string title;                      // "Qwen3.5-4B"
  std::vector<std::string> repositories;  // GGUF repositories of the Hub, preferred first
  std::string checkpoint;                 // repository of the original weights
  std::string ollama;                     // its name in the Ollama registry
  std::string quant;                      // the one that the bare name means: "Q4_K_M"
  std::string architecture;
  std::uint64_t parameters = 0;
  std::size_t context = 0;           // tokens
  std::size_t context_extended = 0;  // with YaRN; 0: no such thing
  std::vector<std::string> modalities;
  std::string thinking;  // "switchable", "always", "never"
  std::string licence;
  std::string languages;
  std::string developer;
  std::string released;  // "2026-03"
  bool vision = false;   // has a projector file beside it
  std::vector<PublishedSize> downloads;

  /// The published size of `quant`, in any letter case.
  std::optional<std::uint64_t> AboutBytes(std::string_view quant) const;
};

/// The catalogue that is built into the program (assets/catalogue.json). Immutable; thread-safe.
class Catalogue {
 public:
  /// The built-in one. It is part of the program, so it can be relied on.
  static const Catalogue& BuiltIn();
  /// Reads a catalogue. Corrupt names the model and the field.
  static Result<Catalogue> Parse(std::string_view json);

  std::span<const CatalogueModel> models() const { return models_; }
  /// The model of `name` in any letter case; a family's bare name ("qwen3.5") is its default model.
  const CatalogueModel* Find(std::string_view name) const;
  /// The model that `title` ("Qwen3.5 4B", as a file's general.name says) is, or nullptr.
  const CatalogueModel* FindTitle(std::string_view title) const;
  /// The model that has `repository` ("unsloth/Qwen3.5-4B-GGUF") among its own, or nullptr.
  const CatalogueModel* FindRepository(std::string_view repository) const;
  /// All names, families first.
  std::vector<std::string> Names() const;

 private:
  struct Family {
    std::string name;
    std::string model;
  };
  std::vector<Family> families_;
  std::vector<CatalogueModel> models_;
};

}  // namespace tandem
