#pragma once

#include "text/jinja/ast.h"

namespace tandem::jinja {

/// What jinja2 and Python check when a template is compiled: filters and tests exist, loops are
/// left from inside, blocks are defined once. Also finds the blocks and what macros read of the
/// special names. Errors are TemplateAssertionError or SyntaxError with their place.
Raised CheckProgram(Program& program);

}  // namespace tandem::jinja
