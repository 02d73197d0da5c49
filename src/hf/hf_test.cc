#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "base/format.h"
#include "hf/config.h"
#include "hf/safetensors.h"
#include "hf/tokenizer.h"
#include "tests/support/shared_data.h"

namespace tandem::hf {
namespace {

namespace fs = std::filesystem;

/// A safetensors file of a header text and `data_bytes` zeros.
std::vector<std::byte> Safetensors(std::string_view header, std::size_t data_bytes) {
  std::vector<std::byte> bytes(8 + header.size() + data_bytes);
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, sizeof(length));
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string SafetensorsError(std::string_view header, std::size_t data_bytes) {
  const auto result = ParseSafetensors(Safetensors(header, data_bytes), "f");
  return result.ok() ? "accepted" : result.status().message();
}

TEST(Safetensors, ReadsTensorsSortedByName) {
  const auto bytes = Safetensors(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
      16);
  const auto tensors = ParseSafetensors(bytes, "f").value();
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].elements(), 1U);
  EXPECT_EQ(tensors[1].dtype, DType::kBF16);
  EXPECT_EQ(tensors[1].shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(tensors[1].bytes.size(), 12U);
}

TEST(Safetensors, KeepsOtherTypesByName) {
  const auto bytes =
      Safetensors(R"({"a":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]}})", 3);
  const auto tensors = ParseSafetensors(bytes, "f").value();
  EXPECT_EQ(tensors[0].dtype, DType::kOther);
  EXPECT_EQ(tensors[0].dtype_name, "F8_E4M3");
}

TEST(Safetensors, RefusesLies) {
  EXPECT_EQ(ParseSafetensors({}, "f").status().message(),
            "f: has 0 bytes, too few for a safetensors file");
  std::vector<std::byte> huge(16, std::byte{0xFF});
  EXPECT_EQ(ParseSafetensors(huge, "f").status().message(),
            "f: its header claims 18446744073709551615 bytes; 8 follow and at most 100000000 are "
            "allowed");
  EXPECT_EQ(SafetensorsError(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7),
            "f: tensor 'a' lies at bytes [0,8] of the data, which has 7");
  EXPECT_EQ(SafetensorsError(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8),
            "f: tensor 'a' lies at bytes [8,0] of the data, which has 8");
  EXPECT_EQ(SafetensorsError(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8),
            "f: tensor 'a' of F32 [3] has 8 bytes");
  EXPECT_EQ(SafetensorsError(
                R"({"a":{"dtype":"F32","shape":[9223372036854775808,2],"data_offsets":[0,0]}})", 0),
            "f: tensor 'a' of F32 [9223372036854775808,2] has 0 bytes");
  EXPECT_EQ(SafetensorsError(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                             12),
            "f: tensor 'b' begins at byte 4 of the data, but the ones before end at 8");
  EXPECT_EQ(SafetensorsError(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8),
            "f: its tensors end at byte 4 of the data, which has 8");
  EXPECT_EQ(SafetensorsError(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4),
            "f: tensor 'a' has no proper list 'shape'");
  EXPECT_EQ(SafetensorsError(R"([])", 0), "f: its header is no JSON object");
  EXPECT_EQ(SafetensorsError(R"({"a":1})", 0), "f: tensor 'a' has no dtype");
}

TEST(Safetensors, SurvivesTruncationAtEveryByte) {
  const auto whole = Safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> part(whole.begin(),
                                      whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(ParseSafetensors(part, "f").ok()) << size;
  }
}

/// A folder of its own for each test.
class Folder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tandem-hf-XXXXXX").native();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  void TearDown() override { fs::remove_all(path_); }
  void Put(const std::string& name, std::string_view text) {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  void Put(const std::string& name, const std::vector<std::byte>& bytes) {
    Put(name, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  fs::path path_;
};

using CheckpointFolder = Folder;
using TokenizerFolder = Folder;

TEST_F(CheckpointFolder, ReadsShardsInOrder) {
  Put("m-2.safetensors",
      Safetensors(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", 2));
  Put("m-1.safetensors",
      Safetensors(R"({"z":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", 2));
  Put("model.safetensors.index.json",
      R"({"weight_map":{"a":"m-2.safetensors","z":"m-1.safetensors"}})");
  const auto checkpoint = Checkpoint::Open(path_);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  ASSERT_EQ(checkpoint->tensors().size(), 2U);
  EXPECT_EQ(checkpoint->tensors()[0].name, "z");
  EXPECT_EQ(checkpoint->Find("a"), &checkpoint->tensors()[1]);
  EXPECT_EQ(checkpoint->Find("none"), nullptr);
}

TEST_F(CheckpointFolder, RefusesAnIndexThatDisagrees) {
  const auto error = [&](std::string_view index) {
    Put("model.safetensors.index.json", index);
    return Checkpoint::Open(path_).status().message();
  };
  Put("m.safetensors", Safetensors(R"({"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})", 2));
  EXPECT_NE(error(R"({"weight_map":{"a":"m.safetensors","b":"m.safetensors"}})")
                .find("tensor 'b' is not in m.safetensors"),
            std::string::npos);
  EXPECT_NE(error(R"({"weight_map":{"a":"../m.safetensors"}})").find("is no file name"),
            std::string::npos);
  EXPECT_NE(error(R"({"weight_map":{"a":".."}})").find("is no file name"), std::string::npos);
  EXPECT_NE(error(R"({"weight_map":{"a":"gone.safetensors"}})").find("No such file"),
            std::string::npos);
  EXPECT_NE(error(R"({})").find("has no object 'weight_map'"), std::string::npos);
  fs::remove(path_ / "model.safetensors.index.json");
  EXPECT_EQ(Checkpoint::Open(path_).status().code(), StatusCode::kNotFound);
}

Config Parsed(std::string_view text) {
  return Config::FromJson(ParseJson(text, "c").value(), "c").value();
}

TEST(Config, ReadsRotarySettingsInEveryLayout) {
  const Config nested = Parsed(R"({"architectures":["A"],"dtype":"bfloat16","text_config":{
      "hidden_size":64,"rope_parameters":{"rope_theta":1e7,"partial_rotary_factor":0.25,
      "rope_type":"yarn","factor":4.0,"original_max_position_embeddings":4096,
      "mrope_section":[2,1,1]}}})");
  EXPECT_EQ(nested.architecture(), "A");
  EXPECT_EQ(nested.dtype(), "bfloat16");
  EXPECT_EQ(nested.GetUint("hidden_size").value(), 64U);
  EXPECT_EQ(nested.rope().theta, 1e7);
  EXPECT_EQ(nested.rope().partial_rotary_factor, 0.25);
  EXPECT_EQ(nested.rope().type, "yarn");
  EXPECT_EQ(nested.rope().factor, 4.0);
  EXPECT_EQ(nested.rope().original_max_position_embeddings, 4096U);
  EXPECT_EQ(nested.rope().mrope_section, (std::vector<double>{2, 1, 1}));

  const Config flat = Parsed(R"({"torch_dtype":"float16","rope_theta":10000,
      "partial_rotary_factor":0.75,"original_max_position_embeddings":64,
      "rope_scaling":{"type":"longrope","short_factor":[1,1.5],"long_factor":[2,3]}})");
  EXPECT_EQ(flat.dtype(), "float16");
  EXPECT_EQ(flat.rope().theta, 10000);
  EXPECT_EQ(flat.rope().partial_rotary_factor, 0.75);
  EXPECT_EQ(flat.rope().original_max_position_embeddings, 64U);
  EXPECT_EQ(flat.rope().type, "longrope");
  EXPECT_EQ(flat.rope().long_factor, (std::vector<double>{2, 3}));

  const Config none = Parsed(R"({"rope_scaling":null})");
  EXPECT_EQ(none.rope().type, "default");
  EXPECT_FALSE(none.rope().theta.has_value());
}

TEST(Config, TextConfigWinsAndNullIsAbsent) {
  const Config c = Parsed(
      R"({"hidden_size":1,"tie":true,"text_config":{"hidden_size":2,"tie":null,"bos":null}})");
  EXPECT_EQ(c.GetUint("hidden_size").value(), 2U);
  EXPECT_TRUE(c.GetBoolOr("tie", false).value());
  EXPECT_EQ(c.Find("bos"), nullptr);
  EXPECT_EQ(c.GetUint("bos").status().message(), "c: has no 'bos'");
}

TEST(Config, NamesAFieldOfTheWrongKind) {
  const Config c = Parsed(R"({"hidden_size":"big","n":-1})");
  EXPECT_EQ(c.GetUint("hidden_size").status().message(),
            "c: 'hidden_size' is \"big\", but a whole number is needed");
  EXPECT_EQ(c.GetUint("n").status().code(), StatusCode::kCorrupt);
  EXPECT_FALSE(Config::FromJson(Json::array(), "c").ok());
  EXPECT_FALSE(Config::FromJson(ParseJson(R"({"rope_theta":"x"})", "c").value(), "c").ok());
}

TEST_F(TokenizerFolder, UnitesAddedTokensAndReadsBothMergeForms) {
  Put("tokenizer.json", R"({"normalizer":{"type":"NFC"},
      "pre_tokenizer":{"type":"Sequence","pretokenizers":[
        {"type":"Split","pattern":{"Regex":"x|y"},"behavior":"Removed","invert":true},
        {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]},
      "post_processor":{"type":"ByteLevel"},
      "added_tokens":[{"id":5,"content":"<e>","special":true},{"id":4,"content":"<b>"}],
      "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b",["a"," b"]]}})");
  Put("tokenizer_config.json", R"({"added_tokens_decoder":{"4":{"content":"<b>","rstrip":true},
      "6":{"content":"<c>"}},"eos_token":{"content":"<e>"},"pad_token":null,"bos_token":"a",
      "add_bos_token":false})");
  const auto read = ReadTokenizer(path_);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->pattern, "x|y");
  EXPECT_TRUE(read->nfc);
  EXPECT_EQ(read->merges, (std::vector<std::string>{"a b",
                                                    "a \xC4\xA0"
                                                    "b"}));
  ASSERT_EQ(read->added.size(), 3U);
  EXPECT_TRUE(read->added[0].rstrip);
  EXPECT_TRUE(read->added[1].special);
  EXPECT_EQ(read->added[2].content, "<c>");
  ASSERT_EQ(read->special.size(), 2U);
  EXPECT_EQ(read->special[1], std::pair(std::string("eos"), std::string("<e>")));
  EXPECT_EQ(read->IdOf("<e>"), 5U);
  EXPECT_EQ(read->IdOf("ab"), 2U);
  EXPECT_EQ(read->IdOf("?"), std::nullopt);
  EXPECT_EQ(read->add_bos, false);
  EXPECT_EQ(read->add_eos, std::nullopt);
}

