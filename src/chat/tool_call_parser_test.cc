#include "chat/tool_call_parser.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/format.h"
#include "text/vocabulary_for_test.h"

namespace tandem {
namespace {

const ToolSchemas& Tools() {
  static const ToolSchemas kTools(*ParseToolDefinitions(
      R"([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object",
             "properties": {"city": {"type": "string"}, "days": {"type": "integer"},
                            "opts": {"type": "object"}, "dry": {"type": "boolean"}}}}},
          {"name": "now", "parameters": {}}])",
      "tools"));
  return kTools;
}

// Events as text, pieces of one kind in a row joined: `text "x"`, `call weather`, `arguments {..}`,
// `end call_1 weather {..}`, `broken call_1 weather {..} <raw>`.
std::string Shown(const std::vector<ToolEvent>& events) {
  std::string out;
  std::string text;
  std::string arguments;
  const auto flush = [&] {
    out += text.empty() ? "" : Format("text [{}]\n", text);
    out += arguments.empty() ? "" : Format("arguments {}\n", arguments);
    text.clear();
    arguments.clear();
  };
  for (const ToolEvent& event : events) {
    switch (event.kind) {
      case ToolEvent::Kind::kText:
        text += event.text;
        continue;
      case ToolEvent::Kind::kArguments:
        arguments += event.text;
        continue;
      case ToolEvent::Kind::kCallBegins:
        flush();
        out += Format("call {}\n", event.text);
        break;
      case ToolEvent::Kind::kCallEnds:
        if (event.call.complete) {
          EXPECT_EQ(event.call.arguments, arguments.empty() ? "{}" : arguments);
          EXPECT_TRUE(ParseJson(event.call.arguments, "arguments").ok()) << event.call.arguments;
          arguments.clear();  // the same
          flush();
          out += Format("end {} {} {}\n", event.call.id, event.call.name, event.call.arguments);
        } else {
          arguments.clear();
          flush();
          EXPECT_TRUE(ParseJson(event.call.arguments, "arguments").ok()) << event.call.arguments;
          out += Format("broken {} {} {} raw [{}]\n", event.call.id, event.call.name,
                        event.call.arguments, event.call.raw);
        }
        break;
    }
  }
  flush();
  return out;
}

struct Case {
  std::string_view text;
  std::string_view events;
};

