#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/command_sheet.h"

namespace tandem {

/// tandem(1) in the man macros: what there is, environment, files, exit codes. `date`:
/// "2026-11-30".
std::string MainManPage(const CLI::App& tandem, std::span<const CommandSheet> commands,
                        std::string_view date);

/// tandem-COMMAND(1).
std::string CommandManPage(const CommandSheet& command, std::string_view date);

}  // namespace tandem
