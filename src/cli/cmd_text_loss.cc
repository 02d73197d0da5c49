#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/commands.h"
#include "cli/input_text.h"
#include "cli/numbers.h"
#include "compare/opened_model.h"
#include "io/file.h"
#include "io/json.h"
#include "measure/text_loss.h"

namespace tandem {
namespace {

/// The options that both commands have.
struct LossArguments {
  std::string file;
  std::string journal;
  std::size_t window = 512;
  OpenSettings open;
  bool special = false;
  bool jsonl = false;
  bool json = false;

  void Add(CLI::App& app) {
    CLI::Option* cut = app.add_option("--window", window,
                                      "Tokens read on end; the second half is scored; default 512")
                           ->option_text(" N");
    app.add_flag(
           "--jsonl", jsonl,
           "FILE has a text in each line, a JSON string; each is read alone, all of it scored")
        ->excludes(cut);
    app.add_option("--journal", journal,
                   "Keep what is finished in FILE and go on from there after an interruption")
        ->option_text(" FILE");
    app.add_flag("--special", special,
                 "Special tokens spelt out in the text, as in rendered chats, count as such");
    app.add_option("--kv", open.kv,
                   "Format of cached keys and values: f16, f32, bf16, q8_0 or q4_0")
        ->option_text(" TYPE");
    app.add_option("--threads", open.threads, "Default: the physical cores that may be used")
        ->option_text(" N");
    app.add_option("--isa", open.isa, "auto, scalar, avx2, avx512vnni, amx or neon")
        ->option_text(" NAME");
    app.add_flag("--json", json, "Print one JSON object");
  }

  TextLossOptions Options(const OpenedModel& opened, std::vector<std::size_t> parts,
                          std::string key) const {
    TextLossOptions options;
    options.engine = opened.engine;
    options.window = window;
    options.parts = std::move(parts);
    options.journal = journal;
    options.journal_key = std::move(key);
    if (::isatty(STDERR_FILENO) != 0) {
      options.progress = [](std::size_t done, std::size_t windows) {
        std::fprintf(stderr, "\r\033[K%zu of %zu read", done, windows);
      };
    }
    return options;
  }
};

void ClearProgress() {
  if (::isatty(STDERR_FILENO) != 0) {
    std::fputs("\r\033[K", stderr);
  }
}

/// The tokens of the file.
struct Ids {
  std::vector<TokenId> all;
  std::vector<std::size_t> parts;  // see TextLossOptions

  bool operator==(const Ids&) const = default;
};

Result<Ids> ReadIds(const LossArguments& arguments, const OpenedModel& opened) {
  TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(arguments.file));
  TANDEM_RETURN_IF_ERROR(CheckUtf8(text, arguments.file));
  const auto encode = [&](std::string_view part) {
    const auto& tokenizer = opened.loaded->tokenizer();
    return arguments.special ? tokenizer.EncodeSpecial(part) : tokenizer.EncodePlain(part);
  };
  Ids ids;
  if (!arguments.jsonl) {
    ids.all = encode(text);
    return ids;
  }
  TANDEM_RETURN_IF_ERROR(ForLines(text, [&](std::string_view line, std::size_t number) -> Status {
    const std::string where = Format("{}, line {}", arguments.file, number);
    TANDEM_ASSIGN_OR_RETURN(const Json parsed, ParseJson(line, where));
    if (!parsed.is_string()) {
      return {StatusCode::kInvalidArgument, Format("{} is not a JSON string", where)};
    }
    const std::vector<TokenId> part = encode(parsed.get_ref<const std::string&>());
    ids.all.insert(ids.all.end(), part.begin(), part.end());
    ids.parts.push_back(part.size());
    return OkStatus();
  }));
  if (ids.parts.empty()) {
    return Status(StatusCode::kInvalidArgument, Format("{} has no texts", arguments.file));
  }
  return ids;
}

std::string ModelKey(const OpenedModel& opened) {
  return Format("{} {} bytes kv {}", opened.name, opened.loaded->file().file_bytes(),
                KvTypeName(opened.engine.kv));
}

Json EstimateJson(const Estimate& estimate) {
  return {{"mean", estimate.mean}, {"standard_error", estimate.error}};
}

Json LossJson(const TextLoss& loss) {
  return {{"tokens", loss.tokens},
          {"scored", loss.scored},
          {"nll", EstimateJson(loss.nll)},
          {"perplexity", EstimateJson(loss.perplexity)}};
}

std::string LossText(const TextLoss& loss) {
  return Format("perplexity {:.4f} +- {:.4f} over {} of {} tokens\n", loss.perplexity.mean,
                loss.perplexity.error, WithCommas(loss.scored), WithCommas(loss.tokens));
}

class PerplexityCommand : public Command {
 public:
  explicit PerplexityCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", model_, "Path of a GGUF file or a built-in name")->required();
    app.add_option("FILE", arguments_.file, "A text in UTF-8")->required();
    arguments_.Add(app);
    app.footer(
        "Lower is better; comparable only between models with the same vocabulary.\n"
        "\n"
        "Example:\n"
        "  tandem perplexity model.gguf wiki.test.raw");
  }

