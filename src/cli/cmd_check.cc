#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <CLI/CLI.hpp>

#include "tandem/tandem.h"
#include "tandem/version.h"

#include "base/format.h"
#include "check/check_data.h"
#include "check/file_check.h"
#include "check/llama_cpp_check.h"
#include "check/report.h"
#include "check/text_check.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_download.h"
#include "cli/numbers.h"
#include "cli/terminal.h"
#include "io/json.h"
#include "plan/memory.h"
#include "store/builtin.h"
#include "store/known_files.h"
#include "store/model_name.h"

namespace tandem {
namespace {

constexpr std::size_t kAnswerTokens = 400;  // thinking models are told not to
constexpr std::size_t kContext = 4096;
constexpr std::size_t kImageTokens = 1024;  // the default of --image-tokens
// Of the twenty questions; a sound model of these families misses one or two.
constexpr std::size_t kLeastRight = 15;

// The largest resident size of this process so far, in bytes; 0 when the system does not say.
std::uint64_t PeakMemory() {
  std::ifstream file("/proc/self/status");
  std::string word;
  while (file >> word) {
    std::uint64_t kilobytes = 0;
    if (word == "VmHWM:" && file >> kilobytes) {
      return kilobytes * 1024;
    }
  }
  return 0;
}

class CheckCommand : public Command {
 public:
  explicit CheckCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", name_, "Path of a GGUF file, or a name; a missing model is fetched")
        ->required();
    app.add_flag("--quick", quick_,
                 "Only the files: hashes, tensors, metadata, tokenizer, numbers");
    app.add_option("--threads", threads_, "Default: the physical cores that may be used")
        ->option_text(" N");
    app.add_option("--llama-cpp", llama_cpp_,
                   "Also compare with this program of llama.cpp, llama-completion")
        ->option_text(" FILE");
    app.add_flag("--yes", yes_, "Download the model when it is missing, without asking");
    app.add_flag("--json", json_, "Print one JSON object");
    app.footer(
        "Verifies hashes, compares tensors and metadata with what the architecture needs, looks "
        "for\n"
        "values that are no numbers, encodes texts whose ids are known, measures the perplexity "
        "of\n"
        "a short text, asks twenty questions, and holds speed and memory against the plan. Prints\n"
        "one report to paste into a bug report. Exit code 1 when anything failed.\n"
        "\n"
        "--json fields: model, version, ok, items (each with verdict, name, text).");
  }

  Result<ExitCode> Run() override {
    if (quick_ && !llama_cpp_.empty()) {
      return UsageError(*this, "--llama-cpp compares answers, and --quick gives none");
    }
    TANDEM_RETURN_IF_ERROR(EnsureModel(name_, {.yes = yes_, .quiet = json_}));
    TANDEM_ASSIGN_OR_RETURN(data_, CheckData::BuiltIn());
    interrupt_.emplace();
    const Status status = Look();
    if (!status.ok()) {
      return status;
    }
    const std::string text = json_ ? JsonText() : Text();
    WriteNow(text, STDOUT_FILENO);
    return report_.ok() ? ExitCode::kSuccess : ExitCode::kFailure;
  }

 private:
  // Everything in order; what cannot be looked at because of an earlier failure is left out. An
  // error only when interrupted, or when the name means nothing.
  Status Look() {
    TANDEM_ASSIGN_OR_RETURN(const ModelName name, ParseModelName(name_));
    TANDEM_RETURN_IF_ERROR(CheckHashes(name));
    Result<std::unique_ptr<gguf::ModelFile>> file = OpenModelFile(name_);
    std::error_code error;
    const bool is_there =  // and a part of it is missing
        name.kind == ModelName::Kind::kPath && std::filesystem::exists(name_, error);
    if (file.status().code() == StatusCode::kNotFound && !is_there) {
      return file.status();
    }
    if (!file.ok()) {
      report_.Failed("file", file.status().message());
      return OkStatus();
    }
    report_.Ok("file", Format("{}, {}", Printable((*file)->name(), 200),
                              FormatBytes(static_cast<double>((*file)->file_bytes()))));
    if (!CheckFile(**file, report_)) {
      return OkStatus();
    }
    return CheckOpened();
  }

  Status CheckHashes(const ModelName& name) {
    TANDEM_ASSIGN_OR_RETURN(const std::vector<KnownFile> files, FilesOfModel(name));
    for (const KnownFile& file : files) {
      const std::string shown = Printable(file.path.filename().string(), 200);
      if (file.hash.empty()) {
        report_.Note("hash", Format("{}: nobody promised one", shown));
        continue;
      }
      Status status = VerifyFile(file, nullptr, interrupt_->flag());
      if (status.code() == StatusCode::kCancelled) {
        return status;
      }
      if (status.ok()) {
        report_.Ok("hash", Format("{}: {}", shown, file.hash.hex()));
      } else {
        report_.Failed("hash", Format("{}: {}", shown, status.message()));
      }
    }
    return OkStatus();
  }

