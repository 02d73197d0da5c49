#include "hf/tokenizer.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <system_error>

#include "base/format.h"
#include "hf/fields.h"
#include "io/file.h"

namespace tandem::hf {
namespace {

constexpr std::uint64_t kMaxId = std::numeric_limits<std::int32_t>::max();

using AddedTokens = std::map<std::uint32_t, AddedToken>;

/// Reads the files of one folder into a Tokenizer. Single-threaded, used once.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& folder) : folder_(folder) {}

  Result<Tokenizer> Run();

 private:
  std::string Where(std::string_view file) const {
    return Printable((folder_ / file).native(), 400);
  }
  Status Unsupported(std::string_view text) const {
    return Status(StatusCode::kUnsupported, Format("{}: {}", where_, text));
  }

  Status ReadTokenizerJson(const Json& json);
  Status ReadModel(const Json& model);
  Status ReadVocab(const Json& vocab);
  Status ReadMerges(const Json& merges);
  Status ReadNormalizer(const Json& json);
  Status ReadPreTokenizer(const Json& json);
  Status ReadPreTokenizerPart(const Json& part);
  Status CheckPostProcessor(const Json& part) const;
  Status ReadAdded(const Json& entry, std::uint64_t id);
  Status ReadVocabFiles();
  Status ReadMergesText(std::string_view text);
  Status ReadTokenizerConfig(const Json& config, bool needs_pattern);

  std::filesystem::path folder_;
  std::string where_;  // the file being read, for errors
  Tokenizer tokenizer_;
  AddedTokens added_;
};

Status Reader::ReadVocab(const Json& vocab) {
  tokenizer_.vocab.reserve(vocab.size());
  for (const auto& [text, id] : vocab.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > kMaxId) {
      return WrongField(where_, Printable(text), id, "a token id");
    }
    tokenizer_.vocab.emplace_back(text, id.get<std::uint32_t>());
  }
  return OkStatus();
}

/// Appends a merge part in the byte alphabet, where a space is U+0120.
void AppendPart(const std::string& part, std::string& out) {
  for (const char c : part) {
    if (c == ' ') {
      out += "\xC4\xA0";
    } else {
      out += c;
    }
  }
}

Status Reader::ReadMerges(const Json& merges) {
  tokenizer_.merges.reserve(merges.size());
  for (const Json& merge : merges) {
    if (merge.is_string()) {
      const std::string& text = merge.get_ref<const std::string&>();
      const std::size_t space = text.find(' ');
      if (space == 0 || space == std::string::npos || space + 1 == text.size() ||
          text.find(' ', space + 1) != std::string::npos) {
        return WrongField(where_, "merges", merge, "two pieces with a space between");
      }
      tokenizer_.merges.push_back(text);
      continue;
    }
    if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) {
      return WrongField(where_, "merges", merge, "a list of pairs");
    }
    std::string text;
    AppendPart(merge[0].get_ref<const std::string&>(), text);
    text += ' ';
    AppendPart(merge[1].get_ref<const std::string&>(), text);
    tokenizer_.merges.push_back(std::move(text));
  }
  return OkStatus();
}

Status Reader::ReadModel(const Json& model) {
  TANDEM_ASSIGN_OR_RETURN(const auto type, StringField(model, "type", where_));
  if (type.value_or("BPE") != "BPE") {
    return Unsupported(Format("model type '{}'; only byte-level BPE is read", Printable(*type)));
  }
  for (const std::string_view flag : {"fuse_unk", "byte_fallback", "ignore_merges"}) {
    TANDEM_ASSIGN_OR_RETURN(const auto value, BoolField(model, flag, where_));
    if (value.value_or(false)) {
      return Unsupported(Format("'{}' is true", flag));
    }
  }
  for (const std::string_view text : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    TANDEM_ASSIGN_OR_RETURN(const auto value, StringField(model, text, where_));
    if (!value.value_or("").empty()) {
      return Unsupported(Format("'{}' is '{}'", text, Printable(*value)));
    }
  }
  TANDEM_ASSIGN_OR_RETURN(const auto dropout, NumberField(model, "dropout", where_));
  if (dropout.value_or(0) != 0) {
    return Unsupported(Format("'dropout' is {}", *dropout));
  }
  const Json* vocab = FindField(model, "vocab");
  const Json* merges = FindField(model, "merges");
  if (vocab == nullptr || !vocab->is_object() || merges == nullptr || !merges->is_array()) {
    return Status(StatusCode::kCorrupt, Format("{}: has no model.vocab and model.merges", where_));
  }
  TANDEM_RETURN_IF_ERROR(ReadVocab(*vocab));
  return ReadMerges(*merges);
}