constexpr Case kCases[] = {
    // Plain text.
    {"Hello", "text [Hello]\n"},
    {"  Hello \n", "text [  Hello \n]\n"},
    {"a < b <tool> {\"name\": 1} f [x]", "text [a < b <tool> {\"name\": 1} f [x]]\n"},
    {"{\"name\": \"Ann\"}", "text [{\"name\": \"Ann\"}]\n"},
    {"{\"name\": \"weather\"}", "text [{\"name\": \"weather\"}]\n"},  // no arguments, no marks
    {"[1, 2]", "text [[1, 2]]\n"},
    {"functional", "text [functional]\n"},
    {"Say <function=weather>", "text [Say <function=weather>]\n"},
    {"<function=other>\n</function>", "text [<function=other>\n</function>]\n"},
    {"x </tool_call> y", "text [x </tool_call> y]\n"},
    // Qwen3.5.
    {"<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n2\n"
     "</parameter>\n<parameter=opts>\n{\"u\": \"C\"}\n</parameter>\n</function>\n</tool_call>",
     "call weather\nend call_1 weather {\"city\": \"Oslo\", \"days\": 2, \"opts\": {\"u\": "
     "\"C\"}}\n"},
    {"I look.\n\n<tool_call>\n<function=now>\n</function>\n</tool_call>",
     "text [I look.]\ncall now\nend call_1 now {}\n"},
    {"<tool_call>\n<function=now>\n</function>\n</tool_call>\n<tool_call>\n<function=weather>\n"
     "<parameter=city>\na\n\nb \"c\" \\ \xC3\xA9\xE2\x82\xAC\n "
     "\n</parameter>\n</function>\n</tool_call>\n",
     "call now\nend call_1 now {}\ncall weather\nend call_2 weather {\"city\": \"a\\n\\nb "
     "\\\"c\\\" "
     "\\\\ \xC3\xA9\xE2\x82\xAC\\n \"}\n"},
    {"<tool_call><function=weather><parameter=city></parameter><parameter=dry>True</parameter>"
     "</function></tool_call>",
     "call weather\nend call_1 weather {\"city\": \"\", \"dry\": true}\n"},
    {"<tool_call>\n<function=weather>\n<parameter=unknown>\n2\n</parameter>\n</function>\n</"
     "tool_call>",
     "call weather\nend call_1 weather {\"unknown\": \"2\"}\n"},
    {"<tool_call>\n<function=weather>\n<parameter=city>\n<b> </tool_call> "
     "{\n</parameter>\n</function>",
     "call weather\nend call_1 weather {\"city\": \"<b> </tool_call> {\"}\n"},
    {"<tool_call>\n<function=weather>\n<parameter=days>\n2\n</parameter>\n</tool_call>",  // no
                                                                                          // </function>
     "call weather\nend call_1 weather {\"days\": 2}\n"},
    {"<tool_call>\n<function=now>\n<function=now>\n</function>\n</tool_call>",
     "call now\nend call_1 now {}\ncall now\nend call_2 now {}\n"},
    {"<function=weather>\n<parameter=days>\n2\n</parameter>\n</function>\n</tool_call>",  // no mark
     "call weather\nend call_1 weather {\"days\": 2}\n"},
    {"Well:\n<function=now>\n</function>", "text [Well:]\ncall now\nend call_1 now {}\n"},
    {"<tool_call>\n<function=now>\n</function>\n</tool_call>\n\nDone.",
     "call now\nend call_1 now {}\ntext [Done.]\n"},
    {"A\n<tool_call>\n<function=now>\n</function>\n</tool_call>\nB",
     "text [A]\ncall now\nend call_1 now {}\ntext [\nB]\n"},
    // Cut off, or broken: what there is, and all of it raw.
    {"Hm <tool_call>", "text [Hm]\ncall \nbroken call_1  {} raw [ <tool_call>]\n"},
    {"<tool_call>\n<func", "call \nbroken call_1  {} raw [<tool_call>\n<func]\n"},
    {"<tool_call>\n<function=wea",
     "call wea\nbroken call_1 wea {} raw [<tool_call>\n<function=wea]\n"},
    {"<tool_call>\n<function=weather>\n<parameter=days>\n2\n</parameter>\n<parameter=city>\nOs",
     "call weather\nbroken call_1 weather {\"days\": 2} raw [<tool_call>\n<function=weather>\n"
     "<parameter=days>\n2\n</parameter>\n<parameter=city>\nOs]\n"},
    {"<tool_call>\n<function=weather>\n<parameter=city>\nOslo\n</parameter>\n</fun",
     "call weather\nbroken call_1 weather {\"city\": \"Oslo\"} raw "
     "[<tool_call>\n<function=weather>\n"
     "<parameter=city>\nOslo\n</parameter>\n</fun]\n"},
    {"<tool_call>\n<function=now>\nwhat <b>\n</function>\n</tool_call>",
     "call now\nbroken call_1 now {} raw [<tool_call>\n<function=now>\nwhat <b>\n</function>]\n"},
    {"<tool_call>\nno call\n</tool_call>", "text [<tool_call>\nno call\n</tool_call>]\n"},
    {"<tool_call></tool_call>", "text [<tool_call></tool_call>]\n"},
    // JSON between Qwen's marks.
    {"<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"O}]\\\"s\", \"n\": [1, "
     "{}]}}\n"
     "</tool_call>",
     "call weather\nend call_1 weather {\"city\": \"O}]\\\"s\", \"n\": [1, {}]}\n"},
    {"<tool_call>{\"name\": \"now\"}</tool_call>\n<tool_call>{\"arguments\": {\"a\": 1}, \"name\": "
     "\"x\"}"
     "</tool_call>",
     "call now\nend call_1 now {}\ncall x\nend call_2 x {\"a\": 1}\n"},
    {"<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": 1}</tool_call>",  // a brace is missing
     "call now\nend call_1 now {\"a\": 1}\n"},
    {"<tool_call>{\"type\": \"function\", \"function\": {\"name\": \"now\", \"arguments\": "
     "{\"a\":1}}}",
     "call now\nend call_1 now {\"a\": 1}\n"},
    {"<tool_call>{\"name\": \"now\", \"arguments\": \"{\\\"a\\\": 1}\"}",
     "call now\nend call_1 now {\"a\": 1}\n"},
    {"<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": 1, \"b",
     "call now\nbroken call_1 now {} raw [<tool_call>{\"name\": \"now\", \"arguments\": {\"a\": 1, "
     "\"b]\n"},
    {"<tool_call>{\"name\": \"now\", \"arguments\": [1]}</tool_call>",
     "call now\nbroken call_1 now {} raw [<tool_call>{\"name\": \"now\", \"arguments\": [1]}]\n"},
    {"<tool_call>{\"name\": 'now'}</tool_call>",
     "call \nbroken call_1  {} raw [<tool_call>{\"name\": 'now'}]\n"},
    // Phi-4-mini.
    {"<|tool_call|>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}]<|/tool_call|>",
     "call weather\nend call_1 weather {\"city\": \"Oslo\"}\n"},
    {"<|tool_call|>[{\"name\": \"now\", \"arguments\": {}}, {\"name\": \"weather\", "
     "\"parameters\": "
     "{\"days\": 2}}]",
     "call now\nend call_1 now {}\ncall weather\nend call_2 weather {\"days\": 2}\n"},
    {"<|tool_call|>{\"name\": \"now\"}, {\"name\": \"now\"}\n{\"name\": \"now\"}<|/tool_call|>",
     "call now\nend call_1 now {}\ncall now\nend call_2 now {}\ncall now\nend call_3 now {}\n"},
    {"<|tool_calls|>[{\"name\": \"now\"}]<|/tool_calls|>", "call now\nend call_1 now {}\n"},
    {"<|tool_call|>[{\"name\": \"now\", \"arguments\": {}}, {\"name\": \"wea",
     "call now\nend call_1 now {}\ncall \nbroken call_2  {} raw [{\"name\": \"wea]\n"},
    {"[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}, {\"name\": \"now\", "
     "\"arguments\": {}}]",
     "call weather\nend call_1 weather {\"city\": \"Oslo\"}\ncall now\nend call_2 now {}\n"},
    {" \n{ \"name\" : \"now\", \"arguments\": {} }\n{\"name\": \"now\", \"arguments\": {}}",
     "call now\nend call_1 now {}\ncall now\nend call_2 now {}\n"},
    {"functools[{\"name\": \"now\", \"arguments\": {}}]", "call now\nend call_1 now {}\n"},
    {"[{\"name\": \"now\", \"arguments\": {}}] and text",
     "call now\nend call_1 now {}\ntext [and text]\n"},
    {"Text [{\"name\": \"now\", \"arguments\": {}}]",
     "text [Text [{\"name\": \"now\", \"arguments\": {}}]]\n"},
};

