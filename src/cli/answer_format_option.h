#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace tandem {

/// What --format and /set format take: "json" as it is; otherwise a file, whose text is returned
/// when it is a JSON Schema that can be used. Errors of ReadFile and grammar::CompileFormat, which
/// name the file.
Result<std::string> ReadAnswerFormat(const std::string& given);

/// "Answers are JSON objects.": what a format that was read from `given` means.
std::string AnswerFormatText(std::string_view format, std::string_view given);

}  // namespace tandem
