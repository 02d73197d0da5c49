// What is outside the subset, or no schema at all, is refused in one line that names it.

#include <string>

#include <gtest/gtest.h>

#include "base/format.h"
#include "grammar/format.h"

namespace tandem::grammar {
namespace {

void Refuses(const std::string& format, StatusCode code, const std::string& message) {
  const auto grammar = CompileFormat(format, "s.json");
  ASSERT_FALSE(grammar.ok()) << format.substr(0, 200);
  EXPECT_EQ(grammar.status().code(), code) << grammar.status().message();
  EXPECT_NE(grammar.status().message().find(message), std::string::npos)
      << grammar.status().message() << "\n  lacks " << message;
  EXPECT_EQ(grammar.status().message().find('\n'), std::string::npos);
  EXPECT_LT(grammar.status().message().size(), 600U);
}

TEST(SchemaErrors, NameFilePointerAndKeyword) {
  const StatusCode unsupported = StatusCode::kUnsupported;
  Refuses(R"({"properties":{"age":{"type":"integer","multipleOf":5}}})", unsupported,
          "s.json: #/properties/age: 'multipleOf' is not supported");
  Refuses(R"({"items":{"properties":{"a/b":{"not":{}}}}})", unsupported,
          "s.json: #/items/properties/a~1b: 'not' is not supported");
  Refuses(R"({"uniqueItems":true})", unsupported, "#: 'uniqueItems'");
  Refuses(R"({"patternProperties":{}})", unsupported, "'patternProperties'");
  Refuses(R"({"allOf":[{},{}]})", unsupported, "'allOf'");
  Refuses(R"({"anyOf":[{}],"properties":{}})", unsupported, "'properties' beside 'anyOf'");
  Refuses(R"({"$ref":"#/a","type":"null"})", unsupported, "'type' beside '$ref'");
  Refuses(R"({"enum":["a"],"maxLength":3})", unsupported, "'maxLength' beside 'enum'");
  Refuses(R"({"type":"string","pattern":"a","minLength":3})", unsupported,
          "'minLength' beside 'pattern'");
  Refuses(R"({"type":"string","format":"email"})", unsupported, "'format' email");
  Refuses(R"({"items":[{}]})", unsupported, "'prefixItems' is");
  Refuses(R"({"$ref":"http://x/y.json"})", unsupported, "outside this document");
  Refuses(R"({"$ref":"#here"})", unsupported, "anchor");
  Refuses(R"({"type":"number","minimum":0.5})", unsupported, "a bound of 0.5 of a number");
  Refuses(R"({"type":"integer","maximum":1e18})", unsupported, "2^53");
  Refuses(R"({"type":"string","minLength":1000000})", unsupported, "'minLength' is 1000000");
  Refuses(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", unsupported,
          "alternative 0 may be one of alternative 1");
  Refuses(
      R"({"oneOf":[{"type":"object"},{"type":"object","properties":{"a":{}},"required":["a"]}]})",
      unsupported, "'anyOf' is supported");
}

TEST(SchemaErrors, Contradictions) {
  const StatusCode invalid = StatusCode::kInvalidArgument;
  Refuses("[1]", invalid, "#: a schema is an object");
  Refuses("false", invalid, "'false' allows no value");
  Refuses(R"({"type":"text"})", invalid, "'type' \"text\" is none of");
  Refuses(R"({"type":[]})", invalid, "empty list");
  Refuses(R"({"properties":[]})", invalid, "'properties' must be an object");
  Refuses(R"({"required":"a"})", invalid, "'required' must be a list of names");
  Refuses(R"({"properties":{},"required":["a"],"additionalProperties":false})", invalid,
          "'required' names 'a'");
  Refuses(R"({"properties":{"a":false},"required":["a"]})", invalid,
          "#/properties/a: 'false' allows no value");
  Refuses(R"({"type":"array","minItems":3,"maxItems":2})", invalid, "'minItems' 3 is above");
  Refuses(R"({"type":"array","minItems":3,"prefixItems":[{}],"items":false})", invalid,
          "'items' forbids more than 1");
  Refuses(R"({"minLength":-1})", invalid, "'minLength' must be");
  Refuses(R"({"maxItems":1.5})", invalid, "'maxItems' must be");
  Refuses(R"({"type":"integer","minimum":3,"exclusiveMaximum":3})", invalid, "between its bounds");
  Refuses(R"({"type":"number","exclusiveMinimum":3,"maximum":3})", invalid, "between its bounds");
  Refuses(R"({"type":"integer","minimum":"3"})", invalid, "'minimum' must be a number");
  Refuses(R"({"enum":[]})", invalid, "'enum' must be a list");
  Refuses(R"({"type":"null","enum":[1]})", invalid, "'enum' has no value of its 'type'");
  Refuses(R"({"anyOf":[]})", invalid, "'anyOf' must be a list");
  Refuses(R"({"anyOf":[false]})", invalid, "'anyOf' allows no value");
  Refuses(R"({"$ref":"#/nowhere"})", invalid, "'#/nowhere' leads nowhere");
  Refuses(R"({"$ref":"#"})", invalid, "s.json: # refers to itself");
  Refuses(
      R"({"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"})",
      invalid, "refers to itself with nothing in between");
  Refuses(R"({"properties":{"a":{"$ref":"#"}},"required":["a"]})", invalid, "no finite value");
}

TEST(SchemaErrors, Patterns) {
  const auto pattern = [](const std::string& text) { return R"({"pattern":")" + text + R"("})"; };
  const StatusCode unsupported = StatusCode::kUnsupported;
  const StatusCode invalid = StatusCode::kInvalidArgument;
  Refuses(pattern("a(?=b)"), unsupported, "look-around");
  Refuses(pattern(R"((a)\\1)"), unsupported, R"('\1' is not supported)");
  Refuses(pattern(R"(\\bword)"), unsupported, R"('\b' is not supported)");
  Refuses(pattern(R"(\\p{L})"), unsupported, R"('\p' is not supported)");
  Refuses(pattern("(^a)"), unsupported, "'^' inside");
  Refuses(pattern("a$b"), unsupported, "'$' inside");
  Refuses(pattern("a("), invalid, "'(' without");
  Refuses(pattern("a)"), invalid, "')' without");
  Refuses(pattern("[a"), invalid, "'[' without");
  Refuses(pattern("[b-a]"), invalid, "not ascending");
  Refuses(pattern("*a"), invalid, "nothing to repeat");
  Refuses(pattern("a**"), invalid, "a quantifier follows");
  Refuses(pattern("a{2,1}"), invalid, "ends before it begins");
  Refuses(pattern("a{x}"), invalid, "begins no {m}");
  Refuses(pattern("^[]$"), invalid, "matches nothing");
  Refuses(pattern(R"(\\ud800)"), invalid, "surrogate");
  Refuses(pattern("(a{1000}){1000}"), unsupported, "more than");
  Refuses(pattern("((((a{9999}){9999}){9999}){9999}){9999}"), unsupported, "more than");
  Refuses(pattern("a.{40}$"), unsupported, "more than");  // 2^40 states
}

TEST(SchemaErrors, Limits) {
  std::string deep = "1";
  for (int i = 0; i < 300; ++i) {
    deep = "{\"items\":" + deep + "}";
  }
  Refuses(deep, StatusCode::kUnsupported, "100 nested levels");
  std::string chain = R"({"$ref":"#/$defs/0","$defs":{)";
  for (int i = 0; i < 300; ++i) {
    chain += Format(R"("{}":{{"$ref":"#/$defs/{}"}},)", i, i + 1);
  }
  Refuses(chain + R"("300":{"type":"null"}}})", StatusCode::kUnsupported,
          "100 schemas in each other");
  std::string wide = R"({"properties":{)";
  for (int i = 0; i < 1001; ++i) {
    wide += Format(R"({}"p{}":true)", i == 0 ? "" : ",", i);
  }
  Refuses(wide + "}}", StatusCode::kUnsupported, "1001 properties");
  Refuses("{" + std::string(2 << 20, ' ') + "}", StatusCode::kUnsupported, "1048576 are the limit");
  std::string words = R"({"enum":[)";
  for (int i = 0; i < 1000; ++i) {
    words += Format(R"({}"{}{}")", i == 0 ? "" : ",", i, std::string(200, 'a'));
  }
  Refuses(words + "]}", StatusCode::kUnsupported, "131072 states");
  Refuses(Format(R"({{"properties":{{"{}":{{"type":"null"}}}}}})", std::string(5000, 'a')),
          StatusCode::kUnsupported, "a pointer of more than");
  Refuses(R"({"type":"null")", StatusCode::kCorrupt, "s.json: not valid JSON at byte");
}

}  // namespace
}  // namespace tandem::grammar
