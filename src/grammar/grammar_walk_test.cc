// Random schemas, and random texts that only ever go where the set of allowed tokens lets them: all
// of them are JSON that the schema accepts.

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "grammar/grammar_for_test.h"
#include "grammar/schema_validator_for_test.h"
#include "io/json.h"

namespace tandem::grammar {
namespace {

/// Makes schemas of the subset. The same seed gives the same ones everywhere.
class SchemaMaker {
 public:
  explicit SchemaMaker(std::uint32_t seed) : random_(seed) {}

  Json Make() {
    Json defs = {{"d0", Schema(2)}, {"d1", Schema(1)}};
    Json schema = Schema(3);
    if (schema.is_object()) {
      schema["$defs"] = std::move(defs);
    }
    return schema;
  }

  std::size_t Below(std::size_t n) { return random_() % n; }

 private:
  bool Coin() { return Below(2) == 0; }

  std::string Name() {
    const char* kNames[] = {"a", "ab", "abc", "name", "é", "x y", "q\"", "b/~"};
    return kNames[Below(8)];
  }

  Json Schema(std::size_t depth) {
    switch (Below(depth == 0 ? 7 : 13)) {
      case 0:
        return {{"type", Coin() ? "boolean" : "null"}};
      case 1:
        return Integer();
      case 2:
        return Number();
      case 3:
        return String();
      case 4:
        return Pattern();
      case 5:
        return Enum();
      case 6:
        return Coin() ? Json(true) : Json{{"type", Json::array({"string", "integer", "null"})}};
      case 7:
      case 8:
        return Object(depth);
      case 9:
      case 10:
        return Array(depth);
      case 11:
        return {{"anyOf", Json::array({Schema(depth - 1), Schema(depth - 1), Schema(depth - 1)})}};
      default:
        // Optional, so that a value can be finite.
        return {{"anyOf", Json::array({{{"type", "array"},
                                        {"items", {{"$ref", Coin() ? "#/$defs/d0" : "#"}}}},
                                       {{"type", "integer"}}})}};
    }
  }

  Json Integer() {
    Json schema = {{"type", "integer"}};
    const auto low = static_cast<std::int64_t>(Below(3000)) - 1500;
    if (Coin()) {
      schema["minimum"] = low;
    }
    if (Coin()) {
      schema["exclusiveMaximum"] = low + 1 + static_cast<std::int64_t>(Below(2000));
    }
    return schema;
  }

  Json Number() {
    Json schema = {{"type", "number"}};
    const auto low = static_cast<std::int64_t>(Below(40)) - 20;
    if (Coin()) {
      schema[Coin() ? "minimum" : "exclusiveMinimum"] = low;
    }
    if (Coin()) {
      schema[Coin() ? "maximum" : "exclusiveMaximum"] =
          low + 1 + static_cast<std::int64_t>(Below(20));
    }
    return schema;
  }

  Json String() {
    Json schema = {{"type", "string"}};
    const std::size_t least = Below(4);
    if (Coin()) {
      schema["minLength"] = least;
    }
    if (Coin()) {
      schema["maxLength"] = least + Below(5);
    }
    return schema;
  }

  Json Pattern() {
    const char* kPatterns[] = {"^[a-z]{2,5}$", "^(ab|a)+c?$",   "b",
                               "^[^a]x|y$",    "^\\d{3}-\\w*$", "^.?n"};
    return {{"type", "string"}, {"pattern", kPatterns[Below(6)]}};
  }

  Json Enum() {
    Json values = Json::array({"ab", "abc", 1, 12, nullptr, 2.5, Json::array({1}), {{"a", "b"}}});
    Json chosen = Json::array();
    for (const Json& value : values) {
      if (Coin()) {
        chosen.push_back(value);
      }
    }
    chosen.push_back("last");
    return {{"enum", chosen}};
  }

