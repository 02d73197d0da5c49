#include "grammar/char_automaton.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "base/format.h"

namespace tandem::grammar {
namespace {

struct ByteRange {
  std::uint8_t first = 0;
  std::uint8_t last = 0;

  // NOLINTNEXTLINE(modernize-use-nullptr): of the comparison with 0 that a default makes
  auto operator<=>(const ByteRange&) const = default;
};

/// One way to write a range of characters: a range for each byte, at most 6 (an escape).
struct ByteSequence {
  std::array<ByteRange, 6> bytes = {};
  std::size_t length = 0;
  StateId target = kDone;

  auto operator<=>(const ByteSequence&) const = default;  // NOLINT(modernize-use-nullptr): as above
};

void AppendByte(ByteSequence& sequence, std::uint32_t first, std::uint32_t last) {
  sequence.bytes[sequence.length++] = {static_cast<std::uint8_t>(first),
                                       static_cast<std::uint8_t>(last)};
}

std::uint32_t Utf8Length(char32_t c) {
  return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

// Cuts a range of characters into pieces whose UTF-8 is a product of byte ranges.
void AppendUtf8Sequences(CharRange range, StateId target, std::vector<ByteSequence>& out) {
  constexpr char32_t kLengthEnds[] = {0x7F, 0x7FF, 0xFFFF};
  for (const char32_t end : kLengthEnds) {
    if (range.first <= end && range.last > end) {
      AppendUtf8Sequences({range.first, end}, target, out);
      range.first = end + 1;
    }
  }
  const std::uint32_t length = Utf8Length(range.first);
  // All but the first byte where the two ends differ must run through all its values.
  for (std::uint32_t tail = 1; tail < length; ++tail) {
    const char32_t mask = (char32_t{1} << (6 * tail)) - 1;
    if ((range.first & ~mask) == (range.last & ~mask)) {
      continue;
    }
    if ((range.first & mask) != 0) {
      AppendUtf8Sequences({range.first, range.first | mask}, target, out);
      AppendUtf8Sequences({(range.first | mask) + 1, range.last}, target, out);
      return;
    }
    if ((range.last & mask) != mask) {
      AppendUtf8Sequences({range.first, (range.last & ~mask) - 1}, target, out);
      AppendUtf8Sequences({range.last & ~mask, range.last}, target, out);
      return;
    }
  }
  constexpr std::uint32_t kLead[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
  ByteSequence sequence;
  sequence.target = target;
  for (std::uint32_t i = 0; i < length; ++i) {
    const std::uint32_t shift = 6 * (length - 1 - i);
    const std::uint32_t lead = i == 0 ? kLead[length] : 0x80;
    const std::uint32_t keep = i == 0 ? 0x7F : 0x3F;
    AppendByte(sequence, lead | ((range.first >> shift) & keep),
               lead | ((range.last >> shift) & keep));
  }
  out.push_back(sequence);
}

std::string Escape(char32_t c) {
  switch (c) {
    case '"':
      return "\\\"";
    case '\\':
      return "\\\\";
    case '\b':
      return "\\b";
    case '\t':
      return "\\t";
    case '\n':
      return "\\n";
    case '\f':
      return "\\f";
    case '\r':
      return "\\r";
    default:
      return Format("\\u{:04x}", static_cast<std::uint32_t>(c));
  }
}

// What may stand in a JSON string as it is.
CharSet Unescaped() {
  return {{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, kLastChar}};
}

void AppendSequences(CharRange range, Spelling spelling, StateId target,
                     std::vector<ByteSequence>& out) {
  if (spelling == Spelling::kPlain) {
    AppendUtf8Sequences(range, target, out);
    return;
  }
  const CharSet plain = CharSet({range}).Intersect(Unescaped());
  for (const CharRange& chars : plain.ranges()) {
    AppendUtf8Sequences(chars, target, out);
  }
  if (spelling == Spelling::kNoSlash) {
    return;
  }
  const CharSet escaped = CharSet({range}).Intersect(Unescaped().Complement());
  for (const CharRange& chars : escaped.ranges()) {
    for (char32_t c = chars.first; c <= chars.last; ++c) {
      ByteSequence sequence;
      sequence.target = target;
      for (const char byte : Escape(c)) {
        AppendByte(sequence, static_cast<std::uint8_t>(byte), static_cast<std::uint8_t>(byte));
      }
      out.push_back(sequence);
    }
  }
}

using ByteChoice = std::vector<ByteRange>;

// All sequences with one of the ranges at each place.
void AppendProduct(const std::vector<ByteChoice>& places, StateId target,
                   std::vector<ByteSequence>& out) {
  std::vector<ByteSequence> growing(1);
  growing[0].target = target;
  for (const ByteChoice& choice : places) {
    std::vector<ByteSequence> grown;
    for (const ByteSequence& sequence : growing) {
      for (const ByteRange& range : choice) {
        AppendByte(grown.emplace_back(sequence), range.first, range.last);
      }
    }
    growing = std::move(grown);
  }
  out.insert(out.end(), growing.begin(), growing.end());
}

/// Adds sequences as a deterministic tree below a state, equal branches once.
class SequenceTree {
 public:
  explicit SequenceTree(GrammarBuilder& builder) : builder_(builder) {}

  // counts: the edges from `state` itself do.
  void Add(StateId state, const std::vector<ByteSequence>& sequences, bool counts) {
    // Where the set of sequences that go on can change.
    std::array<bool, 257> cut = {};
    for (const ByteSequence& sequence : sequences) {
      cut[sequence.bytes[0].first] = true;
      cut[std::size_t{sequence.bytes[0].last} + 1] = true;
    }
    std::size_t begin = 256;
    for (std::size_t byte = 0; byte <= 256; ++byte) {
      if (!cut[byte]) {
        continue;
      }
      if (begin < byte) {
        std::vector<ByteSequence> rest = After(sequences, static_cast<std::uint8_t>(begin));
        if (!rest.empty()) {
          const StateId target = StateOf(std::move(rest));
          builder_.AddEdge(state, static_cast<std::uint8_t>(begin),
                           static_cast<std::uint8_t>(byte - 1), target, counts);
        }
      }
      begin = byte;
    }
  }

 private:
  // The sequences without their first byte, for those that begin with `byte`.
  static std::vector<ByteSequence> After(const std::vector<ByteSequence>& sequences,
                                         std::uint8_t byte) {
    std::vector<ByteSequence> rest;
    for (const ByteSequence& sequence : sequences) {
      if (sequence.bytes[0].first <= byte && byte <= sequence.bytes[0].last) {
        ByteSequence tail;
        tail.target = sequence.target;
        for (std::size_t i = 1; i < sequence.length; ++i) {
          tail.bytes[tail.length++] = sequence.bytes[i];
        }
        rest.push_back(tail);
      }
    }
    std::sort(rest.begin(), rest.end());
    return rest;
  }

  StateId StateOf(std::vector<ByteSequence> sequences) {
    if (sequences.size() == 1 && sequences[0].length == 0) {
      return sequences[0].target;
    }
    const auto found = known_.find(sequences);
    if (found != known_.end()) {
      return found->second;
    }
    const StateId state = builder_.NewState();
    Add(state, sequences, false);
    known_.emplace(std::move(sequences), state);
    return state;
  }

  GrammarBuilder& builder_;
  std::map<std::vector<ByteSequence>, StateId> known_;
};

}  // namespace

StateId AddAutomaton(GrammarBuilder& builder, const CharAutomaton& automaton, Spelling spelling) {
  StateId end = kDone;
  if (spelling != Spelling::kPlain) {
    end = builder.NewState();
    builder.SetReturns(end);
  }
  return AddAutomatonBefore(builder, automaton, spelling, end);
}

StateId AddAutomatonBefore(GrammarBuilder& builder, const CharAutomaton& automaton,
                           Spelling spelling, StateId after_quote) {
  std::vector<StateId> states;
  for (std::size_t i = 0; i < automaton.states.size(); ++i) {
    states.push_back(builder.NewState());
  }
  SequenceTree tree(builder);
  for (std::size_t i = 0; i < states.size() && !builder.full(); ++i) {
    std::vector<ByteSequence> sequences;
    for (const CharAutomaton::Edge& edge : automaton.states[i].edges) {
      AppendSequences(edge.chars, spelling, states[edge.target], sequences);
    }
    tree.Add(states[i], sequences, false);
    if (automaton.states[i].accepts) {
      if (spelling == Spelling::kPlain) {
        builder.SetReturns(states[i]);
      } else {
        builder.AddEdge(states[i], '"', '"', after_quote);
      }
    }
  }
  return states[0];
}

StateId AddAnyString(GrammarBuilder& builder, StateId end) {
  const StateId content = builder.NewState();
  const StateId low = builder.NewState();  // the first half of a surrogate pair was read
  std::vector<ByteSequence> sequences;
  const CharSet plain = Unescaped();
  for (const CharRange& range : plain.ranges()) {
    AppendUtf8Sequences(range, content, sequences);
  }
  const ByteChoice slash = {{'\\', '\\'}};
  const ByteChoice u = {{'u', 'u'}};
  const ByteChoice hex = {{'0', '9'}, {'A', 'F'}, {'a', 'f'}};
  const ByteChoice d = {{'D', 'D'}, {'d', 'd'}};
  const ByteChoice not_d = {{'0', '9'}, {'A', 'C'}, {'E', 'F'}, {'a', 'c'}, {'e', 'f'}};
  const ByteChoice letters = {{'"', '"'}, {'/', '/'}, {'\\', '\\'}, {'b', 'b'},
                              {'f', 'f'}, {'n', 'n'}, {'r', 'r'},   {'t', 't'}};
  const ByteChoice to_7 = {{'0', '7'}};
  const ByteChoice from_8_to_b = {{'8', '9'}, {'A', 'B'}, {'a', 'b'}};
  const ByteChoice from_c = {{'C', 'F'}, {'c', 'f'}};
  AppendProduct({slash, letters}, content, sequences);
  AppendProduct({slash, u, not_d, hex, hex, hex}, content, sequences);
  AppendProduct({slash, u, d, to_7, hex, hex}, content, sequences);
  AppendProduct({slash, u, d, from_8_to_b, hex, hex}, low, sequences);
  SequenceTree tree(builder);
  tree.Add(content, sequences, true);
  builder.AddEdge(content, '"', '"', end);
  std::vector<ByteSequence> second;
  AppendProduct({slash, u, d, from_c, hex, hex}, content, second);
  tree.Add(low, second, false);
  return content;
}

StateId AddLiterals(GrammarBuilder& builder, std::vector<std::string> literals) {
  std::sort(literals.begin(), literals.end());
  const StateId root = builder.NewState();
  std::map<std::pair<StateId, char>, StateId> next;
  for (const std::string& literal : literals) {
    StateId at = root;
    for (const char c : literal) {
      const auto [place, fresh] = next.try_emplace({at, c}, kDone);
      if (fresh) {
        place->second = builder.NewState();
        builder.AddEdge(at, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c),
                        place->second);
      }
      at = place->second;
    }
    builder.SetReturns(at);
  }
  return root;
}

}  // namespace tandem::grammar
