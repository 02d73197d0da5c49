#include "cli/publication.h"

#include <utility>

#include "base/format.h"
#include "cli/numbers.h"
#include "store/catalogue.h"
#include "store/model_name.h"

namespace tandem {
namespace {

std::string TextOf(const gguf::File* file, std::string_view key) {
  if (file == nullptr) {
    return "";
  }
  const Result<std::string_view> text = file->GetStringOr(key, "");
  return text.ok() ? Printable(*text, 200) : "";
}

std::string ListOf(const gguf::File* file, std::string_view key) {
  if (file == nullptr || !file->Has(key)) {
    return "";
  }
  const Result<std::vector<std::string_view>> items = file->GetStringArray(key);
  std::string list;
  for (std::size_t i = 0; items.ok() && i < items->size() && i < 40; ++i) {
    list += Format("{}{}", i == 0 ? "" : ", ", Printable((*items)[i]));
  }
  return list;
}

const CatalogueModel* FindInCatalogue(const std::string& name, const gguf::File* file) {
  const Catalogue& catalogue = Catalogue::BuiltIn();
  const Result<ModelName> parsed = ParseModelName(name);
  if (parsed.ok() && parsed->kind == ModelName::Kind::kBuiltin) {
    return nullptr;  // a toy, whatever its name says
  }
  const CatalogueModel* known = nullptr;
  if (parsed.ok() && parsed->kind == ModelName::Kind::kCatalogue) {
    known = catalogue.Find(parsed->repository);
  } else if (parsed.ok() && parsed->kind == ModelName::Kind::kHub) {
    known = catalogue.FindRepository(parsed->repository);
  }
  return known != nullptr ? known : catalogue.FindTitle(TextOf(file, "general.name"));
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += Format("{}{}", text.empty() ? "" : ", ", word);
  }
  return text;
}

std::string Downloads(const CatalogueModel& model) {
  std::string text;
  for (const PublishedSize& size : model.downloads) {
    text += Format("{}{} {}", text.empty() ? "" : ", ", size.quant,
                   FormatBytes(static_cast<double>(size.about_bytes)));
  }
  return text;
}

}  // namespace

std::vector<PublishedFact> PublishedFacts(const std::string& name, const gguf::File* file) {
  const CatalogueModel* known = FindInCatalogue(name, file);
  std::vector<PublishedFact> facts;
  const auto add = [&](std::string label, std::string of_file, std::string of_catalogue) {
    if (!of_file.empty()) {
      facts.push_back({.label = std::move(label), .value = std::move(of_file)});
    } else if (!of_catalogue.empty()) {
      facts.push_back(
          {.label = std::move(label), .value = std::move(of_catalogue), .from_catalogue = true});
    }
  };
  const CatalogueModel nobody;
  const CatalogueModel& model = known == nullptr ? nobody : *known;
  add("model", "", model.title);
  if (file == nullptr && known != nullptr) {
    add("architecture", "", model.architecture);
    add("parameters", "",
        Format("{} ({})", ShortCount(model.parameters), WithCommas(model.parameters)));
    add("context limit", "", TokenCount(model.context));
    for (PublishedFact& fact : facts) {
      fact.of_model = fact.label != "model";
    }
  }
  add("developer", TextOf(file, "general.organization"), model.developer);
  add("released", "", model.released);
  add("licence", TextOf(file, "general.license"), model.licence);
  add("languages", ListOf(file, "general.languages"), model.languages);
  add("modalities", "", Joined(model.modalities));
  add("thinking", "", model.thinking);
  add("longest context", "",
      model.context == 0           ? ""
      : model.context_extended > 0 ? Format("{}, {} with YaRN", TokenCount(model.context),
                                            WithCommas(model.context_extended))
                                   : TokenCount(model.context));
  add("downloads", "", Downloads(model));
  return facts;
}

}  // namespace tandem
