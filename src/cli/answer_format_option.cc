#include "cli/answer_format_option.h"

#include "base/format.h"
#include "grammar/format.h"
#include "io/file.h"

namespace tandem {

Result<std::string> ReadAnswerFormat(const std::string& given) {
  if (given.empty() || given == "json") {
    return given;
  }
  TANDEM_ASSIGN_OR_RETURN(std::string text, ReadFile(given));
  TANDEM_RETURN_IF_ERROR(grammar::CompileFormat(text, given).status());
  return text;
}

std::string AnswerFormatText(std::string_view format, std::string_view given) {
  return format.empty()     ? "Answers are free."
         : format == "json" ? "Answers are JSON objects."
                            : Format("Answers fit {}.", given);
}

}  // namespace tandem
