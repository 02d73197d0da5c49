#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "tandem/tandem.h"

#include "base/format.h"
#include "cli/answer_format_option.h"
#include "cli/answer_text.h"
#include "cli/column_arguments.h"
#include "cli/commands.h"
#include "cli/comparison_report.h"
#include "cli/comparison_view.h"
#include "cli/input_text.h"
#include "cli/interrupt.h"
#include "cli/model_download.h"
#include "cli/model_options.h"
#include "cli/prompt_media.h"
#include "cli/prompts_file.h"
#include "cli/repl/compare_repl.h"
#include "cli/state_line.h"
#include "cli/terminal.h"
#include "cli/text_layout.h"
#include "io/file.h"
#include "store/model_name.h"

namespace tandem {
namespace {

constexpr const char* kFooter =
    "Every model answers the same prompt with the same seed and limits, each with its own\n"
    "recommended sampling unless options say otherwise. The models take turns, and each\n"
    "figure counts a model's own steps. Arguments are models as long as they are built-in\n"
    "names, files, or end in .gguf; the words after them are the prompt. Settings of one\n"
    "column follow its name: @think, @nothink, @temperature=0,seed=7,max-tokens=100 and so\n"
    "on, named as the options. Without a prompt a terminal is asked, line by line.\n"
    "\n"
    "Examples:\n"
    "  tandem compare qwen3.5:demo phi4-mini:demo \"What is 27 + 45?\"\n"
    "  tandem compare qwen3.5:demo@think qwen3.5:demo@nothink phi4-mini:demo Hello\n"
    "  tandem compare qwen3.5.gguf phi.gguf --image cat.jpg What is this\n"
    "  tandem compare a.gguf b.gguf --prompts mine.jsonl --report out.md\n"
    "\n"
    "A line of a prompts file is a JSON string, {\"prompt\": \"...\"} or {\"messages\": [...]},\n"
    "perhaps with \"tools\" beside it.\n"
    "--json fields: prompt, seed, together, notes, columns (each with label and the fields\n"
    "of 'tandem run --json', or error). With --prompts: seed, prompts (each with prompt and\n"
    "columns), medians, differing.";

// A seed that JSON readers keep exactly.
std::uint64_t NewSeed() {
  return std::random_device()();
}

class CompareCommand : public Command {
 public:
  explicit CompareCommand(CLI::App& app)
      : Command(app), out_(Terminal::Of(STDOUT_FILENO)), err_(Terminal::Of(STDERR_FILENO)) {
    app.add_option("MODEL", arguments_, "Two or more models, then the prompt")
        ->required()
        ->option_text("MODEL MODEL... [PROMPT...]");
    app.add_option("--prompt", prompt_, "The whole prompt; nothing is read from standard input")
        ->option_text(" TEXT");
    app.add_option("--prompts", prompts_path_, "Answer every prompt of this file of JSON lines")
        ->option_text(" FILE");
    app.add_option("--report", report_path_, "Write a Markdown report of --prompts to this file")
        ->option_text(" FILE");
    app.add_option("--system", system_, "Instructions that come before the prompt")
        ->option_text(" TEXT");
    AddModelOptions(app, options_);
    app.add_flag("--hidethinking", hide_thinking_, "Think, but do not show it");
    app.add_flag("--show-thinking", show_thinking_, "Show thinking in a pipe too");
    app.add_flag("--json", json_, "Print JSON when the answers are complete");
    app.add_flag("--yes", yes_, "Download missing models without asking");
    app.add_flag("--quiet", quiet_, "Nothing but answers, figures and errors");
    app.footer(kFooter);
  }

