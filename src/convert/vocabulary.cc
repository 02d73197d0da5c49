#include "convert/vocabulary.h"

#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/format.h"
#include "convert/architecture.h"
#include "hf/fields.h"
#include "hf/tokenizer.h"

namespace tandem::convert {
namespace {

// tokenizer.ggml.token_type of llama.cpp's LLAMA_TOKEN_TYPE_*.
enum TokenType : std::int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

struct PreTokenizer {
  std::string_view name;  // tokenizer.ggml.pre
  bool nfc;
  std::string_view pattern;
};

constexpr PreTokenizer kPreTokenizers[] = {
    {"qwen35", true,
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}|)"
     R"( ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
    {"gpt-4o", false,
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?|)"
     R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
};

Result<const PreTokenizer*> FindPreTokenizer(const std::string& pattern) {
  for (const PreTokenizer& row : kPreTokenizers) {
    if (row.pattern == pattern) {
      return &row;
    }
  }
  return Status(
      StatusCode::kUnsupported,
      Format("the tokenizer splits text by an unknown pattern: {}", Printable(pattern, 400)));
}

/// Added tokens that are not marked special but name a turn or a role are control tokens too.
/// Source: llama.cpp conversion/base.py, does_token_look_special.
bool LooksSpecial(std::string_view text) {
  return text.starts_with("<|") && text.ends_with("|>");
}

struct Table {
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;
};

Result<Table> FillTable(const hf::Tokenizer& tokenizer, std::uint32_t rows) {
  Table table;
  table.types.assign(rows, kUnused);
  table.tokens.reserve(rows);
  for (std::uint32_t i = 0; i < rows; ++i) {
    table.tokens.push_back(Format("[PAD{}]", i));
  }
  const auto put = [&](std::uint32_t id, const std::string& text, TokenType type) {
    if (id >= rows) {
      return Status(StatusCode::kCorrupt, Format("token '{}' has id {}, but 'vocab_size' is {}",
                                                 Printable(text), id, rows));
    }
    table.tokens[id] = text;
    table.types[id] = type;
    return OkStatus();
  };
  for (const auto& [text, id] : tokenizer.vocab) {
    if (id < rows && table.types[id] != kUnused) {
      return Status(StatusCode::kCorrupt, Format("tokens '{}' and '{}' both have id {}",
                                                 Printable(table.tokens[id]), Printable(text), id));
    }
    TANDEM_RETURN_IF_ERROR(put(id, text, kNormal));
  }
  for (const hf::AddedToken& token : tokenizer.added) {
    const bool control = token.special || LooksSpecial(token.content);
    TANDEM_RETURN_IF_ERROR(put(token.id, token.content, control ? kControl : kUserDefined));
  }
  return table;
}

/// The roles in file order with the key of each.
struct Role {
  std::string_view name;
  std::string_view key;
};

constexpr Role kRoles[] = {
    {"bos", "tokenizer.ggml.bos_token_id"},     {"eos", "tokenizer.ggml.eos_token_id"},
    {"unk", "tokenizer.ggml.unknown_token_id"}, {"sep", "tokenizer.ggml.seperator_token_id"},
    {"pad", "tokenizer.ggml.padding_token_id"}, {"cls", "tokenizer.ggml.cls_token_id"},
    {"mask", "tokenizer.ggml.mask_token_id"},
};

Status SetRole(const Role& role, std::uint64_t id, std::uint32_t rows, gguf::Metadata& metadata) {
  if (id >= rows) {
    return Status(StatusCode::kCorrupt,
                  Format("the {} token has id {}, but 'vocab_size' is {}", role.name, id, rows));
  }
  metadata.SetUint32(role.key, static_cast<std::uint32_t>(id));
  return OkStatus();
}

/// tokenizer_config.json names the text of special tokens; config.json has ids for those it does
/// not name.
Status AddRoles(const hf::Tokenizer& tokenizer, const hf::Config& config, std::uint32_t rows,
                gguf::Metadata& metadata) {
  for (const auto& [name, text] : tokenizer.special) {
    for (const Role& role : kRoles) {
      if (role.name != name) {
        continue;
      }
      if (const auto id = tokenizer.IdOf(text); id.has_value()) {
        TANDEM_RETURN_IF_ERROR(SetRole(role, *id, rows, metadata));
      }
    }
  }
  for (const Role& role : kRoles) {
    const std::string key = Format("{}_token_id", role.name);
    const Json* value = hf::FindField(config.root(), key);
    value = value != nullptr ? value : config.Find(key);
    // A list (several ends) is no single id; generation_config.json has it as well.
    if (metadata.Find(role.key) == nullptr && value != nullptr && value->is_number_unsigned()) {
      TANDEM_RETURN_IF_ERROR(SetRole(role, value->get<std::uint64_t>(), rows, metadata));
    }
  }
  return OkStatus();
}

Status AddTemplates(const std::filesystem::path& folder, gguf::Metadata& metadata) {
  TANDEM_ASSIGN_OR_RETURN(const auto templates, hf::ReadChatTemplates(folder));
  std::vector<std::string> names;
  for (const hf::ChatTemplate& entry : templates) {
    if (entry.name == "default") {
      metadata.SetString("tokenizer.chat_template", entry.text);
    } else {
      names.push_back(entry.name);
      metadata.SetString(Format("tokenizer.chat_template.{}", entry.name), entry.text);
    }
  }
  if (!names.empty()) {
    metadata.SetStrings("tokenizer.chat_templates", names);
  }
  return OkStatus();
}

void AddOwnKeys(const hf::Tokenizer& tokenizer, const PreTokenizer& pre,
                const hf::GenerationConfig& generation, gguf::Metadata& metadata) {
  std::vector<std::int32_t> rstrip;
  for (const hf::AddedToken& token : tokenizer.added) {
    if (token.rstrip) {
      rstrip.push_back(static_cast<std::int32_t>(token.id));
    }
  }
  metadata.SetInt32s("tandem.tokenizer.rstrip_ids", rstrip);
  if (tokenizer.nfc != pre.nfc) {
    metadata.SetBool("tandem.tokenizer.nfc", tokenizer.nfc);
  }
  const std::vector<std::int32_t> ends(generation.eos_token_ids.begin(),
                                       generation.eos_token_ids.end());
  if (!ends.empty()) {
    metadata.SetInt32s("tandem.tokenizer.eos_ids", ends);
  }
}

}  // namespace

