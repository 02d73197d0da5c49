#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tandem/tandem.h"

#include "api/answer_json.h"
#include "tests/support/shared_data.h"

namespace tandem {
namespace {

std::string Phi() {
  return (*OracleFolder("phi-a") / "f32.gguf").string();
}

GenerateOptions Greedy(std::size_t max_tokens) {
  GenerateOptions options;
  options.sampling.temperature = 0.0F;
  options.max_tokens = max_tokens;
  return options;
}

Message User(const std::string& text) {
  return {.role = "user", .content = text, .reasoning = ""};
}

TEST(Session, AMessageThatCouldNotBeAnsweredIsTakenBack) {
  const Model model = Model::Open(Phi(), {.context_tokens = 100}).value();
  Session session(model);
  session.Add(User("Hi"));
  const Answer first = session.Generate(Greedy(5), nullptr).value();
  ASSERT_EQ(session.messages().size(), 2U);
  session.Add(User(std::string(500, 'a')));
  const Result<Answer> refused = session.Generate(Greedy(5), nullptr);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument);
  ASSERT_EQ(session.messages().size(), 3U);  // an error appends nothing
  session.RemoveLast();
  session.Add(User("Bye"));
  const Answer second = session.Generate(Greedy(5), nullptr).value();
  EXPECT_GT(second.figures.reused_tokens, 0U);  // nothing was forgotten

  Session fresh(model);
  fresh.Add(User("Hi"));
  fresh.Add({.role = "assistant", .content = first.text, .reasoning = ""});
  fresh.Add(User("Bye"));
  EXPECT_EQ(fresh.Generate(Greedy(5), nullptr).value().text, second.text);
}

TEST(Session, AFormatHoldsAndABadOneIsRefusedByName) {
  const Model model = Model::Open(Phi(), {}).value();
  Session session(model);
  session.Add(User("Hi"));
  GenerateOptions options = Greedy(300);
  options.format = R"({"type":"array","items":{"enum":["a","b"]},"minItems":2,"maxItems":4})";
  const Answer answer = session.Generate(options, nullptr).value();
  EXPECT_EQ(answer.finish, Finish::kStop);
  EXPECT_TRUE(answer.text.starts_with("[") && answer.text.ends_with("]")) << answer.text;
  session.Add(User("Bye"));
  options.format = R"({"items":{"uniqueItems":true}})";
  const Result<Answer> refused = session.Generate(options, nullptr);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kUnsupported);
  EXPECT_EQ(refused.status().message(), "format: #/items: 'uniqueItems' is not supported");
  options.format = "";
  EXPECT_TRUE(session.Generate(Greedy(3), nullptr).ok());
}

TEST(Session, AFileThatWasCutOrWrittenToIsNoticedAtTheNextTurn) {
  namespace fs = std::filesystem;
  const fs::path copy = fs::temp_directory_path() / ("tandem-api-" + std::to_string(::getpid()));
  for (const bool cut : {true, false}) {
    fs::copy_file(Phi(), copy, fs::copy_options::overwrite_existing);
    const auto size = fs::file_size(copy);
    const Model model = Model::Open(copy.string(), {.context_tokens = 100}).value();
    Session session(model);
    session.Add(User("Hi"));
    ASSERT_TRUE(session.Generate(Greedy(3), nullptr).ok());
    session.Add(User("Bye"));
    if (cut) {
      fs::resize_file(copy, size - 1);  // of a page that stays
    } else {
      fs::last_write_time(copy, fs::file_time_type::clock::now() + std::chrono::seconds(2));
    }
    const Status status = session.Generate(Greedy(3), nullptr).status();
    EXPECT_EQ(status.code(), StatusCode::kIo) << status.message();
    EXPECT_NE(status.message().find("while it was in use"), std::string::npos) << status.message();
    EXPECT_EQ(session.messages().size(), 3U);
    // And in the middle of an answer.
    if (cut) {
      fs::resize_file(copy, size);
      fs::copy_file(Phi(), copy, fs::copy_options::overwrite_existing);
      const Model again = Model::Open(copy.string(), {.context_tokens = 100}).value();
      Session other(again);
      other.Add(User("Hi"));
      std::size_t events = 0;
      const auto during = other.Generate(Greedy(90), [&](const Event& event) {
        if (event.kind == Event::Kind::kAnswer && ++events == 3) {
          fs::resize_file(copy, size - 1);
        }
        return true;
      });
      EXPECT_EQ(during.status().code(), StatusCode::kIo);
      EXPECT_LE(events, 10U);
    }
  }
  fs::remove(copy);
}

