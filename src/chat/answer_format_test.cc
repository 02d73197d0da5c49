// Answers of a model that opens its thinking itself, as Phi-4-mini-reasoning does: with marks of
// ordinary text. The built-in model under that name, some of its tokens spelt anew.
#include "chat/answer_format.h"

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "chat/chat_session.h"
#include "gguf/writer.h"

namespace tandem {
namespace {

constexpr const char* kSchema = R"({"enum": [1, 27]})";

/// phi4-mini:demo with another name, its last ordinary tokens spelt as given.
struct RenamedPhi {
  std::vector<std::byte> bytes;
  std::unique_ptr<LoadedModel> loaded;

  RenamedPhi(std::string_view name, const std::vector<std::string>& spelt) {
    const auto source =
        gguf::ModelFile::Open(std::string(TANDEM_SOURCE_DIR) + "/assets/demo/phi4-mini-demo.gguf")
            .value();
    gguf::Metadata metadata;
    for (const gguf::KeyValue& item : source->metadata()) {
      if (item.key.find("sampling") == std::string_view::npos) {
        metadata.SetCopy(item.key, item.value);
      }
    }
    metadata.SetString("general.name", name);
    std::vector<std::string_view> tokens = source->GetStringArray("tokenizer.ggml.tokens").value();
    const std::vector<std::int64_t> types =
        source->GetIntArray("tokenizer.ggml.token_type").value();
    std::size_t next = spelt.size();
    for (std::size_t i = tokens.size(); next > 0 && i-- > 0;) {
      if (types[i] == static_cast<std::int64_t>(text::TokenType::kNormal)) {
        tokens[i] = spelt[--next];
      }
    }
    metadata.SetStringViews("tokenizer.ggml.tokens", tokens);
    std::vector<gguf::TensorSpec> specs;
    for (const gguf::TensorInfo& tensor : source->tensors()) {
      specs.push_back({.name = std::string(tensor.name),
                       .dims = {tensor.dims.begin(), tensor.dims.begin() + tensor.dim_count},
                       .type = tensor.type});
    }
    bytes = gguf::WriteBytes(metadata, specs, [&](std::size_t i, const gguf::ByteSink& sink) {
              return sink(source->tensors()[i].bytes);
            }).value();
    loaded = LoadedModel::Load(gguf::ModelFile::FromBytes(bytes, "phi").value()).value();
  }

  TokenId Id(std::string_view text) const {
    const std::vector<TokenId> ids = loaded->tokenizer().EncodePlain(text);
    EXPECT_EQ(ids.size(), 1U) << text;
    return ids[0];
  }
};

/// Follows a format as a session does.
class Follower {
 public:
  Follower(const RenamedPhi& model, AnswerStart start)
      : model_(model),
        format_(AnswerFormat::Create(kSchema, *model.loaded).value()),
        splitter_(model.loaded->tokenizer(), start == AnswerStart::kThinking) {
    format_->Start(start);
  }

  bool Allows(TokenId id) const {
    const std::span<const std::uint64_t> allowed = format_->allowed();
    const auto index = static_cast<std::size_t>(id);
    return allowed.empty() || (allowed[index / 64] >> (index % 64) & 1) != 0;
  }
  void Take(TokenId id) {
    EXPECT_TRUE(Allows(id)) << model_.loaded->tokenizer().TokenBytes(id);
    splitter_.Push(id);
    format_->OnToken(id, splitter_.in_reasoning());
  }
  // Byte by byte.
  void Spell(std::string_view text) {
    for (const char c : text) {
      Take(model_.Id(std::string(1, c)));
    }
  }
  // The bytes that may come, of those in `text`.
  std::string Of(std::string_view text) const {
    std::string out;
    for (const char c : text) {
      out += Allows(model_.Id(std::string(1, c))) ? std::string(1, c) : "";
    }
    return out;
  }
  const AnswerFormat& format() const { return *format_; }

