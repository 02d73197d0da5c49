// What a format costs per token on a model's vocabulary: grammar_bench MODEL.gguf [TEXT.json
// [SCHEMA]]. Follows a JSON text, cut by the model's own tokenizer, and times the set of allowed
// tokens before each of them; the first pass, which meets the states of the grammar for the first
// time, apart.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "chat/loaded_model.h"
#include "grammar/format.h"
#include "grammar/matcher.h"
#include "io/file.h"
#include "store/builtin.h"

namespace {

using namespace tandem;  // NOLINT(google-build-using-namespace): a program of its own
using Clock = std::chrono::steady_clock;

double Microseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::micro>(Clock::now() - since).count();
}

const char* kText =
    R"({"name": "Ada Lovelace", "born": "1815-12-10", "age": 36, "tags": ["mathematician", "writer",
 "programmer"], "text": "She was the first to see that a machine could do more than calculate — «music», for
 instance.", "works": [{"title": "Notes on the Analytical Engine", "year": 1843, "pages": 65.5, "cited": true}]})";

const char* kSchema =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":60},"born":{"type":"string",
"format":"date"},"age":{"type":"integer","minimum":0,"maximum":150},"tags":{"type":"array","items":{"type":"string"},
"maxItems":8},"text":{"type":"string"},"works":{"type":"array","items":{"type":"object","properties":{"title":
{"type":"string"},"year":{"type":"integer"},"pages":{"type":"number"},"cited":{"type":"boolean"}},
"required":["title","year"]}}},"required":["name","age"]})";

int Time(const text::Tokenizer& tokens, const std::shared_ptr<const grammar::TokenTrie>& trie,
         const std::string& name, const std::string& format, const std::vector<TokenId>& ids) {
  Clock::time_point start = Clock::now();
  const auto compiled = grammar::CompileFormat(format, "format");
  if (!compiled.ok()) {
    std::fprintf(stderr, "%s\n", compiled.status().message().c_str());
    return 1;
  }
  std::printf("%s: compiled in %.0f us, %zu states\n", name.c_str(), Microseconds(start),
              (*compiled)->size());
  grammar::Matcher matcher(*compiled, trie);
  std::vector<std::uint64_t> allowed(trie->words());
  for (int pass = 0; pass < 5; ++pass) {
    matcher.Start();
    std::vector<double> times;
    double accept = 0;
    for (const TokenId id : ids) {
      start = Clock::now();
      matcher.AllowedTokens(allowed);
      times.push_back(Microseconds(start));
      start = Clock::now();
      if (!matcher.Accept(tokens.TokenBytes(id))) {
        std::fprintf(stderr, "the text does not fit at '%s'\n",
                     std::string(tokens.TokenBytes(id)).c_str());
        return 1;
      }
      accept += Microseconds(start);
    }
    double sum = 0;
    for (const double time : times) {
      sum += time;
    }
    std::sort(times.begin(), times.end());
    const auto count = static_cast<double>(times.size());
    std::printf(
        "  pass %d: %zu tokens, set: mean %.1f us, median %.1f, 95 %% %.1f, most %.1f; accept: "
        "%.2f\n",
        pass + 1, times.size(), sum / count, times[times.size() / 2],
        times[times.size() * 95 / 100], times.back(), accept / count);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: grammar_bench MODEL.gguf [TEXT.json [SCHEMA.json]]\n");
    return 2;
  }
  auto file = OpenModelFile(argv[1]);
  if (!file.ok()) {
    std::fprintf(stderr, "%s\n", file.status().message().c_str());
    return 1;
  }
  const auto model = LoadedModel::Load(std::move(file).value());
  if (!model.ok()) {
    std::fprintf(stderr, "%s\n", model.status().message().c_str());
    return 1;
  }
  std::string text = kText;
  std::erase(text, '\n');
  std::string schema = kSchema;
  if (argc > 2) {
    text = ReadFile(argv[2]).value();
    schema = argc > 3 ? ReadFile(argv[3]).value() : "true";
  }
  const text::Tokenizer& tokens = (*model)->tokenizer();
  const Clock::time_point start = Clock::now();
  const auto& trie = (*model)->token_trie();
  std::printf("tree of %zu tokens: %zu nodes, made in %.0f us\n", tokens.size(),
              trie->nodes().size(), Microseconds(start));
  const std::vector<TokenId> ids = tokens.EncodePlain(text);
  const int failed = Time(tokens, trie, "any JSON", "true", ids);
  return failed + Time(tokens, trie, "schema", schema, ids);
}
