#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "base/thread_pool.h"
#include "cli/bench_text.h"
#include "cli/commands.h"
#include "gguf/file_watch.h"
#include "measure/synthetic.h"
#include "plan/file_type.h"
#include "plan/memory.h"
#include "store/builtin.h"

namespace tandem {
namespace {

class BenchCommand : public Command {
 public:
  explicit BenchCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", model_, "Path of a GGUF file or a built-in name");
    app.add_option(
           "--synthetic", synthetic_,
           "Instead of MODEL: a file of random weights with the shapes of a published model,\n" +
               SyntheticNames() + "; made once and kept")
        ->option_text(" NAME");
    app.add_option("--quant", quant_, "Number formats of the synthetic file; default Q4_K_M")
        ->option_text(" TYPE");
    app.add_flag("--remove", remove_,
                 "Remove the synthetic file afterwards, or the one that is there");
    AddNumber(app, "-p,--prefill", options_.prefill_tokens,
              "Tokens of the prompt; default 512, 0: none");
    AddNumber(app, "-n,--decode", options_.decode_tokens,
              "Tokens that each sequence generates; default 32, 0: none");
    AddNumbers(app, "-d,--depth", options_.depths,
               "Tokens already in the context, random data; a list, default 0");
    AddNumbers(app, "-b,--batch", options_.batches,
               "Sequences that decode together; a list, default 1");
    AddNumber(app, "--draft", options_.draft_tokens,
              "Also time the check of N drafted tokens of one sequence");
    AddNumbers(app, "-t,--threads", options_.threads,
               "A list; default: the physical cores that may be used");
    AddNumber(app, "-r,--repeats", options_.repeats, "Repeats of each measurement; default 5");
    app.add_option("--kv", kv_, "Format of cached keys and values: f16, f32, bf16, q8_0 or q4_0")
        ->option_text(" TYPE");
    app.add_flag("--pin", options_.pin, "Keep each thread on a core of its own");
    app.add_option("--isa", options_.isa, "auto, scalar, avx2, avx512vnni, amx or neon")
        ->option_text(" NAME");
    app.add_flag("--profile", options_.profile, "Time and bytes of each kind of operation");
    app.add_flag("--json", json_, "Print one JSON object");
    app.footer(
        "Lists are given as 1,2,4. 'limit' is the share of what this machine can do: of its\n"
        "memory speed for decoding, of its int8 speed for reading a prompt.\n"
        "\n"
        "What would a model cost here, before it is downloaded? --synthetic tells.\n"
        "\n"
        "Examples:\n"
        "  tandem bench model.gguf\n"
        "  tandem bench --synthetic qwen3.5:4b\n"
        "  tandem bench -d 0,8192,32768 --kv q8_0 model.gguf\n"
        "  tandem bench -p 0 -b 1,4,8 --profile model.gguf");
  }

  Result<ExitCode> Run() override {
    for (const auto* list : {&options_.depths, &options_.batches, &options_.threads}) {
      if (list != &options_.depths && std::count(list->begin(), list->end(), 0U) > 0) {
        return UsageError(*this, "--batch and --threads take numbers from 1 on");
      }
    }
    if (model_.empty() == synthetic_.empty()) {
      return UsageError(*this, model_.empty() ? "MODEL is missing; or --synthetic NAME"
                                              : "MODEL and --synthetic exclude each other");
    }
    if (options_.repeats == 0) {
      return UsageError(*this, "--repeats takes a number from 1 on");
    }
    if (options_.prefill_tokens == 0 && options_.decode_tokens == 0) {
      return UsageError(*this, "nothing to time: --prefill and --decode are both 0");
    }
    TANDEM_ASSIGN_OR_RETURN(options_.kv, ParseKvType(kv_));
    if (options_.threads.empty()) {
      options_.threads.push_back(UsablePhysicalCores());
    }
    if (synthetic_.empty()) {
      return Bench();
    }
    TANDEM_ASSIGN_OR_RETURN(const SyntheticPlan plan, PlanSynthetic(synthetic_, quant_));
    model_ = plan.path.native();
    TANDEM_RETURN_IF_ERROR(MakeFile(plan));
    Result<ExitCode> result = Bench();
    if (remove_) {
      std::error_code error;
      std::filesystem::remove(plan.path, error);
    }
    return result;
  }

