#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/commands.h"
#include "cli/input_text.h"
#include "cli/inspection.h"
#include "text/stream_decoder.h"

namespace tandem {
namespace {

void Print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

class TokenizeCommand : public Command {
 public:
  explicit TokenizeCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", model_, "A GGUF file or a built-in name")->required();
    app.add_option("TEXT", text_, "What to encode; all of standard input when absent");
    app.add_flag("--jsonl", jsonl_, "Read one JSON string per line, print one array per line");
    app.add_flag("--special", special_,
                 "Let the text's special tokens be tokens; otherwise they are plain text");
  }

  Result<ExitCode> Run() override {
    TANDEM_ASSIGN_OR_RETURN(const OpenedTokenizer opened, OpenedTokenizer::Open(model_));
    std::string text;
    if (text_.has_value()) {
      TANDEM_RETURN_IF_ERROR(CheckUtf8(*text_, "the text"));
      text = *text_;
    } else {
      TANDEM_ASSIGN_OR_RETURN(text, ReadStandardInput());
    }
    if (!jsonl_) {
      PrintIds(opened, text);
      return ExitCode::kSuccess;
    }
    TANDEM_RETURN_IF_ERROR(ForLines(text, [&](std::string_view line, std::size_t number) -> Status {
      TANDEM_ASSIGN_OR_RETURN(const Json parsed, ParseJson(line, Format("line {}", number)));
      if (!parsed.is_string()) {
        return {StatusCode::kInvalidArgument, Format("line {} is not a JSON string", number)};
      }
      PrintIds(opened, parsed.get_ref<const std::string&>());
      return OkStatus();
    }));
    return ExitCode::kSuccess;
  }

 private:
  void PrintIds(const OpenedTokenizer& opened, std::string_view text) const {
    const text::Tokenizer& tokenizer = opened.text->tokenizer();
    std::string out = "[";
    for (const TokenId id :
         special_ ? tokenizer.EncodeSpecial(text) : tokenizer.EncodePlain(text)) {
      out += out.size() == 1 ? Format("{}", id) : Format(", {}", id);
    }
    Print(out + "]\n");
  }

  std::string model_;
  std::optional<std::string> text_;
  bool jsonl_ = false;
  bool special_ = false;
};

class DetokenizeCommand : public Command {
 public:
  explicit DetokenizeCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", model_, "A GGUF file or a built-in name")->required();
    app.add_flag("--jsonl", jsonl_, "Print one JSON string per array");
  }

  Result<ExitCode> Run() override {
    TANDEM_ASSIGN_OR_RETURN(const OpenedTokenizer opened, OpenedTokenizer::Open(model_));
    TANDEM_ASSIGN_OR_RETURN(const std::string input, ReadStandardInput());
    TANDEM_RETURN_IF_ERROR(
        ForLines(input, [&](std::string_view line, std::size_t number) -> Status {
          TANDEM_ASSIGN_OR_RETURN(const std::vector<TokenId> ids,
                                  ParseIds(line, Format("line {}", number)));
          text::StreamDecoder decoder(opened.text->tokenizer());
          std::string text;
          for (const TokenId id : ids) {
            if (static_cast<std::size_t>(id) >= opened.text->tokenizer().size()) {
              return {StatusCode::kInvalidArgument,
                      Format("line {}: token id {} is outside the vocabulary of {}", number, id,
                             opened.text->tokenizer().size())};
            }
            text += decoder.Push(id);
          }
          text += decoder.Flush();
          Print(jsonl_ ? Json(text).dump() + "\n" : text);
          return OkStatus();
        }));
    return ExitCode::kSuccess;
  }

 private:
  std::string model_;
  bool jsonl_ = false;
};

}  // namespace

std::unique_ptr<Command> AddTokenize(CLI::App& tandem) {
  return std::make_unique<TokenizeCommand>(
      *tandem.add_subcommand("tokenize", "Show the token ids of a text"));
}

std::unique_ptr<Command> AddDetokenize(CLI::App& tandem) {
  return std::make_unique<DetokenizeCommand>(*tandem.add_subcommand(
      "detokenize", "Turn JSON arrays of token ids on standard input back into text"));
}

}  // namespace tandem
