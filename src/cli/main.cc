#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>

#include "tandem/version.h"

#include "base/format.h"
#include "base/suggestion.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/help_formatter.h"
#include "cli/mapping_fault.h"

namespace tandem {
namespace {

// The verbs, in the order of the help text. A new one is a file cmd_*.cc and a row here.
// clang-format off
constexpr AddCommand kCommands[] = {
    &AddRun,
    &AddCompare,
    &AddShow,
    &AddBench,
    &AddPerplexity,
    &AddKl,
    &AddFit,
    &AddCheck,
    &AddPull,
    &AddList,
    &AddRemove,
    &AddCopy,
    &AddVerify,
    &AddConvert,
    &AddQuantize,
    &AddImatrix,
    &AddTokenize,
    &AddDetokenize,
    &AddRender,
    &AddLogits,
    &AddVersion,
    &AddPages,
};
// clang-format on

constexpr const char* kFooter =
    "Examples:\n"
    "  tandem run qwen3.5:demo \"What is 27 + 45?\"\n"
    "  tandem run qwen3.5:demo\n"
    "  tandem compare qwen3.5:demo phi4-mini:demo \"What is 27 + 45?\"\n"
    "  tandem pull qwen3.5:4b\n"
    "  tandem show model.gguf\n"
    "\n"
    "'tandem COMMAND --help' explains a command.";

using Commands = std::vector<std::unique_ptr<Command>>;

Commands AddCommands(CLI::App& app) {
  app.name("tandem");
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->label("Subcommands", "Commands");
  app.set_help_flag("-h,--help", "Show this help");
  app.set_version_flag("-v,--version", std::string("tandem " TANDEM_VERSION), "Show the version");
  app.footer(kFooter);
  app.require_subcommand(1);
  Commands commands;
  for (const AddCommand add : kCommands) {
    commands.push_back(add(app));
  }
  for (const std::unique_ptr<Command>& command : commands) {
    if (!command->app().get_group().empty()) {  // else hidden
      app.get_subcommand(command->app().get_name())->group("Commands");
    }
  }
  return commands;
}

std::string DidYouMean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string closest = ClosestName(word, candidates);
  return closest.empty() ? "" : Format("; did you mean '{}'?", closest);
}

std::vector<std::string> CommandNames(const Commands& commands) {
  std::vector<std::string> names;
  for (const std::unique_ptr<Command>& command : commands) {
    if (!command->app().get_group().empty()) {
      names.push_back(command->app().get_name());
    }
  }
  return names;
}

bool IsCommand(const Commands& commands, const std::string& verb) {
  return std::any_of(commands.begin(), commands.end(), [&](const std::unique_ptr<Command>& c) {
    return c->app().check_name(verb);  // aliases too
  });
}

int UnknownCommand(const std::string& word, const std::vector<std::string>& names) {
  PrintError(Format("'{}' is not a command{}", Printable(word), DidYouMean(word, names)));
  std::fputs("Try 'tandem --help'.\n", stderr);
  return static_cast<int>(ExitCode::kUsage);
}

// The verb that was given, or the program itself.
const CLI::App& ActiveApp(const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  return parsed.empty() ? app : *parsed.front();
}

std::string ExtrasMessage(const CLI::App& active, const std::string& word) {
  if (word.size() < 2 || word[0] != '-') {
    return Format("'{}' is one argument too many", Printable(word));
  }
  std::vector<std::string> names;
  bool takes_words = false;
  for (const CLI::Option* option : active.get_options()) {
    takes_words = takes_words || option->get_positional();
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  const std::string name = word.substr(0, word.find('='));
  const std::string meant = DidYouMean(name, names);
  const bool explain = takes_words && meant.empty();
  return Format("unknown option '{}'{}{}", Printable(name), meant,
                explain ? "; put -- before words that start with a dash" : "");
}

// What is wrong, in one line.
std::string ParseMessage(const CLI::App& app, const CLI::ParseError& error) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const std::vector<std::string> extras = app.remaining(true);
    if (!extras.empty()) {
      return ExtrasMessage(ActiveApp(app), extras.front());
    }
  }
  const std::string what = error.what();
  std::string line = what.substr(0, what.find('\n'));
  // CLI11 says "Could not convert: --seed = x".
  constexpr std::string_view kConversion = "Could not convert: ";
  const std::size_t middle = line.find(" = ");
  if (line.starts_with(kConversion) && middle != std::string::npos) {
    return Format("'{}' is no value of {}", Printable(line.substr(middle + 3)),
                  line.substr(kConversion.size(), middle - kConversion.size()));
  }
  return line;
}

