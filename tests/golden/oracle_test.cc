// The tiny checkpoints that the reference computed in double (tests/data/oracle, and all of them
// where the shared test data lies beside the checkout): logits, greedy tokens and the laws of the
// engine on them.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "hf/safetensors.h"
#include "io/json.h"
#include "io/mapped_file.h"
#include "model/network.h"
#include "runtime/engine.h"
#include "tests/support/shared_data.h"

namespace tandem {
namespace {

struct Oracle {
  std::unique_ptr<gguf::ModelFile> file;
  std::unique_ptr<Network> network;
  Json cases;
};

Oracle Load(const std::filesystem::path& folder) {
  Oracle oracle;
  oracle.file = gguf::ModelFile::Open(folder / "f32.gguf").value();
  oracle.network = LoadNetwork(*oracle.file).value();
  oracle.cases = ReadJsonFile(folder / "cases.json").value();
  return oracle;
}

std::unique_ptr<Engine> NewEngine(const Oracle& oracle, std::size_t rows, std::size_t threads = 2,
                                  const std::string& isa = "auto") {
  EngineOptions options;
  options.kv = KvType::kF32;
  options.max_step_rows = rows;
  options.cpu.threads = threads;
  options.cpu.isa = isa;
  return Engine::Create(*oracle.network, options).value();
}

// Logits of every row of `ids`, read into `sequence`.
std::vector<std::vector<float>> ReadAll(Engine& engine, Sequence& sequence,
                                        const std::vector<TokenId>& ids) {
  std::vector<std::vector<float>> rows(ids.size());
  Request request;
  request.sequence = &sequence;
  request.prompt = ids;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    request.logit_rows.push_back(i);
  }
  request.on_logits = [&rows](std::size_t row, std::span<const float> logits) {
    rows[row].assign(logits.begin(), logits.end());
  };
  EXPECT_TRUE(engine.Run(request).ok());
  return rows;
}

std::vector<float> Floats(const hf::Tensor& tensor) {
  std::vector<float> values(tensor.elements());
  std::memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(float));
  return values;
}

void CheckLogits(const Oracle& oracle, const Json& item, std::span<const hf::Tensor> expected) {
  const auto ids = item["ids"].get<std::vector<TokenId>>();
  const std::string key = item["logits"].get<std::string>();
  const auto tensor = std::find_if(expected.begin(), expected.end(),
                                   [&](const hf::Tensor& t) { return t.name == key; });
  ASSERT_NE(tensor, expected.end());
  const std::vector<float> truth = Floats(*tensor);
  const auto engine = NewEngine(oracle, 512);
  Sequence sequence = engine->NewSequence();
  const auto rows = ReadAll(*engine, sequence, ids);
  float largest = 0;
  float error = 0;
  const std::size_t vocabulary = oracle.network->info().vocabulary;
  std::size_t i = 0;
  for (const Json& row : item["rows"]) {
    for (std::size_t v = 0; v < vocabulary; ++v) {
      const float t = truth[i * vocabulary + v];
      largest = std::max(largest, std::fabs(t));
      error = std::max(error, std::fabs(rows[row.get<std::size_t>()][v] - t));
    }
    ++i;
  }
  // The reference's own float32 run is this far from the truth; see the data's README.
  EXPECT_LE(error / largest, std::max(1e-5, item["f32_error"].get<double>())) << item["name"];
  for (std::size_t t = 0; t < ids.size(); ++t) {
    const auto best = std::max_element(rows[t].begin(), rows[t].end()) - rows[t].begin();
    EXPECT_EQ(best, item["argmax"][t].get<long>()) << item["name"] << " position " << t;
  }
}

void CheckGreedy(const Oracle& oracle, const Json& item) {
  for (const std::size_t rows : {512UL, 1UL}) {
    const auto engine = NewEngine(oracle, rows);
    Sequence sequence = engine->NewSequence();
    Sampler sampler({.temperature = 0}, oracle.network->info().vocabulary, {});
    sampler.BanFrom(item["banned_from"].get<TokenId>());
    std::vector<TokenId> tokens;
    Request request;
    request.sequence = &sequence;
    request.prompt = item["ids"].get<std::vector<TokenId>>();
    request.sampler = &sampler;
    request.max_tokens = item["tokens"].size();
    request.on_token = [&tokens](TokenId token) {
      tokens.push_back(token);
      return true;
    };
    ASSERT_TRUE(engine->Run(request).ok());
    EXPECT_EQ(tokens, item["tokens"].get<std::vector<TokenId>>())
        << item["name"] << ", steps of " << rows << " rows";
  }
}

