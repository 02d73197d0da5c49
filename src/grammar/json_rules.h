#pragma once

#include <optional>
#include <string>
#include <vector>

#include "grammar/grammar.h"

namespace tandem::grammar {

/// The parts of JSON texts as rules, each made once. White space stands where models put it: behind
/// { [ : and , and in front of } and ], either one space, or one or two line ends and at most 20
/// spaces or tabs.
class JsonRules {
 public:
  explicit JsonRules(GrammarBuilder& builder) : builder_(builder) {}

  GrammarBuilder& builder() { return builder_; }

  Rule WhiteSpace();
  /// Any JSON value; the numbers as AnyNumberPattern has them.
  Rule AnyValue();
  Rule AnyObject();
  Rule AnyArray();
  Rule AnyNumber();
  /// Counts characters.
  Rule AnyString(Count count);
  /// A fixed text.
  Rule Text(const std::string& text);

  struct Property {
    std::string name;
    Rule value;
    bool required = false;
  };
  /// An object with these members in this order, and behind them others with a value of `others`.
  Rule Object(const std::vector<Property>& properties, const std::optional<Rule>& others);
  /// An object with any keys and values of one rule.
  Rule Map(const Rule& value);
  /// An array that begins with `prefix`, as far as it goes, and goes on with `items`.
  Rule Array(const std::vector<Rule>& prefix, const std::optional<Rule>& items, Count count);
  /// One of several.
  Rule Either(const std::vector<Rule>& rules);

 private:
  // A state that reads white space and goes on at `next`.
  StateId Space(StateId next);
  StateId Member(StateId from, const Rule& value);
  void Close(StateId from, StateId end, char bracket);

  GrammarBuilder& builder_;
  std::optional<Rule> white_space_;
  std::optional<Rule> any_value_;
  std::optional<Rule> any_object_;
  std::optional<Rule> any_array_;
  std::optional<Rule> any_number_;
  std::optional<Rule> any_string_;
};

}  // namespace tandem::grammar
