#include "chat/tool_definitions.h"

#include <gtest/gtest.h>

namespace tandem {
namespace {

std::string ErrorOf(std::string_view json) {
  const Result<Json> parsed = ParseToolDefinitions(json, "t.json");
  return parsed.ok() ? "" : parsed.status().message();
}

TEST(ToolDefinitions, AreAListOrStandUnderTools) {
  const std::string list =
      R"([{"type":"function","function":{"name":"f"}},{"name":"g","parameters":{}}])";
  EXPECT_EQ(ParseToolDefinitions(list, "t")->dump(), list);
  EXPECT_EQ(ParseToolDefinitions(R"({"messages": [], "tools": )" + list + "}", "t")->dump(), list);
  for (const char* none : {"[]", "null", R"({"tools": null})", R"({"tools": []})"}) {
    EXPECT_TRUE(ParseToolDefinitions(none, "t").value().is_null()) << none;
  }
}

TEST(ToolDefinitions, ErrorNamesToolAndField) {
  EXPECT_EQ(ErrorOf("7"), "t.json: tools must be a list");
  EXPECT_EQ(ErrorOf("{}"), "t.json: the object has no \"tools\"");
  EXPECT_EQ(ErrorOf(R"([{"name": "f"}, 1])"), "t.json: tool 1: must be an object");
  EXPECT_EQ(ErrorOf(R"([{"type": "web", "name": "f"}])"),
            "t.json: tool 0: \"type\" is \"web\"; only \"function\" is known");
  for (const char* nameless : {"[{}]", R"([{"name": 1}])", R"([{"function": {"name": ""}}])"}) {
    EXPECT_EQ(ErrorOf(nameless), "t.json: tool 0: \"name\" must be a string, not empty");
  }
  EXPECT_EQ(ErrorOf(R"([{"name": "f", "parameters": []}])"),
            "t.json: tool 0: \"parameters\" must be an object");
  EXPECT_EQ(ErrorOf("[").find("t.json: not valid JSON at byte"), 0U);
}

TEST(ToolDefinitions, AreWrittenAsPythonWritesThem) {
  EXPECT_EQ(DumpAsPython(*ParseJson(R"({"b":[1,2.5,{"ä":null}],"a":{},"c":[],"t":true})", "t")),
            R"({"b": [1, 2.5, {"ä": null}], "a": {}, "c": [], "t": true})");
}

TEST(ToolSchemas, FindsParametersOfBothForms) {
  const ToolSchemas tools(*ParseToolDefinitions(
      R"([{"type": "function", "function": {"name": "weather", "parameters": {
             "type": "object", "properties": {"city": {"type": "string"}}}}},
          {"name": "sum", "parameters": {"a": {"type": "int"}}}, {"name": "now"}])",
      "t"));
  EXPECT_FALSE(tools.empty());
  EXPECT_TRUE(tools.Has("now"));
  EXPECT_FALSE(tools.Has("no"));
  EXPECT_TRUE(tools.HasBeginning("no"));
  EXPECT_FALSE(tools.HasBeginning("nos"));
  EXPECT_EQ(tools.Parameter("weather", "city")->dump(), R"({"type":"string"})");
  EXPECT_EQ(tools.Parameter("sum", "a")->dump(), R"({"type":"int"})");
  EXPECT_EQ(tools.Parameter("weather", "type"), nullptr);
  EXPECT_EQ(tools.Parameter("now", "a"), nullptr);
  EXPECT_EQ(tools.Parameter("other", "a"), nullptr);
  EXPECT_TRUE(ToolSchemas(Json()).empty());
}

TEST(ArgumentFromText, TakesTheTypeOfTheSchema) {
  struct Case {
    std::string_view schema;
    std::string_view text;
    std::string_view value;
  };
  constexpr Case kCases[] = {
      {R"({"type": "string"})", " 2 ", R"(" 2 ")"},
      {R"({"type": "string"})", "null", R"("null")"},
      {R"({"type": "str"})", "true", R"("true")"},
      {R"({"type": "integer"})", "2", "2"},
      {R"({"type": "int"})", "-7\n", "-7"},
      {R"({"type": "integer"})", "two", R"("two")"},  // never lost
      {R"({"type": "integer"})", "2.5", R"("2.5")"},
      {R"({"type": "number"})", "2.5", "2.5"},
      {R"({"type": "float"})", "1e3", "1000.0"},
      {R"({"type": "number"})", "2", "2"},
      {R"({"type": "boolean"})", "True", "true"},
      {R"({"type": "bool"})", "false", "false"},
      {R"({"type": "boolean"})", "yes", R"("yes")"},
      {R"({"type": "object"})", R"({"u": "C"})", R"({"u":"C"})"},
      {R"({"type": "array"})", "[1, 2]", "[1,2]"},
      {R"({"type": "array"})", "{}", R"("{}")"},
      {R"({"type": "array"})", "[1,", R"("[1,")"},
      {R"({"type": ["string", "null"]})", "null", "null"},
      {R"({"type": ["string", "null"]})", "x", R"("x")"},
      {R"({"anyOf": [{"type": "integer"}, {"type": "string"}]})", "5", "5"},
      {R"({"anyOf": [{"type": "integer"}, {"type": "string"}]})", "five", R"("five")"},
      {R"({"enum": ["a", "1"]})", "1", R"("1")"},
      {R"({"enum": [1, 2]})", "1", "1"},
      {R"({})", "1", "1"},
      {R"({})", "one", R"("one")"},
      {R"({})", R"("one")", R"("\"one\"")"},
  };
  for (const Case& c : kCases) {
    const Json schema = *ParseJson(c.schema, "schema");
    EXPECT_EQ(ArgumentFromText(c.text, &schema).dump(), c.value) << c.schema << " " << c.text;
  }
  EXPECT_EQ(ArgumentFromText("1", nullptr).dump(), R"("1")");
}

}  // namespace
}  // namespace tandem