 private:
  static std::string SyntheticNames() {
    std::string names;
    for (const SyntheticModel& model : SyntheticModels()) {
      names += names.empty() ? std::string(model.name) : Format(", {}", model.name);
    }
    return names;
  }

  Status MakeFile(const SyntheticPlan& plan) const {
    const auto bytes = static_cast<double>(plan.bytes);
    if (plan.bytes > AvailableMemory()) {
      return {StatusCode::kOutOfMemory,
              Format("{} as {} has {} of weights; {} of memory is available", plan.name, plan.quant,
                     FormatBytes(bytes), FormatBytes(static_cast<double>(AvailableMemory())))};
    }
    if (plan.exists) {
      return OkStatus();
    }
    const bool live = ::isatty(STDERR_FILENO) != 0;
    int shown = -1;
    Status made = MakeSynthetic(plan, [&](std::uint64_t done) {
      const double share = static_cast<double>(done) / bytes;
      if (live && static_cast<int>(100 * share) > shown) {
        constexpr std::size_t kCells = 30;
        shown = static_cast<int>(100 * share);
        std::string bar(static_cast<std::size_t>(share * kCells), '#');
        bar.resize(kCells, '.');
        std::fprintf(stderr, "\r\033[KMaking random weights [%s] %3.0f%% of %s", bar.c_str(),
                     100 * share, FormatBytes(bytes).c_str());
      }
    });
    if (live) {
      std::fputs("\r\033[K", stderr);
    }
    if (made.ok() && !remove_) {
      std::fprintf(stderr, "Note: %s of random weights are kept in %s; --remove removes them\n",
                   FormatBytes(bytes).c_str(), plan.path.c_str());
    }
    return made;
  }

  Result<ExitCode> Bench() {
    const auto start = std::chrono::steady_clock::now();
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<gguf::ModelFile> file, OpenModelFile(model_));
    const gguf::FileWatch watch(*file);
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, LoadNetwork(*file));
    BenchReport report{.model = model_,
                       .architecture = network->info().architecture,
                       .file_bytes = file->file_bytes(),
                       .kv = kv_,
                       .machine = DescribeMachine()};
    report.load_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    TANDEM_ASSIGN_OR_RETURN(const std::uint64_t type, file->GetUintOr("general.file_type", 0));
    report.file_type = FileTypeName(type);
    TANDEM_ASSIGN_OR_RETURN(report.first_token, MeasureFirstToken(*network, options_));
    report.first_token.seconds += report.load_seconds;
    const bool live = ::isatty(STDERR_FILENO) != 0;
    TANDEM_ASSIGN_OR_RETURN(
        report.results, RunBench(*network, options_, [&](std::string_view line) {
          if (live) {
            std::fprintf(stderr, "\r\033[K%.*s", static_cast<int>(line.size()), line.data());
          }
        }));
    TANDEM_RETURN_IF_ERROR(watch.Check());  // else it is no figure of this file
    report.peak_rss_bytes = PeakResidentBytes();
    const std::size_t most = *std::max_element(options_.threads.begin(), options_.threads.end());
    TANDEM_ASSIGN_OR_RETURN(report.limits, MeasureLimits(options_.isa, most));
    TANDEM_ASSIGN_OR_RETURN(const auto ops, MakeCpuOps({.isa = options_.isa, .max_rows = 1}));
    report.isa = ops->isa();
    if (live) {
      std::fputs("\r\033[K", stderr);
    }
    std::fputs(json_ ? (BenchJson(report).dump(2) + "\n").c_str() : BenchText(report).c_str(),
               stdout);
    return ExitCode::kSuccess;
  }

  static void AddNumber(CLI::App& app, const char* name, std::size_t& value, const char* text) {
    app.add_option(name, value, text)->option_text(" N");
  }
  static void AddNumbers(CLI::App& app, const char* name, std::vector<std::size_t>& value,
                         const char* text) {
    app.add_option(name, value, text)
        ->delimiter(',')
        ->option_text(" N,..")
        ->allow_extra_args(false);
  }

  std::string model_;
  std::string synthetic_;
  std::string quant_ = "Q4_K_M";
  bool remove_ = false;
  std::string kv_ = "f16";
  BenchOptions options_;
  bool json_ = false;
};

}  // namespace

std::unique_ptr<Command> AddBench(CLI::App& tandem) {
  CLI::App* app = tandem.add_subcommand(
      "bench", "Time a model on this machine, against what the machine can do");
  return std::make_unique<BenchCommand>(*app);
}

}  // namespace tandem
