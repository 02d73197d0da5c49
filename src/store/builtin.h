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

/// The files of a model: empty paths for a built-in one; `projector`, its vision file, only where
/// the store knows of one.
struct ModelPlace {
  std::filesystem::path model;
  std::filesystem::path projector;
};

/// Where OpenModelFile finds a name; its errors, but for those of reading.
Result<ModelPlace> FindModelPlace(const std::string& name_or_path);

/// As above, for a name whose place FindModelPlace has told: the stores are not searched again.
Result<std::unique_ptr<gguf::ModelFile>> OpenModelFile(const std::string& name_or_path,
                                                       const ModelPlace& place);

}  // namespace tandem
