#include "chat/sampling_defaults.h"

#include <cstddef>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "gguf/metadata.h"
#include "gguf/model_file.h"
#include "gguf/writer.h"
#include "tests/support/shared_data.h"

namespace tandem {
namespace {

gguf::Metadata Family(std::string_view architecture) {
  gguf::Metadata metadata;
  metadata.SetString("general.architecture", architecture);
  return metadata;
}

Result<SamplingOptions> Default(const gguf::Metadata& metadata, bool thinking, bool by_default) {
  TANDEM_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes,
                          gguf::WriteBytes(metadata, {}, [](std::size_t, const gguf::ByteSink&) {
                            return OkStatus();
                          }));
  TANDEM_ASSIGN_OR_RETURN(const gguf::File file, gguf::File::Parse(bytes, "test.gguf"));
  return DefaultSampling(file, thinking, by_default);
}

TEST(DefaultSampling, FollowsTheCardsOfTheFamilies) {
  const SamplingOptions thinking = *Default(Family("qwen35"), true, true);
  EXPECT_EQ(thinking.temperature, 1.0F);
  EXPECT_EQ(thinking.top_k, 20U);
  EXPECT_EQ(thinking.top_p, 0.95F);
  EXPECT_EQ(thinking.presence_penalty, 1.5F);
  EXPECT_EQ(thinking.repetition_penalty, 1.0F);
  const SamplingOptions plain = *Default(Family("qwen35"), false, true);
  EXPECT_EQ(plain.temperature, 0.7F);
  EXPECT_EQ(plain.top_k, 20U);
  EXPECT_EQ(plain.top_p, 0.8F);
  EXPECT_EQ(plain.presence_penalty, 1.5F);
  EXPECT_EQ(Default(Family("phi3"), false, false)->temperature, 0.0F);
  EXPECT_EQ(Default(Family("other"), false, false)->temperature, 1.0F);
}

TEST(DefaultSampling, KeysOfTheFileReplaceThoseOfItsDefaultModeOnly) {
  gguf::Metadata metadata = Family("qwen35");
  metadata.SetFloat32("general.sampling.temp", 0.25F);
  metadata.SetInt32("general.sampling.top_k", 40);
  metadata.SetFloat32("general.sampling.top_p", 0.5F);
  metadata.SetFloat32("general.sampling.min_p", 0.125F);
  metadata.SetFloat32("general.sampling.penalty_repeat", 1.25F);
  for (const bool thinks_by_default : {true, false}) {
    const SamplingOptions own = *Default(metadata, thinks_by_default, thinks_by_default);
    EXPECT_EQ(own.temperature, 0.25F);
    EXPECT_EQ(own.top_k, 40U);
    EXPECT_EQ(own.top_p, 0.5F);
    EXPECT_EQ(own.min_p, 0.125F);
    EXPECT_EQ(own.repetition_penalty, 1.25F);
    EXPECT_EQ(own.presence_penalty, 1.5F);  // not in the file: the card's
    const SamplingOptions other = *Default(metadata, !thinks_by_default, thinks_by_default);
    EXPECT_EQ(other.temperature, thinks_by_default ? 0.7F : 1.0F);
    EXPECT_EQ(other.top_k, 20U);
    EXPECT_EQ(other.min_p, 0.0F);
  }
  metadata.SetInt32("general.sampling.top_k", -1);  // all, as some files say it
  EXPECT_EQ(Default(metadata, true, true)->top_k, 0U);
}

TEST(DefaultSampling, ImpossibleValueOfTheFileIsCorrupt) {
  gguf::Metadata metadata = Family("qwen35");
  metadata.SetFloat32("general.sampling.top_p", 7);
  const Result<SamplingOptions> result = Default(metadata, true, true);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), StatusCode::kCorrupt);
  EXPECT_EQ(result.status().message(),
            "test.gguf: general.sampling: top_p is 7, but must be from 0 to 1");
}

TEST(DefaultSampling, ReadsTheKeysThatTheConverterOfLlamaCppWrites) {
  TANDEM_SHARED_OR_SKIP(path, "oracle/qwen-a/f32.gguf");
  const auto file = gguf::ModelFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  const Result<SamplingOptions> own = DefaultSampling(**file, false, false);
  ASSERT_TRUE(own.ok()) << own.status().message();
  EXPECT_EQ(own->temperature, 1.0F);
  EXPECT_EQ(own->top_k, 20U);
  EXPECT_EQ(own->top_p, 0.95F);
}

TEST(SamplingOverrides, ReplaceWhatTheySetAndNothingElse) {
  SamplingOptions options{.temperature = 0.7F, .top_k = 20, .presence_penalty = 1.5F, .seed = 3};
  SamplingOverrides overrides;
  overrides.temperature = 0.0F;
  overrides.frequency_penalty = 0.5F;
  overrides.logit_bias = {{4, 1.0F}};
  Apply(overrides, options);
  EXPECT_EQ(options.temperature, 0.0F);
  EXPECT_EQ(options.top_k, 20U);
  EXPECT_EQ(options.presence_penalty, 1.5F);
  EXPECT_EQ(options.frequency_penalty, 0.5F);
  EXPECT_EQ(options.logit_bias.size(), 1U);
  EXPECT_EQ(options.seed, 3U);
}

}  // namespace
}  // namespace tandem
