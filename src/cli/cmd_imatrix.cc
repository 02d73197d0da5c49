#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "base/thread_pool.h"
#include "chat/loaded_model.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "io/file.h"
#include "quantize/calibration.h"
#include "quantize/collector.h"
#include "store/builtin.h"

namespace tandem {
namespace {

class ImatrixCommand : public Command {
 public:
  explicit ImatrixCommand(CLI::App& app) : Command(app) {
    app.add_option("MODEL", model_, "A GGUF file or a built-in name; best the unquantised one")
        ->required();
    app.add_option("TEXT", text_, "A text file like what the model will read and write")
        ->required();
    app.add_option("-o,--output", output_, "The file to write")->required();
    app.add_option("--chunk", chunk_, "Tokens that are read together")
        ->check(CLI::Range(2, 1 << 20));
    app.add_option("--chunks", chunks_, "Pieces to read; 0: all of the text");
    app.add_flag("--special", special_,
                 "Special tokens spelt out in the text, as in rendered chats, count as such");
    app.add_option("--threads", threads_, "Threads; all cores without it")
        ->check(CLI::Range(1, 1024));
    app.footer(
        "Reads the text with the model and notes how large each input of each matrix is. 'tandem\n"
        "quantize --imatrix' then keeps what matters. 100 pieces of mixed text are plenty. The "
        "file\n"
        "has llama.cpp's GGUF form and works there too.");
  }

  Result<ExitCode> Run() override {
    TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<gguf::ModelFile> file, OpenModelFile(model_));
    TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<LoadedModel> model,
                            LoadedModel::Load(std::move(file)));
    TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(text_));
    TANDEM_ASSIGN_OR_RETURN(
        const quantize::Chunks chunks,
        quantize::CutText(model->text(), text,
                          {.chunk_tokens = chunk_, .most = chunks_, .special = special_}));
    const bool terminal = isatty(STDERR_FILENO) == 1;
    const InterruptGuard interrupt;
    Result<quantize::Importance> importance = quantize::CollectImportance(
        *model, chunks,
        {.threads = threads_ == 0 ? UsablePhysicalCores() : threads_,
         .progress = [&](std::size_t done, std::size_t total) {
           if (terminal) {
             const std::string line = Format("\r\x1b[K{}/{} pieces", done, total);
             std::fwrite(line.data(), 1, line.size(), stderr);
           }
           return !interrupt.interrupted();
         }});
    if (terminal) {
      std::fputs("\r\x1b[K", stderr);
    }
    if (!importance.ok()) {
      return importance.status();
    }
    importance->datasets = {std::filesystem::path(text_).filename().native()};
    TANDEM_RETURN_IF_ERROR(importance->Write(output_));
    const std::string line =
        Format("wrote {}: {} matrices, {} pieces of {} tokens\n", output_,
               importance->entries().size(), importance->chunks, importance->chunk_tokens);
    std::fwrite(line.data(), 1, line.size(), stderr);
    return ExitCode::kSuccess;
  }

 private:
  std::string model_;
  std::string text_;
  std::string output_;
  std::size_t chunk_ = 512;
  std::size_t chunks_ = 0;
  bool special_ = false;
  std::size_t threads_ = 0;
};

}  // namespace

std::unique_ptr<Command> AddImatrix(CLI::App& tandem) {
  return std::make_unique<ImatrixCommand>(*tandem.add_subcommand(
      "imatrix", "Find out from a text which inputs of a model's matrices matter"));
}

}  // namespace tandem
