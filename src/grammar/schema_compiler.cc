#include "grammar/schema_compiler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/format.h"
#include "grammar/char_pattern.h"
#include "grammar/number_pattern.h"
#include "grammar/string_formats.h"

namespace tandem::grammar {
namespace {

constexpr std::size_t kMaxLevels = 100;             // of schemas in each other, references too
constexpr std::uint64_t kMaxCount = 1'000'000'000;  // of characters and items; more is no limit
constexpr std::uint64_t kMostNeeded = 100'000;      // of them that must be written
constexpr std::size_t kMaxProperties = 1000;
constexpr std::size_t kMaxPointer = 4096;  // bytes

Status Refuse(StatusCode code, const std::string& pointer, std::string_view what) {
  return {code, Format("{}: {}", Printable(pointer, 200), what)};
}

bool IsAnnotation(std::string_view keyword) {
  constexpr std::string_view kAnnotations[] = {
      "$schema", "$id",      "$comment", "$defs",      "definitions", "title",    "description",
      "default", "examples", "example",  "deprecated", "readOnly",    "writeOnly"};
  return std::find(std::begin(kAnnotations), std::end(kAnnotations), keyword) !=
         std::end(kAnnotations);
}

bool IsKnown(std::string_view keyword) {
  constexpr std::string_view kKeywords[] = {"$ref",
                                            "allOf",
                                            "anyOf",
                                            "oneOf",
                                            "const",
                                            "enum",
                                            "type",
                                            "properties",
                                            "required",
                                            "items",
                                            "additionalProperties",
                                            "prefixItems",
                                            "minItems",
                                            "maxItems",
                                            "minLength",
                                            "maxLength",
                                            "pattern",
                                            "format",
                                            "minimum",
                                            "maximum",
                                            "exclusiveMinimum",
                                            "exclusiveMaximum"};
  return IsAnnotation(keyword) ||
         std::find(std::begin(kKeywords), std::end(kKeywords), keyword) != std::end(kKeywords);
}

// Refuses what cannot be taken together with `keyword`.
Status RequireAlone(const Json& schema, const std::string& pointer, std::string_view keyword,
                    std::string_view allowed = "") {
  for (const auto& [name, value] : schema.items()) {
    if (name != keyword && name != allowed && !IsAnnotation(name)) {
      return Refuse(StatusCode::kUnsupported, pointer,
                    Format("'{}' beside '{}' is not supported", name, keyword));
    }
  }
  return OkStatus();
}

// A whole number from 0 to kMaxCount; what is larger is kMaxCount.
Result<std::optional<std::uint64_t>> ReadCount(const Json& schema, const std::string& pointer,
                                               const char* keyword) {
  const Json* value = Member(schema, keyword);
  if (value == nullptr) {
    return std::optional<std::uint64_t>();
  }
  const double number = value->is_number() ? value->get<double>() : -1;
  if (!(number >= 0) || number != std::floor(number)) {
    return Refuse(StatusCode::kInvalidArgument, pointer,
                  Format("'{}' must be a whole number from 0", keyword));
  }
  return std::optional(
      static_cast<std::uint64_t>(std::min(number, static_cast<double>(kMaxCount))));
}

Result<Count> ReadCounts(const Json& schema, const std::string& pointer, const char* min_keyword,
                         const char* max_keyword) {
  TANDEM_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> min,
                          ReadCount(schema, pointer, min_keyword));
  TANDEM_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> max,
                          ReadCount(schema, pointer, max_keyword));
  if (min.value_or(0) > kMostNeeded) {
    return Refuse(
        StatusCode::kUnsupported, pointer,
        Format("'{}' is {}; more than {} are not supported", min_keyword, *min, kMostNeeded));
  }
  if (min.has_value() && max.has_value() && *min > *max) {
    return Refuse(StatusCode::kInvalidArgument, pointer,
                  Format("'{}' {} is above '{}' {}", min_keyword, *min, max_keyword, *max));
  }
  Count count;
  count.need = static_cast<std::uint32_t>(min.value_or(0));
  if (max.has_value() && *max < kMaxCount) {
    count.room = static_cast<std::uint32_t>(*max);
  }
  return count;
}

