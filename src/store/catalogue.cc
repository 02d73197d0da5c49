#include "store/catalogue.h"

#include <utility>

#include "base/check.h"
#include "base/format.h"
#include "io/json.h"
#include "store/ascii.h"

// The labels of builtin_bytes.S.
extern "C" {
extern const char tandem_catalogue_begin[];
extern const char tandem_catalogue_end[];
}

namespace tandem {
namespace {

// Reads the fields of one object, remembering the first one that is wrong.
class FieldReader {
 public:
  FieldReader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {}

  void Text(const char* key, std::string& out) {
    if (const Json* value = Need(key, "a string", [](const Json& v) { return v.is_string(); })) {
      out = value->get<std::string>();
    }
  }
  void Texts(const char* key, std::vector<std::string>& out) {
    const auto strings = [](const Json& v) {
      bool all = v.is_array();
      for (const Json& item : v) {
        all = all && item.is_string();
      }
      return all;
    };
    if (const Json* value = Need(key, "an array of strings", strings)) {
      out = value->get<std::vector<std::string>>();
    }
  }
  template <typename T>
  void Number(const char* key, T& out) {
    if (const Json* value =
            Need(key, "a whole number", [](const Json& v) { return v.is_number_unsigned(); })) {
      out = value->get<T>();
    }
  }
  void Bool(const char* key, bool& out) {
    if (const Json* value = Need(key, "a boolean", [](const Json& v) { return v.is_boolean(); })) {
      out = value->get<bool>();
    }
  }
  void Sizes(const char* key, std::vector<PublishedSize>& out) {
    const Json* value = Need(key, "an array", [](const Json& v) { return v.is_array(); });
    for (std::size_t i = 0; value != nullptr && i < value->size(); ++i) {
      PublishedSize& size = out.emplace_back();
      FieldReader reader((*value)[i], Format("{}: {}[{}]", where_, key, i));
      reader.Text("quant", size.quant);
      reader.Number("about_bytes", size.about_bytes);
      Keep(reader.status());
    }
  }
  bool Has(const char* key) const { return object_.is_object() && object_.contains(key); }

  const Status& status() const { return status_; }

 private:
  template <typename Check>
  const Json* Need(const char* key, const char* kind, Check is_kind) {
    if (!Has(key) || !is_kind(object_[key])) {
      Keep(Status(StatusCode::kCorrupt, Format("{}: '{}' must be {}", where_, key, kind)));
      return nullptr;
    }
    return &object_[key];
  }
  void Keep(const Status& status) {
    if (status_.ok()) {
      status_ = status;
    }
  }

  const Json& object_;
  std::string where_;
  Status status_;
};

Result<CatalogueModel> ReadModel(const Json& object, std::size_t index) {
  CatalogueModel model;
  FieldReader reader(object, Format("catalogue: models[{}]", index));
  reader.Text("name", model.name);
  reader.Text("title", model.title);
  reader.Texts("repositories", model.repositories);
  reader.Text("checkpoint", model.checkpoint);
  reader.Text("ollama", model.ollama);
  reader.Text("quant", model.quant);
  reader.Text("architecture", model.architecture);
  reader.Number("parameters", model.parameters);
  reader.Number("context", model.context);
  if (reader.Has("context_extended")) {
    reader.Number("context_extended", model.context_extended);
  }
  reader.Texts("modalities", model.modalities);
  reader.Text("thinking", model.thinking);
  reader.Text("licence", model.licence);
  reader.Text("languages", model.languages);
  reader.Text("developer", model.developer);
  reader.Text("released", model.released);
  reader.Bool("vision", model.vision);
  reader.Sizes("downloads", model.downloads);
  TANDEM_RETURN_IF_ERROR(reader.status());
  if (model.repositories.empty()) {
    return Status(StatusCode::kCorrupt,
                  Format("catalogue: models[{}]: 'repositories' is empty", index));
  }
  return model;
}

// "Qwen3.5-4B", "Qwen3.5 4B" and "qwen3.5_4b" are one title.
std::string TitleKey(std::string_view title) {
  std::string key;
  for (const char c : title) {
    if (c != ' ' && c != '-' && c != '_') {
      key += LowerAscii(c);
    }
  }
  return key;
}

}  // namespace

std::optional<std::uint64_t> CatalogueModel::AboutBytes(std::string_view wanted) const {
  for (const PublishedSize& size : downloads) {
    if (SameIgnoringCase(size.quant, wanted)) {
      return size.about_bytes;
    }
  }
  return std::nullopt;
}

const Catalogue& Catalogue::BuiltIn() {
  static const Catalogue catalogue = [] {
    Result<Catalogue> parsed =
        Parse({tandem_catalogue_begin,
               static_cast<std::size_t>(tandem_catalogue_end - tandem_catalogue_begin)});
    TANDEM_CHECK(parsed.ok(), "assets/catalogue.json is not what catalogue.cc reads");
    return std::move(parsed).value();
  }();
  return catalogue;
}

Result<Catalogue> Catalogue::Parse(std::string_view json) {
  TANDEM_ASSIGN_OR_RETURN(const Json root, ParseJson(json, "catalogue"));
  if (!root.is_object() || !root.contains("models") || !root["models"].is_array()) {
    return Status(StatusCode::kCorrupt, "catalogue: 'models' must be an array");
  }
  Catalogue catalogue;
  for (std::size_t i = 0; i < root["models"].size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(CatalogueModel model, ReadModel(root["models"][i], i));
    catalogue.models_.push_back(std::move(model));
  }
  if (root.contains("families") && root["families"].is_object()) {
    for (const auto& [name, model] : root["families"].items()) {
      if (!model.is_string() || catalogue.Find(model.get<std::string>()) == nullptr) {
        return Status(StatusCode::kCorrupt,
                      Format("catalogue: families: '{}' is no model of it", name));
      }
      catalogue.families_.push_back({.name = name, .model = model.get<std::string>()});
    }
  }
  return catalogue;
}

const CatalogueModel* Catalogue::Find(std::string_view name) const {
  for (const Family& family : families_) {
    if (SameIgnoringCase(family.name, name)) {
      return Find(family.model);
    }
  }
  for (const CatalogueModel& model : models_) {
    if (SameIgnoringCase(model.name, name)) {
      return &model;
    }
  }
  return nullptr;
}

const CatalogueModel* Catalogue::FindTitle(std::string_view title) const {
  const std::string key = TitleKey(title);
  for (const CatalogueModel& model : models_) {
    if (TitleKey(model.title) == key) {
      return &model;
    }
  }
  return nullptr;
}

const CatalogueModel* Catalogue::FindRepository(std::string_view repository) const {
  for (const CatalogueModel& model : models_) {
    for (const std::string& known : model.repositories) {
      if (SameIgnoringCase(known, repository)) {
        return &model;
      }
    }
  }
  return nullptr;
}

std::vector<std::string> Catalogue::Names() const {
  std::vector<std::string> names;
  for (const Family& family : families_) {
    names.push_back(family.name);
  }
  for (const CatalogueModel& model : models_) {
    names.push_back(model.name);
  }
  return names;
}

}  // namespace tandem
