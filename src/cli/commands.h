#pragma once

#include <memory>

#include "cli/command.h"

namespace tandem {

// One function per cmd_*.cc; main.cc lists them in the order of the help text.
std::unique_ptr<Command> AddBench(CLI::App& tandem);
std::unique_ptr<Command> AddCheck(CLI::App& tandem);
std::unique_ptr<Command> AddCompare(CLI::App& tandem);
std::unique_ptr<Command> AddConvert(CLI::App& tandem);
std::unique_ptr<Command> AddCopy(CLI::App& tandem);
std::unique_ptr<Command> AddDetokenize(CLI::App& tandem);
std::unique_ptr<Command> AddFit(CLI::App& tandem);
std::unique_ptr<Command> AddImatrix(CLI::App& tandem);
std::unique_ptr<Command> AddKl(CLI::App& tandem);
std::unique_ptr<Command> AddList(CLI::App& tandem);
std::unique_ptr<Command> AddLogits(CLI::App& tandem);
std::unique_ptr<Command> AddPages(CLI::App& tandem);
std::unique_ptr<Command> AddPerplexity(CLI::App& tandem);
std::unique_ptr<Command> AddPull(CLI::App& tandem);
std::unique_ptr<Command> AddQuantize(CLI::App& tandem);
std::unique_ptr<Command> AddRemove(CLI::App& tandem);
std::unique_ptr<Command> AddRender(CLI::App& tandem);
std::unique_ptr<Command> AddRun(CLI::App& tandem);
std::unique_ptr<Command> AddShow(CLI::App& tandem);
std::unique_ptr<Command> AddTokenize(CLI::App& tandem);
std::unique_ptr<Command> AddVerify(CLI::App& tandem);
std::unique_ptr<Command> AddVersion(CLI::App& tandem);

}  // namespace tandem