struct Bound {
  std::optional<double> value;
  bool excluded = false;
};

// The stricter of an inclusive and an exclusive bound.
Result<Bound> ReadBound(const Json& schema, const std::string& pointer, const char* inclusive,
                        const char* exclusive, bool low) {
  Bound bound;
  for (const char* keyword : {inclusive, exclusive}) {
    const Json* value = Member(schema, keyword);
    if (value == nullptr) {
      continue;
    }
    if (!value->is_number()) {
      return Refuse(StatusCode::kInvalidArgument, pointer,
                    Format("'{}' must be a number", keyword));
    }
    const double number = value->get<double>();
    const bool excludes = keyword == exclusive;
    const bool stricter = !bound.value.has_value() ||
                          (low ? number > *bound.value : number < *bound.value) ||
                          (number == *bound.value && excludes);
    if (stricter) {
      bound = {.value = number, .excluded = excludes};
    }
  }
  return bound;
}

// The integers between bounds, both included.
Result<std::pair<std::int64_t, std::int64_t>> IntegersBetween(const Bound& low, const Bound& high,
                                                              const std::string& pointer) {
  // 2^53: beyond it a bound that was read as a double may be another number than the file's.
  constexpr double kExact = 9007199254740992.0;
  for (const Bound* bound : {&low, &high}) {
    if (bound->value.has_value() && std::abs(*bound->value) > kExact) {
      return Refuse(StatusCode::kUnsupported, pointer,
                    "bounds of an integer beyond 2^53 are not supported");
    }
  }
  std::int64_t from = -kMaxInteger;
  std::int64_t to = kMaxInteger;
  if (low.value.has_value()) {
    from = static_cast<std::int64_t>(std::ceil(*low.value));
    from += low.excluded && static_cast<double>(from) == *low.value ? 1 : 0;
  }
  if (high.value.has_value()) {
    to = static_cast<std::int64_t>(std::floor(*high.value));
    to -= high.excluded && static_cast<double>(to) == *high.value ? 1 : 0;
  }
  return std::pair(from, to);
}

Result<NumberBounds> WholeBounds(const Bound& low, const Bound& high, const std::string& pointer) {
  NumberBounds bounds{.low_excluded = low.excluded, .high_excluded = high.excluded};
  for (const auto& [bound, place] : {std::pair(&low, &bounds.low), {&high, &bounds.high}}) {
    if (!bound->value.has_value()) {
      continue;
    }
    if (*bound->value != std::floor(*bound->value) ||
        std::abs(*bound->value) > static_cast<double>(kMaxBound)) {
      return Refuse(StatusCode::kUnsupported, pointer,
                    Format("a bound of {} of a number is not supported; whole ones up to {} are",
                           *bound->value, kMaxBound));
    }
    *place = static_cast<std::int64_t>(*bound->value);
  }
  return bounds;
}

}  // namespace

Result<Rule> SchemaCompiler::CompileAt(const Json& schema, const std::string& pointer) {
  if (const auto found = known_.find(pointer); found != known_.end()) {
    return found->second;
  }
  if (depth_ >= kMaxLevels) {
    return Refuse(StatusCode::kUnsupported, pointer,
                  Format("more than {} schemas in each other", kMaxLevels));
  }
  if (pointer.size() > kMaxPointer) {
    return Refuse(StatusCode::kUnsupported, pointer,
                  Format("a pointer of more than {} bytes", kMaxPointer));
  }
  if (rules_.builder().full()) {
    return Refuse(StatusCode::kUnsupported, pointer,
                  Format("the grammar takes more than {} states", GrammarBuilder::kMaxStates));
  }
  // Known before it is compiled: it may refer to itself.
  const Rule entry{.start = rules_.builder().NewState(), .count = {}};
  known_.emplace(pointer, entry);
  names_.emplace_back(entry.start, pointer);
  ++depth_;
  TANDEM_ASSIGN_OR_RETURN(const Rule rule, CompileNew(schema, pointer));
  --depth_;
  rules_.builder().AddJump(entry.start, rule);
  return entry;
}