TEST_F(TokenizerFolder, RefusesWhatChangesIds) {
  const auto error = [&](std::string_view key, std::string_view value) {
    std::string text = R"({"pre_tokenizer":{"type":"Sequence","pretokenizers":[
        {"type":"Split","pattern":{"Regex":"x"},"behavior":"Isolated","invert":false},
        {"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]},
        "model":{"vocab":{},"merges":[],"MODEL":0}})";
    if (key == "model") {
      text.replace(text.find("\"MODEL\":0"), 9, value);
    } else {
      text.insert(1, Format("\"{}\":{},", key, value));
    }
    Put("tokenizer.json", text);
    const auto read = ReadTokenizer(path_);
    return read.ok() ? "accepted" : read.status().message();
  };
  const std::string where = Format("{}: ", (path_ / "tokenizer.json").native());
  EXPECT_EQ(error("x", "1"), "accepted");
  EXPECT_EQ(error("model", R"("type":"Unigram")"),
            where + "model type 'Unigram'; only byte-level BPE is read");
  EXPECT_EQ(error("model", R"("ignore_merges":true)"), where + "'ignore_merges' is true");
  EXPECT_EQ(error("model", R"("byte_fallback":true)"), where + "'byte_fallback' is true");
  EXPECT_EQ(error("model", R"("end_of_word_suffix":"</w>")"),
            where + "'end_of_word_suffix' is '</w>'");
  EXPECT_EQ(error("normalizer", R"({"type":"Lowercase"})"),
            where + "normaliser 'Lowercase'; none and NFC are known");
  EXPECT_EQ(error("post_processor",
                  R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}]})"),
            where + "post-processor 'TemplateProcessing' adds tokens");
  EXPECT_EQ(error("post_processor",
                  R"({"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}}]})"),
            "accepted");
  Put("tokenizer_config.json", R"({"add_prefix_space":true})");
  EXPECT_NE(error("x", "1").find("'add_prefix_space' is true"), std::string::npos);
}