Status Reader::ReadNormalizer(const Json& json) {
  const Json* normalizer = FindField(json, "normalizer");
  if (normalizer == nullptr) {
    return OkStatus();
  }
  // A sequence of nothing, or of NFC alone, is as good.
  const Json* parts = FindField(*normalizer, "normalizers");
  const Json list = parts != nullptr && parts->is_array() ? *parts : Json::array({*normalizer});
  for (const Json& part : list) {
    TANDEM_ASSIGN_OR_RETURN(const auto type, StringField(part, "type", where_));
    if (type.value_or("") != "NFC") {
      return Unsupported(Format("normaliser '{}'; none and NFC are known",
                                Printable(type.value_or("without a type"))));
    }
    tokenizer_.nfc = true;
  }
  return OkStatus();
}

Status Reader::ReadPreTokenizerPart(const Json& part) {
  TANDEM_ASSIGN_OR_RETURN(const auto type, StringField(part, "type", where_));
  if (type == "ByteLevel") {
    TANDEM_ASSIGN_OR_RETURN(const auto prefix, BoolField(part, "add_prefix_space", where_));
    TANDEM_ASSIGN_OR_RETURN(const auto regex, BoolField(part, "use_regex", where_));
    // Both default to true in the reference.
    if (prefix.value_or(true)) {
      return Unsupported("'add_prefix_space' of the pre-tokeniser is true");
    }
    if (regex.value_or(true)) {
      return Unsupported("'use_regex' of the pre-tokeniser is true: that is GPT-2's pattern");
    }
    return OkStatus();
  }
  const Json* pattern = FindField(part, "pattern");
  TANDEM_ASSIGN_OR_RETURN(const auto regex,
                          StringField(pattern != nullptr ? *pattern : part, "Regex", where_));
  TANDEM_ASSIGN_OR_RETURN(const auto behavior, StringField(part, "behavior", where_));
  TANDEM_ASSIGN_OR_RETURN(const auto invert, BoolField(part, "invert", where_));
  // Matches as pieces, either because they are isolated or because all the rest is removed; equal
  // for patterns that cover every character, which is what a known pattern means later on.
  const bool pieces = behavior == "Isolated" || (behavior == "Removed" && invert.value_or(false));
  if (type != "Split" || !regex.has_value() || !pieces || !tokenizer_.pattern.empty()) {
    return Unsupported(Format("pre-tokeniser {}; one Split by a pattern and ByteLevel are known",
                              Printable(part.dump(), 200)));
  }
  tokenizer_.pattern = *regex;
  return OkStatus();
}

Status Reader::ReadPreTokenizer(const Json& json) {
  const Json* pre = FindField(json, "pre_tokenizer");
  if (pre == nullptr) {
    return Unsupported("has no pre_tokenizer");
  }
  const Json* parts = FindField(*pre, "pretokenizers");
  const Json list = parts != nullptr && parts->is_array() ? *parts : Json::array({*pre});
  for (const Json& part : list) {
    TANDEM_RETURN_IF_ERROR(ReadPreTokenizerPart(part));
  }
  return tokenizer_.pattern.empty() ? Unsupported("its pre_tokenizer has no Split pattern")
                                    : OkStatus();
}

