#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "chat/media.h"
#include "cli/commands.h"
#include "cli/input_text.h"
#include "cli/inspection.h"
#include "cli/model_options.h"
#include "compare/opened_model.h"
#include "io/file.h"
#include "io/npy.h"
#include "plan/memory.h"
#include "runtime/engine.h"

namespace tandem {
namespace {

struct LogitsOptions {
  std::string model;
  std::optional<std::string> ids_file;
  std::optional<std::string> prompt;
  std::optional<std::string> messages;
  std::optional<std::string> think;
  std::optional<std::string> image_pixels;
  std::optional<std::string> video_pixels;
  OpenSettings open{.context_tokens = 0, .threads = 0, .isa = "auto", .kv = "f32"};
  std::size_t ubatch = 512;
  std::string rows = "all";
  std::optional<std::string> hidden;
  std::size_t greedy = 0;
  TokenId ban_from = 0;
  std::string output;
};

// "all", "last" or a comma-separated list of positions, as ascending row numbers.
Result<std::vector<std::size_t>> ParseRows(const std::string& text, std::size_t count) {
  std::vector<std::size_t> rows;
  if (text == "all") {
    for (std::size_t i = 0; i < count; ++i) {
      rows.push_back(i);
    }
    return rows;
  }
  if (text == "last") {
    return std::vector<std::size_t>{count - 1};
  }
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.size(), text.find(',', begin));
    std::size_t row = 0;
    const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, row);
    if (error != std::errc() || stop != text.data() + end || row >= count) {
      return Status(StatusCode::kInvalidArgument,
                    Format("--rows is '{}'; it takes all, last, or positions below {}",
                           Printable(text), count));
    }
    rows.push_back(row);
    begin = end + 1;
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

/// Collects what one reading of the prompt gives. Hidden states are kept whole: [layers + 1, n,
/// width].
struct Collected {
  std::vector<std::size_t> rows;  // wanted in the file
  std::size_t next_row = 0;
  std::optional<NpyWriter> file;
  Status error;
  std::vector<TokenId> argmax;
  std::vector<float> hidden;

  void TakeLogits(std::size_t row, std::span<const float> logits) {
    argmax.push_back(
        static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
    if (next_row < rows.size() && rows[next_row] == row) {
      ++next_row;
      if (error.ok()) {
        error = file->Append(logits);
      }
    }
  }
};

class LogitsCommand : public Command {
 public:
  explicit LogitsCommand(CLI::App& app) : Command(app) {
    LogitsOptions& o = options_;
    app.add_option("MODEL", o.model, "A GGUF file or a built-in name")->required();
    CLI::Option* ids = app.add_option("--ids-file", o.ids_file, "JSON file: an array of token ids");
    CLI::Option* prompt =
        app.add_option("--prompt", o.prompt, "Text to encode as it is, without a template");
    CLI::Option* messages =
        app.add_option("--messages", o.messages, "JSON file of messages, rendered by the template");
    ids->excludes(prompt)->excludes(messages);
    prompt->excludes(messages);
    app.add_option("--think", o.think, "true or false: force thinking on or off")
        ->needs(messages)
        ->check(CLI::IsMember({"true", "false"}));
    app.add_option("--mmproj", o.open.mmproj,
                   "Vision file (default: the tower inside MODEL, or a file beside it)");
    app.add_option("--image-pixels", o.image_pixels, "Least and most pixels of a picture")
        ->option_text(" MIN:MAX");
    app.add_option("--video-pixels", o.video_pixels,
                   "Least and most pixels of all frames of a clip")
        ->option_text(" MIN:MAX");
    app.add_flag("--allow-url", o.open.allow_url,
                 "Fetch pictures and clips that messages give as http(s) addresses");
    app.add_flag("--allow-private-url", o.open.allow_private_url,
                 "Also from this machine and its local network");
    app.add_option("--ctx", o.open.context_tokens, "Longest context in tokens")
        ->check(&RefuseNegative);
    app.add_option("--ubatch", o.ubatch, "Rows per step; 1 takes the decode path")
        ->check(CLI::Range(1, 4096));
    app.add_option("--threads", o.open.threads, "Threads (default: physical cores)")
        ->check(CLI::Range(1, 1024));
    app.add_option("--isa", o.open.isa,
                   "Instruction set: auto, scalar, avx2, avx512vnni, amx, neon")
        ->check(CLI::IsMember({"auto", "scalar", "avx2", "avx512vnni", "amx", "neon"}));
    app.add_option("--kv", o.open.kv, "Cache format: f32, f16, bf16, q8_0, q4_0")
        ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0", "q4_0"}));
    app.add_option("--rows", o.rows, "Positions to write: all, last, or a list such as 0,5,9");
    app.add_option("--hidden", o.hidden,
                   "Write [layers + 1, n, width] hidden states to this .npy file");
    CLI::Option* greedy = app.add_option("--greedy", o.greedy, "Then generate N most likely tokens")
                              ->check(&RefuseNegative);
    app.add_option("--ban-from", o.ban_from, "Generate only ids below this one")
        ->needs(greedy)
        ->check(&RefuseNegative);
    app.add_option("-o,--output", o.output, "The .npy file of logits, float32 [rows, vocabulary]")
        ->required();
  }

