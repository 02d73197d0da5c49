#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/commands.h"
#include "cli/inspection.h"
#include "io/file.h"
#include "store/builtin.h"
#include "text/template.h"

namespace tandem {
namespace {

// "2026-11-23T09:18:00", with a space for the T, without seconds, or a date alone.
Result<std::tm> ParseTime(const std::string& text) {
  for (const char* format :
       {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    std::tm time{};
    const char* end = strptime(text.c_str(), format, &time);
    if (end != nullptr && (*end == '\0' || (*end == 'Z' && end[1] == '\0'))) {
      return time;
    }
  }
  return Status(
      StatusCode::kInvalidArgument,
      Format("--now is '{}'; it takes a time such as 2026-11-23T09:18:00", Printable(text)));
}

class RenderCommand : public Command {
 public:
  explicit RenderCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", model_, "A GGUF file or a built-in name, for its chat template");
    app.add_option("--template", template_,
                   "A file that holds a chat template, instead of a model");
    app.add_option("--messages", messages_,
                   "JSON file: a list of messages, or {\"messages\":.., \"tools\":..}");
    app.add_option("--vars", vars_, "JSON file: an object with all the template's variables");
    app.add_option("--think", think_, "true or false: force thinking on or off")
        ->check(CLI::IsMember({"true", "false"}));
    app.add_option("--now", now_, "The time that strftime_now sees, ISO 8601");
  }

  Result<ExitCode> Run() override {
    if (model_.has_value() == template_.has_value()) {
      return UsageError(*this, "give either a model or --template");
    }
    if (messages_.has_value() == vars_.has_value()) {
      return UsageError(*this, "give either --messages or --vars");
    }
    PromptOptions options;
    TANDEM_ASSIGN_OR_RETURN(options.think, ParseThink(think_));
    text::RenderOptions render;
    if (now_.has_value()) {
      TANDEM_ASSIGN_OR_RETURN(render.now, ParseTime(*now_));
    }
    TANDEM_ASSIGN_OR_RETURN(const std::string source, ReadTemplate(options));
    options.template_source = source;
    auto parsed = text::Template::Parse(source);
    if (!parsed.ok()) {
      return Status(StatusCode::kCorrupt, text::Describe(parsed.error()));
    }
    TANDEM_ASSIGN_OR_RETURN(auto rendered, Render(parsed.value(), options, render));
    if (!rendered.ok()) {
      return Status(StatusCode::kInvalidArgument, text::Describe(rendered.error()));
    }
    std::fwrite(rendered->text.data(), 1, rendered->text.size(), stdout);
    return ExitCode::kSuccess;
  }

 private:
  using Rendering = text::TemplateResult<text::Rendered>;

  Result<std::string> ReadTemplate(PromptOptions& options) const {
    if (template_.has_value()) {
      return ReadFile(*template_);
    }
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<gguf::ModelFile> file, OpenModelFile(*model_));
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<text::FileTokenizer> tokenizer,
                            text::FileTokenizer::Read(*file));
    options.bos_text = tokenizer->bos_text();
    options.eos_text = tokenizer->eos_text();
    TANDEM_ASSIGN_OR_RETURN(const std::string_view source,
                            file->GetString("tokenizer.chat_template"));
    return std::string(source);
  }

  Result<Rendering> Render(const text::Template& chat_template, const PromptOptions& options,
                           const text::RenderOptions& render) const {
    if (messages_.has_value()) {
      TANDEM_ASSIGN_OR_RETURN(Conversation conversation, ReadConversationFile(*messages_));
      return RenderConversation(chat_template, std::move(conversation), options, render);
    }
    TANDEM_ASSIGN_OR_RETURN(Json variables, ReadJsonFile(*vars_));
    if (!variables.is_object()) {
      return Status(StatusCode::kInvalidArgument,
                    Format("{}: the variables must be a JSON object", *vars_));
    }
    if (options.think != ThinkMode::kDefault) {
      variables["enable_thinking"] = options.think == ThinkMode::kOn;
    }
    return chat_template.Render(variables, render);
  }

  std::optional<std::string> model_;
  std::optional<std::string> template_;
  std::optional<std::string> messages_;
  std::optional<std::string> vars_;
  std::optional<std::string> think_;
  std::optional<std::string> now_;
};

}  // namespace

std::unique_ptr<Command> AddRender(CLI::App& tandem) {
  return std::make_unique<RenderCommand>(*tandem.add_subcommand(
      "render", "Show the prompt text that a chat template makes of a conversation"));
}

}  // namespace tandem