Result<Rule> SchemaCompiler::CompileNew(const Json& schema, const std::string& pointer) {
  if (schema.is_boolean()) {
    if (schema.get<bool>()) {
      return rules_.AnyValue();
    }
    return Refuse(StatusCode::kInvalidArgument, pointer, "'false' allows no value");
  }
  if (!schema.is_object()) {
    return Refuse(StatusCode::kInvalidArgument, pointer, "a schema is an object, true or false");
  }
  for (const auto& [name, value] : schema.items()) {
    if (!IsKnown(name)) {
      return Refuse(StatusCode::kUnsupported, pointer,
                    Format("'{}' is not supported", Printable(name)));
    }
  }
  if (schema.contains("$ref")) {
    return CompileReference(schema, pointer);
  }
  if (const Json* all = Member(schema, "allOf"); all != nullptr) {
    TANDEM_RETURN_IF_ERROR(RequireAlone(schema, pointer, "allOf"));
    if (!all->is_array() || all->size() != 1) {
      return Refuse(StatusCode::kUnsupported, pointer,
                    "'allOf' of other than one schema is not supported");
    }
    return CompileAt((*all)[0], PointerTo(PointerTo(pointer, "allOf"), "0"));
  }
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (schema.contains(keyword)) {
      TANDEM_RETURN_IF_ERROR(RequireAlone(schema, pointer, keyword));
      return CompileAlternatives(schema, pointer, keyword);
    }
  }
  for (const char* keyword : {"const", "enum"}) {
    if (schema.contains(keyword)) {
      TANDEM_RETURN_IF_ERROR(RequireAlone(schema, pointer, keyword, "type"));
      return CompileValues(schema, pointer);
    }
  }
  TANDEM_ASSIGN_OR_RETURN(const std::uint32_t kinds, ReadKinds(schema, pointer));
  if (kinds == kAllKinds && KindsOfKeywords(schema) == kAllKinds) {
    return rules_.AnyValue();
  }
  std::vector<Rule> alternatives;
  for (const std::uint32_t kind :
       {kObjectKind, kArrayKind, kStringKind, kinds & (kIntegerKind | kFractionKind), kBooleanKind,
        kNullKind}) {
    if ((kinds & kind) != 0) {
      TANDEM_ASSIGN_OR_RETURN(const Rule rule, CompileKind(kind, schema, pointer));
      alternatives.push_back(rule);
    }
  }
  return rules_.Either(alternatives);
}

Result<Rule> SchemaCompiler::CompileReference(const Json& schema, const std::string& pointer) {
  TANDEM_RETURN_IF_ERROR(RequireAlone(schema, pointer, "$ref"));
  const Json& reference = schema.at("$ref");
  if (!reference.is_string()) {
    return Refuse(StatusCode::kInvalidArgument, pointer, "'$ref' must be a string");
  }
  const Result<SchemaPlace> place = view_.Resolve(reference.get<std::string>());
  if (!place.ok()) {
    return Refuse(place.status().code(), pointer, place.status().message());
  }
  return CompileAt(*place->json, place->pointer);
}

Result<std::uint32_t> SchemaCompiler::ReadKinds(const Json& schema,
                                                const std::string& pointer) const {
  const Json* type = Member(schema, "type");
  if (type == nullptr) {
    return KindsOfKeywords(schema);
  }
  std::uint32_t kinds = 0;
  for (const Json& name : type->is_array() ? *type : Json::array({*type})) {
    const std::uint32_t kind = name.is_string() ? KindsOfName(name.get<std::string>()) : 0;
    if (kind == 0) {
      return Refuse(StatusCode::kInvalidArgument, pointer,
                    Format("'type' {} is none of null, boolean, object, array, string, integer, "
                           "number",
                           Printable(name.dump(-1, ' ', false, Json::error_handler_t::replace))));
    }
    kinds |= kind;
  }
  if (kinds == 0) {
    return Refuse(StatusCode::kInvalidArgument, pointer, "'type' is an empty list");
  }
  return kinds;
}

