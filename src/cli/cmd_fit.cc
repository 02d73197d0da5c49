#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "base/thread_pool.h"
#include "chat/eyes.h"
#include "cli/commands.h"
#include "cli/numbers.h"
#include "cli/plain_table.h"
#include "cli/terminal.h"
#include "compare/opened_model.h"
#include "io/json.h"
#include "measure/synthetic.h"
#include "model/network.h"
#include "plan/fit.h"
#include "plan/spec_sheet.h"
#include "store/catalogue.h"
#include "store/model_name.h"

namespace tandem {
namespace {

constexpr std::size_t kChartCells = 24;
constexpr std::size_t kImageTokens = 1024;  // the default of --image-tokens

std::string Bytes(std::uint64_t bytes) {
  return FormatBytes(static_cast<double>(bytes));
}

// Who says how large a model's weights are.
enum class SizeSource { kFile, kPublished, kComputed };

const char* SourceName(SizeSource source) {
  return source == SizeSource::kFile        ? "file"
         : source == SizeSource::kPublished ? "published"
                                            : "computed";
}

// A model with what the planner settled for it.
struct FittedModel {
  std::string name;
  SpecSheet sheet;
  ModelInfo info;
  MemoryRequest request;
  SizeSource source = SizeSource::kFile;
  bool lacks_vision = false;  // its vision file is not here, and no size of one is known
  std::size_t extended = 0;   // context with YaRN, as published
  std::size_t largest = 0;    // context that fits
};

// What the catalogue knows of a model, by the name that was given.
const CatalogueModel* FindPublished(const std::string& name) {
  const Result<ModelName> parsed = ParseModelName(name);
  return parsed.ok() && parsed->kind == ModelName::Kind::kCatalogue
             ? Catalogue::BuiltIn().Find(parsed->repository)
             : nullptr;
}

Json NeedJson(const MemoryNeed& need) {
  return {{"weights_bytes", need.weights}, {"cache_bytes", need.cache},
          {"state_bytes", need.state},     {"working_bytes", need.working},
          {"vision_bytes", need.vision},   {"program_bytes", need.program},
          {"total_bytes", need.total()}};
}

// '#' up to what is needed, '|' where the memory ends.
std::string Chart(std::uint64_t need, std::uint64_t available, std::uint64_t scale) {
  const auto cell = [&](std::uint64_t bytes) {
    return std::min<std::size_t>(
        kChartCells, static_cast<std::size_t>(static_cast<double>(bytes) /
                                              static_cast<double>(scale) * kChartCells));
  };
  std::string chart(kChartCells, ' ');
  std::fill_n(chart.begin(), std::max<std::size_t>(1, cell(need)), '#');
  if (available <= scale) {
    chart[std::min(kChartCells - 1, cell(available))] = '|';
  }
  return chart;
}

class FitCommand : public Command {
 public:
  explicit FitCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", names_,
                   "Models, on this machine or of the catalogue; several are also planned "
                   "together; default: qwen3.5:4b phi4-mini");
    app.add_option("--ctx", context_, "Only this context, e.g. 32768 or 128k")->option_text(" N");
    app.add_option("--kv", kv_, "Format of cached keys and values: f16, f32, bf16, q8_0 or q4_0")
        ->option_text(" TYPE")
        ->check(CLI::IsMember({"f16", "f32", "bf16", "q8_0", "q4_0"}));
    app.add_option("--parallel", conversations_, "Conversations at the same time; default 1")
        ->option_text(" N");
    app.add_option("--mmproj", mmproj_,
                   "Vision file; default: inside the model's file, or a fitting one beside it")
        ->option_text(" FILE");
    app.add_option("--ram", ram_,
                   "Plan for this much memory, e.g. 8g or 8gib; default: what is free")
        ->option_text(" SIZE");
    app.add_option("--threads", threads_, "Default: the physical cores that may be used")
        ->option_text(" N");
    app.add_flag("--json", json_, "Print one JSON object");
    app.footer(
        "Weights, cache, fixed state, working memory, vision and the program at every context;\n"
        "what fits; the longest context that does; the number format to take. A model of the\n"
        "catalogue that is not on this machine is planned from its published shape and size. Exit\n"
        "code 1 when --ctx, or without it the smallest context of the table, does not fit. 'run'\n"
        "and 'compare' plan with the same numbers.\n"
        "\n"
        "Examples:\n"
        "  tandem fit qwen3.5:4b\n"
        "  tandem fit qwen3.5:4b phi4-mini --ctx 32k --kv q8_0 --ram 8g\n"
        "\n"
        "--json fields: memory (total_bytes, available_bytes, cgroup_limit_bytes), models (each\n"
        "with model, quantisation, size_source, largest_context, context_limit, table), together\n"
        "(context, total_bytes, fits).");
  }

