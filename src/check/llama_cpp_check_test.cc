#include "check/llama_cpp_check.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "store/builtin.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;

// Runs a shell script in the place of llama.cpp's program.
class LlamaCpp : public testing::Test {
 protected:
  void SetUp() override {
    if (BuiltinModelNames().empty()) {
      GTEST_SKIP() << "this build holds no demo models";
    }
    fs::create_directories(folder_);
    opened_ = OpenedModel::Load("phi4-mini:demo", {.context_tokens = 1024, .threads = 1}).value();
    data_ = CheckData::BuiltIn().value();
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string Program(const std::string& body) {
    const fs::path path = folder_ / "program";
    std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
    chmod(path.c_str(), 0755);
    return path.string();
  }

  // What the model itself, always the most likely token, says behind `prompt`.
  std::string Continued(std::string_view prompt, std::size_t tokens) {
    const auto engine = Engine::Create(opened_.loaded->network(), opened_.engine).value();
    Sequence sequence = engine->NewSequence();
    std::vector<TokenId> ids = opened_.loaded->tokenizer().EncodeSpecial(prompt);
    std::vector<TokenId> said;
    for (std::size_t i = 0; i < tokens; ++i) {
      Request request;
      request.sequence = &sequence;
      request.prompt = ids;
      request.logit_rows = {ids.size() - 1};
      request.on_logits = [&](std::size_t, std::span<const float> logits) {
        said.push_back(
            static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
      };
      EXPECT_TRUE(engine->Run(request).ok());
      ids = {said.back()};
    }
    std::string text;
    for (const TokenId id : said) {
      text += opened_.loaded->tokenizer().TokenBytes(id);
    }
    return text;
  }

  CheckItem Check(const std::string& program) {
    CheckReport report;
    EXPECT_TRUE(CheckLlamaCpp(opened_, program, "model.gguf", data_, nullptr, report).ok());
    EXPECT_EQ(report.items().size(), 1U);
    return report.items().at(0);
  }

  fs::path folder_ =
      fs::path(testing::TempDir()) /
      (std::string("llama_cpp_") + testing::UnitTest::GetInstance()->current_test_info()->name());
  OpenedModel opened_;
  CheckData data_;
};

TEST_F(LlamaCpp, OurOwnWordsAgree) {
  const std::string prompt = "The ferry to the island";
  const Agreement own = Agree(opened_, prompt, Continued(prompt, 3)).value();
  EXPECT_EQ(own.same, own.tokens);
  EXPECT_EQ(own.worst_regret, 0);
  const Agreement other = Agree(opened_, prompt, " zebra quantum ferry").value();
  EXPECT_LT(other.same, other.tokens);
  EXPECT_GT(other.worst_regret, 1);
  EXPECT_FALSE(Agree(opened_, prompt, "").ok());
  EXPECT_FALSE(Agree(opened_, "", "x").ok());
}

TEST_F(LlamaCpp, TellsTheProgramWhatToDoAndTrimsWhatItSays) {
  const std::string program = Program("echo \"$@\" > " + (folder_ / "asked").string() +
                                      "; printf ' said so [end of text]\\n\\n'");
  EXPECT_EQ(CompleteWithLlamaCpp(program, "m.gguf", "a b", 3, nullptr).value(), " said so");
  // It may not write files: what it was asked cannot be kept, and that is as it should be.
  std::ifstream file(folder_ / "asked");
  std::string line;
  EXPECT_FALSE(std::getline(file, line));
  const std::string echo = Program("echo \"$@\"");
  EXPECT_EQ(CompleteWithLlamaCpp(echo, "m.gguf", "a b", 3, nullptr).value(),
            "-m m.gguf -p a b -n 24 -c 1024 -t 3 --temp 0 -no-cnv --no-display-prompt");
}

TEST_F(LlamaCpp, AProgramThatAgreesIsOk) {
  // It writes what the model would say behind each of the three pieces, told apart by their length.
  std::string body = "case ${#4} in\n";
  for (const std::size_t bytes : {80, 240, 600}) {
    const std::string piece = data_.text.substr(0, data_.text.find(' ', bytes));
    const std::string said = Continued(piece, 1);
    const fs::path file = folder_ / std::to_string(piece.size());
    std::ofstream(file) << said;
    body += std::to_string(piece.size()) + ") cat '" + file.string() + "' ;;\n";
  }
  const CheckItem item = Check(Program(body + "esac"));
  EXPECT_EQ(item.verdict, CheckItem::Verdict::kOk) << item.text;
}

TEST_F(LlamaCpp, AProgramThatDisagreesFailsOrDiesOrIsSilent) {
  CheckItem item = Check(Program("printf ' xylophone 88 ## zebra'"));
  EXPECT_EQ(item.verdict, CheckItem::Verdict::kFailed);
  EXPECT_NE(item.text.find("are expected of rounding"), std::string::npos) << item.text;
  item = Check(Program("echo 'first line' >&2; echo 'unknown model architecture' >&2; exit 1"));
  EXPECT_EQ(item.verdict, CheckItem::Verdict::kFailed);
  EXPECT_NE(item.text.find("failed: unknown model architecture"), std::string::npos) << item.text;
  item = Check(Program("exit 0"));
  EXPECT_NE(item.text.find("wrote nothing"), std::string::npos) << item.text;
  item = Check((folder_ / "nothing").string());
  EXPECT_EQ(item.verdict, CheckItem::Verdict::kFailed);
}

TEST_F(LlamaCpp, EndsWhenToldTo) {
  std::atomic<bool> cancel{true};
  CheckReport report;
  EXPECT_EQ(CheckLlamaCpp(opened_, Program("sleep 600"), "m", data_, &cancel, report).code(),
            StatusCode::kCancelled);
}

}  // namespace
}  // namespace tandem