  Result<ExitCode> Run() override {
    if (const Status status = FinishModelOptions(options_); !status.ok()) {
      return UsageError(*this, status.message());
    }
    TANDEM_ASSIGN_OR_RETURN(options_.generate.format, ReadAnswerFormat(options_.format));
    std::vector<std::string> models = arguments_;
    std::size_t count = 0;
    while (count < arguments_.size() && IsModelArgument(arguments_[count])) {
      ++count;
    }
    models.resize(count);
    if (!options_.tools_path.empty()) {
      TANDEM_ASSIGN_OR_RETURN(options_.generate.tools, ReadToolsFile(options_.tools_path));
    }
    const std::vector<std::string> words(arguments_.begin() + static_cast<std::ptrdiff_t>(count),
                                         arguments_.end());
    if (const std::string problem = ProblemWith(models, words); !problem.empty()) {
      return UsageError(*this, problem);
    }
    Result<std::vector<CompareColumn>> columns = ParseColumns(models);
    if (!columns.ok()) {
      return UsageError(*this, columns.status().message());
    }
    for (const CompareColumn& column : *columns) {
      TANDEM_RETURN_IF_ERROR(EnsureModel(column.model, {.yes = yes_, .quiet = quiet_}));
    }
    guard_.emplace();  // a download has one of its own
    for (CompareColumn& column : *columns) {
      column.options.cancel = guard_->flag();
    }
    if (prompts_path_.has_value()) {
      return RunFile(std::move(*columns));
    }
    TANDEM_RETURN_IF_ERROR(CheckUtf8(system_.value_or(""), "the system text"));
    TANDEM_RETURN_IF_ERROR(CheckUtf8(prompt_.value_or(""), "the prompt"));
    TANDEM_ASSIGN_OR_RETURN(const std::string prompt, prompt_.has_value()
                                                          ? Result<std::string>(*prompt_)
                                                          : ReadPrompt(words));
    const bool shown = !options_.images.empty() || !options_.videos.empty();
    const bool chat = prompt.empty() && isatty(STDIN_FILENO) != 0 && out_.interactive && !json_;
    if (prompt.empty() && !chat && !shown) {
      return UsageError(*this, "there is no prompt, neither as an argument nor piped in");
    }
    TANDEM_ASSIGN_OR_RETURN(Comparison comparison, OpenComparison(std::move(*columns)));
    return chat ? Chat(comparison) : Once(comparison, prompt);
  }

 private:
  // What is wrong with the arguments taken together, or nothing.
  std::string ProblemWith(const std::vector<std::string>& models,
                          const std::vector<std::string>& words) const {
    if (models.size() < 2 && !words.empty()) {
      // A slip in a name, when it is near one.
      std::string unknown = UnknownModelName(words[0]).message();
      if (unknown.find("did you mean") != std::string::npos) {
        return unknown;
      }
      return Format(
          "'{}' is neither a built-in model, nor a file, nor a name that ends in .gguf; "
          "a comparison needs at least two models",
          Printable(words[0]));
    }
    if (models.size() < 2) {
      return "a comparison needs at least two models";
    }
    const bool explicit_prompt = prompt_.has_value() || prompts_path_.has_value();
    if (explicit_prompt && !words.empty()) {
      return Format("'{}' is neither a built-in model, nor a file, nor a name that ends in .gguf",
                    Printable(words[0]));
    }
    if (prompt_.has_value() && prompts_path_.has_value()) {
      return "--prompt and --prompts exclude each other";
    }
    return report_path_.has_value() && !prompts_path_.has_value() ? "--report needs --prompts" : "";
  }

  Result<std::vector<CompareColumn>> ParseColumns(const std::vector<std::string>& models) {
    CompareColumn common{
        .model = "", .label = "", .open = options_.open, .options = options_.generate};
    std::vector<CompareColumn> columns;
    for (const std::string& model : models) {
      TANDEM_ASSIGN_OR_RETURN(CompareColumn column, ParseColumn(model, common));
      columns.push_back(std::move(column));
    }
    MakeLabelsUnique(columns);
    return columns;
  }

  Result<Comparison> OpenComparison(std::vector<CompareColumn> columns) const {
    TANDEM_ASSIGN_OR_RETURN(Comparison comparison, Comparison::Open(std::move(columns)));
    ShowNotes(comparison.notes());
    return comparison;
  }

  void ShowNotes(const std::vector<std::string>& notes) const {
    for (const std::string& note : notes) {
      if (!quiet_) {
        WriteNow(Format("Note: {}\n", note), STDERR_FILENO);
      }
    }
  }

  std::uint64_t Seed() const {
    return options_.generate.sampling.seed.has_value() ? *options_.generate.sampling.seed
                                                       : NewSeed();
  }

  std::vector<Message> Messages(const std::string& prompt) const {
    std::vector<Message> messages;
    if (system_.has_value()) {
      messages.push_back({.role = "system", .content = *system_, .reasoning = ""});
    }
    messages.push_back(
        UserMessage(prompt, options_.images, options_.videos, options_.open.allow_url));
    return messages;
  }

  static std::vector<std::string> Labels(const Comparison& comparison) {
    std::vector<std::string> labels;
    for (const CompareColumn& column : comparison.columns()) {
      labels.push_back(column.label);
    }
    return labels;
  }

  // kFailure when a column has an error instead of an answer, unless that is what its model cannot
  // do (see images) and others can.
  ExitCode CodeOf(const std::vector<ColumnResult>& results) const {
    bool answered = false;
    for (const ColumnResult& result : results) {
      answered = answered || result.error.ok();
      if (!result.error.ok() && result.error.code() != StatusCode::kUnsupported) {
        return ExitCode::kFailure;
      }
    }
    if (!answered) {
      return ExitCode::kFailure;
    }
    return guard_->interrupted() ? ExitCode::kInterrupted : ExitCode::kSuccess;
  }