std::string Streamed(std::string_view text, const std::vector<std::size_t>& cuts) {
  std::vector<ToolEvent> events;
  ToolCallParser parser(Tools(), ToolMarks::AsText());
  std::size_t begin = 0;
  for (const std::size_t cut : cuts) {
    parser.Push(text.substr(begin, cut - begin), events);
    begin = cut;
  }
  parser.Push(text.substr(begin), events);
  parser.Flush(events);
  return Shown(events);
}

TEST(ToolCallParser, ReadsEveryFormAndHowItIsCutMakesNoDifference) {
  for (const Case& c : kCases) {
    EXPECT_EQ(Shown(ParseToolCalls(c.text, Tools())), c.events) << c.text;
    std::vector<std::size_t> all;
    for (std::size_t i = 1; i < c.text.size(); ++i) {
      EXPECT_EQ(Streamed(c.text, {i}), c.events) << "cut at " << i << " of " << c.text;
      all.push_back(i);
    }
    EXPECT_EQ(Streamed(c.text, all), c.events) << "byte by byte: " << c.text;
  }
}

// Fragments of all forms in any order: cut anywhere, the same comes out, and it always ends.
TEST(ToolCallParser, HowRubbishIsCutMakesNoDifferenceEither) {
  constexpr std::string_view kFragments[] = {"<tool_call>",
                                             "</tool_call>",
                                             "<|tool_call|>",
                                             "<|/tool_call|>",
                                             "<function=",
                                             "weather>",
                                             "now>",
                                             "</function>",
                                             "<parameter=",
                                             "city>",
                                             "days>",
                                             "</parameter>",
                                             "\n",
                                             " ",
                                             "x",
                                             "<",
                                             "[",
                                             "]",
                                             "{",
                                             "}",
                                             "\"",
                                             ":",
                                             ",",
                                             "{\"name\": \"now\", \"arguments\": {",
                                             "}}",
                                             "{\"name\": \"weather\"",
                                             "functools",
                                             "\\",
                                             "\xC3\xA9",
                                             "2",
                                             "<tool_call>\n<function=weather>\n<parameter=city>\n",
                                             "[{\"name\": \"now\", "};
  std::uint64_t state = 1;
  const auto next = [&state](std::size_t bound) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>(state >> 33) % bound;
  };
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (std::size_t n = 1 + next(12); n > 0; --n) {
      text += kFragments[next(std::size(kFragments))];
    }
    const std::string whole = Shown(ParseToolCalls(text, Tools()));
    std::vector<std::size_t> all;
    for (std::size_t i = 1; i < text.size(); ++i) {
      all.push_back(i);
    }
    ASSERT_EQ(Streamed(text, all), whole) << "byte by byte: " << text;
    ASSERT_EQ(Streamed(text, {next(text.size())}), whole) << "in two: " << text;
  }
}

