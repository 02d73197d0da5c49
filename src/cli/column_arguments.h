#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

#include "base/status.h"

namespace tandem {

/// Whether an argument of `compare` names a model, so that prompt and models can share a line: a
/// built-in or short name, a repository, an existing file or a name that ends in .gguf, each with
/// or without settings
/// ("@think", "@nothink", "@temperature=0,seed=7"), or anything with such settings.
bool IsModelArgument(const std::string& argument);

/// The column of one model argument; `common` is what the other options say. InvalidArgument names
/// the argument and the setting that is wrong.
Result<CompareColumn> ParseColumn(const std::string& argument, const CompareColumn& common);

/// Makes the labels of equal columns differ: "phi", "phi (2)".
void MakeLabelsUnique(std::vector<CompareColumn>& columns);

}  // namespace tandem