  Result<ExitCode> Once(Comparison& comparison, const std::string& prompt) {
    const std::uint64_t seed = Seed();
    const std::vector<Message> messages = Messages(prompt);
    if (!json_) {
      return CodeOf(ShowAnswers(comparison, messages, seed));
    }
    StateLine states(Labels(comparison), err_, quiet_ ? nullptr : PrintToErrors(), Now());
    const std::vector<ColumnResult> results =
        comparison.Run(messages, seed, [&states](std::size_t column, const Event& event) {
          states.OnEvent(column, event);
          return true;
        });
    states.Erase();
    Json object = {{"prompt", prompt},
                   {"seed", seed},
                   {"together", comparison.together()},
                   {"notes", comparison.notes()},
                   {"columns", ColumnsJson(comparison, results)}};
    WriteNow(DumpJson(object, 2), STDOUT_FILENO);
    return CodeOf(results);
  }

  static AnswerPrinter::Sink PrintToErrors() {
    return [](std::string_view text) { WriteNow(text, STDERR_FILENO); };
  }

  static AnswerPrinter::Clock Now() {
    return [] { return std::chrono::steady_clock::now(); };
  }

  static Json ColumnsJson(const Comparison& comparison, const std::vector<ColumnResult>& results) {
    Json columns = Json::array();
    for (std::size_t i = 0; i < results.size(); ++i) {
      columns.push_back(ColumnJson(comparison.columns()[i].label, results[i]));
    }
    return columns;
  }

  using RunColumns = std::function<std::vector<ColumnResult>(const CompareCallback&)>;

  // Shows the answers while `run` makes them, without figures.
  std::vector<ColumnResult> Stream(const Comparison& comparison, const RunColumns& run) {
    const auto print = [](std::string_view text) { WriteNow(text, STDOUT_FILENO); };
    ComparisonView view(Labels(comparison),
                        {.terminal = [] { return Terminal::Of(STDOUT_FILENO); },
                         .err = err_,
                         .show_reasoning = out_.interactive ? !hide_thinking_ : show_thinking_,
                         .quiet = quiet_,
                         .echo_fd = STDIN_FILENO},
                        print, PrintToErrors(), Now());
    std::vector<ColumnResult> results = run([&view](std::size_t column, const Event& event) {
      view.OnEvent(column, event);
      return true;
    });
    view.Finish(results, comparison.columns());
    for (std::size_t i = 0; i < results.size(); ++i) {
      for (const std::string& note : results[i].answer.notes) {
        ShowNotes({Format("{}: {}", comparison.columns()[i].label, note)});
      }
    }
    return results;
  }

  std::vector<ColumnResult> ShowAnswers(Comparison& comparison,
                                        const std::vector<Message>& messages, std::uint64_t seed) {
    std::vector<ColumnResult> results = Stream(comparison, [&](const CompareCallback& on_event) {
      return comparison.Run(messages, seed, on_event);
    });
    const Terminal terminal = Terminal::Of(STDOUT_FILENO);
    WriteNow("\n" + FiguresTable(Labels(comparison), results).Render(terminal), STDOUT_FILENO);
    return results;
  }

  Result<ExitCode> Chat(Comparison& comparison) {
    std::vector<Message> beginning;
    if (system_.has_value()) {
      beginning.push_back({.role = "system", .content = *system_, .reasoning = ""});
    }
    // What --image and --video show belongs to the first message.
    std::vector<std::string> images = options_.images;
    std::vector<std::string> videos = options_.videos;
    const auto say = [&](const std::string& text) {
      return UserMessage(text, std::exchange(images, {}), std::exchange(videos, {}),
                         options_.open.allow_url);
    };
    const auto turn = [&](const std::vector<std::vector<Message>>& messages) {
      std::vector<ColumnResult> results = Stream(comparison, [&](const CompareCallback& on_event) {
        std::vector<ColumnResult> made = comparison.ContinueEach(messages, Seed(), on_event);
        for (std::size_t i = 0; i < made.size(); ++i) {
          if (messages[i].empty()) {
            made[i].error = Status(StatusCode::kCancelled, "takes no turn");
          }
        }
        return made;
      });
      if (!quiet_) {
        WriteNow("\n" + out_.Dim(TurnSummary(Labels(comparison), results)), STDOUT_FILENO);
      }
      WriteNow("\n", STDOUT_FILENO);
      return results;
    };
    CompareRepl(comparison, std::move(beginning), out_, *guard_, {.message = say, .turn = turn})
        .Run();
    return ExitCode::kSuccess;
  }

