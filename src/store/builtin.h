#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gguf/model_file.h"

namespace tandem {

/// The names of the models whose bytes are part of this program, in table order. Empty when it was
/// built without their files.
std::vector<std::string> BuiltinModelNames();

/// Whether `name` is a name of the built-in table (letter case does not matter), whether or not its
/// bytes are part of this build.
bool IsBuiltinModelName(std::string_view name);

/// Opens what a person calls a model: a built-in name, the path of a GGUF file, or the name of a
/// model that is on this machine (see FindInstalled). NotFound, with what could be meant or how to
/// get it, for a name that is neither; otherwise the errors of ModelFile::Open.
Result<std::unique_ptr<gguf::ModelFile>> OpenModelFile(const std::string& name_or_path);

/// Where the files of a model lie.
struct ModelPlace {
  std::filesystem::path model;      // empty: part of the program
  std::filesystem::path projector;  // the vision file that its store has for it; empty: none known
};

/// The place of what OpenModelFile() opens. NotFound and InvalidArgument as there.
Result<ModelPlace> PlaceOfModel(const std::string& name_or_path);

}  // namespace tandem