  Result<ExitCode> Run() override {
    if (const std::string problem = ReadOptions(); !problem.empty()) {
      return UsageError(*this, problem);
    }
    TANDEM_ASSIGN_OR_RETURN(const KvType kv, ParseKvType(kv_));
    std::vector<FittedModel> models;
    if (names_.empty()) {
      names_ = {"qwen3.5:4b", "phi4-mini"};
    }
    for (const std::string& name : names_) {
      TANDEM_ASSIGN_OR_RETURN(FittedModel model, Fit(name, kv));
      models.push_back(std::move(model));
    }
    const std::string text = json_ ? JsonText(models) : Text(models);
    WriteNow(text, STDOUT_FILENO);
    return Fits(models) ? ExitCode::kSuccess : ExitCode::kFailure;
  }

 private:
  // What is wrong with the options, or nothing.
  std::string ReadOptions() {
    machine_ = ReadMachineMemory();
    if (!ram_.empty()) {
      const std::optional<std::uint64_t> bytes = ParseBytes(ram_);
      if (!bytes.has_value()) {
        return Format("'{}' is no value of --ram; it takes bytes such as 8g or 8gib",
                      Printable(ram_));
      }
      machine_.available = *bytes;
    }
    if (!context_.empty()) {
      const std::optional<std::uint64_t> tokens = ParseTokens(context_);
      if (!tokens.has_value() || *tokens == 0) {
        return Format("'{}' is no value of --ctx; it takes tokens such as 32768 or 128k",
                      Printable(context_));
      }
      tokens_ = static_cast<std::size_t>(*tokens);
    }
    return conversations_ == 0 ? "--parallel needs at least one conversation" : "";
  }

  // As `run` would open it.
  Result<FittedModel> FitOpened(const OpenedModel& opened) const {
    FittedModel model;
    TANDEM_ASSIGN_OR_RETURN(model.sheet, ReadSpecSheet(opened.loaded->file()));
    model.info = opened.loaded->network().info();
    model.request.file_bytes = opened.loaded->file().file_bytes();
    model.request.vision_bytes = opened.VisionBytes();
    return model;
  }

