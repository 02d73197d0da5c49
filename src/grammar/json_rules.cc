#include "grammar/json_rules.h"

#include <algorithm>

#include "grammar/char_pattern.h"
#include "grammar/number_pattern.h"
#include "io/json.h"

namespace tandem::grammar {
namespace {

constexpr std::uint32_t kMaxIndentation = 20;

// "name": as it stands in JSON.
std::string Key(const std::string& name) {
  return Json(name).dump() + ":";
}

}  // namespace

Rule JsonRules::WhiteSpace() {
  if (!white_space_.has_value()) {
    const StateId start = builder_.NewState();
    const StateId space = builder_.NewState();
    const StateId line = builder_.NewState();
    const StateId indentation = builder_.NewState();
    builder_.AddEdge(start, ' ', ' ', space);
    builder_.AddEdge(start, '\n', '\n', line);
    builder_.AddEdge(line, '\n', '\n', indentation);
    for (const char c : {' ', '\t'}) {
      const auto byte = static_cast<std::uint8_t>(c);
      builder_.AddEdge(line, byte, byte, indentation, true);
      builder_.AddEdge(indentation, byte, byte, indentation, true);
    }
    for (const StateId state : {start, space, line, indentation}) {
      builder_.SetReturns(state);
    }
    white_space_ = Rule{.start = start, .count = {.need = 0, .room = kMaxIndentation}};
  }
  return *white_space_;
}

StateId JsonRules::Space(StateId next) {
  const StateId state = builder_.NewState();
  builder_.AddCall(state, WhiteSpace(), next);
  return state;
}

Rule JsonRules::AnyString(Count count) {
  if (!any_string_.has_value()) {
    const StateId start = builder_.NewState();
    const StateId end = builder_.NewState();
    builder_.SetReturns(end);
    builder_.AddEdge(start, '"', '"', AddAnyString(builder_, end));
    any_string_ = Rule{.start = start, .count = {}};
  }
  return {.start = any_string_->start, .count = count};
}

Rule JsonRules::AnyNumber() {
  if (!any_number_.has_value()) {
    any_number_ = Rule{
        .start = AddAutomaton(builder_, CompileWholePattern(AnyNumberPattern()), Spelling::kPlain),
        .count = {}};
  }
  return *any_number_;
}

Rule JsonRules::Text(const std::string& text) {
  return {.start = AddLiterals(builder_, {text}), .count = {}};
}

Rule JsonRules::Either(const std::vector<Rule>& rules) {
  if (rules.size() == 1) {
    return rules[0];
  }
  const StateId start = builder_.NewState();
  for (const Rule& rule : rules) {
    builder_.AddJump(start, rule);
  }
  return {.start = start, .count = {}};
}

Rule JsonRules::AnyValue() {
  if (!any_value_.has_value()) {
    const StateId start = builder_.NewState();
    any_value_ = Rule{.start = start, .count = {}};  // objects and arrays refer to it
    for (const Rule& rule :
         {AnyObject(), AnyArray(), AnyNumber(), AnyString({}),
          Rule{.start = AddLiterals(builder_, {"true", "false", "null"}), .count = {}}}) {
      builder_.AddJump(start, rule);
    }
  }
  return *any_value_;
}

Rule JsonRules::AnyObject() {
  if (!any_object_.has_value()) {
    const StateId start = builder_.NewState();
    any_object_ = Rule{.start = start, .count = {}};
    builder_.AddJump(start, Map(AnyValue()));
  }
  return *any_object_;
}

Rule JsonRules::AnyArray() {
  if (!any_array_.has_value()) {
    const StateId start = builder_.NewState();
    any_array_ = Rule{.start = start, .count = {}};
    builder_.AddJump(start, Array({}, AnyValue(), {}));
  }
  return *any_array_;
}

// From behind a key and its colon to behind the value.
StateId JsonRules::Member(StateId from, const Rule& value) {
  const StateId at_value = builder_.NewState();
  const StateId behind = builder_.NewState();
  builder_.AddCall(from, WhiteSpace(), at_value);
  builder_.AddCall(at_value, value, behind);
  return behind;
}

void JsonRules::Close(StateId from, StateId end, char bracket) {
  const StateId close = builder_.NewState();
  const auto byte = static_cast<std::uint8_t>(bracket);
  builder_.AddEdge(close, byte, byte, end);
  builder_.AddCall(from, WhiteSpace(), close);
}

Rule JsonRules::Map(const Rule& value) {
  const StateId start = builder_.NewState();
  const StateId first = builder_.NewState();
  const StateId key = builder_.NewState();
  const StateId behind_key = builder_.NewState();
  const StateId colon = builder_.NewState();
  const StateId end = builder_.NewState();
  builder_.SetReturns(end);
  builder_.AddEdge(start, '{', '{', Space(first));
  builder_.AddEdge(first, '}', '}', end);
  builder_.AddGoto(first, key);
  builder_.AddCall(key, AnyString({}), behind_key);
  builder_.AddEdge(behind_key, ':', ':', colon);
  const StateId behind = Member(colon, value);
  builder_.AddEdge(behind, ',', ',', Space(key));
  Close(behind, end, '}');
  return {.start = start, .count = {}};
}

Rule JsonRules::Object(const std::vector<Property>& properties, const std::optional<Rule>& others) {
  if (properties.empty() && others.has_value()) {
    return Map(*others);
  }
  const StateId start = builder_.NewState();
  const StateId first = builder_.NewState();
  const StateId end = builder_.NewState();
  builder_.SetReturns(end);
  builder_.AddEdge(start, '{', '{', Space(first));

  const std::size_t count = properties.size();
  std::vector<bool> may_end(count + 1);  // no required member from here on
  may_end[count] = true;
  for (std::size_t i = count; i-- > 0;) {
    may_end[i] = may_end[i + 1] && !properties[i].required;
  }
  std::vector<StateId> keys;  // at the key of a member, this or a later one
  for (std::size_t i = 0; i <= count; ++i) {
    keys.push_back(builder_.NewState());
  }
  builder_.AddGoto(first, keys[0]);
  if (may_end[0]) {
    builder_.AddEdge(first, '}', '}', end);
  }
  for (std::size_t i = 0; i < count && !builder_.full(); ++i) {
    const Property& property = properties[i];
    if (!property.required) {
      builder_.AddGoto(keys[i], keys[i + 1]);
    }
    const StateId behind = Member(builder_.AddText(keys[i], Key(property.name)), property.value);
    if (i + 1 < count || others.has_value()) {
      builder_.AddEdge(behind, ',', ',', Space(keys[i + 1]));
    }
    if (may_end[i + 1]) {
      Close(behind, end, '}');
    }
  }
  if (others.has_value()) {
    std::vector<std::string> names;
    for (const Property& property : properties) {
      names.push_back(property.name);
    }
    const StateId behind_key = builder_.NewState();
    const StateId colon = builder_.NewState();
    builder_.AddEdge(behind_key, ':', ':', colon);
    builder_.AddEdge(keys[count], '"', '"',
                     AddAutomatonBefore(builder_, AllBut(names), Spelling::kNoSlash, behind_key));
    const StateId behind = Member(colon, *others);
    builder_.AddEdge(behind, ',', ',', Space(keys[count]));
    Close(behind, end, '}');
  }
  return {.start = start, .count = {}};
}

// The items are a rule of their own, which counts: it may return only when there are enough, so
// that no white space is read in front of a bracket that must not come yet.
Rule JsonRules::Array(const std::vector<Rule>& prefix, const std::optional<Rule>& items,
                      Count count) {
  const StateId start = builder_.NewState();
  const StateId first = builder_.NewState();
  const StateId end = builder_.NewState();
  builder_.SetReturns(end);
  builder_.AddEdge(start, '[', '[', Space(first));
  if (count.need == 0) {
    builder_.AddEdge(first, ']', ']', end);
  }
  const auto fixed = static_cast<std::uint32_t>(std::min<std::size_t>(prefix.size(), count.room));
  const Count rest = {.need = count.need - std::min(count.need, fixed),
                      .room = count.room == kUnbounded ? kUnbounded : count.room - fixed};
  const bool more = items.has_value() && rest.room > 0;
  if (fixed > 0 || more) {
    const StateId body = builder_.NewState();
    const StateId behind_body = builder_.NewState();
    builder_.AddCall(first, {.start = body, .count = rest}, behind_body);
    Close(behind_body, end, ']');
    StateId at = body;  // where the next item begins
    for (std::uint32_t i = 0; i < fixed; ++i) {
      const StateId behind = builder_.NewState();
      builder_.AddCall(at, prefix[i], behind);
      if (i + 1 >= count.need) {
        builder_.SetReturns(behind);
      }
      if (i + 1 < fixed || more) {
        at = builder_.NewState();
        builder_.AddEdge(behind, ',', ',', Space(at), i + 1 == fixed);
      }
    }
    if (more) {
      const StateId behind = builder_.NewState();
      const StateId next = builder_.NewState();
      builder_.SetReturns(behind);
      builder_.AddCall(at, *items, behind, fixed == 0);
      builder_.AddEdge(behind, ',', ',', Space(next), true);
      builder_.AddCall(next, *items, behind);
    }
  }
  return {.start = start, .count = {}};
}

}  // namespace tandem::grammar