class OracleTest : public testing::TestWithParam<std::string> {};

TEST_P(OracleTest, LogitsAndGreedyTokensAreTheReferences) {
  const auto folder = OracleFolder(GetParam());
  if (!folder) {
    GTEST_SKIP() << "shared test data 'oracle/" << GetParam() << "' is not here";
  }
  const Oracle oracle = Load(*folder);
  const MappedFile mapped = MappedFile::Open(*folder / "expected.safetensors").value();
  const std::vector<hf::Tensor> expected = hf::ParseSafetensors(mapped.bytes(), "expected").value();
  for (const Json& item : oracle.cases) {
    if (item["kind"] == "logits") {
      CheckLogits(oracle, item, expected);
    } else if (item["kind"] == "greedy") {
      CheckGreedy(oracle, item);
    }
  }
}

// A prompt of this model's own cases, long enough for a few pieces.
std::vector<TokenId> LongestPrompt(const Oracle& oracle) {
  std::vector<TokenId> longest;
  for (const Json& item : oracle.cases) {
    if (item["kind"] == "logits" && item["ids"].size() > longest.size()) {
      longest = item["ids"].get<std::vector<TokenId>>();
    }
  }
  return longest;
}

TEST_P(OracleTest, AnyPiecesAndThreadsGiveTheSameBits) {
  const auto folder = OracleFolder(GetParam());
  if (!folder) {
    GTEST_SKIP() << "shared test data 'oracle/" << GetParam() << "' is not here";
  }
  const Oracle oracle = Load(*folder);
  const std::vector<TokenId> ids = LongestPrompt(oracle);
  const auto whole_engine = NewEngine(oracle, 512, 1);
  Sequence whole = whole_engine->NewSequence();
  const auto truth = ReadAll(*whole_engine, whole, ids);
  for (const std::size_t rows : {1UL, 7UL, 64UL}) {
    for (const std::size_t threads : {1UL, 2UL, 3UL, 5UL}) {
      const auto engine = NewEngine(oracle, rows, threads);
      Sequence sequence = engine->NewSequence();
      EXPECT_EQ(ReadAll(*engine, sequence, ids), truth)
          << rows << " rows, " << threads << " threads";
    }
  }
}

TEST_P(OracleTest, ForksAndNeighboursDoNotChangeASequence) {
  const auto folder = OracleFolder(GetParam());
  if (!folder) {
    GTEST_SKIP() << "shared test data 'oracle/" << GetParam() << "' is not here";
  }
  const Oracle oracle = Load(*folder);
  std::vector<TokenId> ids = LongestPrompt(oracle);
  ids.resize(std::min<std::size_t>(ids.size(), 60));  // below any LongRoPE border
  const auto engine = NewEngine(oracle, 512);
  Sequence alone = engine->NewSequence();
  const auto truth = ReadAll(*engine, alone, ids);

  const std::vector<TokenId> head(ids.begin(), ids.begin() + 41);
  const std::vector<TokenId> tail(ids.begin() + 41, ids.end());
  Sequence first = engine->NewSequence();
  ReadAll(*engine, first, head);
  Sequence fork = first.Fork();
  ReadAll(*engine, first, {tail.rbegin(), tail.rend()});  // must not touch the fork
  Request other;
  Sequence neighbour = engine->NewSequence();
  other.sequence = &neighbour;
  other.prompt = head;
  ASSERT_TRUE(engine->Submit(other).ok());  // read in the same steps
  const auto rows = ReadAll(*engine, fork, tail);
  EXPECT_TRUE(std::equal(rows.begin(), rows.end(), truth.begin() + 41));
}

TEST(Engine, RefusesAPromptLongerThanTheContext) {
  const auto folder = OracleFolder("phi-a");
  ASSERT_TRUE(folder.has_value());
  const Oracle oracle = Load(*folder);
  const auto engine = NewEngine(oracle, 64);
  Sequence sequence = engine->NewSequence();
  Request request;
  request.sequence = &sequence;
  request.prompt.assign(257, 1);
  const Status status = engine->Submit(request);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "prompt has 257 tokens; 256 of 256 are free");
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, OracleTest,
                         testing::Values("qwen-a", "qwen-b", "phi-a", "phi-b"),
                         [](const auto& param) {
                           std::string name = param.param;
                           name[name.find('-')] = '_';
                           return name;
                         });

}  // namespace
}  // namespace tandem