  // From what is published: shapes, and a size where the catalogue has one.
  static Result<FittedModel> FitPublished(const CatalogueModel& published,
                                          const std::string& quant) {
    FittedModel model;
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<gguf::ModelFile> outline,
                            OpenOutline(published.name, quant));
    TANDEM_ASSIGN_OR_RETURN(model.sheet, ReadSpecSheet(*outline));
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Network> network, LoadNetwork(*outline));
    model.info = network->info();
    const std::optional<std::uint64_t> bytes = published.AboutBytes(quant);
    model.source = bytes.has_value() ? SizeSource::kPublished : SizeSource::kComputed;
    model.request.file_bytes = bytes.value_or(outline->file_bytes());
    model.lacks_vision = published.vision;
    return model;
  }

  Result<FittedModel> Fit(const std::string& name, KvType kv) const {
    const std::size_t threads = threads_ == 0 ? UsablePhysicalCores() : threads_;
    const CatalogueModel* published = FindPublished(name);
    const Result<OpenedModel> opened = OpenedModel::Load(
        name, {.threads = threads, .mmproj = mmproj_, .image_tokens = kImageTokens});
    FittedModel model;
    if (opened.ok()) {
      TANDEM_ASSIGN_OR_RETURN(model, FitOpened(*opened));
    } else if (published != nullptr && opened.status().code() == StatusCode::kNotFound) {
      TANDEM_ASSIGN_OR_RETURN(const ModelName parsed, ParseModelName(name));
      TANDEM_ASSIGN_OR_RETURN(model, FitPublished(*published, parsed.tag));
    } else {
      return opened.status();
    }
    model.name = name;
    model.extended = published == nullptr ? 0 : published->context_extended;
    if (tokens_ > model.info.context_length) {
      return Status(StatusCode::kInvalidArgument,
                    Format("{}: a context of {} tokens is more than the model's limit of {}", name,
                           tokens_, model.info.context_length));
    }
    model.request.kv = kv;
    model.request.threads = threads;
    model.request.conversations = conversations_;
    model.largest = LargestContext(model.info, model.request, machine_.available);
    return model;
  }

  std::vector<FitRow> Rows(const FittedModel& model) const {
    if (tokens_ == 0) {
      return FitTable(model.info, model.request, model.extended);
    }
    MemoryRequest request = model.request;
    request.context_tokens = tokens_;
    return {{.context_tokens = tokens_, .need = PlanMemory(model.info, request)}};
  }

  // The context that all models are planned at together.
  std::size_t CommonContext(const std::vector<FittedModel>& models) const {
    std::size_t context = tokens_ != 0 ? tokens_ : 32768;
    for (const FittedModel& model : models) {
      context = std::min(context, model.info.context_length);
    }
    return context;
  }

  std::uint64_t Together(const std::vector<FittedModel>& models) const {
    std::vector<MemoryNeed> needs;
    for (const FittedModel& model : models) {
      MemoryRequest request = model.request;
      request.context_tokens = CommonContext(models);
      needs.push_back(PlanMemory(model.info, request));
    }
    return TogetherBytes(needs);
  }

  bool Fits(const std::vector<FittedModel>& models) const {
    bool fits = models.size() < 2 || tokens_ == 0 || Together(models) <= machine_.available;
    for (const FittedModel& model : models) {
      fits = fits && Rows(model).front().need.total() <= machine_.available;
    }
    return fits;
  }

  std::string ModelText(const FittedModel& model) const {
    const std::vector<FitRow> rows = Rows(model);
    const MemoryNeed& least = rows.front().need;
    std::string out =
        Format("{}  {}, {} parameters\n", Printable(model.name),
               model.sheet.file_type.empty() ? "mixed formats" : model.sheet.file_type,
               ShortCount(model.sheet.parameters));
    if (model.source != SizeSource::kFile) {
      out +=
          Format("  not here; {}{}\n",
                 model.source == SizeSource::kPublished ? "shape and size as published"
                                                        : "published shape, size computed from it",
                 model.lacks_vision ? "; vision file not counted" : "");
    }
    out += Format("  weights {}, fixed state {}, working memory {},{}program {}\n",
                  Bytes(least.weights), least.state == 0 ? "none" : Bytes(least.state),
                  Bytes(least.working),
                  least.vision == 0 ? " " : Format("\n  vision {}, ", Bytes(least.vision)),
                  Bytes(least.program));
    std::uint64_t scale = machine_.available;
    for (const FitRow& row : rows) {
      scale = std::max(scale, std::min(row.need.total(), 2 * machine_.available));
    }
    PlainTable table({"  CONTEXT", "CACHE", "TOTAL", "", ""});
    for (const FitRow& row : rows) {
      const std::uint64_t total = row.need.total();
      table.Add({Format("  {:>9}", WithCommas(row.context_tokens)),
                 Format("{:>7}", Bytes(row.need.cache)), Format("{:>7}", Bytes(total)),
                 Chart(total, machine_.available, scale), Verdict(model, row)});
    }
    out += table.Render();
    out += "  " + Advice(model) + "\n";
    return out;
  }

  std::string Verdict(const FittedModel& model, const FitRow& row) const {
    const char* fits = row.need.total() <= machine_.available ? "fits" : "too much";
    return row.context_tokens > model.info.context_length ? Format("{}, needs YaRN", fits) : fits;
  }

  std::string Advice(const FittedModel& model) const {
    std::string text =
        model.largest == 0
            ? "no context fits"
            : Format("longest context that fits: {} tokens{}", WithCommas(model.largest),
                     model.largest == model.info.context_length ? ", the model's limit" : "");
    MemoryRequest request = model.request;
    request.context_tokens =
        tokens_ != 0 ? tokens_ : std::min<std::size_t>(32768, model.info.context_length);
    const std::optional<QuantChoice> choice =
        BestQuant(model.info, model.sheet.parameters, request, machine_.available);
    const std::string context = TokenCount(request.context_tokens);
    return text + (choice.has_value()
                       ? Format("\n  for {} take {}", context, choice->name)
                       : Format("\n  no common number format leaves room for {}", context));
  }

  std::string Text(const std::vector<FittedModel>& models) const {
    std::string out = MachineText();
    for (const FittedModel& model : models) {
      out += "\n" + ModelText(model);
    }
    if (models.size() > 1) {
      const std::uint64_t together = Together(models);
      out +=
          Format("\nTogether at {}: {}, {}\n", TokenCount(CommonContext(models)), Bytes(together),
                 together <= machine_.available ? "fits" : "too much; they would run in turns");
    }
    return out;
  }

  std::string MachineText() const {
    std::string out = Format("Memory: {} in all", Bytes(machine_.total));
    if (machine_.cgroup_limit.has_value()) {
      out += Format(", limited to {}", Bytes(*machine_.cgroup_limit));
    }
    return out + Format("; planning with {}{}\n", Bytes(machine_.available),
                        ram_.empty() ? ", which is free" : " as you said");
  }

  std::string JsonText(const std::vector<FittedModel>& models) const {
    Json object = {{"memory",
                    {{"total_bytes", machine_.total},
                     {"available_bytes", machine_.available},
                     {"cgroup_limit_bytes",
                      machine_.cgroup_limit.has_value() ? Json(*machine_.cgroup_limit) : Json()}}},
                   {"models", Json::array()}};
    for (const FittedModel& model : models) {
      Json rows = Json::array();
      for (const FitRow& row : Rows(model)) {
        Json item = {{"context", row.context_tokens}};
        item.update(NeedJson(row.need));
        item["fits"] = row.need.total() <= machine_.available;
        rows.push_back(std::move(item));
      }
      object["models"].push_back({{"model", model.name},
                                  {"quantisation", model.sheet.file_type},
                                  {"size_source", SourceName(model.source)},
                                  {"largest_context", model.largest},
                                  {"context_limit", model.info.context_length},
                                  {"table", std::move(rows)}});
    }
    if (models.size() > 1) {
      object["together"] = {{"context", CommonContext(models)},
                            {"total_bytes", Together(models)},
                            {"fits", Together(models) <= machine_.available}};
    }
    return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }

  std::vector<std::string> names_;
  std::string context_;
  std::string kv_ = "f16";
  std::string ram_;
  std::string mmproj_;
  std::size_t conversations_ = 1;
  std::size_t threads_ = 0;
  bool json_ = false;
  std::size_t tokens_ = 0;
  MachineMemory machine_;
};

}  // namespace

std::unique_ptr<Command> AddFit(CLI::App& tandem) {
  return std::make_unique<FitCommand>(
      *tandem.add_subcommand("fit", "Show what memory models need and what fits this machine"));
}

}  // namespace tandem
