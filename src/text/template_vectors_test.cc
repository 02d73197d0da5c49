#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/shared_data.h"
#include "text/template.h"
#include "text/template_for_test.h"

namespace tandem::text {
namespace {

using Json = nlohmann::ordered_json;

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// "OUTPUT text" or "ERROR class: message".
std::string Outcome(const Template& chat_template, const Json& variables) {
  const TemplateResult<Rendered> rendered = chat_template.Render(variables, FixedOptions());
  if (rendered.ok()) {
    return "OUTPUT " + rendered->text;
  }
  return "ERROR " + rendered.error().error_class + ": " + rendered.error().message;
}

std::string Expected(const Json& item) {
  if (item.contains("error")) {
    return "ERROR " + item["error"].get<std::string>() + ": " + item["message"].get<std::string>();
  }
  return "OUTPUT " + item["output"].get<std::string>();
}

struct Tally {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::string first_failure;
};

TEST(TemplateVectors, RenderAsJinja2Does) {
  TANDEM_SHARED_OR_SKIP(folder, "templates");
  std::map<std::string, Template> templates;
  std::map<std::string, Tally> tallies;
  std::ifstream lines(folder / "rendered.jsonl");
  std::string line;
  while (std::getline(lines, line)) {
    const Json item = Json::parse(line, nullptr, false);
    ASSERT_FALSE(item.is_discarded());
    const auto name = item["template"].get<std::string>();
    auto found = templates.find(name);
    if (found == templates.end()) {
      auto parsed = Template::Parse(ReadAll(folder / name));
      ASSERT_TRUE(parsed.ok()) << name << ": " << Describe(parsed.error());
      found = templates.emplace(name, std::move(parsed).value()).first;
    }
    const std::string expected = Expected(item);
    const std::string outcome = Outcome(found->second, item["variables"]);
    Tally& tally = tallies[name];
    if (outcome == expected) {
      ++tally.passed;
    } else if (tally.failed++ == 0) {
      tally.first_failure =
          item["case"].get<std::string>() + "\n  wanted " + expected + "\n  got    " + outcome;
    }
  }
  std::size_t passed = 0;
  for (const auto& [name, tally] : tallies) {
    passed += tally.passed;
    EXPECT_EQ(tally.failed, 0u) << name << ": " << tally.passed << " passed; first failure "
                                << tally.first_failure;
  }
  EXPECT_GT(passed, 0u);
  RecordProperty("passed", static_cast<int>(passed));
}

TEST(TemplateVectors, PromptsOfTheOracle) {
  TANDEM_SHARED_OR_SKIP(folder, "oracle");
  std::size_t checked = 0;
  for (const char* model : {"qwen-a", "qwen-b", "phi-a", "phi-b"}) {
    const auto parsed = Template::Parse(ReadAll(folder / model / "chat_template.jinja"));
    ASSERT_TRUE(parsed.ok()) << Describe(parsed.error());
    const Json cases = Json::parse(ReadAll(folder / model / "cases.json"), nullptr, false);
    ASSERT_FALSE(cases.is_discarded());
    for (const Json& item : cases) {
      if (item.value("kind", "") != "chat") {
        continue;
      }
      Json variables = item["options"];
      variables["messages"] = item["messages"];
      if (!variables.contains("add_generation_prompt")) {
        variables["add_generation_prompt"] = true;
      }
      EXPECT_EQ(Outcome(parsed.value(), variables), "OUTPUT " + item["prompt"].get<std::string>())
          << model << " " << item.value("name", "");
      ++checked;
    }
  }
  EXPECT_GT(checked, 0u);
}

}  // namespace
}  // namespace tandem::text