  Result<ExitCode> RunFile(std::vector<CompareColumn> columns) {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<PromptCase> cases, ReadPromptsFile(*prompts_path_));
    std::optional<AtomicFileWriter> report;
    if (report_path_.has_value()) {  // a path that cannot be written must not cost an hour
      TANDEM_ASSIGN_OR_RETURN(AtomicFileWriter writer, AtomicFileWriter::Create(*report_path_));
      report.emplace(std::move(writer));
    }
    TANDEM_ASSIGN_OR_RETURN(Comparison comparison, OpenComparison(std::move(columns)));
    PromptsRun run{
        .columns = comparison.columns(), .seed = Seed(), .planned = cases.size(), .outcomes = {}};
    ExitCode code = ExitCode::kSuccess;
    for (const PromptCase& item : cases) {
      ShowProgress(run.outcomes.size(), cases.size());
      // As in 'tandem run', --tools win over those beside messages.
      comparison.SetTools(options_.tools_path.empty() ? item.tools : options_.generate.tools);
      std::vector<ColumnResult> results = comparison.Run(item.messages, run.seed, nullptr);
      if (guard_->interrupted()) {
        code = ExitCode::kInterrupted;
        break;
      }
      code = CodeOf(results) == ExitCode::kFailure ? ExitCode::kFailure : code;
      run.outcomes.push_back({.prompt = item.text, .results = std::move(results)});
    }
    EraseProgress();
    if (report.has_value()) {
      TANDEM_RETURN_IF_ERROR(report->Write(ReportMarkdown(run)));
      TANDEM_RETURN_IF_ERROR(report->Commit());
    }
    PrintSummary(comparison, run);
    return code;
  }

  void PrintSummary(const Comparison& comparison, const PromptsRun& run) const {
    if (json_) {
      WriteNow(DumpJson(RunJson(comparison, run), 2), STDOUT_FILENO);
      return;
    }
    std::string text = Format("{} of {} prompts, medians\n", run.outcomes.size(), run.planned);
    text += MediansTable(run).Render(out_);
    for (const std::string& line :
         WrapText(DifferencesText(run), out_.interactive ? out_.columns : 4096)) {
      text += line + "\n";
    }
    if (report_path_.has_value()) {
      text += Format("report: {}\n", *report_path_);
    }
    WriteNow(text, STDOUT_FILENO);
  }

  static Json RunJson(const Comparison& comparison, const PromptsRun& run) {
    Json prompts = Json::array();
    Json differing = Json::array();
    for (std::size_t i = 0; i < run.outcomes.size(); ++i) {
      const PromptOutcome& outcome = run.outcomes[i];
      prompts.push_back(
          {{"prompt", outcome.prompt}, {"columns", ColumnsJson(comparison, outcome.results)}});
      if (AnswersDiffer(outcome)) {
        differing.push_back(i + 1);
      }
    }
    return {{"seed", run.seed},
            {"prompts", std::move(prompts)},
            {"medians", MediansJson(run)},
            {"differing", std::move(differing)}};
  }

  // On a terminal one line that is drawn over; elsewhere a line for each prompt.
  void ShowProgress(std::size_t done, std::size_t total) const {
    if (!quiet_) {
      const std::string text = Format("prompt {} of {}", done + 1, total);
      WriteNow(err_.escapes ? "\r\x1b[K" + err_.Dim(text) : text + "\n", STDERR_FILENO);
    }
  }

  void EraseProgress() const {
    if (!quiet_ && err_.escapes) {
      WriteNow("\r\x1b[K", STDERR_FILENO);
    }
  }

  Terminal out_;
  Terminal err_;
  std::optional<InterruptGuard> guard_;  // from Run() on
  std::vector<std::string> arguments_;
  std::optional<std::string> prompt_;
  std::optional<std::string> system_;
  std::optional<std::string> prompts_path_;
  std::optional<std::string> report_path_;
  ModelOptions options_;
  bool hide_thinking_ = false;
  bool show_thinking_ = false;
  bool json_ = false;
  bool yes_ = false;
  bool quiet_ = false;
};

}  // namespace

std::unique_ptr<Command> AddCompare(CLI::App& tandem) {
  CLI::App* app = tandem.add_subcommand(
      "compare", "Let two or more models answer the same prompt, side by side, with figures");
  return std::make_unique<CompareCommand>(*app);
}

}  // namespace tandem
