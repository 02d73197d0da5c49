#pragma once

#include <string>

#include "tandem/tandem.h"

#include "io/json.h"

namespace tandem {

std::string_view FinishName(Finish finish);

/// One answer as the JSON that `run --json` and `compare --json` print; docs/cli.md lists the
/// fields.
Json AnswerToJson(const ModelFacts& facts, const Answer& answer);

}  // namespace tandem
