#pragma once

#include <string>
#include <vector>

#include "cli/fact_table.h"
#include "gguf/model_file.h"
#include "io/json.h"
#include "plan/spec_sheet.h"

namespace tandem {

/// A model to be shown: its name as it was given, its file and its sheet.
struct ShownModel {
  std::string name;
  std::unique_ptr<gguf::ModelFile> file;  // nullptr: not on this machine
  SpecSheet sheet;
};

/// The sheets of one or two models as a table for people.
FactTable SheetTable(const std::vector<ShownModel>& models);

/// The sheet as the JSON object of `tandem show --json`.
Json SheetJson(const ShownModel& model);

}  // namespace tandem