  Json Object(std::size_t depth) {
    Json properties = Json::object();
    Json required = Json::array();
    for (std::size_t i = Below(4); i > 0; --i) {
      const std::string name = Name();
      if (!properties.contains(name)) {
        properties[name] = Schema(depth - 1);
        if (Coin()) {
          required.push_back(name);
        }
      }
    }
    Json schema = {{"type", "object"}, {"properties", properties}, {"required", required}};
    if (Coin()) {
      schema["additionalProperties"] = Coin() ? Json(false) : Schema(depth - 1);
    }
    return schema;
  }

  Json Array(std::size_t depth) {
    Json schema = {{"type", "array"}, {"items", Schema(depth - 1)}};
    const std::size_t least = Below(3);
    if (Coin()) {
      schema["minItems"] = least;
    }
    if (Coin()) {
      schema["maxItems"] = least + 1 + Below(3);
    }
    if (Below(3) == 0) {
      schema["prefixItems"] = Json::array({Schema(depth - 1), Schema(0)});
    }
    return schema;
  }

  std::mt19937 random_;
};

// A text of the matcher's language, token by token. After a while it looks for the end.
std::string RandomText(Matcher& matcher, SchemaMaker& random) {
  const std::vector<std::string>& texts = Tokens().texts();
  std::string text;
  std::vector<std::uint64_t> words(Tokens().trie()->words());
  matcher.Start();
  for (std::size_t step = 0; step < 3000; ++step) {
    if (step % 16 == 0) {
      words = CheckedTokens(matcher);
    } else {
      matcher.AllowedTokens(words);
    }
    std::vector<std::size_t> allowed;
    for (std::size_t id = 0; id < texts.size(); ++id) {
      if (Allows(words, id)) {
        allowed.push_back(id);
      }
    }
    EXPECT_EQ(allowed.empty(), matcher.must_end()) << text;
    if (allowed.empty() || (matcher.complete() && (step > 30 || random.Below(3) == 0))) {
      return text;
    }
    std::size_t id = allowed[random.Below(allowed.size())];
    if (step > 30) {
      // Both brackets at once: inside a string.
      const bool in_string = Allows(words, ']') && Allows(words, '}');
      for (const char end : {']', '}', '"'}) {
        if (Allows(words, static_cast<unsigned char>(end)) && (end == '"' || !in_string)) {
          id = static_cast<unsigned char>(end);
          break;
        }
      }
    }
    EXPECT_TRUE(matcher.Accept(texts[id])) << text << " + " << texts[id];
    text += texts[id];
  }
  ADD_FAILURE() << "no end: " << text;
  return text;
}

TEST(GrammarWalk, EveryTextIsValidUnderItsSchema) {
  std::size_t compiled = 0;
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    SchemaMaker maker(seed);
    const Json schema = maker.Make();
    const auto grammar = CompileFormat(schema.dump(), "schema");
    if (!grammar.ok()) {
      // A value that needs itself; nothing else is refused.
      EXPECT_NE(grammar.status().message().find("no finite value"), std::string::npos)
          << grammar.status().message();
      continue;
    }
    ++compiled;
    Matcher matcher(*grammar, Tokens().trie());
    const SchemaValidator validator(schema);
    for (int i = 0; i < 3; ++i) {
      const std::string text = RandomText(matcher, maker);
      const Json value = Json::parse(text, nullptr, false);
      ASSERT_FALSE(value.is_discarded()) << "seed " << seed << "\n"
                                         << schema.dump() << "\n"
                                         << text;
      ASSERT_TRUE(validator.Valid(value)) << "seed " << seed << "\n"
                                          << schema.dump() << "\n"
                                          << text;
    }
  }
  EXPECT_GT(compiled, 130U);
}

TEST(GrammarWalk, JsonIsAlwaysAnObject) {
  Matcher matcher = MatcherOf("json");
  SchemaMaker random(7);
  for (int i = 0; i < 50; ++i) {
    const std::string text = RandomText(matcher, random);
    EXPECT_TRUE(Json::parse(text, nullptr, false).is_object()) << text;
  }
}

}  // namespace
}  // namespace tandem::grammar