Result<Rule> SchemaCompiler::CompileKind(std::uint32_t kind, const Json& schema,
                                         const std::string& pointer) {
  switch (kind) {
    case kObjectKind:
      return CompileObject(schema, pointer);
    case kArrayKind:
      return CompileArray(schema, pointer);
    case kStringKind:
      return CompileString(schema, pointer);
    case kBooleanKind:
      return Rule{.start = AddLiterals(rules_.builder(), {"false", "true"}), .count = {}};
    case kNullKind:
      return rules_.Text("null");
    default:
      return CompileNumber(schema, pointer, (kind & kFractionKind) == 0);
  }
}

Result<Rule> SchemaCompiler::CompileObject(const Json& schema, const std::string& pointer) {
  const Json none = Json::object();
  const Json* properties = Member(schema, "properties");
  const Json* required = Member(schema, "required");
  const Json* others = Member(schema, "additionalProperties");
  if (properties != nullptr && !properties->is_object()) {
    return Refuse(StatusCode::kInvalidArgument, pointer, "'properties' must be an object");
  }
  std::vector<std::string> due;
  if (required != nullptr) {
    const bool names =
        required->is_array() && std::all_of(required->begin(), required->end(),
                                            [](const Json& name) { return name.is_string(); });
    if (!names) {
      return Refuse(StatusCode::kInvalidArgument, pointer, "'required' must be a list of names");
    }
    due = required->get<std::vector<std::string>>();
  }
  const bool forbidden = others != nullptr && *others == false;
  if (others == nullptr && properties == nullptr && due.empty()) {
    return rules_.AnyObject();
  }
  std::optional<Rule> other_values;
  if (others != nullptr && !forbidden) {
    TANDEM_ASSIGN_OR_RETURN(other_values,
                            CompileAt(*others, PointerTo(pointer, "additionalProperties")));
  }
  std::vector<JsonRules::Property> members;
  for (const auto& [name, value] : properties == nullptr ? none.items() : properties->items()) {
    const auto place = std::find(due.begin(), due.end(), name);
    const bool needed = place != due.end();
    std::erase(due, name);
    if (value == false && !needed) {
      continue;  // never written
    }
    TANDEM_ASSIGN_OR_RETURN(const Rule rule,
                            CompileAt(value, PointerTo(PointerTo(pointer, "properties"), name)));
    members.push_back({.name = name, .value = rule, .required = needed});
  }
  // What is required and has no schema of its own comes behind those that have.
  for (std::size_t i = 0; i < due.size(); ++i) {
    if (forbidden) {
      return Refuse(StatusCode::kInvalidArgument, pointer,
                    Format("'required' names '{}', which 'properties' lacks and "
                           "'additionalProperties' forbids",
                           Printable(due[i])));
    }
    if (std::find(due.begin(), due.begin() + static_cast<std::ptrdiff_t>(i), due[i]) ==
        due.begin() + static_cast<std::ptrdiff_t>(i)) {
      members.push_back(
          {.name = due[i], .value = other_values.value_or(rules_.AnyValue()), .required = true});
    }
  }
  if (members.size() > kMaxProperties) {
    return Refuse(StatusCode::kUnsupported, pointer,
                  Format("{} properties; {} are the limit", members.size(), kMaxProperties));
  }
  // A name that is forbidden by a 'false' of its own is no other one either.
  if (other_values.has_value() && properties != nullptr &&
      std::any_of(properties->begin(), properties->end(),
                  [](const Json& value) { return value == false; })) {
    return Refuse(StatusCode::kUnsupported, pointer,
                  "a property that is 'false' beside 'additionalProperties' is not supported");
  }
  return rules_.Object(members, other_values);
}