  Result<ExitCode> Run() override {
    if (!options_.ids_file && !options_.prompt && !options_.messages) {
      return UsageError(*this, "give --ids-file, --prompt or --messages");
    }
    TANDEM_ASSIGN_OR_RETURN(options_.open.image_pixels,
                            ParsePixels(options_.image_pixels, "--image-pixels"));
    TANDEM_ASSIGN_OR_RETURN(options_.open.video_pixels,
                            ParsePixels(options_.video_pixels, "--video-pixels"));
    TANDEM_ASSIGN_OR_RETURN(OpenedModel opened, OpenedModel::Load(options_.model, options_.open));
    opened.engine.max_step_rows = options_.ubatch;
    TANDEM_RETURN_IF_ERROR(opened.FitContext(AvailableMemory()));
    TANDEM_ASSIGN_OR_RETURN(const Prompt prompt, ReadPrompt(*opened.loaded));
    if (prompt.ids.empty()) {
      return Status(StatusCode::kInvalidArgument, "the prompt has no tokens");
    }
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                            Engine::Create(opened.loaded->network(), opened.engine));
    return Read(*opened.loaded, *engine, prompt);
  }

 private:
  // Only messages may hold pictures.
  Result<Prompt> ReadPrompt(const LoadedModel& loaded) const {
    Prompt plain;
    if (options_.ids_file) {
      TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(*options_.ids_file));
      TANDEM_ASSIGN_OR_RETURN(plain.ids, ParseIds(text, *options_.ids_file));
    } else if (options_.prompt) {
      TANDEM_RETURN_IF_ERROR(CheckUtf8(*options_.prompt, "the prompt"));
      plain.ids = loaded.tokenizer().EncodePlain(*options_.prompt);
    } else {
      return ReadMessages(loaded);
    }
    plain.rows = plain.ids;
    return plain;
  }

  Result<Prompt> ReadMessages(const LoadedModel& loaded) const {
    PromptOptions prompt_options{.think = ThinkMode::kDefault,
                                 .bos_text = loaded.text().bos_text(),
                                 .eos_text = loaded.text().eos_text(),
                                 .template_source = loaded.template_source()};
    TANDEM_ASSIGN_OR_RETURN(prompt_options.think, ParseThink(options_.think));
    TANDEM_ASSIGN_OR_RETURN(Conversation conversation, ReadConversationFile(*options_.messages));
    TANDEM_ASSIGN_OR_RETURN(const text::Template* chat_template, loaded.chat_template());
    TANDEM_ASSIGN_OR_RETURN(const std::vector<MediaSource> media, TakeMedia(conversation));
    TANDEM_ASSIGN_OR_RETURN(const auto seen, loaded.See(media, {}));
    prompt_options.media = seen;
    if (!seen.empty()) {
      prompt_options.media_merge = loaded.eyes()->config().shape.merge;
    }
    return BuildPrompt(*chat_template, loaded.tokenizer(), std::move(conversation), prompt_options);
  }

