#include "cli/spec_sheet_text.h"

#include <algorithm>
#include <string_view>

#include "base/format.h"
#include "cli/numbers.h"
#include "cli/publication.h"

namespace tandem {
namespace {

using gguf::TensorType;

constexpr std::uint64_t kShortArray = 8;  // longer ones are counted, not listed
constexpr std::size_t kLongestText = 60;

std::string Bytes(std::uint64_t bytes) {
  return FormatBytes(static_cast<double>(bytes));
}

double Percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

// One line of a string that may be a whole template.
std::string StringText(std::string_view text) {
  std::string line(text.substr(0, std::min(text.find('\n'), text.size())));
  if (line.size() == text.size() && line.size() <= kLongestText) {
    return Printable(line, kLongestText);
  }
  line = Printable(line, kLongestText);
  return Format("{}{} ({} bytes)", line, line.ends_with("...") ? "" : " ...",
                WithCommas(text.size()));
}

std::string ValueText(const gguf::Value& value) {
  if (const auto text = value.AsString()) {
    return StringText(*text);
  }
  if (const auto boolean = value.AsBool()) {
    return *boolean ? "true" : "false";
  }
  if (const auto number = value.AsInt()) {
    return Format("{}", *number);
  }
  if (const auto number = value.AsUint()) {
    return Format("{}", *number);
  }
  if (const auto number = value.AsFloat()) {
    return Format("{}", *number);
  }
  return "?";
}

std::string MetadataText(const gguf::Value& value) {
  if (value.type() != gguf::ValueType::kArray) {
    return ValueText(value);
  }
  if (value.size() > kShortArray) {
    return Format("[{} x {}]", WithCommas(value.size()), gguf::ValueTypeName(value.element_type()));
  }
  std::string out;
  value.ForEach([&](const gguf::Value& element) {
    out += (out.empty() ? "" : ", ") + ValueText(element);
    return true;
  });
  return "[" + out + "]";
}

std::string LayersText(const NetworkShape& shape) {
  std::string out = WithCommas(shape.attention_layers + shape.recurrent_layers);
  if (shape.recurrent_layers > 0) {
    out += Format(" ({} DeltaNet, {} attention)", shape.recurrent_layers, shape.attention_layers);
  }
  return shape.mtp_layers > 0 ? out + Format(" + {} MTP", shape.mtp_layers) : out;
}

void AddModelSection(std::size_t column, const SpecSheet& sheet, FactTable& table) {
  table.ReturnToSection("Model");
  table.Set(column, "architecture",
            sheet.shape.has_value() ? Printable(sheet.architecture)
                                    : Printable(sheet.architecture) + " (Tandem does not run it)");
  if (!sheet.title.empty()) {
    table.Set(column, "title", Printable(sheet.title));
  }
  const std::string exact = WithCommas(sheet.parameters);
  const std::string rounded = ShortCount(sheet.parameters);
  table.Set(column, "parameters", rounded == exact ? exact : Format("{} ({})", rounded, exact));
  if (!sheet.file_type.empty()) {
    table.Set(column, "quantisation", sheet.file_type);
  }
  table.Set(column, "file",
            Format("{}, {} tensors", Bytes(sheet.file_bytes), WithCommas(sheet.tensor_count)));
  if (sheet.shape.has_value()) {
    const NetworkShape& shape = *sheet.shape;
    table.Set(column, "layers", LayersText(shape));
    table.Set(column, "width",
              Format("{}, feed-forward {}", WithCommas(shape.width), WithCommas(shape.ffn_width)));
    table.Set(
        column, "heads",
        Format("{} query, {} key/value, {} wide", shape.heads, shape.kv_heads, shape.head_width));
    table.Set(column, "context limit", WithCommas(shape.context_limit) + " tokens");
  }
  if (sheet.vocabulary > 0) {
    table.Set(column, "vocabulary", WithCommas(sheet.vocabulary) + " tokens");
  }
  const char* thinking = sheet.has_thinking_switch ? ", with a thinking switch" : "";
  table.Set(column, "chat template",
            sheet.template_bytes == 0
                ? "none"
                : Format("{} bytes{}", WithCommas(sheet.template_bytes), thinking));
  for (const SpecialToken& token : sheet.special_tokens) {
    table.Set(column, Format("{} token", token.role),
              Format("{} {}", token.id, Printable(token.text)));
  }
}

// Marked where the catalogue says it, not the file.
void AddPublicationSection(std::size_t column, const ShownModel& model, FactTable& table) {
  for (const PublishedFact& fact : PublishedFacts(model.name, model.file.get())) {
    // Where a file says it itself, there it is looked for.
    table.ReturnToSection(fact.of_model ? "Model" : "Publication");
    table.Set(column, fact.label,
              fact.from_catalogue ? Format("{} (catalogue)", fact.value) : fact.value);
  }
}

void AddSizeSections(std::size_t column, const SpecSheet& sheet, FactTable& table) {
  table.ReturnToSection("Parameters");
  for (const ComponentSize& part : sheet.components) {
    table.Set(column, part.name,
              Format("{:>15}  {:>5.1f} %  {:>7}", WithCommas(part.parameters),
                     Percent(part.parameters, sheet.parameters), Bytes(part.bytes)));
  }
  table.ReturnToSection("Number formats");
  for (const FormatShare& share : sheet.formats) {
    table.Set(column, gguf::Info(share.type).name,
              Format("{:>15}  {:>5.1f} %  {:>7}  {} tensor{}", WithCommas(share.parameters),
                     Percent(share.bytes, sheet.weight_bytes), Bytes(share.bytes), share.tensors,
                     share.tensors == 1 ? "" : "s"));
  }
}

// The contexts of the memory table: what people use, and the limit.
std::vector<std::size_t> ShownContexts(std::size_t limit) {
  std::vector<std::size_t> contexts;
  for (const std::size_t context : {std::size_t{4096}, std::size_t{32'768}}) {
    if (context < limit) {
      contexts.push_back(context);
    }
  }
  contexts.push_back(limit);
  return contexts;
}

void AddMemorySection(std::size_t column, const SpecSheet& sheet, FactTable& table) {
  table.ReturnToSection("Memory");
  table.Set(column, "weights", Bytes(sheet.weight_bytes));
  if (!sheet.shape.has_value()) {
    return;
  }
  const NetworkShape& shape = *sheet.shape;
  const std::uint64_t f16 = shape.KvBytesPerToken(TensorType::kF16);
  const std::uint64_t q8_0 = shape.KvBytesPerToken(TensorType::kQ8_0);
  table.Set(column, "fixed state", shape.state_bytes == 0 ? "none" : Bytes(shape.state_bytes));
  table.Set(column, "cache per token",
            Format("{} bytes f16, {} bytes q8_0", WithCommas(f16), WithCommas(q8_0)));
  for (const std::size_t context : ShownContexts(shape.context_limit)) {
    const auto total = [&](std::uint64_t per_token) {
      return static_cast<double>(sheet.weight_bytes + shape.state_bytes) +
             static_cast<double>(per_token) * static_cast<double>(context);
    };
    table.Set(column, Format("all at {} tokens", WithCommas(context)),
              Format("{} with f16 cache, {} with q8_0", FormatBytes(total(f16)),
                     FormatBytes(total(q8_0))));
  }
}

void AddMetadataSection(std::size_t column, const gguf::File& file, FactTable& table) {
  table.ReturnToSection("Metadata");
  for (const gguf::KeyValue& item : file.metadata()) {
    table.Set(column, Printable(item.key), MetadataText(item.value));
  }
}

Json MetadataJson(const gguf::Value& value) {
  if (value.type() == gguf::ValueType::kArray) {
    if (value.size() > kShortArray) {
      return {{"type", gguf::ValueTypeName(value.element_type())}, {"count", value.size()}};
    }
    Json array = Json::array();
    value.ForEach([&](const gguf::Value& element) {
      array.push_back(MetadataJson(element));
      return true;
    });
    return array;
  }
  if (const auto text = value.AsString()) {
    return *text;
  }
  if (const auto boolean = value.AsBool()) {
    return *boolean;
  }
  if (const auto number = value.AsInt()) {
    return *number;
  }
  if (const auto number = value.AsUint()) {
    return *number;
  }
  const auto number = value.AsFloat();
  return number.has_value() ? Json(*number) : Json();
}

Json MemoryJson(const SpecSheet& sheet) {
  Json memory = {{"weights_bytes", sheet.weight_bytes}};
  if (!sheet.shape.has_value()) {
    return memory;
  }
  const NetworkShape& shape = *sheet.shape;
  memory["state_bytes"] = shape.state_bytes;
  memory["kv_bytes_per_token"] = {{"f16", shape.KvBytesPerToken(TensorType::kF16)},
                                  {"q8_0", shape.KvBytesPerToken(TensorType::kQ8_0)}};
  return memory;
}

Json ShapeJson(const NetworkShape& shape) {
  return {{"attention_layers", shape.attention_layers},
          {"recurrent_layers", shape.recurrent_layers},
          {"mtp_layers", shape.mtp_layers},
          {"width", shape.width},
          {"ffn_width", shape.ffn_width},
          {"heads", shape.heads},
          {"kv_heads", shape.kv_heads},
          {"head_width", shape.head_width},
          {"context_limit", shape.context_limit}};
}

void AddPublication(const ShownModel& model, Json& object) {
  for (const PublishedFact& fact : PublishedFacts(model.name, model.file.get())) {
    object["publication"][fact.label] = {{"value", fact.value},
                                         {"source", fact.from_catalogue ? "catalogue" : "file"}};
  }
}

}  // namespace

FactTable SheetTable(const std::vector<ShownModel>& models) {
  std::vector<std::string> names;
  for (const ShownModel& model : models) {
    names.push_back(Printable(model.name));
  }
  FactTable table(names);
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (models[i].file == nullptr) {
      table.ReturnToSection("Model");
      table.Set(i, "file", "not on this machine");
      AddPublicationSection(i, models[i], table);
      continue;
    }
    AddModelSection(i, models[i].sheet, table);
    AddPublicationSection(i, models[i], table);
    AddSizeSections(i, models[i].sheet, table);
    AddMemorySection(i, models[i].sheet, table);
    AddMetadataSection(i, *models[i].file, table);
  }
  return table;
}

Json SheetJson(const ShownModel& model) {
  if (model.file == nullptr) {
    Json object = {{"model", model.name}, {"installed", false}};
    AddPublication(model, object);
    return object;
  }
  const SpecSheet& sheet = model.sheet;
  Json object = {{"model", model.name},
                 {"installed", true},
                 {"architecture", sheet.architecture},
                 {"title", sheet.title},
                 {"quantisation", sheet.file_type},
                 {"file_bytes", sheet.file_bytes},
                 {"tensors", sheet.tensor_count},
                 {"parameters", sheet.parameters},
                 {"vocabulary", sheet.vocabulary},
                 {"shape", sheet.shape.has_value() ? ShapeJson(*sheet.shape) : Json()},
                 {"memory", MemoryJson(sheet)},
                 {"chat_template", sheet.template_bytes > 0},
                 {"thinking_switch", sheet.has_thinking_switch}};
  AddPublication(model, object);
  for (const ComponentSize& part : sheet.components) {
    object["components"].push_back(
        {{"name", part.name}, {"parameters", part.parameters}, {"bytes", part.bytes}});
  }
  for (const FormatShare& share : sheet.formats) {
    object["formats"].push_back({{"name", gguf::Info(share.type).name},
                                 {"tensors", share.tensors},
                                 {"parameters", share.parameters},
                                 {"bytes", share.bytes}});
  }
  for (const SpecialToken& token : sheet.special_tokens) {
    object["special_tokens"][std::string(token.role)] = {{"id", token.id}, {"text", token.text}};
  }
  for (const gguf::KeyValue& item : model.file->metadata()) {
    object["metadata"][std::string(item.key)] = MetadataJson(item.value);
  }
  return object;
}

}  // namespace tandem