Result<Rule> SchemaCompiler::CompileArray(const Json& schema, const std::string& pointer) {
  TANDEM_ASSIGN_OR_RETURN(const Count count, ReadCounts(schema, pointer, "minItems", "maxItems"));
  const Json* prefix = Member(schema, "prefixItems");
  const Json* items = Member(schema, "items");
  if (prefix != nullptr && !prefix->is_array()) {
    return Refuse(StatusCode::kInvalidArgument, pointer, "'prefixItems' must be a list");
  }
  if (items != nullptr && items->is_array()) {
    return Refuse(StatusCode::kUnsupported, pointer,
                  "'items' as a list is not supported; 'prefixItems' is");
  }
  std::vector<Rule> beginning;
  for (std::size_t i = 0; prefix != nullptr && i < prefix->size() && i < count.room; ++i) {
    TANDEM_ASSIGN_OR_RETURN(
        const Rule rule,
        CompileAt((*prefix)[i], PointerTo(PointerTo(pointer, "prefixItems"), std::to_string(i))));
    beginning.push_back(rule);
  }
  const bool more_needed = count.need > beginning.size();
  std::optional<Rule> rest;
  if (items == nullptr) {
    if (prefix == nullptr || more_needed) {
      rest = rules_.AnyValue();
    }
  } else if (*items != false && count.room > beginning.size()) {
    TANDEM_ASSIGN_OR_RETURN(rest, CompileAt(*items, PointerTo(pointer, "items")));
  } else if (more_needed) {
    return Refuse(
        StatusCode::kInvalidArgument, pointer,
        Format("'minItems' is {}, but 'items' forbids more than {}", count.need, beginning.size()));
  }
  return rules_.Array(beginning, rest, count);
}

Result<Rule> SchemaCompiler::CompileString(const Json& schema, const std::string& pointer) {
  TANDEM_ASSIGN_OR_RETURN(const Count count, ReadCounts(schema, pointer, "minLength", "maxLength"));
  const Json* pattern = Member(schema, "pattern");
  const Json* format = Member(schema, "format");
  if (pattern == nullptr && format == nullptr) {
    return rules_.AnyString(count);
  }
  const char* keyword = pattern != nullptr ? "pattern" : "format";
  for (const char* other : {"minLength", "maxLength", "format"}) {
    if (std::string_view(other) != keyword && schema.contains(other)) {
      return Refuse(StatusCode::kUnsupported, pointer,
                    Format("'{}' beside '{}' is not supported", other, keyword));
    }
  }
  const Json& text = pattern != nullptr ? *pattern : *format;
  if (!text.is_string()) {
    return Refuse(StatusCode::kInvalidArgument, pointer, Format("'{}' must be a string", keyword));
  }
  CharAutomaton automaton;
  if (pattern != nullptr) {
    Result<CharAutomaton> compiled = CompilePattern(text.get<std::string>(), pattern_work_);
    if (!compiled.ok()) {
      return Refuse(compiled.status().code(), pointer, compiled.status().message());
    }
    automaton = std::move(compiled).value();
  } else {
    const std::string known = PatternOfFormat(text.get<std::string>());
    if (known.empty()) {
      return Refuse(StatusCode::kUnsupported, pointer,
                    Format("'format' {} is not supported; {} are",
                           Printable(text.get<std::string>()), kKnownFormats));
    }
    automaton = CompileWholePattern(known);
  }
  GrammarBuilder& builder = rules_.builder();
  const StateId start = builder.NewState();
  builder.AddEdge(start, '"', '"', AddAutomaton(builder, automaton, Spelling::kJson));
  return Rule{.start = start, .count = {}};
}

Result<Rule> SchemaCompiler::CompileNumber(const Json& schema, const std::string& pointer,
                                           bool whole) {
  TANDEM_ASSIGN_OR_RETURN(const Bound low,
                          ReadBound(schema, pointer, "minimum", "exclusiveMinimum", true));
  TANDEM_ASSIGN_OR_RETURN(const Bound high,
                          ReadBound(schema, pointer, "maximum", "exclusiveMaximum", false));
  std::string pattern;
  if (whole) {
    TANDEM_ASSIGN_OR_RETURN(const auto range, IntegersBetween(low, high, pointer));
    pattern = range.first > range.second ? "" : IntegerPattern(range.first, range.second);
  } else if (!low.value.has_value() && !high.value.has_value()) {
    return rules_.AnyNumber();
  } else {
    TANDEM_ASSIGN_OR_RETURN(const NumberBounds bounds, WholeBounds(low, high, pointer));
    pattern = BoundedNumberPattern(bounds);
  }
  if (pattern.empty()) {
    return Refuse(StatusCode::kInvalidArgument, pointer, "no number lies between its bounds");
  }
  return CompileDigits(pattern);
}

