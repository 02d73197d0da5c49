// Which texts a format allows and which it does not.

#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "grammar/char_pattern.h"
#include "grammar/grammar_for_test.h"
#include "grammar/number_pattern.h"
#include "io/json.h"

namespace tandem::grammar {
namespace {

struct Case {
  std::string format;
  std::vector<std::string> good;
  std::vector<std::string> bad;
};

void Check(const Case& c) {
  Matcher matcher = MatcherOf(c.format);
  for (const std::string& text : c.good) {
    EXPECT_TRUE(Matches(matcher, text)) << c.format << "\n  must allow " << text;
    EXPECT_TRUE(ParseJson(text, "text").ok()) << text;
  }
  for (const std::string& text : c.bad) {
    EXPECT_FALSE(Matches(matcher, text)) << c.format << "\n  must refuse " << text;
  }
}

TEST(Format, JsonIsAnyObject) {
  Check({"json",
         {"{}", "{ }", "{\"a\":1}", "{\"a\": [1, 2.5, -3e+7, true, false, null, \"x\"]}",
          "{\n  \"a\": {\n    \"b\": []\n  },\n\n  \"c\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"\n}",
          "{\"\\ud83d\\ude00\": \"\\uD83D\\uDE00 \xF0\x9F\x98\x80 \xC3\xA9\"}", "{\"a\": -0}",
          "{\"a\": 999999999999999999}", "{\"a\": 0.1234567890123456E-99}"},
         {"[]",
          "1",
          "\"a\"",
          "",
          " {}",
          "{} ",
          "{",
          "{\"a\"}",
          "{\"a\":}",
          "{\"a\":1,}",
          "{a:1}",
          "{\"a\" :1}",
          "{\"a\":1 ,\"b\":2}",
          "{\"a\":01}",
          "{\"a\":1.}",
          "{\"a\":.5}",
          "{\"a\":+1}",
          "{\"a\":1e}",
          "{\"a\":1e999}",
          "{\"a\":1000000000000000000}",
          "{\"a\":\"\n\"}",
          "{\"a\":\"\\x\"}",
          "{\"a\":\"\\ud83d\"}",
          "{\"a\":\"\\ude00\"}",
          "{\"a\":\"\\ud83d\\n\"}",
          "{\"a\":\"\x80\"}",
          "{\"a\":\"\xC0\x80\"}",
          "{\"a\":\"\xED\xA0\x80\"}",
          "{\"a\":\"\xF4\x90\x80\x80\"}",
          "{\"a\":truefalse}",
          "{\"a\":nul}",
          "{   \"a\":1}",
          "{\"a\":1}{",
          "{\n\n\n\"a\":1}"}});
}

TEST(Format, SchemasOfEachType) {
  Check({"true", {"1", "null", "[[]]", "{\"a\":\"b\"}", "\"\"", "-1.5"}, {"", "nope", "[", "1 "}});
  Check({"{}", {"1", "[]"}, {"x"}});
  Check({R"({"type":"null"})", {"null"}, {"0", "nul"}});
  Check({R"({"type":"boolean"})", {"true", "false"}, {"null", "True"}});
  Check({R"({"type":"string"})", {"\"\"", "\"a b\""}, {"1", "\"", "a"}});
  Check({R"({"type":"array"})", {"[]", "[1, \"a\"]", "[\n  1\n]"}, {"{}", "[1 2]", "[,]", "[1,]"}});
  Check({R"({"type":"object"})", {"{}", "{\"a\":[]}"}, {"[]"}});
  Check({R"({"type":["string","null","integer"]})", {"\"a\"", "null", "7"}, {"true", "7.5", "[]"}});
  Check({R"({"title":"t","description":"d","default":1,"examples":[1],"type":"integer"})",
         {"1"},
         {"\"1\""}});
}

TEST(Format, ObjectsKeepTheOrderOfTheirProperties) {
  Check({R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":true},
             "required":["b"]})",
         {R"({"b":""})", R"({"a":1,"b":"x"})", R"({ "a": 1, "b": "x", "c": [] })",
          R"({"b":"","c":1})"},
         {"{}", R"({"a":1})", R"({"b":"","a":1})", R"({"b":1})", R"({"b":"","d":1})",
          R"({"b":"",})", R"({"b":"","b":""})"}});
  Check({R"({"properties":{"a":{"type":"integer"}}})", {"{}", R"({"a":1})"}, {"[]", R"({"x":1})"}});
  // What is required without a schema of its own comes last.
  Check({R"({"type":"object","properties":{"a":{"type":"null"}},"required":["z","a","z"]})",
         {R"({"a":null,"z":[1]})"},
         {R"({"a":null})", R"({"z":1,"a":null})"}});
}

