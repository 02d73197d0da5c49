#pragma once

#include <ctime>
#include <initializer_list>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "text/template.h"

namespace tandem::text {

/// Options with the clock at 2026-11-23 09:18:00, as in the shared renderings.
inline RenderOptions FixedOptions() {
  std::tm time = {};
  time.tm_year = 126;
  time.tm_mon = 10;
  time.tm_mday = 23;
  time.tm_hour = 9;
  time.tm_min = 18;
  time.tm_wday = 1;
  time.tm_yday = 326;
  RenderOptions options;
  options.now = time;
  return options;
}

/// What the template prints, or "CLASS at LINE:COLUMN: message".
inline std::string Rendering(std::string_view source, const nlohmann::ordered_json& variables,
                             const RenderOptions& options = FixedOptions()) {
  const Template::Parsed parsed = Template::Parse(source);
  if (!parsed.ok()) {
    return Describe(parsed.error());
  }
  const TemplateResult<Rendered> rendered = parsed.value().Render(variables, options);
  return rendered.ok() ? rendered->text : Describe(rendered.error());
}

struct ExpectedRendering {
  std::string_view source;
  std::string_view result;
};

/// Renders each template with the same variables (JSON).
inline void ExpectRenderings(std::initializer_list<ExpectedRendering> cases,
                             std::string_view variables = "{}") {
  const auto json = nlohmann::ordered_json::parse(variables, nullptr, false);
  ASSERT_FALSE(json.is_discarded());
  for (const ExpectedRendering& expected : cases) {
    EXPECT_EQ(Rendering(expected.source, json), expected.result) << expected.source;
  }
}

}  // namespace tandem::text