Rule SchemaCompiler::CompileDigits(const std::string& pattern) {
  const auto [place, fresh] = numbers_.try_emplace(pattern);
  if (fresh) {
    place->second.start =
        AddAutomaton(rules_.builder(), CompileWholePattern(pattern), Spelling::kPlain);
  }
  return place->second;
}

// One value, with white space where objects and arrays have it.
Rule SchemaCompiler::CompileValue(const Json& value) {
  if (value.is_object()) {
    std::vector<JsonRules::Property> members;
    for (const auto& [name, member] : value.items()) {
      members.push_back({.name = name, .value = CompileValue(member), .required = true});
    }
    return rules_.Object(members, std::nullopt);
  }
  if (value.is_array()) {
    std::vector<Rule> items;
    for (const Json& item : value) {
      items.push_back(CompileValue(item));
    }
    const auto count = static_cast<std::uint32_t>(items.size());
    return rules_.Array(items, std::nullopt, {.need = count, .room = count});
  }
  return rules_.Text(value.dump());
}

Result<Rule> SchemaCompiler::CompileValues(const Json& schema, const std::string& pointer) {
  const Json* list = Member(schema, "enum");
  const Json* one = Member(schema, "const");
  const char* keyword = one != nullptr ? "const" : "enum";
  if (one == nullptr && (!list->is_array() || list->empty())) {
    return Refuse(StatusCode::kInvalidArgument, pointer, "'enum' must be a list with a value");
  }
  std::uint32_t kinds = kAllKinds;
  if (schema.contains("type")) {
    TANDEM_ASSIGN_OR_RETURN(kinds, ReadKinds(schema, pointer));
  }
  std::vector<std::string> texts;
  std::vector<Rule> alternatives;
  for (const Json& value : one != nullptr ? Json::array({*one}) : *list) {
    if ((KindOfValue(value) & kinds) == 0) {
      continue;
    }
    if (value.is_structured()) {
      alternatives.push_back(CompileValue(value));
    } else {
      texts.push_back(value.dump());
    }
  }
  if (!texts.empty()) {
    alternatives.push_back({.start = AddLiterals(rules_.builder(), std::move(texts)), .count = {}});
  }
  if (alternatives.empty()) {
    return Refuse(StatusCode::kInvalidArgument, pointer,
                  Format("'{}' has no value of its 'type'", keyword));
  }
  return rules_.Either(alternatives);
}

Result<Rule> SchemaCompiler::CompileAlternatives(const Json& schema, const std::string& pointer,
                                                 const char* keyword) {
  const Json& list = schema.at(keyword);
  if (!list.is_array() || list.empty()) {
    return Refuse(StatusCode::kInvalidArgument, pointer,
                  Format("'{}' must be a list with a schema", keyword));
  }
  if (std::string_view(keyword) == "oneOf") {
    TANDEM_RETURN_IF_ERROR(CheckDisjoint(list, pointer));
  }
  std::vector<Rule> alternatives;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] == false) {
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(
        const Rule rule,
        CompileAt(list[i], PointerTo(PointerTo(pointer, keyword), std::to_string(i))));
    alternatives.push_back(rule);
  }
  if (alternatives.empty()) {
    return Refuse(StatusCode::kInvalidArgument, pointer, Format("'{}' allows no value", keyword));
  }
  return rules_.Either(alternatives);
}

// What is written for one alternative must not be accepted by another.
Status SchemaCompiler::CheckDisjoint(const Json& alternatives, const std::string& pointer) const {
  constexpr std::size_t kMost = 100;  // the comparison is quadratic
  if (alternatives.size() > kMost) {
    return Refuse(StatusCode::kUnsupported, pointer,
                  Format("'oneOf' of more than {} schemas is not supported", kMost));
  }
  for (std::size_t i = 0; i < alternatives.size(); ++i) {
    for (std::size_t j = 0; j < alternatives.size(); ++j) {
      if (i != j && view_.MayHold(alternatives[i], alternatives[j])) {
        return Refuse(StatusCode::kUnsupported, pointer,
                      Format("'oneOf': a value of alternative {} may be one of alternative {} too; "
                             "'anyOf' is supported",
                             i, j));
      }
    }
  }
  return OkStatus();
}

}  // namespace tandem::grammar
