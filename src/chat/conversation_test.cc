#include "chat/conversation.h"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tandem {
namespace {

std::string ErrorOf(std::string_view json) {
  const Result<Conversation> parsed = ParseConversation(json, "m.json");
  return parsed.ok() ? "" : parsed.status().message();
}

Conversation Parsed(std::string_view json) {
  Result<Conversation> parsed = ParseConversation(json, "m.json");
  EXPECT_TRUE(parsed.ok()) << parsed.status().message();
  return parsed.ok() ? std::move(parsed).value() : Conversation();
}

TEST(ParseConversation, TakesAListOrAnObjectWithTools) {
  const Conversation list = Parsed(R"([{"role": "user", "content": "Hi"}])");
  EXPECT_EQ(list.messages.dump(), R"([{"role":"user","content":"Hi"}])");
  EXPECT_TRUE(list.tools.is_null());
  const Conversation object =
      Parsed(R"({"tools": [{"name": "f"}], "messages": [{"role": "x", "content": null}]})");
  EXPECT_EQ(object.tools.dump(), R"([{"name":"f"}])");
  EXPECT_EQ(object.messages.dump(), R"([{"role":"x","content":null}])");
  EXPECT_TRUE(Parsed(R"({"messages": [], "tools": null})").tools.is_null());
}

TEST(ParseConversation, KeepsPartsAndUnknownFields) {
  const std::string text =
      R"([{"role":"user","content":[{"type":"image","image":"a.png"},{"type":"text","text":"b"}],"n":1}])";
  EXPECT_EQ(Parsed(text).messages.dump(), text);
}

TEST(ParseConversation, ParsesArgumentsGivenAsAString) {
  const auto arguments = [](std::string_view given, bool nested) {
    const std::string call = R"({"name": "f", "arguments": )" + std::string(given) + "}";
    const Conversation parsed = Parsed(R"([{"role": "assistant", "tool_calls": [)" +
                                       (nested ? R"({"function": )" + call + "}" : call) + "]}]");
    const Json& first = parsed.messages[0]["tool_calls"][0];
    return (nested ? first["function"] : first)["arguments"].dump();
  };
  for (const bool nested : {false, true}) {
    EXPECT_EQ(arguments(R"("{\"z\": 1, \"a\": [true]}")", nested), R"({"z":1,"a":[true]})");
    EXPECT_EQ(arguments(R"({"z": 1})", nested), R"({"z":1})");
    EXPECT_EQ(arguments(R"("")", nested), "{}");
  }
}

TEST(ParseConversation, ErrorNamesMessageAndField) {
  EXPECT_EQ(ErrorOf("7"), "m.json: messages must be a list");
  EXPECT_EQ(ErrorOf("{}"), "m.json: the object has no \"messages\"");
  EXPECT_EQ(ErrorOf(R"({"messages": [], "tools": {}})"), "m.json: \"tools\" must be a list");
  EXPECT_EQ(ErrorOf("[1]"), "m.json: message 0: must be an object");
  EXPECT_EQ(ErrorOf(R"([{"role": "user", "content": ""}, {"content": "x"}])"),
            "m.json: message 1: \"role\" must be a string");
  EXPECT_EQ(ErrorOf(R"([{"role": 1, "content": "x"}])"),
            "m.json: message 0: \"role\" must be a string");
  EXPECT_EQ(ErrorOf(R"([{"role": "user"}])"), "m.json: message 0: \"content\" is missing");
  EXPECT_EQ(ErrorOf(R"([{"role": "user", "content": 5}])"),
            "m.json: message 0: \"content\" must be a string, null or a list of parts");
  EXPECT_EQ(ErrorOf(R"([{"role": "user", "content": [5]}])"),
            "m.json: message 0: every part of \"content\" must be an object");
  EXPECT_EQ(ErrorOf(R"([{"role": "assistant", "content": "", "tool_calls": {}}])"),
            "m.json: message 0: \"tool_calls\" must be a list");
  EXPECT_EQ(ErrorOf(R"([{"role": "assistant", "content": "", "tool_calls": [{}, 1]}])"),
            "m.json: message 0: \"tool_calls\"[1] must be an object");
  EXPECT_EQ(ErrorOf(R"([{"role": "a", "tool_calls": [{"arguments": "[1]"}]}])"),
            "m.json: message 0: \"tool_calls\"[0]: \"arguments\" must hold a JSON object");
  const std::string broken = ErrorOf(R"([{"role": "a", "tool_calls": [{"arguments": "{"}]}])");
  EXPECT_EQ(broken.find("m.json: message 0: \"tool_calls\"[0]: \"arguments\": not valid JSON at"),
            0U)
      << broken;
  EXPECT_EQ(ErrorOf("[").find("m.json: not valid JSON at byte"), 0U);
}

struct Taken {
  std::string text;
  std::optional<bool> thinking;
};

Taken Take(std::string_view text) {
  Conversation conversation;
  conversation.messages = Json::array({{{"role", "user"}, {"content", text}}});
  Taken taken;
  taken.thinking = TakeSoftSwitch(conversation);
  taken.text = conversation.messages[0]["content"].get<std::string>();
  return taken;
}

TEST(SoftSwitch, FirstOrLastWordIsTakenWithItsWhiteSpace) {
  struct Case {
    std::string_view text;
    std::string_view left;
    std::optional<bool> thinking;
  };
  const Case cases[] = {
      {"Hello /no_think", "Hello", false},
      {"Hello /nothink", "Hello", false},
      {"/think Hello", "Hello", true},
      {"  /think \n Hello ", "Hello ", true},
      {"Hello\n\n/no_think\n", "Hello", false},
      {"/think", "", true},
      {" /no_think ", "", false},
      {"/no_think Hello /think", "Hello", true},
      {"/think Hello /no_think", "Hello", false},
      {"/think /no_think", "", false},
      {"what does /no_think mean", "what does /no_think mean", std::nullopt},
      {"/no_thinking please", "/no_thinking please", std::nullopt},
      {"use/think", "use/think", std::nullopt},
      {"/Think Hello", "/Think Hello", std::nullopt},
      {"", "", std::nullopt},
      {" \n", " \n", std::nullopt},
  };
  for (const Case& c : cases) {
    const Taken taken = Take(c.text);
    EXPECT_EQ(taken.text, c.left) << c.text;
    EXPECT_EQ(taken.thinking, c.thinking) << c.text;
  }
}

TEST(SoftSwitch, LastUserMessageThatCarriesOneDecides) {
  Conversation conversation = Parsed(R"([
    {"role": "system", "content": "Be brief. /think"},
    {"role": "user", "content": "a /think"},
    {"role": "assistant", "content": "b /think"},
    {"role": "user", "content": "/no_think c"},
    {"role": "tool", "content": "/think"},
    {"role": "user", "content": "d"}])");
  EXPECT_EQ(TakeSoftSwitch(conversation), std::optional(false));
  std::string left;
  for (const Json& message : conversation.messages) {
    left += message["content"].get<std::string>() + "|";
  }
  EXPECT_EQ(left, "Be brief. /think|a|b /think|c|/think|d|");
}

TEST(SoftSwitch, LooksAtTheTextPartsOfAMessage) {
  Conversation conversation = Parsed(R"([{"role": "user", "content": [
    {"type": "text", "text": " "}, {"type": "text", "text": "/think look"},
    {"type": "image", "image": "/no_think"},
    {"type": "text", "text": "here /nothink"}, {"type": "video", "video": "v"},
    {"type": "text", "text": ""}]}])");
  EXPECT_EQ(TakeSoftSwitch(conversation), std::optional(false));
  EXPECT_EQ(conversation.messages[0]["content"].dump(),
            R"([{"type":"text","text":" "},{"type":"text","text":"look"},)"
            R"({"type":"image","image":"/no_think"},)"
            R"({"type":"text","text":"here"},{"type":"video","video":"v"},)"
            R"({"type":"text","text":""}])");
}

TEST(SoftSwitch, LeavesOtherShapesAlone) {
  Conversation conversation;
  conversation.messages = Json::array({{{"role", 1}, {"content", "/think"}},
                                       {{"role", "user"}},
                                       {{"role", "user"}, {"content", nullptr}},
                                       "/think"});
  const std::string before = conversation.messages.dump();
  EXPECT_EQ(TakeSoftSwitch(conversation), std::nullopt);
  EXPECT_EQ(conversation.messages.dump(), before);
}

}  // namespace
}  // namespace tandem