TEST_F(TokenizerFolder, ReadsTheTwoFileForm) {
  Put("vocab.json", R"({"a":0,"b":1,"ab":2})");
  Put("merges.txt", "#version: 0.2\na b\r\n\n");
  EXPECT_EQ(ReadTokenizer(path_).status().code(), StatusCode::kUnsupported);
  Put("tokenizer_config.json", R"({"pretokenize_regex":"x"})");
  const auto read = ReadTokenizer(path_);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->merges, (std::vector<std::string>{"a b"}));
  Put("merges.txt", "a b c\n");
  EXPECT_NE(ReadTokenizer(path_).status().message().find("line 1 is no merge: 'a b c'"),
            std::string::npos);
}

TEST_F(TokenizerFolder, FindsChatTemplatesByPriority) {
  EXPECT_TRUE(ReadChatTemplates(path_).value().empty());
  Put("tokenizer_config.json", R"({"chat_template":[{"name":"tool","template":"T"},
      {"name":"default","template":"D"}]})");
  auto templates = ReadChatTemplates(path_).value();
  ASSERT_EQ(templates.size(), 2U);
  EXPECT_EQ(templates[0].text, "D");
  EXPECT_EQ(templates[1].name, "tool");
  Put("chat_template.json", R"({"chat_template":"J"})");
  EXPECT_EQ(ReadChatTemplates(path_).value()[0].text, "J");
  Put("chat_template.jinja", "file\n");
  EXPECT_EQ(ReadChatTemplates(path_).value()[0].text, "file\n");
  fs::remove(path_ / "chat_template.jinja");
  Put("chat_template.json", R"({"chat_template":7})");
  EXPECT_EQ(ReadChatTemplates(path_).status().code(), StatusCode::kCorrupt);
}

