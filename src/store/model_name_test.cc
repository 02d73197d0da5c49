#include "store/model_name.h"

#include <gtest/gtest.h>

#include "store/catalogue.h"

namespace tandem {
namespace {

using Kind = ModelName::Kind;

ModelName Parse(const std::string& name) {
  const Result<ModelName> parsed = ParseModelName(name);
  EXPECT_TRUE(parsed.ok()) << name << ": " << parsed.status().message();
  return parsed.ok() ? *parsed : ModelName{};
}

TEST(Catalogue, HoldsTheModelsOfTheComparison) {
  const Catalogue& catalogue = Catalogue::BuiltIn();
  for (const char* name : {"qwen3.5:4b", "qwen3.5:0.8b", "qwen3.5:2b", "qwen3.5:9b", "phi4-mini",
                           "phi4-mini-reasoning"}) {
    const CatalogueModel* model = catalogue.Find(name);
    ASSERT_NE(model, nullptr) << name;
    EXPECT_FALSE(model->licence.empty());
    EXPECT_GT(model->context, 0U);
  }
  EXPECT_EQ(catalogue.Find("qwen3.5"), catalogue.Find("qwen3.5:4b"));
  EXPECT_EQ(catalogue.Find("PHI4-Mini"), catalogue.Find("phi4-mini"));
  EXPECT_EQ(catalogue.FindTitle("Qwen3.5 4B"), catalogue.Find("qwen3.5:4b"));
  EXPECT_EQ(catalogue.FindRepository("unsloth/qwen3.5-4b-gguf"), catalogue.Find("qwen3.5:4b"));
  EXPECT_EQ(catalogue.Find("qwen3.5:4b")->AboutBytes("q8_0"), 4'480'000'000U);
  EXPECT_FALSE(catalogue.Find("qwen3.5:9b")->AboutBytes("Q8_0").has_value());  // nothing is guessed
}

TEST(Catalogue, NamesTheFieldThatIsWrong) {
  const auto text = Catalogue::Parse(R"({"models": [{"name": 3}]})");
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.status().message(), "catalogue: models[0]: 'name' must be a string");
  EXPECT_EQ(Catalogue::Parse("[]").status().code(), StatusCode::kCorrupt);
}

TEST(ModelName, ReadsShortNamesWithQuants) {
  EXPECT_EQ(Parse("qwen3.5").canonical, "qwen3.5:4b");
  EXPECT_EQ(Parse("Qwen3.5:4B").tag, "Q4_K_M");
  EXPECT_EQ(Parse("qwen3.5:latest").canonical, "qwen3.5:4b");
  EXPECT_EQ(Parse("qwen3.5:q8_0").canonical, "qwen3.5:4b-q8_0");
  const ModelName name = Parse("qwen3.5:0.8b-Q8_0");
  EXPECT_EQ(name.kind, Kind::kCatalogue);
  EXPECT_EQ(name.repository, "qwen3.5:0.8b");
  EXPECT_EQ(name.tag, "Q8_0");
  EXPECT_EQ(name.canonical, "qwen3.5:0.8b-q8_0");
  EXPECT_EQ(Parse("qwen3.5:4b-q4_k_m").canonical, "qwen3.5:4b");  // the default, said aloud
  EXPECT_EQ(Parse("qwen3.5:4b-ud-q4_k_xl").tag, "ud-q4_k_xl");
  EXPECT_EQ(Parse("phi4-mini:q8_0").canonical, "phi4-mini:q8_0");
  EXPECT_EQ(Parse("phi4-mini-reasoning").repository, "phi4-mini-reasoning");
  EXPECT_EQ(Parse("qwen3.5:7b").kind, Kind::kOther);
  EXPECT_EQ(Parse("qwen3.5:demo").kind, Kind::kBuiltin);
}

TEST(ModelName, ReadsRepositoriesAndRegistries) {
  const ModelName hub = Parse("hf.co/unsloth/Qwen3.5-4B-GGUF:Q4_K_M");
  EXPECT_EQ(hub.kind, Kind::kHub);
  EXPECT_EQ(hub.repository, "unsloth/Qwen3.5-4B-GGUF");
  EXPECT_EQ(hub.tag, "Q4_K_M");
  EXPECT_EQ(Parse("https://huggingface.co/a/b").canonical, "hf.co/a/b");
  EXPECT_EQ(Parse("unsloth/Phi-4-mini-instruct-GGUF:q8_0").kind, Kind::kHub);
  const ModelName ollama = Parse("ollama:phi4-mini");
  EXPECT_EQ(ollama.kind, Kind::kOllama);
  EXPECT_EQ(ollama.repository, "library/phi4-mini");
  EXPECT_EQ(ollama.canonical, "ollama:phi4-mini:latest");
  EXPECT_EQ(Parse("ollama:someone/thing:4b").repository, "someone/thing");
  EXPECT_EQ(Parse("ollama:hf.co/a/b-GGUF:Q4_K_M").repository, "hf.co/a/b-GGUF");
  EXPECT_FALSE(ParseModelName("ollama:a/b/c/d").ok());
  EXPECT_FALSE(ParseModelName("ollama:a//b").ok());
  const ModelName scope = Parse("ms:unsloth/Qwen3.5-4B-GGUF:Q8_0");
  EXPECT_EQ(scope.kind, Kind::kModelScope);
  EXPECT_EQ(scope.repository, "unsloth/Qwen3.5-4B-GGUF");
  EXPECT_EQ(scope.canonical, "ms:unsloth/Qwen3.5-4B-GGUF:Q8_0");
  EXPECT_FALSE(ParseModelName("ms:alone").ok());
}

TEST(ModelName, TellsPathsFromNames) {
  for (const char* path : {"x.gguf", "./x", "../x", "/x/y", "models/x", "~/m.gguf", "."}) {
    EXPECT_EQ(Parse(path).kind, Kind::kPath) << path;
  }
  EXPECT_EQ(Parse("my-copy").kind, Kind::kOther);
}

TEST(ModelName, RefusesWhatIsMalformed) {
  for (const char* name : {"", "hf.co/onlyowner", "hf.co/a/b/c", "hf.co/../b", "ollama:", "a b",
                           "hf.co/a/b:", "ollama:a:b:"}) {
    EXPECT_EQ(ParseModelName(name).status().code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(ParseModelName(std::string(400, 'a')).status().code(), StatusCode::kInvalidArgument);
}

TEST(ModelName, SaysWhatWasProbablyMeant) {
  EXPECT_NE(UnknownModelName("qwen3.5:4n").message().find("did you mean 'qwen3.5:4b'?"),
            std::string::npos);
  EXPECT_NE(UnknownModelName("gpt-nothing-like-it").message().find("phi4-mini-reasoning"),
            std::string::npos);
}

TEST(QuantOfFile, FindsTheTagBeforeTheEnding) {
  EXPECT_EQ(QuantOfFile("Qwen3.5-4B-Q4_K_M.gguf"), "Q4_K_M");
  EXPECT_EQ(QuantOfFile("Qwen3.5-4B-UD-Q4_K_XL.gguf"), "UD-Q4_K_XL");
  EXPECT_EQ(QuantOfFile("x/phi-4-mini.q8_0.gguf"), "Q8_0");
  EXPECT_EQ(QuantOfFile("m-IQ4_XS-00001-of-00003.gguf"), "IQ4_XS");
  EXPECT_EQ(QuantOfFile("m-BF16.gguf"), "BF16");
  EXPECT_EQ(QuantOfFile("model.gguf"), "");
}

}  // namespace
}  // namespace tandem
