#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gguf/model_file.h"

namespace tandem {

/// Something a publisher says about a model, and who told us.
struct PublishedFact {
  std::string label;  // "licence", "languages", ...
  std::string value;
  bool from_catalogue = false;  // not the file, but the catalogue that is built in
  bool of_model = false;        // belongs to what the model is, not to who published it
};

/// What `file` (nullptr: the model is not on this machine) says about its publication
/// (general.license, general.languages, general.organization), and from the catalogue what it does
/// not say, when the catalogue knows the model: by `name` as it was given, else by the file's
/// general.name. Modalities and thinking are always the catalogue's, and without a file
/// architecture and parameters too. Empty when nobody says anything.
std::vector<PublishedFact> PublishedFacts(const std::string& name, const gguf::File* file);

}  // namespace tandem