Status AddVocabulary(const std::filesystem::path& folder, const hf::Config& config,
                     const hf::GenerationConfig& generation, gguf::Metadata& metadata) {
  TANDEM_ASSIGN_OR_RETURN(const hf::Tokenizer tokenizer, hf::ReadTokenizer(folder));
  TANDEM_ASSIGN_OR_RETURN(const PreTokenizer* pre, FindPreTokenizer(tokenizer.pattern));
  TANDEM_ASSIGN_OR_RETURN(const std::uint32_t rows, RequireCount(config, "vocab_size"));
  TANDEM_ASSIGN_OR_RETURN(const Table table, FillTable(tokenizer, rows));
  metadata.SetString("tokenizer.ggml.model", "gpt2");
  metadata.SetString("tokenizer.ggml.pre", pre->name);
  metadata.SetStrings("tokenizer.ggml.tokens", table.tokens);
  metadata.SetInt32s("tokenizer.ggml.token_type", table.types);
  metadata.SetStrings("tokenizer.ggml.merges", tokenizer.merges);
  TANDEM_RETURN_IF_ERROR(AddRoles(tokenizer, config, rows, metadata));
  if (tokenizer.add_bos.has_value()) {
    metadata.SetBool("tokenizer.ggml.add_bos_token", *tokenizer.add_bos);
  }
  if (tokenizer.add_eos.has_value()) {
    metadata.SetBool("tokenizer.ggml.add_eos_token", *tokenizer.add_eos);
  }
  TANDEM_RETURN_IF_ERROR(AddTemplates(folder, metadata));
  AddOwnKeys(tokenizer, *pre, generation, metadata);
  return OkStatus();
}

}  // namespace tandem::convert