Status Reader::CheckPostProcessor(const Json& part) const {
  if (const Json* parts = FindField(part, "processors"); parts != nullptr && parts->is_array()) {
    for (const Json& inner : *parts) {
      TANDEM_RETURN_IF_ERROR(CheckPostProcessor(inner));
    }
    return OkStatus();
  }
  TANDEM_ASSIGN_OR_RETURN(const auto type, StringField(part, "type", where_));
  if (type == "ByteLevel") {
    return OkStatus();  // moves offsets only
  }
  const Json* single = FindField(part, "single");
  const bool plain = type == "TemplateProcessing" && single != nullptr && single->is_array() &&
                     std::all_of(single->begin(), single->end(), [](const Json& piece) {
                       return FindField(piece, "SpecialToken") == nullptr;
                     });
  return plain ? OkStatus()
               : Unsupported(Format("post-processor '{}' adds tokens",
                                    Printable(type.value_or("without a type"))));
}

Status Reader::ReadAdded(const Json& entry, std::uint64_t id) {
  TANDEM_ASSIGN_OR_RETURN(const auto content, StringField(entry, "content", where_));
  if (!content.has_value() || content->empty() || id > kMaxId) {
    return Status(StatusCode::kCorrupt,
                  Format("{}: added token {} has no text", where_, Printable(entry.dump())));
  }
  AddedToken token;
  token.id = static_cast<std::uint32_t>(id);
  token.content = *content;
  for (const auto& [key, flag] :
       {std::pair("single_word", &token.single_word), std::pair("lstrip", &token.lstrip),
        std::pair("rstrip", &token.rstrip), std::pair("normalized", &token.normalized),
        std::pair("special", &token.special)}) {
    TANDEM_ASSIGN_OR_RETURN(const auto value, BoolField(entry, key, where_));
    *flag = value.value_or(false);
  }
  added_[token.id] = std::move(token);
  return OkStatus();
}

Status Reader::ReadTokenizerJson(const Json& json) {
  const Json* model = FindField(json, "model");
  if (model == nullptr) {
    return Status(StatusCode::kCorrupt, Format("{}: has no 'model'", where_));
  }
  TANDEM_RETURN_IF_ERROR(ReadModel(*model));
  TANDEM_RETURN_IF_ERROR(ReadNormalizer(json));
  TANDEM_RETURN_IF_ERROR(ReadPreTokenizer(json));
  if (const Json* post = FindField(json, "post_processor"); post != nullptr) {
    TANDEM_RETURN_IF_ERROR(CheckPostProcessor(*post));
  }
  if (const Json* added = FindField(json, "added_tokens"); added != nullptr) {
    for (const Json& entry : *added) {
      TANDEM_ASSIGN_OR_RETURN(const auto id, UintField(entry, "id", where_));
      if (!id.has_value()) {
        return WrongField(where_, "added_tokens", entry, "an object with an id");
      }
      TANDEM_RETURN_IF_ERROR(ReadAdded(entry, *id));
    }
  }
  return OkStatus();
}

Status Reader::ReadMergesText(std::string_view text) {
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (line.ends_with('\r')) {
      line.remove_suffix(1);
    }
    if (line.empty() || (line_number == 1 && line.starts_with("#version"))) {
      continue;
    }
    const std::size_t space = line.find(' ');
    if (space == 0 || space == std::string_view::npos || space + 1 == line.size() ||
        line.find(' ', space + 1) != std::string_view::npos) {
      return Status(StatusCode::kCorrupt,
                    Format("{}: line {} is no merge: '{}'", where_, line_number, Printable(line)));
    }
    tokenizer_.merges.emplace_back(line);
  }
  return OkStatus();
}

Status Reader::ReadVocabFiles() {
  where_ = Where("vocab.json");
  TANDEM_ASSIGN_OR_RETURN(const Json vocab, ReadJsonFile(folder_ / "vocab.json"));
  TANDEM_RETURN_IF_ERROR(ReadVocab(vocab));
  where_ = Where("merges.txt");
  TANDEM_ASSIGN_OR_RETURN(const std::string merges, ReadFile(folder_ / "merges.txt"));
  return ReadMergesText(merges);
}

