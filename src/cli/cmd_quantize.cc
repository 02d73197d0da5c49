#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "base/thread_pool.h"
#include "chat/loaded_model.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "gguf/model_file.h"
#include "io/file.h"
#include "quantize/calibration.h"
#include "quantize/collector.h"
#include "quantize/dynamic.h"
#include "quantize/importance.h"
#include "quantize/mix.h"
#include "quantize/plan.h"
#include "quantize/quantizer.h"
#include "quantize/recipe.h"
#include "quantize/sensitivity.h"
#include "quantize/source.h"

namespace tandem {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kAdvice = R"(
Take the largest that leaves memory for the conversation ('tandem fit FILE' adds it up).
Q4_K_M is the usual choice; Q6_K and Q8_0 lose next to nothing; below IQ4_XS answers get
noticeably worse. Every token reads the whole file, so a smaller one also answers faster.
--dynamic Q4_K_M --calibration TEXT has Q4_K_M's size and loses less, if you have a text
like what the model will read, and time.

GB of Qwen3.5-4B, and how often, in %, the most likely next token of the built-in Qwen3.5
and Phi-4-mini (small ones) stays what it was in F32:
  Q2_K    1.9  86  65     Q4_K_M            2.7  96  83     Q6_K  3.4   98   93
  Q3_K_M  2.2  93  81     --dynamic Q4_K_M  2.7  97  90     Q8_0  4.5   99   98
  IQ4_XS  2.5  95  82     Q5_K_M            3.1  98  90     BF16  8.4  100   99
More figures and how they were taken: docs/quantize.md.)";

std::string TypeHelp() {
  std::string text = "TYPE, smallest first:\n";
  for (const quantize::Mix& mix : quantize::Mixes()) {
    text += Format("  {:8} {}\n", mix.name, mix.advice);
  }
  return text + kAdvice;
}

/// "12 Q6_K, 31 Q4_K, ...": how many tensors got which type, and their bytes.
std::string TypeTable(const quantize::Source& source, const quantize::Plan& plan) {
  struct Row {
    std::size_t tensors = 0;
    std::uint64_t bytes = 0;
  };
  std::map<std::string_view, Row> rows;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    Row& row = rows[gguf::Info(plan.tensors[i].type).name];
    ++row.tensors;
    row.bytes += quantize::BytesAs(source.tensors()[i].info, plan.tensors[i].type);
  }
  std::string text;
  for (const auto& [name, row] : rows) {
    text += Format("{:8}{:5} tensors, {}\n", name, row.tensors,
                   FormatBytes(static_cast<double>(row.bytes)));
  }
  return text;
}

std::string Fallbacks(const quantize::Source& source, const quantize::Plan& plan) {
  std::string text;
  for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
    const quantize::PlannedType& planned = plan.tensors[i];
    if (planned.type != planned.wanted) {
      const gguf::TensorInfo& info = source.tensors()[i].info;
      text += Format("{} is {} instead of {}: its rows of {} are no whole number of blocks\n",
                     Printable(info.name), gguf::Info(planned.type).name,
                     gguf::Info(planned.wanted).name, info.dims[0]);
    }
  }
  return text;
}