TEST(Format, FurtherPropertiesAreNoneOfTheNamedOnes) {
  Check(
      {R"({"type":"object","properties":{"ab":{"type":"integer"},"abc":{"type":"integer"},"é":true},
             "required":["ab"],"additionalProperties":{"type":"boolean"}})",
       {R"({"ab":1})",
        R"({"ab":1,"abc":2,"é":3,"a":true,"abcd":false,"ê":true,"":true,"x y":true})",
        R"({"ab":1,"abx":true})"},
       {R"({"ab":1,"ab":true})", R"({"ab":1,"abc":true})", R"({"ab":1,"x":1})",
        R"({"ab":1,"x":true,"abc":2})", R"({"ab":1,"\u0061b":true})",
        R"({"ab":1,"é":true,"é":true})", R"({"x":true,"ab":1})"}});
  Check({R"({"type":"object","additionalProperties":{"type":"integer"}})",
         {"{}", R"({"a":1,"b":2})", R"({"\n":1})"},
         {R"({"a":""})"}});
  Check({R"({"type":"object","properties":{"a":false,"b":true},"additionalProperties":false})",
         {"{}", R"({"b":1})"},
         {R"({"a":1})"}});
}

TEST(Format, ArraysCount) {
  Check({R"({"type":"array","items":{"type":"integer"},"minItems":2,"maxItems":3})",
         {"[1,2]", "[1, 2, 3]", "[ 1,2 ]"},
         {"[]", "[1]", "[1,2,3,4]", "[1,\"a\"]"}});
  Check(
      {R"({"type":"array","prefixItems":[{"type":"string"},{"type":"null"}],"items":{"type":"boolean"},
             "maxItems":4})",
       {"[]", "[\"\"]", "[\"\",null]", "[\"\",null,true]", "[\"\",null,true,false]"},
       {"[null]", "[\"\",1]", "[\"\",null,1]", "[\"\",null,true,false,true]"}});
  Check(
      {R"({"type":"array","prefixItems":[{"type":"string"},{"type":"null"}],"items":false,"minItems":1})",
       {"[\"\"]", "[\"\",null]"},
       {"[]", "[\"\",null,1]"}});
  Check({R"({"prefixItems":[{"type":"string"}],"minItems":3})",
         {"[\"\",1,[]]", "[\"\",1,[],{}]"},
         {"[\"\",1]", "[\"\"]"}});
  Check({R"({"prefixItems":[{"type":"string"},{"type":"null"}],"maxItems":1})",
         {"[]", "[\"\"]"},
         {"[\"\",null]"}});
  Check({R"({"type":"array","maxItems":0})", {"[]", "[ ]"}, {"[1]"}});
  Check({R"({"type":"array","minItems":4,"items":{"type":"array","minItems":1,"maxItems":1}})",
         {"[[1],[2],[3],[4]]"},
         {"[[1],[2],[3]]", "[[1],[2],[],[4]]"}});
}

TEST(Format, StringsCountCharacters) {
  Check({R"({"type":"string","minLength":2,"maxLength":3})",
         {"\"ab\"", "\"abc\"", "\"é€\"", "\"\\n\\u00e9\\ud83d\\ude00\"",
          "\"\xF0\x9F\x98\x80\xF0\x9F\x98\x80\""},
         {"\"a\"", "\"abcd\"", "\"é\"", "\"\\n\\n\\n\\n\""}});
  Check({R"({"type":"string","maxLength":0})", {"\"\""}, {"\"a\""}});
  Check({R"({"type":"string","minLength":1})",
         {"\"a\"", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaa\""},
         {"\"\""}});
}

TEST(Format, ValuesByName) {
  Check({R"({"enum":["red","reddish","\"",1,12,null,{"a":[1,{}]},[]]})",
         {"\"red\"", "\"reddish\"", "\"\\\"\"", "1", "12", "null", "{\"a\":[1,{}]}",
          "{ \"a\": [ 1, { } ] }", "[]"},
         {"\"re\"", "\"redd\"", "2", "122", "{\"a\":[1]}", "{}", "[1]"}});
  Check({R"({"const":"a"})", {"\"a\""}, {"\"b\"", "a"}});
  Check({R"({"type":"string","enum":["a",1,"b"]})", {"\"a\"", "\"b\""}, {"1"}});
  Check({R"({"type":"number","enum":[1.5,"x",2]})", {"1.5", "2"}, {"\"x\""}});
}