int ParseFailure(const CLI::App& app, const CLI::ParseError& error) {
  PrintError(ParseMessage(app, error));
  const CLI::App& active = ActiveApp(app);
  const std::string verb = &active == &app ? "" : " " + active.get_name();
  const std::string hint = Format("Try 'tandem{} --help'.\n", verb);
  std::fputs(hint.c_str(), stderr);
  return static_cast<int>(ExitCode::kUsage);
}

// "out of memory" with what is known: the limit of the address space, if there is one, and how much
// of it is in use. Needs no memory.
void PrintNoMemory() {
  std::fflush(stdout);
  rlimit limit{};
  unsigned long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r"); file != nullptr) {
    pages = std::fscanf(file, "%lu", &pages) == 1 ? pages : 0;
    std::fclose(file);
  }
  const unsigned long long used = static_cast<unsigned long long>(pages) *
                                  static_cast<unsigned long long>(sysconf(_SC_PAGESIZE)) /
                                  1'000'000;
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    std::fprintf(stderr,
                 "Error: out of memory: the program maps %llu MB of the %llu MB that its limit "
                 "(ulimit -v) allows\n",
                 used, static_cast<unsigned long long>(limit.rlim_cur) / 1'000'000);
  } else {
    std::fprintf(stderr,
                 "Error: out of memory: the system gives no more than the %llu MB that the "
                 "program maps\n",
                 used);
  }
}

ExitCode RunParsed(const Commands& commands) {
  for (const std::unique_ptr<Command>& command : commands) {
    if (!command->app().parsed()) {
      continue;
    }
    const Result<ExitCode> result = command->Run();
    if (result.ok()) {
      return *result;
    }
    if (result.status().code() == StatusCode::kOutOfMemory &&
        result.status().message() == "out of memory") {
      PrintNoMemory();
    } else {
      PrintError(result.status().message());
    }
    return result.status().code() == StatusCode::kCancelled ? ExitCode::kInterrupted
                                                            : ExitCode::kFailure;
  }
  return ExitCode::kUsage;
}

// What was printed may still be in the buffer, and a full disk shows only now.
int FlushOutput(ExitCode code) {
  errno = 0;
  const bool failed = std::fflush(stdout) != 0 || std::ferror(stdout) != 0;
  if (failed && code == ExitCode::kSuccess) {
    PrintError(Format("cannot write to standard output{}{}", errno != 0 ? ": " : "",
                      errno != 0 ? std::strerror(errno) : ""));
    return static_cast<int>(ExitCode::kFailure);
  }
  return static_cast<int>(code);
}

int RunProgram(int argc, const char* const* argv) {
  CLI::App app("Runs Qwen3.5 and Phi-4-mini from GGUF files and compares them side by side.");
  const Commands commands = AddCommands(app);
  if (argc < 2) {
    std::fputs(app.help().c_str(), stderr);
    return static_cast<int>(ExitCode::kUsage);
  }
  const std::string verb = argv[1];
  const std::vector<std::string> names = CommandNames(commands);
  if (!verb.starts_with('-') && !IsCommand(commands, verb)) {
    return UnknownCommand(verb, names);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help and --version
    app.exit(success);
    return FlushOutput(ExitCode::kSuccess);
  } catch (const CLI::ParseError& error) {
    return ParseFailure(app, error);
  }
  return FlushOutput(RunParsed(commands));
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  // `tandem ... | head -1` ends quietly, whatever the parent process had set.
  std::signal(SIGPIPE, SIG_DFL);
  // A file that may not grow further (ulimit -f) is an error of write(), not the end.
  std::signal(SIGXFSZ, SIG_IGN);
  tandem::EndOnUnreadableMapping();
  try {
    return tandem::RunProgram(argc, argv);
  } catch (const std::bad_alloc&) {
    tandem::PrintNoMemory();
  } catch (const std::system_error& error) {
    const bool thread = error.code() == std::errc::resource_unavailable_try_again;
    tandem::PrintError(std::string(thread ? "cannot start a thread: " : "") + error.what());
  } catch (const std::exception& error) {
    tandem::PrintError(error.what());
  }
  return static_cast<int>(tandem::ExitCode::kFailure);
}