/// A line on a terminal that is drawn over as the work goes on.
class ProgressLine {
 public:
  explicit ProgressLine(bool shown) : shown_(shown) {}
  ~ProgressLine() { Erase(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Draw(const quantize::Progress& progress) {
    const Clock::time_point now = Clock::now();
    if (!shown_ || now - last_ < std::chrono::milliseconds(100)) {
      return;
    }
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    const auto read = static_cast<double>(progress.read);
    const std::string line =
        Format("\r\x1b[K{:3.0f} %  {}/s  {}/{} {}",
               100 * read / std::max(1.0, static_cast<double>(progress.read_total)),
               FormatBytes(read / seconds), progress.done + 1, progress.total,
               Printable(progress.tensor, 40));
    std::fwrite(line.data(), 1, line.size(), stderr);
  }

  void Erase() {
    if (shown_) {
      std::fputs("\r\x1b[K", stderr);
    }
  }

 private:
  bool shown_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_{};
};

class QuantizeCommand : public Command {
 public:
  explicit QuantizeCommand(CLI::App& app) : Command(app) {
    app.add_option("IN", source_, "A GGUF file in F32, F16 or BF16 (any part of a split one)")
        ->required();
    app.add_option("OUT", output_, "The GGUF file to write")->required();
    CLI::Option* type = app.add_option("TYPE", type_, "What to make; see below");
    app.add_option("--imatrix", imatrix_,
                   "What matters: a file of 'tandem imatrix' or llama.cpp's");
    app.add_option("--recipe", recipe_, "A file of lines PATTERN TYPE that go before TYPE's rules");
    app.add_option("--dynamic", dynamic_,
                   "In place of TYPE: a size (2.5GB, 4.6bpw, or a type whose size it is) for which "
                   "each matrix gets the type that costs least")
        ->excludes(type)
        ->needs(app.add_option("--calibration", calibration_,
                               "The text for --dynamic, as for 'tandem imatrix'"));
    app.add_option("--calibration-chunks", calibration_chunks_,
                   "Pieces of 512 tokens to compare answers on")
        ->check(CLI::Range(1, 10000));
    app.add_flag("--special", special_, "Special tokens spelt out in --calibration count as such");
    app.add_flag("--allow-requantize", allow_requantize_,
                 "Take a source that is quantised already, and lose twice");
    app.add_flag("--dry-run", dry_run_, "Only say what would be made");
    app.add_option("--threads", threads_, "Threads; all cores without it")
        ->check(CLI::Range(1, 1024));
    app.footer(TypeHelp());
  }

  Result<ExitCode> Run() override {
    if (type_.empty() && dynamic_.empty()) {
      return UsageError(*this, "give a TYPE, or --dynamic SIZE --calibration TEXT");
    }
    // What --dynamic does not measure gets Q8_0.
    TANDEM_ASSIGN_OR_RETURN(const quantize::Mix mix,
                            quantize::FindMix(dynamic_.empty() ? type_ : "Q8_0"));
    TANDEM_RETURN_IF_ERROR(CheckOtherFile(source_, output_));
    TANDEM_ASSIGN_OR_RETURN(const quantize::Source source, quantize::Source::Open(source_));
    std::optional<quantize::Importance> importance;
    if (!imatrix_.empty()) {
      TANDEM_ASSIGN_OR_RETURN(importance, quantize::Importance::Read(imatrix_));
    }
    std::optional<quantize::Recipe> recipe;
    if (!recipe_.empty()) {
      TANDEM_ASSIGN_OR_RETURN(recipe, quantize::Recipe::Read(recipe_));
    }
    if (!dynamic_.empty()) {
      return RunDynamic(source, mix, recipe ? &*recipe : nullptr, std::move(importance));
    }
    const quantize::Importance* weights = importance ? &*importance : nullptr;
    TANDEM_ASSIGN_OR_RETURN(const quantize::Plan plan,
                            quantize::MakePlan(source, {.mix = mix,
                                                        .importance = weights,
                                                        .recipe = recipe ? &*recipe : nullptr,
                                                        .allow_requantize = allow_requantize_}));
    return Write(source, plan, quantize::MetadataFor(source, mix, plan, weights));
  }

 private:
  std::size_t Threads() const { return threads_ == 0 ? UsablePhysicalCores() : threads_; }

  /// Shows how far a measurement is; false when it should end.
  static quantize::ChunkProgress Counter(std::string what, const InterruptGuard& interrupt) {
    return [what = std::move(what), &interrupt, terminal = isatty(STDERR_FILENO) == 1](
               std::size_t done, std::size_t total) {
      if (terminal) {
        const std::string line =
            Format("\r\x1b[K{} {}/{}{}", what, done, total, done == total ? "\r\x1b[K" : "");
        std::fwrite(line.data(), 1, line.size(), stderr);
      }
      return !interrupt.interrupted();
    };
  }

  Result<ExitCode> RunDynamic(const quantize::Source& source, const quantize::Mix& mix,
                              const quantize::Recipe* recipe,
                              std::optional<quantize::Importance> importance) {
    TANDEM_ASSIGN_OR_RETURN(const std::uint64_t target,
                            quantize::ParseTargetSize(dynamic_, source));
    TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<gguf::ModelFile> file, gguf::ModelFile::Open(source_));
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<LoadedModel> model,
                            LoadedModel::Load(std::move(file)));
    TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(calibration_));
    const InterruptGuard interrupt;
    if (!importance) {
      TANDEM_ASSIGN_OR_RETURN(const quantize::Chunks all,
                              quantize::CutText(model->text(), text, {.special = special_}));
      TANDEM_ASSIGN_OR_RETURN(
          importance,
          quantize::CollectImportance(
              *model, all, {.threads = Threads(), .progress = Counter("reading", interrupt)}));
      importance->source = calibration_;
      importance->datasets = {std::filesystem::path(calibration_).filename().native()};
    }
    TANDEM_ASSIGN_OR_RETURN(quantize::Plan plan,
                            quantize::MakePlan(source, {.mix = mix,
                                                        .importance = &*importance,
                                                        .recipe = recipe,
                                                        .allow_requantize = allow_requantize_}));
    TANDEM_ASSIGN_OR_RETURN(
        const quantize::Chunks some,
        quantize::CutText(model->text(), text, {.most = calibration_chunks_, .special = special_}));
    const std::span<const gguf::TensorType> types = quantize::DynamicTypes();
    TANDEM_ASSIGN_OR_RETURN(
        std::vector<quantize::Sensitivity> measured,
        quantize::MeasureSensitivity(*model, some,
                                     {.types = {types.begin(), types.end()},
                                      .importance = &*importance,
                                      .threads = Threads(),
                                      .progress = Counter("measuring matrix", interrupt)}));
    if (recipe != nullptr) {  // what a person decided stays
      std::erase_if(measured, [&](const quantize::Sensitivity& one) {
        return recipe->Find(one.tensor) != nullptr;
      });
    }
    TANDEM_ASSIGN_OR_RETURN(const std::vector<quantize::DynamicChoice> choices,
                            quantize::ChooseDynamic(source, plan, measured, target));
    quantize::ApplyChoices(source, choices, plan);
    const std::string table = quantize::DynamicTable(choices);
    std::fwrite(table.data(), 1, table.size(), stdout);
    gguf::Metadata metadata = quantize::MetadataFor(source, mix, plan, &*importance);
    quantize::AddChoices(choices, target, metadata);
    return Write(source, plan, metadata);
  }

  Result<ExitCode> Write(const quantize::Source& source, const quantize::Plan& plan,
                         const gguf::Metadata& metadata) {
    const std::string told = Fallbacks(source, plan);
    std::fwrite(told.data(), 1, told.size(), stderr);
    if (dry_run_) {
      const std::string table = TypeTable(source, plan);
      std::fwrite(table.data(), 1, table.size(), stdout);
      return ExitCode::kSuccess;
    }
    const Clock::time_point start = Clock::now();
    const InterruptGuard interrupt;
    ProgressLine line(isatty(STDERR_FILENO) == 1);
    const Result<std::uint64_t> bytes =
        quantize::WriteQuantized(source, plan, metadata,
                                 {.output = output_,
                                  .threads = Threads(),
                                  .progress = [&](const quantize::Progress& progress) {
                                    line.Draw(progress);
                                    return !interrupt.interrupted();
                                  }});
    line.Erase();
    if (!bytes.ok()) {
      return bytes.status();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const std::string text =
        Format("{}wrote {}: {} tensors, {} in {:.1f} s\n", TypeTable(source, plan), output_,
               plan.tensors.size(), FormatBytes(static_cast<double>(*bytes)), seconds);
    std::fwrite(text.data(), 1, text.size(), stderr);
    return ExitCode::kSuccess;
  }

  std::string source_;
  std::string output_;
  std::string type_;
  std::string imatrix_;
  std::string recipe_;
  std::string dynamic_;
  std::string calibration_;
  std::size_t calibration_chunks_ = 4;
  bool special_ = false;
  bool allow_requantize_ = false;
  bool dry_run_ = false;
  std::size_t threads_ = 0;
};

}  // namespace

std::unique_ptr<Command> AddQuantize(CLI::App& tandem) {
  return std::make_unique<QuantizeCommand>(
      *tandem.add_subcommand("quantize", "Make a GGUF file smaller"));
}

}  // namespace tandem
