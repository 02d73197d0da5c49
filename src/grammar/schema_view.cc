#include "grammar/schema_view.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/format.h"

namespace tandem::grammar {
namespace {

constexpr int kMaxDepth = 8;
constexpr std::size_t kMaxWork = 1'000'000;

// %XX of a URI.
std::string Unquote(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ptr ==
            text.data() + i + 3) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string UnescapeToken(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      out += token[++i] == '0' ? '~' : '/';
    } else {
      out += token[i];
    }
  }
  return out;
}

bool Names(const Json& list, const std::string& name) {
  return list.is_array() && std::find(list.begin(), list.end(), name) != list.end();
}

// The values that a schema names one by one, or nullptr.
const Json* EnumOf(const Json& schema) {
  const Json* list = schema.is_object() ? Member(schema, "enum") : nullptr;
  return list != nullptr && list->is_array() ? list : nullptr;
}

}  // namespace

std::uint32_t KindsOfName(std::string_view name) {
  return name == "null"      ? kNullKind
         : name == "boolean" ? kBooleanKind
         : name == "object"  ? kObjectKind
         : name == "array"   ? kArrayKind
         : name == "string"  ? kStringKind
         : name == "integer" ? kIntegerKind
         : name == "number"  ? kIntegerKind | kFractionKind
                             : 0;
}

std::uint32_t KindOfValue(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return kNullKind;
    case Json::value_t::boolean:
      return kBooleanKind;
    case Json::value_t::object:
      return kObjectKind;
    case Json::value_t::array:
      return kArrayKind;
    case Json::value_t::string:
      return kStringKind;
    case Json::value_t::number_float:
      // 2.0 is a whole number to JSON Schema.
      return value.get<double>() == static_cast<double>(static_cast<std::int64_t>(
                                        std::clamp(value.get<double>(), -9e18, 9e18)))
                 ? kIntegerKind
                 : kFractionKind;
    default:
      return kIntegerKind;
  }
}

std::uint32_t KindsOfKeywords(const Json& schema) {
  constexpr std::pair<const char*, std::uint32_t> kKeywords[] = {
      {"properties", kObjectKind},
      {"required", kObjectKind},
      {"additionalProperties", kObjectKind},
      {"items", kArrayKind},
      {"prefixItems", kArrayKind},
      {"minItems", kArrayKind},
      {"maxItems", kArrayKind},
      {"pattern", kStringKind},
      {"format", kStringKind},
      {"minLength", kStringKind},
      {"maxLength", kStringKind},
      {"minimum", kIntegerKind | kFractionKind},
      {"maximum", kIntegerKind | kFractionKind},
      {"exclusiveMinimum", kIntegerKind | kFractionKind},
      {"exclusiveMaximum", kIntegerKind | kFractionKind},
  };
  std::uint32_t kinds = 0;
  for (const auto& [name, kind] : kKeywords) {
    kinds |= schema.contains(name) ? kind : 0;
  }
  return kinds == 0 ? kAllKinds : kinds;
}

const Json* Member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string PointerTo(const std::string& pointer, std::string_view name) {
  std::string out = pointer + "/";
  for (const char c : name) {
    out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  }
  return out;
}

Result<SchemaPlace> SchemaView::Resolve(const std::string& reference) const {
  if (reference.empty() || reference[0] != '#') {
    return Status(
        StatusCode::kUnsupported,
        Format("'$ref' to '{}', outside this document, is not supported", Printable(reference)));
  }
  const std::string pointer = Unquote(std::string_view(reference).substr(1));
  SchemaPlace place{.json = &document_, .pointer = "#"};
  std::string_view left = pointer;
  const auto nowhere = [&] {
    return Status(StatusCode::kInvalidArgument,
                  Format("'$ref' to '{}' leads nowhere", Printable(reference)));
  };
  if (!left.empty() && left[0] != '/') {
    return Status(StatusCode::kUnsupported,
                  Format("'$ref' to the anchor '{}' is not supported", Printable(reference)));
  }
  while (!left.empty()) {
    left.remove_prefix(1);
    const std::size_t end = std::min(left.find('/'), left.size());
    const std::string token = UnescapeToken(left.substr(0, end));
    left.remove_prefix(end);
    if (place.json->is_object()) {
      const auto found = place.json->find(token);
      if (found == place.json->end()) {
        return nowhere();
      }
      place.json = &*found;
    } else {
      std::size_t index = 0;
      const auto [stop, error] = std::from_chars(token.data(), token.data() + token.size(), index);
      if (!place.json->is_array() || error != std::errc() || stop != token.data() + token.size() ||
          index >= place.json->size()) {
        return nowhere();
      }
      place.json = &(*place.json)[index];
    }
    place.pointer = PointerTo(place.pointer, token);
  }
  return place;
}

// Past references and lists of one.
const Json& SchemaView::Target(const Json& schema) const {
  const Json* at = &schema;
  for (int step = 0; step < kMaxDepth && at->is_object(); ++step) {
    const Json* all = Member(*at, "allOf");
    if (const Json* ref = Member(*at, "$ref"); ref != nullptr && ref->is_string()) {
      const Result<SchemaPlace> place = Resolve(ref->get<std::string>());
      if (!place.ok()) {
        break;
      }
      at = place->json;
    } else if (all != nullptr && all->is_array() && all->size() == 1) {
      at = &(*all)[0];
    } else {
      break;
    }
  }
  return *at;
}