// A vocabulary with the marks of one family as tokens.
class Vocabulary {
 public:
  explicit Vocabulary(const std::vector<std::string>& marks) {
    for (const std::string& mark : marks) {
      vocabulary_.Add(mark, text::TokenType::kControl);
    }
    tokenizer_.emplace(
        std::move(text::Tokenizer::Create(vocabulary_.View(text::PreTokenizer::kQwen35))).value());
  }
  // Token by token, as a session does it.
  std::string Streamed(const std::vector<TokenId>& ids) const {
    std::vector<ToolEvent> events;
    ToolCallParser parser(Tools(), ToolMarks::Of(*tokenizer_), 5);
    for (const TokenId id : ids) {
      if (const ToolMarks::Mark* mark = parser.marks().Find(id); mark != nullptr) {
        parser.PushMark(*mark, events);
      } else {
        parser.Push(tokenizer_->TokenBytes(id), events);
      }
    }
    parser.Flush(events);
    return Shown(events);
  }
  const text::Tokenizer& tokenizer() const { return *tokenizer_; }

 private:
  text::TestVocabulary vocabulary_;
  std::optional<text::Tokenizer> tokenizer_;
};

// With marks that are tokens the same events come, but their letters are text.
TEST(ToolCallParser, KnowsMarksByTheirTokens) {
  const Vocabulary qwen({"<tool_call>", "</tool_call>"});
  const Vocabulary phi({"<|tool_call|>", "<|/tool_call|>"});
  std::size_t checked = 0;
  for (const Case& c : kCases) {
    // Written as text in a value it is text, and only as text.
    if (c.text.find("<b> </tool_call>") != std::string_view::npos) {
      continue;
    }
    std::string expected(c.events);
    for (std::size_t id = 3; id > 0; --id) {
      const std::string before = Format("call_{} ", id);
      for (std::size_t at = expected.find(before); at != std::string::npos;
           at = expected.find(before)) {
        expected.replace(at, before.size(), Format("call_{} ", id + 4));
      }
    }
    EXPECT_EQ(qwen.Streamed(qwen.tokenizer().EncodeSpecial(c.text)), expected) << c.text;
    EXPECT_EQ(phi.Streamed(phi.tokenizer().EncodeSpecial(c.text)), expected) << c.text;
    ++checked;
  }
  EXPECT_GT(checked, 40U);
  const std::string spelt = "<tool_call>\n<function=x>\n</function>\n</tool_call>";
  EXPECT_EQ(qwen.Streamed(qwen.tokenizer().EncodePlain(spelt)), "text [" + spelt + "]\n");
}

TEST(ToolCallParser, AMarkInsideAValueCutsTheCall) {
  const Vocabulary qwen({"<tool_call>", "</tool_call>"});
  EXPECT_EQ(qwen.Streamed(qwen.tokenizer().EncodeSpecial(
                "<tool_call>\n<function=weather>\n<parameter=city>\nOs</tool_call>")),
            "call weather\nbroken call_5 weather {} raw [<tool_call>\n<function=weather>\n"
            "<parameter=city>\nOs]\n");
  EXPECT_EQ(qwen.Streamed(qwen.tokenizer().EncodeSpecial("<tool_call>{\"name\": \"n</tool_call>")),
            "call \nbroken call_5  {} raw [<tool_call>{\"name\": \"n]\n");
}

// Values come while they are written, without the line end that may be their frame.
TEST(ToolCallParser, TellsTextValuesPieceByPiece) {
  std::vector<ToolEvent> events;
  ToolCallParser parser(Tools(), ToolMarks::AsText());
  parser.Push("<tool_call>\n<function=weather>\n<parameter=city>\nOs\nlo\n</par", events);
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].text, "weather");
  EXPECT_EQ(events[1].text, "{\"city\": \"");
  EXPECT_EQ(events[2].text, "Os\\nlo");
  events.clear();
  parser.Push("k", events);  // no end after all
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].text, "\\n</park");
}

}  // namespace
}  // namespace tandem