  Status CheckOpened() {
    Result<OpenedModel> opened =
        OpenedModel::Load(name_, {.threads = threads_, .image_tokens = kImageTokens});
    if (!opened.ok()) {
      report_.Failed("loading", opened.status().message());
      return OkStatus();
    }
    CheckVision(*opened->loaded, report_);
    if (quick_) {
      return OkStatus();
    }
    const std::size_t context = std::min(kContext, opened->loaded->network().info().context_length);
    opened->engine.context_tokens = context;
    if (const Status fits = opened->FitContext(AvailableMemory()); !fits.ok()) {
      report_.Failed("memory", fits.message());
      return OkStatus();
    }
    full_ = IsFullModel(*opened->loaded);
    CheckIds(*opened->loaded, data_, report_);
    if (!CheckPerplexity(*opened, data_, report_)) {
      return OkStatus();
    }
    TANDEM_RETURN_IF_ERROR(CheckAgreement(*opened));
    TANDEM_RETURN_IF_ERROR(CheckAnswers(context));
    CheckMemory(opened->Need(context).total());
    return OkStatus();
  }

  Status CheckAgreement(const OpenedModel& opened) {
    if (llama_cpp_.empty()) {
      return OkStatus();
    }
    TANDEM_ASSIGN_OR_RETURN(const ModelPlace place, FindModelPlace(name_));
    if (place.model.empty()) {
      report_.Note("llama.cpp", "cannot read a model that is part of this program");
      return OkStatus();
    }
    return CheckLlamaCpp(opened, llama_cpp_, place.model, data_, interrupt_->flag(), report_);
  }

  Status CheckAnswers(std::size_t context) {
    const Result<Model> model = Model::Open(
        name_, {.context_tokens = context, .threads = threads_, .isa = "auto", .kv = "f16"});
    if (!model.ok()) {
      report_.Failed("answers", model.status().message());
      return OkStatus();
    }
    GenerateOptions options;
    options.sampling.temperature = 0.0F;
    options.thinking = model->facts().has_thinking_switch ? Thinking::kOff : Thinking::kDefault;
    options.max_tokens = kAnswerTokens;
    options.cancel = interrupt_->flag();
    std::size_t right = 0;
    std::size_t loops = 0;
    std::string missed;
    double seconds = 0;
    double tokens = 0;
    Session session(*model);
    for (const SanityPrompt& prompt : data_.prompts) {
      session.Clear();
      session.Add({.role = "user", .content = prompt.prompt, .reasoning = ""});
      const Result<Answer> answer = session.Generate(options, nullptr);
      if (!answer.ok()) {
        report_.Failed("answers", answer.status().message());
        return OkStatus();
      }
      if (answer->finish == Finish::kCancelled) {
        return {StatusCode::kCancelled, "interrupted"};
      }
      const std::string whole = answer->reasoning + answer->text;
      loops += FindLoop(whole).has_value() ? 1U : 0U;
      seconds += answer->figures.decode_seconds;
      tokens += answer->figures.decode_seconds * answer->figures.decode_tokens_per_second;
      if (HasExpectedWord(answer->text, prompt)) {
        ++right;
      } else if (missed.empty()) {
        missed = Format("; '{}' gave '{}'", prompt.prompt, Printable(answer->text, 60));
      }
    }
    ReportAnswers(right, loops, missed);
    report_.Note("speed", Format("{} tokens/s while answering, {} with {} threads",
                                 ShortRate(seconds > 0 ? tokens / seconds : 0), model->facts().isa,
                                 model->facts().threads));
    return OkStatus();
  }

  void ReportAnswers(std::size_t right, std::size_t loops, const std::string& missed) {
    const std::string text = Format("{} of {} have the expected word, {} loop{}", right,
                                    data_.prompts.size(), loops, missed);
    if (!full_) {
      report_.Note("answers", text + "; not judged, the model is a small one");
    } else if (right >= kLeastRight && loops == 0) {
      report_.Ok("answers", text);
    } else {
      report_.Failed("answers", text);
    }
  }

  void CheckMemory(std::uint64_t planned) {
    const std::uint64_t peak = PeakMemory();
    const std::string text =
        Format("peak {}, planned {} for {}", FormatBytes(static_cast<double>(peak)),
               FormatBytes(static_cast<double>(planned)), TokenCount(kContext));
    // Two openings of one model: the check's own and that of the answers. The weights are shared,
    // what each needs besides is small.
    const std::uint64_t allowed = planned + planned / 10 + (std::uint64_t{256} << 20);
    if (peak <= allowed) {
      report_.Ok("memory", text);
    } else {
      report_.Failed("memory", text);
    }
  }

  std::string Text() const {
    return Format("tandem {} check {}\n{}{}\n", TANDEM_VERSION, Printable(name_), report_.Text(),
                  report_.ok() ? "Nothing failed." : "Something FAILED.");
  }

  std::string JsonText() const {
    Json items = Json::array();
    for (const CheckItem& item : report_.items()) {
      items.push_back(
          {{"verdict", VerdictName(item.verdict)}, {"name", item.name}, {"text", item.text}});
    }
    const Json object = {
        {"model", name_}, {"version", TANDEM_VERSION}, {"ok", report_.ok()}, {"items", items}};
    return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }

  std::string name_;
  std::string llama_cpp_;
  bool quick_ = false;
  bool yes_ = false;
  bool json_ = false;
  std::size_t threads_ = 0;
  CheckData data_;
  CheckReport report_;
  std::optional<InterruptGuard> interrupt_;
  bool full_ = false;
};

}  // namespace

std::unique_ptr<Command> AddCheck(CLI::App& tandem) {
  return std::make_unique<CheckCommand>(
      *tandem.add_subcommand("check", "Find out whether a model is sound and runs as it should"));
}

}  // namespace tandem