  Result<ExitCode> Run() override {
    TANDEM_ASSIGN_OR_RETURN(const OpenedModel opened, OpenedModel::Load(model_, arguments_.open));
    TANDEM_ASSIGN_OR_RETURN(const Ids ids, ReadIds(arguments_, opened));
    const Result<TextLoss> loss = MeasurePerplexity(
        opened.loaded->network(), ids.all, arguments_.Options(opened, ids.parts, ModelKey(opened)));
    ClearProgress();
    if (!loss.ok()) {
      return loss.status();
    }
    TANDEM_RETURN_IF_ERROR(opened.loaded->CheckFile());
    std::fputs(arguments_.json ? (LossJson(*loss).dump(2) + "\n").c_str() : LossText(*loss).c_str(),
               stdout);
    return ExitCode::kSuccess;
  }

 private:
  std::string model_;
  LossArguments arguments_;
};

class KlCommand : public Command {
 public:
  explicit KlCommand(CLI::App& app) : Command(app) {
    app.add_option("BASE", base_, "The model to compare with, e.g. the unquantised file")
        ->required();
    app.add_option("MODEL", model_, "The model that is judged")->required();
    app.add_option("FILE", arguments_.file, "A text in UTF-8")->required();
    arguments_.Add(app);
    app.add_option("--base-kv", base_kv_, "Format of BASE's cache; default: that of --kv")
        ->option_text(" TYPE");
    app.footer(
        "Both models must share a vocabulary. 0 is no loss; 0.01 is hard to notice.\n"
        "\n"
        "Examples:\n"
        "  tandem kl model-f16.gguf model-q4_k_m.gguf text.txt\n"
        "  tandem kl model.gguf model.gguf text.txt --base-kv f32 --kv q4_0");
  }

  Result<ExitCode> Run() override {
    OpenSettings base_open = arguments_.open;
    base_open.kv = base_kv_.empty() ? arguments_.open.kv : base_kv_;
    TANDEM_ASSIGN_OR_RETURN(const OpenedModel base, OpenedModel::Load(base_, base_open));
    TANDEM_ASSIGN_OR_RETURN(const OpenedModel model, OpenedModel::Load(model_, arguments_.open));
    TANDEM_ASSIGN_OR_RETURN(const Ids ids, ReadIds(arguments_, base));
    TANDEM_ASSIGN_OR_RETURN(const Ids other, ReadIds(arguments_, model));
    if (!(ids == other)) {
      return Status(StatusCode::kInvalidArgument,
                    Format("{} and {} split the text into different tokens; their distributions "
                           "cannot be compared",
                           base_, model_));
    }
    TextLossOptions options =
        arguments_.Options(model, ids.parts, ModelKey(base) + " " + ModelKey(model));
    options.base_kv = base.engine.kv;
    const Result<Divergence> result =
        MeasureDivergence(base.loaded->network(), model.loaded->network(), ids.all, options);
    ClearProgress();
    if (!result.ok()) {
      return result.status();
    }
    TANDEM_RETURN_IF_ERROR(base.loaded->CheckFile());
    TANDEM_RETURN_IF_ERROR(model.loaded->CheckFile());
    std::fputs(arguments_.json ? (ResultJson(*result).dump(2) + "\n").c_str()
                               : ResultText(*result).c_str(),
               stdout);
    return ExitCode::kSuccess;
  }

 private:
  static Json ResultJson(const Divergence& d) {
    return {{"base", LossJson(d.base)},
            {"model", LossJson(d.model)},
            {"kl",
             {{"mean", d.kl.mean},
              {"standard_error", d.kl.error},
              {"median", d.kl_median},
              {"p99", d.kl_99},
              {"max", d.kl_max}}},
            {"same_top_token", EstimateJson(d.same_top)}};
  }
  static std::string ResultText(const Divergence& d) {
    return Format(
        "base       {}"
        "model      {}"
        "KL         mean {:.6f} +- {:.6f}, median {:.6f}, 99% below {:.6f}, max {:.6f}\n"
        "same token {:.2f}% +- {:.2f}% of positions\n",
        LossText(d.base), LossText(d.model), d.kl.mean, d.kl.error, d.kl_median, d.kl_99, d.kl_max,
        100 * d.same_top.mean, 100 * d.same_top.error);
  }

  std::string base_;
  std::string base_kv_;
  std::string model_;
  LossArguments arguments_;
};

}  // namespace

std::unique_ptr<Command> AddPerplexity(CLI::App& tandem) {
  return std::make_unique<PerplexityCommand>(
      *tandem.add_subcommand("perplexity", "Measure how well a model predicts a text"));
}

std::unique_ptr<Command> AddKl(CLI::App& tandem) {
  return std::make_unique<KlCommand>(*tandem.add_subcommand(
      "kl", "Measure what a model lost against a better copy of it, on a text"));
}

}  // namespace tandem
