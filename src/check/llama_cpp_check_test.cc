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
  // Long enough that it says the special token that ends its turn too.
  const std::string prompt = "<|user|>Hello<|end|><|assistant|>";
  const Agreement own = Agree(opened_, prompt, Continued(prompt, 20)).value();
  EXPECT_NE(Continued(prompt, 20).find("<|end|>"), std::string::npos);
  EXPECT_EQ(own.same, own.tokens);
  EXPECT_EQ(own.worst_regret, 0);
  const Agreement other = Agree(opened_, prompt, " zebra quantum ferry").value();
  EXPECT_LT(other.same, other.tokens);
  EXPECT_GT(other.worst_regret, 1);
  EXPECT_FALSE(Agree(opened_, prompt, "").ok());
  EXPECT_FALSE(Agree(opened_, "", "x").ok());
}

TEST_F(LlamaCpp, TellsTheProgramWhatToDoAndTrimsWhatItSays) {
  const std::string says = Program("printf ' said so [end of text]\\n\\n'");
  EXPECT_EQ(CompleteWithLlamaCpp(says, "m.gguf", "a b", 3, nullptr).value(), " said so");
  const std::string echo = Program("echo \"$@\"");
  EXPECT_EQ(CompleteWithLlamaCpp(echo, "m.gguf", "a b", 3, nullptr).value(),
            "-m m.gguf -p a b -n 24 -c 1024 -t 3 --temp 0 -no-cnv --no-display-prompt");
}

TEST(ReportAgreement, ForgivesWhatRoundingExplains) {
  const auto verdict = [](const Agreement& agreement) {
    CheckReport report;
    ReportAgreement(agreement, report);
    return report.items().at(0).verdict;
  };
  using Verdict = CheckItem::Verdict;
  EXPECT_EQ(verdict({.tokens = 72, .same = 72}), Verdict::kOk);
  EXPECT_EQ(verdict({.tokens = 72, .same = 69, .worst_regret = 0.4, .regret = 0.7}), Verdict::kOk);
  EXPECT_EQ(verdict({.tokens = 72, .same = 71, .worst_regret = 3, .regret = 3}), Verdict::kFailed);
  EXPECT_EQ(verdict({.tokens = 72, .same = 9, .worst_regret = 1, .regret = 40}), Verdict::kFailed);
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