TEST_F(Folder, GenerationConfigTakesOneIdOrSeveral) {
  EXPECT_TRUE(ReadGenerationConfig(path_).value().eos_token_ids.empty());
  Put("generation_config.json", R"({"eos_token_id":7,"top_k":20,"temperature":0.6})");
  const auto config = ReadGenerationConfig(path_).value();
  EXPECT_EQ(config.eos_token_ids, (std::vector<std::uint32_t>{7}));
  EXPECT_EQ(config.top_k, 20U);
  EXPECT_EQ(config.temperature, 0.6);
  EXPECT_FALSE(config.top_p.has_value());
  Put("generation_config.json", R"({"eos_token_id":[7,8]})");
  EXPECT_EQ(ReadGenerationConfig(path_)->eos_token_ids, (std::vector<std::uint32_t>{7, 8}));
  Put("generation_config.json", R"({"eos_token_id":-1})");
  EXPECT_FALSE(ReadGenerationConfig(path_).ok());
}

TEST(OracleFolders, AreRead) {
  for (const std::string name : {"qwen-a", "qwen-b", "phi-a", "phi-b"}) {
    TANDEM_SHARED_OR_SKIP(folder, "oracle/" + name);
    const auto checkpoint = Checkpoint::Open(folder);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_GT(checkpoint->tensors().size(), 10U);
    const auto config = Config::Read(folder);
    ASSERT_TRUE(config.ok()) << config.status().message();
    EXPECT_EQ(config->dtype(), name == "qwen-b" ? "bfloat16" : "float32");
    const auto tokenizer = ReadTokenizer(folder);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    EXPECT_EQ(tokenizer->nfc, name.starts_with("qwen"));
    EXPECT_EQ(ReadChatTemplates(folder)->size(), 1U);
  }
}

}  // namespace
}  // namespace tandem::hf