TEST(Format, Alternatives) {
  Check(
      {R"({"anyOf":[{"type":"integer"},{"type":"array","items":{"type":"null"}},false,{"const":"x"}]})",
       {"1", "[null]", "\"x\"", "[]"},
       {"\"y\"", "[1]", "1.5"}});
  // Readings that begin alike.
  Check(
      {R"({"anyOf":[{"type":"string","maxLength":1},{"type":"string","minLength":3},{"enum":["ab"]}]})",
       {"\"\"", "\"a\"", "\"ab\"", "\"abc\"", "\"xyz1\""},
       {"\"ac\"", "\"xy\""}});
  Check(
      {R"({"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"v":{"type":"integer"}},"required":["k","v"]},
                      {"type":"object","properties":{"k":{"const":"b"},"v":{"type":"string"}},"required":["k","v"]}]})",
       {R"({"k":"a","v":1})", R"({"k":"b","v":"1"})"},
       {R"({"k":"a","v":"1"})", R"({"k":"b","v":1})", R"({"k":"c","v":1})"}});
  Check({R"({"oneOf":[{"type":"string"},{"type":"null"},{"type":["integer","boolean"]}]})",
         {"\"\"", "null", "3", "true"},
         {"[]"}});
  Check({R"({"allOf":[{"type":"null"}]})", {"null"}, {"1"}});
}

