#pragma once

#include <span>
#include <string>

#include "cli/command_sheet.h"

namespace tandem {

/// Completion scripts: commands, options, the values of options where they are few, names of models
/// (asked of 'tandem pages names' when they are needed) and files.
std::string BashCompletion(std::span<const CommandSheet> commands);
std::string ZshCompletion(std::span<const CommandSheet> commands);
std::string FishCompletion(std::span<const CommandSheet> commands);

}  // namespace tandem