 private:
  const RenamedPhi& model_;
  std::unique_ptr<AnswerFormat> format_;
  StreamSplitter splitter_;
};

const std::vector<std::string> kSpelt = {"<th",           "nk>\u010A", "think><",
                                         ">\u010A\u010A", ">2",        "x</think>7"};

TokenId Spelt(const RenamedPhi& model, std::string_view text) {
  return model.loaded->tokenizer().Find(text).value();
}

TEST(AnswerFormat, TheValueMayComeBehindThinkingThatTheModelOpens) {
  const RenamedPhi model("Phi 4 Mini Reasoning", kSpelt);
  ASSERT_TRUE(model.loaded->opens_thinking());
  Follower follower(model, AnswerStart::kEither);
  EXPECT_EQ(follower.Of("<12ta{\n "), "<12");
  EXPECT_TRUE(follower.Allows(Spelt(model, "<th")));
  EXPECT_FALSE(follower.Allows(Spelt(model, "think><")));
  follower.Spell("<");
  EXPECT_EQ(follower.Of("<12ta>h{"), "t");                 // the mark is whole, or was never begun
  EXPECT_FALSE(follower.Allows(Spelt(model, "think><")));  // may open something else at once
  follower.Spell("thi");
  follower.Take(Spelt(model, "nk>\u010A"));
  EXPECT_TRUE(follower.format().thinking());
  follower.Spell("a 1<b></thin");
  EXPECT_EQ(follower.Of("k2 "), "k2 ");  // not the mark after all
  EXPECT_FALSE(follower.Allows(Spelt(model, "x</think>7")));
  follower.Spell("k");
  EXPECT_EQ(follower.Of("> 2"), "> 2");
  EXPECT_FALSE(follower.Allows(Spelt(model, ">2")));  // the 2 would be nobody's
  EXPECT_TRUE(follower.Allows(Spelt(model, ">\u010A\u010A")));
  follower.Spell(">");
  EXPECT_FALSE(follower.format().thinking());
  EXPECT_EQ(follower.Of("<12\n"), "12\n");
  follower.Spell("\n\n");
  EXPECT_EQ(follower.Of("<127\n"), "12");
  follower.Spell("27");
  EXPECT_TRUE(follower.format().must_end());
}

TEST(AnswerFormat, LineEndsInTheTokenOfTheClosingMarkCount) {
  const RenamedPhi model("Phi 4 Mini Reasoning", kSpelt);
  Follower follower(model, AnswerStart::kThinking);
  follower.Spell("so</think");
  follower.Take(Spelt(model, ">\u010A\u010A"));
  EXPECT_EQ(follower.Of("<12\n"), "12");
}

TEST(AnswerFormat, AModelMayAnswerAtOnce) {
  const RenamedPhi model("Phi 4 Mini Reasoning", kSpelt);
  Follower follower(model, AnswerStart::kEither);
  follower.Spell("2");
  EXPECT_EQ(follower.Of("<127"), "7");
}

TEST(AnswerFormat, OthersGoStraightToTheValue) {
  const RenamedPhi model("Phi 4 Mini Instruct", kSpelt);
  EXPECT_FALSE(model.loaded->opens_thinking());
  const Follower follower(model, AnswerStart::kValue);
  EXPECT_EQ(follower.Of("<12\n"), "12");
}

// Whole turns: what the answer begins with is forced, the rest is the model's.
TEST(AnswerFormat, ATurnOfAReasoningModel) {
  const RenamedPhi model("Phi 4 Mini Reasoning", {});
  EngineOptions engine_options;
  engine_options.context_tokens = 256;
  const auto engine = Engine::Create(model.loaded->network(), engine_options).value();
  ChatSession session(*model.loaded, *engine);
  Conversation conversation;
  conversation.messages.push_back({{"role", "user"}, {"content", "Hello"}});
  const std::vector<TokenId> thought =
      model.loaded->tokenizer().EncodePlain("<think>\nIs it 1?\n</think>\n\n");
  for (const ThinkMode think : {ThinkMode::kDefault, ThinkMode::kOff}) {
    TurnOptions options;
    options.format = kSchema;
    options.think = think;
    options.forced = think == ThinkMode::kDefault ? thought : std::vector<TokenId>();
    ASSERT_TRUE(session.Start(conversation, options, [](const TurnEvent&) { return true; }).ok());
    while (!session.Advance()) {
      engine->Step();
    }
    const TurnResult turn = session.Finish().value();
    EXPECT_TRUE(turn.answer == "1" || turn.answer == "27") << turn.answer;
    EXPECT_EQ(turn.reasoning, think == ThinkMode::kDefault ? "Is it 1?" : "");
    EXPECT_EQ(turn.thinking, think == ThinkMode::kDefault);
    // The card's values for thinking, against the greedy ones of the instruct model.
    EXPECT_EQ(turn.sampling.temperature, think == ThinkMode::kDefault ? 0.8F : 0.0F);
    EXPECT_EQ(turn.notes, std::vector<std::string>());
  }
}

}  // namespace
}  // namespace tandem