TEST(Format, References) {
  Check({R"({"$defs":{"tree":{"type":"object","properties":{"v":{"type":"integer"},
               "kids":{"type":"array","items":{"$ref":"#/$defs/tree"}}},"required":["v"]}},"$ref":"#/$defs/tree"})",
         {R"({"v":1})", R"({"v":1,"kids":[{"v":2},{"v":3,"kids":[{"v":4,"kids":[]}]}]})"},
         {R"({"kids":[]})", R"({"v":1,"kids":[{}]})"}});
  Check({R"({"properties":{"a":{"type":"integer"},"b~/c":{"$ref":"#/properties/a"},
               "d":{"$ref":"#/properties/b~0~1c","description":"the same"}}})",
         {R"({"a":1,"b~/c":2,"d":3})"},
         {R"({"d":"x"})"}});
  Check({R"({"type":"array","items":{"anyOf":[{"$ref":"#"},{"type":"integer"}]}})",
         {"[]", "[1,[2,[3,[]]]]"},
         {"[\"a\"]", "[["}});
  Check(
      {R"({"definitions":{"a b":{"type":"null"}},"$ref":"#/definitions/a%20b"})", {"null"}, {"1"}});
}

TEST(Format, StringFormats) {
  Check({R"({"type":"string","format":"date"})",
         {"\"2024-02-29\"", "\"2023-12-31\"", "\"2000-02-29\"", "\"0001-01-01\"", "\"2023-04-30\""},
         {"\"2023-02-29\"", "\"1900-02-29\"", "\"2023-04-31\"", "\"2023-13-01\"", "\"2023-00-10\"",
          "\"2023-1-1\"", "\"2023-01-32\""}});
  Check({R"({"type":"string","format":"time"})",
         {"\"23:59:59Z\"", "\"00:00:00.123+05:30\""},
         {"\"24:00:00Z\"", "\"10:00:00\"", "\"10:60:00Z\""}});
  Check({R"({"format":"date-time"})", {"\"2024-02-29T12:30:00Z\""}, {"\"2024-02-30T12:30:00Z\""}});
  Check({R"({"format":"uuid"})",
         {"\"123e4567-e89b-12d3-a456-426614174000\""},
         {"\"123e4567-e89b-12d3-a456-42661417400\"", "\"123e4567e89b12d3a456426614174000\""}});
}

TEST(Format, Patterns) {
  Check({R"({"type":"string","pattern":"^[A-Z]{2,3}-\\d+$"})",
         {"\"AB-1\"", "\"ABC-123\""},
         {"\"A-1\"", "\"ABCD-1\"", "\"AB-\"", "\"xAB-1\"", "\"AB-1x\"", "\"ab-1\""}});
  Check({R"({"pattern":"b+"})", {"\"b\"", "\"abba\"", "\"\\n\\\"b\\\\\""}, {"\"a\"", "\"\""}});
  Check({R"({"pattern":"^a|b$"})", {"\"ax\"", "\"xb\"", "\"ab\""}, {"\"xa\"", "\"bx\""}});
  Check({R"({"pattern":"^(?:a|bc)*?$"})", {"\"\"", "\"abca\""}, {"\"b\"", "\"cb\""}});
  Check({R"({"pattern":"^.é[^x\\s]\\u{1F600}?\\x41\\.$"})",
         {"\"aéyA.\"", "\"éé\xF0\x9F\x98\x80\xF0\x9F\x98\x80\x41.\"", "\"\\\"éyA.\""},
         {"\"aexA.\"", "\"aéxA.\"", "\"aé A.\"", "\"\\néyA.\""}});
  Check({R"({"pattern":"^[\\w.-]{3}$"})", {"\"a.-\"", "\"_9Z\""}, {"\"a,b\"", "\"ab\""}});
  Check({R"({"pattern":"^[\\u0000-\\u001f]$"})",
         {"\"\\u0001\"", "\"\\n\""},
         {"\"\\u000a\"", "\" \""}});
  Check(
      {R"({"pattern":"^(a{2}){2}b{0}c?$"})", {"\"aaaa\"", "\"aaaac\""}, {"\"aaa\"", "\"aaaab\""}});
}

TEST(Format, Numbers) {
  Check({R"({"type":"integer"})",
         {"0", "-1", "123456789012345678", "10"},
         {"-0", "01", "1.0", "1e3", "1234567890123456789", "-"}});
  Check(
      {R"({"type":"integer","minimum":0,"exclusiveMaximum":10})", {"0", "9"}, {"10", "-1", "00"}});
  Check({R"({"type":"number","minimum":0})", {"0", "0.5", "12.75", "1000"}, {"-1", "-0.5", "1e5"}});
  Check({R"({"type":"number","exclusiveMinimum":0,"maximum":1})",
         {"1", "1.0", "0.01", "0.999"},
         {"0", "0.0", "1.01", "-1", "2"}});
  Check({R"({"type":"number","minimum":-2,"exclusiveMaximum":3})",
         {"-2", "-2.0", "-1.5", "-0.5", "0", "2.99"},
         {"-2.1", "3", "3.0", "-0", "-0.0"}});
  Check({R"({"type":"number","exclusiveMaximum":-5})",
         {"-6", "-5.1", "-123"},
         {"-5", "-5.0", "-4.9", "0"}});
}

// Every bound against every number, around where the number of digits changes.
TEST(Format, IntegerBoundsAreExact) {
  std::vector<std::int64_t> values;
  for (const std::int64_t at : {0, 9, 10, 19, 99, 100, 110, 999, 1005}) {
    for (const std::int64_t d : {-2, -1, 0, 1, 2}) {
      values.push_back(at + d);
      values.push_back(-at + d);
    }
  }
  for (std::size_t i = 0; i < values.size(); i += 2) {
    for (std::size_t j = 1; j < values.size(); j += 3) {
      const std::int64_t low = std::min(values[i], values[j]);
      const std::int64_t high = std::max(values[i], values[j]);
      Matcher matcher = MatcherOf("{\"type\":\"integer\",\"minimum\":" + std::to_string(low) +
                                  ",\"maximum\":" + std::to_string(high) + "}");
      for (const std::int64_t value : values) {
        EXPECT_EQ(Matches(matcher, std::to_string(value)), low <= value && value <= high)
            << value << " in " << low << ".." << high;
      }
    }
  }
}

TEST(Format, WhiteSpaceHasAnEnd) {
  Matcher matcher = MatcherOf(R"({"type":"array","items":{"type":"integer"}})");
  EXPECT_TRUE(Matches(matcher, "[\n\n" + std::string(20, ' ') + "1]"));
  EXPECT_FALSE(Matches(matcher, "[\n\n" + std::string(21, ' ') + "1]"));
  EXPECT_FALSE(Matches(matcher, "[\n\n\n1]"));
  EXPECT_FALSE(Matches(matcher, "[  1]"));
  EXPECT_TRUE(Matches(matcher, "[\n\t\t1\n]"));
}

TEST(Format, NestingHasAnEndAndStaysValid) {
  Matcher matcher = MatcherOf("json");
  const std::string open = "{\"a\":";
  matcher.Start();
  std::string text;
  while (matcher.Accept(open)) {
    text += open;
  }
  EXPECT_GT(text.size(), 100 * open.size());
  EXPECT_LT(text.size(), 300 * open.size());
  EXPECT_FALSE(matcher.Accept("["));
  CheckedTokens(matcher);
  ASSERT_TRUE(matcher.Accept("1"));
  text += "1";
  while (!matcher.complete()) {
    CheckedTokens(matcher);
    ASSERT_TRUE(matcher.Accept("}"));
    text += "}";
  }
  EXPECT_TRUE(matcher.must_end());
  EXPECT_TRUE(ParseJson(text, "text", 1000).ok());
}

}  // namespace
}  // namespace tandem::grammar