/// The text of a special token: a string, or an object with its content.
std::optional<std::string> SpecialText(const Json& config, const std::string& key) {
  const Json* value = FindField(config, key);
  if (value != nullptr && value->is_object()) {
    value = FindField(*value, "content");
  }
  return value != nullptr && value->is_string() ? std::optional(value->get<std::string>())
                                                : std::nullopt;
}

Status Reader::ReadTokenizerConfig(const Json& config, bool needs_pattern) {
  if (const Json* added = FindField(config, "added_tokens_decoder"); added != nullptr) {
    for (const auto& [id, entry] : added->items()) {
      const bool digits =
          !id.empty() && id.size() <= 10 && id.find_first_not_of("0123456789") == std::string::npos;
      if (!digits) {
        return WrongField(where_, "added_tokens_decoder", entry, "a token id as its key");
      }
      TANDEM_RETURN_IF_ERROR(ReadAdded(entry, std::strtoull(id.c_str(), nullptr, 10)));
    }
  }
  for (const std::string role : {"bos", "eos", "unk", "sep", "pad", "cls", "mask"}) {
    if (auto text = SpecialText(config, role + "_token"); text.has_value()) {
      tokenizer_.special.emplace_back(role, std::move(*text));
    }
  }
  TANDEM_ASSIGN_OR_RETURN(tokenizer_.add_bos, BoolField(config, "add_bos_token", where_));
  TANDEM_ASSIGN_OR_RETURN(tokenizer_.add_eos, BoolField(config, "add_eos_token", where_));
  TANDEM_ASSIGN_OR_RETURN(const auto prefix, BoolField(config, "add_prefix_space", where_));
  if (prefix.value_or(false)) {
    return Unsupported("'add_prefix_space' is true");
  }
  if (needs_pattern) {
    TANDEM_ASSIGN_OR_RETURN(const auto pattern, StringField(config, "pretokenize_regex", where_));
    tokenizer_.pattern = pattern.value_or("");
  }
  return OkStatus();
}

Result<Tokenizer> Reader::Run() {
  TANDEM_ASSIGN_OR_RETURN(const auto json, ReadOptionalJson(folder_, "tokenizer.json"));
  if (json.has_value()) {
    where_ = Where("tokenizer.json");
    TANDEM_RETURN_IF_ERROR(ReadTokenizerJson(*json));
  } else {
    TANDEM_RETURN_IF_ERROR(ReadVocabFiles());
  }
  TANDEM_ASSIGN_OR_RETURN(const auto config, ReadOptionalJson(folder_, "tokenizer_config.json"));
  where_ = Where("tokenizer_config.json");
  if (config.has_value()) {
    TANDEM_RETURN_IF_ERROR(ReadTokenizerConfig(*config, !json.has_value()));
  }
  if (tokenizer_.pattern.empty()) {
    return Unsupported("without tokenizer.json, 'pretokenize_regex' must name the pattern");
  }
  if (!json.has_value()) {
    // The two-file form cannot say it; every published tokenizer with `pretokenize_regex` is of the
    // Qwen2 class, which normalises to NFC.
    tokenizer_.nfc = true;
  }
  for (auto& [id, token] : added_) {
    tokenizer_.added.push_back(std::move(token));
  }
  return std::move(tokenizer_);
}

}  // namespace

std::optional<std::uint32_t> Tokenizer::IdOf(std::string_view text) const {
  for (const AddedToken& token : added) {
    if (token.content == text) {
      return token.id;
    }
  }
  for (const auto& [entry, id] : vocab) {
    if (entry == text) {
      return id;
    }
  }
  return std::nullopt;
}

Result<Tokenizer> ReadTokenizer(const std::filesystem::path& folder) {
  return Reader(folder).Run();
}

}  // namespace tandem::hf