  Result<ExitCode> Read(const LoadedModel& loaded, Engine& engine, const Prompt& prompt) const {
    const ModelInfo& info = loaded.network().info();
    const std::vector<TokenId>& ids = prompt.ids;
    Collected out;
    TANDEM_ASSIGN_OR_RETURN(out.rows, ParseRows(options_.rows, ids.size()));
    Sequence sequence = engine.NewSequence();
    Request request;
    request.sequence = &sequence;
    request.prompt = prompt.rows;
    request.positions = prompt.positions;
    const std::vector<float> vectors = GatherVectors(prompt.runs, 0, ids.size());
    if (!vectors.empty()) {
      request.vectors_TE =
          Mat<const float>(vectors.data(), ids.size(), vectors.size() / ids.size());
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
      request.logit_rows.push_back(i);
    }
    request.on_logits = [&out](std::size_t row, std::span<const float> logits) {
      out.TakeLogits(row, logits);
    };
    std::vector<TokenId> tokens;
    Sampler sampler({.temperature = 0}, info.vocabulary, loaded.text().unused_tokens());
    if (options_.ban_from > 0) {
      sampler.BanFrom(options_.ban_from);
    }
    if (options_.greedy > 0) {
      request.sampler = &sampler;
      request.max_tokens = options_.greedy;
      request.on_token = [&tokens](TokenId token) {
        tokens.push_back(token);
        return true;
      };
    }
    if (options_.hidden) {
      out.hidden.resize((info.layers + 1) * ids.size() * info.width);
      request.on_hidden = [&](std::size_t index, std::size_t first_row, Mat<const float> x_TE) {
        if (tokens.empty()) {  // rows of the prompt only
          float* to = out.hidden.data() + (index * ids.size() + first_row) * info.width;
          std::copy_n(x_TE.data, x_TE.rows * info.width, to);
        }
      };
    }
    TANDEM_RETURN_IF_ERROR(engine.Submit(request));
    TANDEM_ASSIGN_OR_RETURN(NpyWriter file,
                            NpyWriter::Create(options_.output, {out.rows.size(), info.vocabulary}));
    out.file.emplace(std::move(file));
    while (request.finish == FinishReason::kRunning) {
      engine.Step();
    }
    if (request.finish == FinishReason::kError) {
      return request.error;
    }
    TANDEM_RETURN_IF_ERROR(out.error);
    TANDEM_RETURN_IF_ERROR(out.file->Finish());
    if (options_.hidden) {
      TANDEM_ASSIGN_OR_RETURN(
          NpyWriter hidden,
          NpyWriter::Create(*options_.hidden, {info.layers + 1, ids.size(), info.width}));
      TANDEM_RETURN_IF_ERROR(hidden.Append(out.hidden));
      TANDEM_RETURN_IF_ERROR(hidden.Finish());
    }
    Print(info, prompt, out, tokens);
    return ExitCode::kSuccess;
  }

  void Print(const ModelInfo& info, const Prompt& prompt, const Collected& out,
             const std::vector<TokenId>& tokens) const {
    Json object = {{"ids", prompt.ids}, {"rows", out.rows}, {"argmax", out.argmax}};
    if (info.architecture == "qwen35") {
      object["positions"] = Json::array();
      for (std::size_t axis = 0; axis < 3; ++axis) {
        std::vector<std::int32_t> positions(prompt.ids.size());
        for (std::size_t i = 0; i < positions.size(); ++i) {
          // Text alone: all three axes alike.
          positions[i] =
              prompt.positions.empty() ? static_cast<std::int32_t>(i) : prompt.positions[i][axis];
        }
        object["positions"].push_back(std::move(positions));
      }
    }
    if (options_.greedy > 0) {
      object["tokens"] = tokens;
    }
    std::puts(object.dump().c_str());
  }

  LogitsOptions options_;
};

}  // namespace

std::unique_ptr<Command> AddLogits(CLI::App& tandem) {
  return std::make_unique<LogitsCommand>(*tandem.add_subcommand(
      "logits", "Write a model's logits for a prompt to a file, for checks from outside"));
}

}  // namespace tandem
