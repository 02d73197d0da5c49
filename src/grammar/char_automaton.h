#pragma once

#include <cstdint>
#include <vector>

#include "grammar/char_set.h"
#include "grammar/grammar.h"

namespace tandem::grammar {

/// A deterministic automaton over characters. State 0 is the first one.
struct CharAutomaton {
  struct Edge {
    CharRange chars;
    std::uint32_t target = 0;
  };
  struct State {
    std::vector<Edge> edges = {};  // ascending, disjoint
    bool accepts = false;
  };
  std::vector<State> states;
};

/// How characters are written.
enum class Spelling {
  kPlain,   // in UTF-8
  kJson,    // in UTF-8 within a JSON string, with the shortest escape where one is needed
  kNoSlash  // as kJson, without what needs an escape
};

/// Adds the automaton's bytes to the grammar and returns its first state. An accepting state
/// returns (kPlain), or reads the closing quote and then returns.
StateId AddAutomaton(GrammarBuilder& builder, const CharAutomaton& automaton, Spelling spelling);

/// As AddAutomaton within a string, but the closing quote leads to `after_quote`.
StateId AddAutomatonBefore(GrammarBuilder& builder, const CharAutomaton& automaton,
                           Spelling spelling, StateId after_quote);

/// The content of any JSON string and its closing quote, which leads to `end`: characters, each
/// counted, with all escapes that JSON has; surrogates only in pairs. Returns its first state.
StateId AddAnyString(GrammarBuilder& builder, StateId end);

/// A tree of byte strings, each of which ends the rule. Returns its first state.
StateId AddLiterals(GrammarBuilder& builder, std::vector<std::string> literals);

}  // namespace tandem::grammar