TEST(Session, SeveralThreadsOfOneModelGetTheAnswersTheyWouldGetAlone) {
  const Model model = Model::Open(Phi(), {.threads = 2}).value();
  const std::vector<std::string> prompts = {"Hi", "Bye 123", "A longer message of some words"};
  std::vector<std::string> alone;
  for (const std::string& prompt : prompts) {
    Session session(model);
    session.Add(User(prompt));
    alone.push_back(session.Generate(Greedy(40), nullptr).value().text);
  }
  std::vector<std::string> together(prompts.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    threads.emplace_back([&, i] {
      Session session(model);
      session.Add(User(prompts[i]));
      together[i] = session.Generate(Greedy(40), nullptr).value().text;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(together, alone);
}

TEST(Session, AFlagFromAnotherThreadStopsAnAnswer) {
  const Model model = Model::Open(Phi(), {}).value();
  Session session(model);
  session.Add(User("Hi"));
  std::atomic<bool> stop{false};
  GenerateOptions options = Greedy(200);
  options.cancel = &stop;
  std::size_t events = 0;
  const Answer answer = session
                            .Generate(options,
                                      [&](const Event& event) {
                                        if (event.kind == Event::Kind::kAnswer && ++events == 3) {
                                          std::thread([&stop] { stop = true; }).join();
                                        }
                                        return true;
                                      })
                            .value();
  EXPECT_EQ(answer.finish, Finish::kCancelled);
  EXPECT_LE(answer.figures.answer_tokens, 10U);
  EXPECT_EQ(session.messages().size(), 2U);  // as far as it came
}

TEST(Comparison, TellsWhatWasChosenForEachColumn) {
  CompareColumn column{.model = Phi(), .label = "a", .open = {}, .options = Greedy(4)};
  CompareColumn scalar = column;
  scalar.open.isa = "scalar";
  Comparison comparison = Comparison::Open({column, scalar}).value();
  const std::vector<ColumnResult> results = comparison.Run({User("Hi")}, 7, nullptr);
  ASSERT_EQ(results.size(), 2U);
  EXPECT_NE(results[0].facts.isa, "auto");
  EXPECT_EQ(results[1].facts.isa, "scalar");
  EXPECT_EQ(results[0].answer.seed, 7U);
  EXPECT_EQ(results[0].answer.text, results[1].answer.text);
  EXPECT_EQ(results[0].answer.figures.answer_tokens, 4U);
}

TEST(Comparison, NeedsTwoColumns) {
  const Result<Comparison> one = Comparison::Open({CompareColumn{}});
  ASSERT_FALSE(one.ok());
  EXPECT_EQ(one.status().message(), "a comparison needs at least two models");
}

TEST(ParseMessages, ReadsCallsAndResultsAndWritesTheSame) {
  const std::string text =
      R"([{"role":"user","content":"Weather?"},{"role":"assistant","content":"","tool_calls":[)"
      R"({"id":"call_1","type":"function","function":{"name":"f","arguments":{"a":[1,"x"]}}},)"
      R"({"id":"call_2","type":"function","function":{"name":"g","arguments":{}},"complete":false,)"
      R"("raw":"<function=g"}]},{"role":"tool","content":"3 C","tool_call_id":"call_1","name":"f"}])";
  const std::vector<Message> messages = ParseMessages(text).value();
  ASSERT_EQ(messages.size(), 3U);
  ASSERT_EQ(messages[1].tool_calls.size(), 2U);
  EXPECT_EQ(messages[1].tool_calls[0].arguments, R"({"a": [1, "x"]})");
  EXPECT_FALSE(messages[1].tool_calls[1].complete);
  EXPECT_EQ(messages[2].tool_call_id, "call_1");
  Json written = Json::array();
  for (const Message& message : messages) {
    written.push_back(MessageJson(message));
  }
  EXPECT_EQ(written.dump(), text);
}

TEST(ParseMessages, TakesNullContentBesideCallsAlone) {
  const auto error = [](const std::string& json) {
    const auto parsed = ParseMessages(json);
    return parsed.ok() ? "" : parsed.status().message();
  };
  EXPECT_EQ(error(R"([{"role":"assistant","content":null,"tool_calls":[{"name":"f"}]}])"), "");
  EXPECT_EQ(error(R"([{"role":"assistant","content":null}])"),
            "messages: message 0: \"content\" must be a string or a list");
  EXPECT_EQ(error(R"([{"role":"assistant","content":"","tool_calls":[{"name":""}]}])"),
            "messages: message 0: \"tool_calls\"[0]: \"name\" must be a string, not empty");
  EXPECT_EQ(
      error(R"([{"role":"assistant","content":"","tool_calls":[{"name":"f","arguments":[]}]}])"),
      "messages: message 0: \"tool_calls\"[0]: \"arguments\" must be an object, or a string "
      "that holds one");
}

TEST(ParseTools, ReadsBothFormsAndNamesWhatIsWrong) {
  EXPECT_EQ(ParseTools(R"([{"name":"f"}])").value(), R"([{"name": "f"}])");
  EXPECT_EQ(ParseTools(R"({"tools":[{"name":"f"}]})").value(), R"([{"name": "f"}])");
  EXPECT_EQ(ParseTools("[]").value(), "");
  EXPECT_EQ(ParseTools("[1]").status().message(), "tools: tool 0: must be an object");
}

// A broken call has no place in the template: it goes back to the model as it was written.
TEST(Session, ABrokenCallStaysInTheContent) {
  const Model model = Model::Open(Phi(), {}).value();
  const std::string broken = "<function=g";
  Message answer{.role = "assistant", .content = "Hm ", .reasoning = ""};
  answer.tool_calls.push_back(
      {.id = "call_1", .name = "g", .arguments = "{}", .complete = false, .raw = broken});
  Session session(model);
  session.Add(User("Hi"));
  session.Add(answer);
  session.Add(User("Go on"));
  Session written(model);
  written.Add(User("Hi"));
  written.Add({.role = "assistant", .content = "Hm " + broken, .reasoning = ""});
  written.Add(User("Go on"));
  const Answer first = session.Generate(Greedy(3), nullptr).value();
  EXPECT_EQ(first.figures.prompt_tokens,
            written.Generate(Greedy(3), nullptr).value().figures.prompt_tokens);
}

TEST(Session, DefinitionsAreCheckedAndReachTheModel) {
  const Model model = Model::Open(Phi(), {}).value();
  Session session(model);
  session.Add(User("Hi"));
  GenerateOptions options = Greedy(3);
  options.tools = "[1]";
  EXPECT_EQ(session.Generate(options, nullptr).status().message(),
            "tools: tool 0: must be an object");
  options.tools = R"([{"name": "get_weather"}])";
  const Answer told = session.Generate(options, nullptr).value();
  EXPECT_GT(session.ReadAhead().value(), 0U);
  session.Add(User("Bye"));
  const Answer second = session.Generate(options, nullptr).value();
  EXPECT_GE(second.figures.reused_tokens, told.figures.prompt_tokens);  // read ahead with the tools
}

}  // namespace
}  // namespace tandem