// The kinds of the values that a schema accepts, or of those that are written for it: without a
// type its other keywords say which those are.
std::uint32_t SchemaView::Kinds(const Json& unresolved, bool written, int depth) const {
  const Json& schema = Target(unresolved);
  if (schema.is_boolean()) {
    return schema.get<bool>() ? kAllKinds : 0;
  }
  if (!schema.is_object() || depth > kMaxDepth || schema.contains("$ref") || ++work_ > kMaxWork) {
    return kAllKinds;
  }
  std::uint32_t kinds = kAllKinds;
  if (const Json* type = Member(schema, "type"); type != nullptr) {
    kinds = 0;
    for (const Json& name : type->is_array() ? *type : Json::array({*type})) {
      kinds |= name.is_string() ? KindsOfName(name.get<std::string>()) : kAllKinds;
    }
  } else if (written) {
    kinds = KindsOfKeywords(schema);
  }
  if (const Json* value = Member(schema, "const"); value != nullptr) {
    kinds &= KindOfValue(*value);
  }
  if (const Json* list = EnumOf(schema); list != nullptr) {
    std::uint32_t any = 0;
    for (const Json& value : *list) {
      any |= KindOfValue(value);
    }
    kinds &= any;
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (const Json* list = Member(schema, keyword); list != nullptr && list->is_array()) {
      std::uint32_t any = 0;
      for (const Json& one : *list) {
        any |= Kinds(one, written, depth + 1);
      }
      kinds &= any;
    }
  }
  return kinds;
}

bool SchemaView::MayHold(const Json& unresolved_a, const Json& unresolved_b, int depth) const {
  const Json& a = Target(unresolved_a);
  const Json& b = Target(unresolved_b);
  std::uint32_t common = Kinds(a, true, 0) & Kinds(b, false, 0);
  if (common == 0) {
    return false;
  }
  if (depth > kMaxDepth || !a.is_object() || !b.is_object() || ++work_ > kMaxWork) {
    return true;
  }
  // Alternatives of either side, one by one.
  for (const char* keyword : {"anyOf", "oneOf"}) {
    const Json* of_a = Member(a, keyword);
    const Json* of_b = Member(b, keyword);
    if (of_a != nullptr && of_a->is_array()) {
      return std::any_of(of_a->begin(), of_a->end(),
                         [&](const Json& one) { return MayHold(one, b, depth + 1); });
    }
    if (of_b != nullptr && of_b->is_array()) {
      return std::any_of(of_b->begin(), of_b->end(),
                         [&](const Json& one) { return MayHold(a, one, depth + 1); });
    }
  }
  const auto values = [](const Json& schema) {
    const Json* value = Member(schema, "const");
    const Json* list = EnumOf(schema);
    return value != nullptr ? Json::array({*value}) : list != nullptr ? *list : Json();
  };
  const Json of_a = values(a);
  const Json of_b = values(b);
  if (!of_a.is_null() && !of_b.is_null()) {
    return std::any_of(of_a.begin(), of_a.end(), [&](const Json& x) {
      return std::find(of_b.begin(), of_b.end(), x) != of_b.end();
    });
  }
  if ((common & ~kObjectKind) != 0 || !of_a.is_null() || !of_b.is_null()) {
    return true;
  }
  return ObjectsMayHold(a, b, depth);
}

// An object that `a` makes us write is none of `b` when a member that it always has cannot hold
// there, or one is missing that `b` requires.
bool SchemaView::ObjectsMayHold(const Json& a, const Json& b, int depth) const {
  const Json empty = Json::object();
  const auto object = [&](const Json& schema, const char* name) -> const Json& {
    const Json* found = Member(schema, name);
    return found != nullptr && found->is_object() ? *found : empty;
  };
  const auto list = [&](const Json& schema) -> const Json& {
    const Json* found = Member(schema, "required");
    return found != nullptr && found->is_array() ? *found : empty;
  };
  const Json& a_members = object(a, "properties");
  const Json& b_members = object(b, "properties");
  const Json* b_others = Member(b, "additionalProperties");
  for (const Json& name : list(a)) {
    if (!name.is_string()) {
      continue;
    }
    const auto in_a = a_members.find(name.get<std::string>());
    const auto in_b = b_members.find(name.get<std::string>());
    if (in_b == b_members.end()) {
      if (b_others != nullptr && *b_others == false) {
        return false;
      }
    } else if (in_a != a_members.end() && !MayHold(*in_a, *in_b, depth + 1)) {
      return false;
    }
  }
  const Json* a_others = Member(a, "additionalProperties");
  const bool a_writes_others =
      a_others == nullptr ? a_members.empty() : !a_others->is_boolean() || a_others->get<bool>();
  for (const Json& name : list(b)) {
    if (name.is_string() && !a_writes_others && !a_members.contains(name.get<std::string>()) &&
        !Names(list(a), name.get<std::string>())) {
      return false;
    }
  }
  return true;
}

}  // namespace tandem::grammar
