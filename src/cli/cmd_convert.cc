#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "convert/convert.h"
#include "io/file.h"

namespace tandem {
namespace {

class ConvertCommand : public Command {
 public:
  explicit ConvertCommand(CLI::App& app) : Command(app) {
    app.add_option("SRC", source_, "A Hugging Face checkpoint folder, or a GGUF file")->required();
    app.add_option("-o,--output", output_, "The GGUF file to write")->required();
    CLI::Option* alone = app.add_flag(
        "--mmproj", vision_, "Write the checkpoint's vision tower instead of its text model");
    app.add_flag("--with-vision", merged_, "Write its vision tower into the same file")
        ->excludes(alone);
    app.add_option("--type", type_, "Type of the matrices: f32, f16, bf16, q8_0");
  }

  Result<ExitCode> Run() override {
    TANDEM_RETURN_IF_ERROR(CheckOtherFile(source_, output_));
    const bool terminal = isatty(STDERR_FILENO) == 1;
    const InterruptGuard interrupt;
    convert::ConvertOptions options;
    options.source = source_;
    options.output = output_;
    options.type = type_;
    options.part = merged_   ? convert::CheckpointPart::kBoth
                   : vision_ ? convert::CheckpointPart::kVision
                             : convert::CheckpointPart::kText;
    options.progress = [terminal, &interrupt](const convert::Progress& progress) {
      if (terminal) {
        const std::string line = Format("\r\x1b[K{}/{} tensors, {}", progress.done, progress.total,
                                        FormatBytes(static_cast<double>(progress.bytes)));
        std::fwrite(line.data(), 1, line.size(), stderr);
      }
      return !interrupt.interrupted();
    };
    const Result<convert::ConvertSummary> summary = convert::Convert(options);
    if (terminal) {
      std::fputs("\r\x1b[K", stderr);
    }
    if (!summary.ok()) {
      return summary.status();
    }
    std::string line = Format("wrote {}: {} tensors, {}\n", output_, summary->tensors,
                              FormatBytes(static_cast<double>(summary->bytes)));
    for (const std::string& tensor : summary->fallbacks) {
      line += Format("{} is F16: its rows are no whole number of blocks\n", tensor);
    }
    std::fwrite(line.data(), 1, line.size(), stderr);
    return ExitCode::kSuccess;
  }

 private:
  std::string source_;
  std::string output_;
  std::string type_ = "f16";
  bool vision_ = false;
  bool merged_ = false;
};

}  // namespace

std::unique_ptr<Command> AddConvert(CLI::App& tandem) {
  return std::make_unique<ConvertCommand>(*tandem.add_subcommand(
      "convert", "Make a GGUF file from a checkpoint folder or re-encode another one"));
}

}  // namespace tandem
