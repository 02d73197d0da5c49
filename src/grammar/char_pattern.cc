#include "grammar/char_pattern.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/format.h"
#include "base/utf8.h"

namespace tandem::grammar {
namespace {

constexpr std::size_t kMaxNodes = 20'000;   // of the nondeterministic automaton
constexpr std::size_t kMaxStates = 4'000;   // of the deterministic one
constexpr std::size_t kMaxRepeat = 10'000;  // in {m,n}
constexpr std::size_t kNoLimit = ~std::size_t{0};
constexpr std::size_t kMaxGroups = 100;  // one in another

/// Thompson's automaton.
struct Node {
  CharSet chars = {};  // leads to `next`
  std::uint32_t next = 0;
  std::vector<std::uint32_t> empty = {};  // where it goes on without a character
};

struct Fragment {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;  // a node without a way on
};

CharSet Digits() {
  return {{'0', '9'}};
}
CharSet WordChars() {
  return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
}
// WhiteSpace and LineTerminator of ECMA-262.
CharSet Spaces() {
  return {{0x09, 0x0D},     {0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
          {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
}
CharSet NotLineEnds() {
  return CharSet({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}).Complement();
}

/// A recursive-descent parser that builds the automaton as it goes. After an error everything
/// returns at once.
class PatternParser {
 public:
  explicit PatternParser(std::string_view pattern) : pattern_(pattern) {}

  Result<Fragment> Parse() {
    const Fragment whole = ParseAlternatives(0);
    if (error_.ok() && at_ < pattern_.size()) {
      Fail(StatusCode::kInvalidArgument, "')' without its '('");
    }
    if (!error_.ok()) {
      return error_;
    }
    return whole;
  }

  const std::vector<Node>& nodes() const { return nodes_; }

 private:
  bool More() const { return error_.ok() && at_ < pattern_.size(); }
  bool Next(std::string_view text) {
    if (!More() || pattern_.substr(at_, text.size()) != text) {
      return false;
    }
    at_ += text.size();
    return true;
  }
  char Peek() const { return pattern_[at_]; }

  void Fail(StatusCode code, std::string_view what) {
    if (error_.ok()) {
      error_ = Status(code, Format("pattern '{}', byte {}: {}", Printable(pattern_), at_, what));
    }
  }

  std::uint32_t NewNode() {
    if (nodes_.size() >= kMaxNodes) {
      Fail(StatusCode::kUnsupported, Format("it takes more than {} states", kMaxNodes));
      return static_cast<std::uint32_t>(nodes_.size() - 1);
    }
    nodes_.emplace_back();
    return static_cast<std::uint32_t>(nodes_.size() - 1);
  }
  void Link(std::uint32_t from, std::uint32_t to) {
    if (error_.ok()) {
      nodes_[from].empty.push_back(to);
    }
  }
  Fragment Of(const CharSet& chars) {
    const Fragment fragment = {NewNode(), NewNode()};
    if (error_.ok()) {
      nodes_[fragment.begin].chars = chars;
      nodes_[fragment.begin].next = fragment.end;
    }
    return fragment;
  }
  Fragment Nothing() {
    const std::uint32_t node = NewNode();
    return {node, node};
  }
  Fragment Join(Fragment a, Fragment b) {
    Link(a.end, b.begin);
    return {a.begin, b.end};
  }
  Fragment Star(Fragment inner) {
    const Fragment out = {NewNode(), NewNode()};
    Link(out.begin, inner.begin);
    Link(out.begin, out.end);
    Link(inner.end, out.begin);
    return out;
  }
  Fragment Optional(Fragment inner) {
    const Fragment out = {NewNode(), NewNode()};
    Link(out.begin, inner.begin);
    Link(out.begin, out.end);
    Link(inner.end, out.end);
    return out;
  }

  Fragment ParseAlternatives(std::size_t depth) {
    if (depth > kMaxGroups) {
      Fail(StatusCode::kUnsupported, Format("more than {} groups in each other", kMaxGroups));
      return {};
    }
    const Fragment out = {NewNode(), NewNode()};
    do {
      const Fragment one = ParseSequence(depth);
      Link(out.begin, one.begin);
      Link(one.end, out.end);
    } while (Next("|"));
    return out;
  }

  // At the top an alternative that is not anchored may begin and end anywhere.
  Fragment ParseSequence(std::size_t depth) {
    const bool top = depth == 0;
    bool begins = !top;
    bool ends = !top;
    if (top && Next("^")) {
      begins = true;
    }
    Fragment out = begins ? Nothing() : Star(Of(CharSet::All()));
    while (More() && Peek() != '|' && Peek() != ')') {
      if (Peek() == '$' || Peek() == '^') {
        const bool last = at_ + 1 == pattern_.size() || pattern_[at_ + 1] == '|';
        if (!top || Peek() == '^' || !last) {
          Fail(StatusCode::kUnsupported,
               Format("'{}' inside an expression is not supported", Peek()));
          return out;
        }
        ++at_;
        ends = true;
        break;
      }
      out = Join(out, ParseRepeated(depth));
    }
    return ends ? out : Join(out, Star(Of(CharSet::All())));
  }

  Fragment ParseRepeated(std::size_t depth) {
    const std::size_t begin = at_;
    Fragment once = ParseAtom(depth);
    if (!More()) {
      return once;
    }
    std::size_t min = 1;
    std::size_t max = 1;
    if (Next("*")) {
      min = 0;
      max = kNoLimit;
    } else if (Next("+")) {
      max = kNoLimit;
    } else if (Next("?")) {
      min = 0;
    } else if (Peek() == '{') {
      if (!ParseBounds(min, max)) {
        return once;
      }
    } else {
      return once;
    }
    Next("?");  // lazy: the same strings
    if (More() && (Peek() == '*' || Peek() == '+' || Peek() == '?' || Peek() == '{')) {
      Fail(StatusCode::kInvalidArgument, "a quantifier follows a quantifier");
      return once;
    }
    return Repeat(once, begin, depth, min, max);
  }

  // Further copies are made by parsing the atom again.
  Fragment Repeat(Fragment once, std::size_t begin, std::size_t depth, std::size_t min,
                  std::size_t max) {
    const std::size_t end = at_;
    bool used = false;
    const auto copy = [&] {
      if (!std::exchange(used, true)) {
        return once;
      }
      at_ = begin;
      return ParseAtom(depth);
    };
    Fragment out = Nothing();
    for (std::size_t i = 0; i < min && error_.ok(); ++i) {
      out = Join(out, copy());
    }
    if (max == kNoLimit) {
      out = Join(out, Star(copy()));
    } else if (max > min) {
      // a?b? with a way out before each: the copies stand one behind the other.
      const std::uint32_t exit = NewNode();
      for (std::size_t i = min; i < max && error_.ok(); ++i) {
        Link(out.end, exit);
        out = Join(out, copy());
      }
      Link(out.end, exit);
      out.end = exit;
    }
    at_ = end;
    return out;
  }

  std::optional<std::size_t> ParseNumber() {
    const std::size_t begin = at_;
    std::size_t value = 0;
    while (More() && Peek() >= '0' && Peek() <= '9') {
      value = std::min<std::size_t>(10 * value + static_cast<std::size_t>(Peek() - '0'),
                                    kMaxRepeat + 1);
      ++at_;
    }
    return at_ > begin ? std::optional(value) : std::nullopt;
  }

  bool ParseBounds(std::size_t& min, std::size_t& max) {
    Next("{");
    const std::optional<std::size_t> first = ParseNumber();
    if (!first.has_value()) {
      Fail(StatusCode::kInvalidArgument, "'{' begins no {m}, {m,} or {m,n}");
      return false;
    }
    min = *first;
    max = min;
    if (Next(",")) {
      max = ParseNumber().value_or(kNoLimit);
    }
    if (!Next("}")) {
      Fail(StatusCode::kInvalidArgument, "'{' begins no {m}, {m,} or {m,n}");
      return false;
    }
    if (min > kMaxRepeat || (max != kNoLimit && max > kMaxRepeat)) {
      Fail(StatusCode::kUnsupported, Format("more than {} repeats", kMaxRepeat));
      return false;
    }
    if (max < min) {
      Fail(StatusCode::kInvalidArgument, Format("{{{},{}}} ends before it begins", min, max));
      return false;
    }
    return true;
  }

  Fragment ParseAtom(std::size_t depth) {
    if (Next("(")) {
      if (!Next("?:") && More() && Peek() == '?') {
        Fail(StatusCode::kUnsupported,
             "(?..) other than (?:..), look-around or a named group, is not supported");
        return {};
      }
      const Fragment inner = ParseAlternatives(depth + 1);
      if (error_.ok() && !Next(")")) {
        Fail(StatusCode::kInvalidArgument, "'(' without its ')'");
      }
      return inner;
    }
    if (Next("[")) {
      return Of(ParseClass());
    }
    if (Next(".")) {
      return Of(NotLineEnds());
    }
    if (Peek() == '*' || Peek() == '+' || Peek() == '?' || Peek() == '{') {
      Fail(StatusCode::kInvalidArgument, Format("'{}' has nothing to repeat", Peek()));
      return {};
    }
    if (Peek() == ']' || Peek() == '}') {
      Fail(StatusCode::kInvalidArgument, Format("'{}' must be escaped", Peek()));
      return {};
    }
    if (Next("\\")) {
      return Of(ParseEscape(false));
    }
    return Of(ParseChar());
  }

  CharSet ParseChar() {
    const Utf8Char c = DecodeUtf8(pattern_.substr(at_));
    if (!c.valid) {
      Fail(StatusCode::kInvalidArgument, "not valid UTF-8");
      return {};
    }
    at_ += c.length;
    return {{c.code_point, c.code_point}};
  }

  char32_t ParseHex(std::size_t least, std::size_t most) {
    char32_t value = 0;
    std::size_t digits = 0;
    for (; digits < most && More(); ++digits, ++at_) {
      const char c = Peek();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) {
        break;
      }
      value = 16 * value + static_cast<char32_t>(digit);
    }
    if (digits < least) {
      Fail(StatusCode::kInvalidArgument, Format("{} hexadecimal digits are needed here", least));
    }
    return value;
  }

  CharSet ParseEscape(bool in_class) {
    if (!More()) {
      Fail(StatusCode::kInvalidArgument, "'\\' at the end");
      return {};
    }
    const char c = Peek();
    switch (c) {
      case 'd':
        ++at_;
        return Digits();
      case 'D':
        ++at_;
        return Digits().Complement();
      case 'w':
        ++at_;
        return WordChars();
      case 'W':
        ++at_;
        return WordChars().Complement();
      case 's':
        ++at_;
        return Spaces();
      case 'S':
        ++at_;
        return Spaces().Complement();
      default:
        break;
    }
    const std::optional<char32_t> value = ParseCharEscape(in_class);
    return value.has_value() ? CharSet{{*value, *value}} : CharSet();
  }

  std::optional<char32_t> ParseCharEscape(bool in_class) {
    constexpr std::string_view kNames = "nrtfv";
    constexpr std::string_view kValues = "\n\r\t\f\v";
    const char c = Peek();
    if (const std::size_t i = kNames.find(c); i != std::string_view::npos) {
      ++at_;
      return static_cast<char32_t>(kValues[i]);
    }
    if (in_class && c == 'b') {
      ++at_;
      return U'\b';
    }
    if (c == '0' &&
        !(at_ + 1 < pattern_.size() && pattern_[at_ + 1] >= '0' && pattern_[at_ + 1] <= '9')) {
      ++at_;
      return char32_t{0};
    }
    if (Next("x")) {
      return ParseHex(2, 2);
    }
    if (Next("u{")) {
      const char32_t value = ParseHex(1, 6);
      if (error_.ok() && (!Next("}") || value > kLastChar)) {
        Fail(StatusCode::kInvalidArgument, "\\u{..} is no character");
      }
      return Scalar(value);
    }
    if (Next("u")) {
      const char32_t value = ParseHex(4, 4);
      if (value >= 0xD800 && value <= 0xDBFF && Next("\\u")) {
        const char32_t low = ParseHex(4, 4);
        if (low >= 0xDC00 && low <= 0xDFFF) {
          return 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
        }
        return Scalar(0xD800);
      }
      return Scalar(value);
    }
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                        (byte >= 'a' && byte <= 'z') || byte >= 0x80;
    if (letter) {
      Fail(StatusCode::kUnsupported, Format("'\\{}' is not supported", Printable({&c, 1})));
      return std::nullopt;
    }
    ++at_;
    return static_cast<char32_t>(byte);
  }

  std::optional<char32_t> Scalar(char32_t value) {
    if (value >= 0xD800 && value <= 0xDFFF) {
      Fail(StatusCode::kInvalidArgument, "half of a surrogate pair is no character");
      return std::nullopt;
    }
    return value;
  }

  CharSet ParseClass() {
    const bool negated = Next("^");
    CharSet out;
    while (More() && Peek() != ']') {
      const CharSet from = ParseClassItem();
      if (!More() || Peek() != '-' || pattern_.substr(at_ + 1, 1) == "]") {
        out.Add(from);
        continue;
      }
      ++at_;
      if (!More()) {
        break;
      }
      const CharSet to = ParseClassItem();
      if (!error_.ok()) {
        break;
      }
      const auto single = [](const CharSet& set) {
        return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
      };
      if (!single(from) || !single(to) || to.ranges()[0].first < from.ranges()[0].first) {
        Fail(StatusCode::kInvalidArgument, "a range in [..] is not ascending");
        break;
      }
      out.Add({from.ranges()[0].first, to.ranges()[0].first});
    }
    if (error_.ok() && !Next("]")) {
      Fail(StatusCode::kInvalidArgument, "'[' without its ']'");
    }
    return negated ? out.Complement() : out;
  }

  CharSet ParseClassItem() { return Next("\\") ? ParseEscape(true) : ParseChar(); }

  std::string_view pattern_;
  std::size_t at_ = 0;
  Status error_;
  std::vector<Node> nodes_;
};

/// The subset construction.
class Determiniser {
 public:
  Determiniser(const std::vector<Node>& nodes, const Fragment& whole, std::size_t most_work)
      : nodes_(nodes), end_(whole.end), most_work_(most_work), seen_(nodes.size()) {
    StateOf({whole.begin});
  }

  // False beyond the limits.
  bool Run() {
    for (std::size_t i = 0; i < sets_.size(); ++i) {
      if (sets_.size() > kMaxStates || work_ > most_work_) {
        return false;
      }
      Expand(i);
    }
    return true;
  }

  CharAutomaton Take() { return std::move(out_); }
  std::size_t work() const { return work_; }

 private:
  using Set = std::vector<std::uint32_t>;

  void Expand(std::size_t i) {
    const Set set = sets_[i];
    // Where what follows can change.
    std::vector<char32_t> cuts;
    for (const std::uint32_t node : set) {
      for (const CharRange& range : nodes_[node].chars.ranges()) {
        cuts.push_back(range.first);
        cuts.push_back(range.last + 1);
      }
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    for (std::size_t c = 0; c + 1 < cuts.size() && work_ <= most_work_; ++c) {
      Set next;
      for (const std::uint32_t node : set) {
        const std::vector<CharRange>& ranges = nodes_[node].chars.ranges();
        work_ += ranges.size() + 1;
        const bool reads = std::any_of(ranges.begin(), ranges.end(), [&](const CharRange& range) {
          return range.first <= cuts[c] && cuts[c] <= range.last;
        });
        if (reads) {
          next.push_back(nodes_[node].next);
        }
      }
      if (next.empty()) {
        continue;
      }
      const std::uint32_t target = StateOf(std::move(next));
      std::vector<CharAutomaton::Edge>& edges = out_.states[i].edges;
      if (!edges.empty() && edges.back().target == target &&
          edges.back().chars.last + 1 == cuts[c]) {
        edges.back().chars.last = cuts[c + 1] - 1;
      } else {
        edges.push_back({.chars = {cuts[c], cuts[c + 1] - 1}, .target = target});
      }
    }
  }

  std::uint32_t StateOf(Set set) {
    ++round_;
    bool accepts = false;
    Set closed;  // the nodes that read something
    while (!set.empty()) {
      const std::uint32_t node = set.back();
      set.pop_back();
      ++work_;
      if (seen_[node] == round_) {
        continue;
      }
      seen_[node] = round_;
      accepts = accepts || node == end_;
      if (!nodes_[node].chars.empty() || node == end_) {
        closed.push_back(node);
      }
      set.insert(set.end(), nodes_[node].empty.begin(), nodes_[node].empty.end());
    }
    std::sort(closed.begin(), closed.end());
    const auto [place, fresh] =
        known_.try_emplace(closed, static_cast<std::uint32_t>(sets_.size()));
    if (fresh) {
      sets_.push_back(std::move(closed));
      out_.states.push_back({.edges = {}, .accepts = accepts});
    }
    return place->second;
  }

  const std::vector<Node>& nodes_;
  std::uint32_t end_;
  std::size_t most_work_;
  std::vector<std::uint32_t> seen_;  // by node: the round in which it was met
  std::uint32_t round_ = 0;
  std::size_t work_ = 0;
  std::vector<Set> sets_;
  std::map<Set, std::uint32_t> known_;
  CharAutomaton out_;
};

}  // namespace

Result<CharAutomaton> CompilePattern(std::string_view pattern, std::size_t& work) {
  PatternParser parser(pattern);
  TANDEM_ASSIGN_OR_RETURN(const Fragment whole, parser.Parse());
  Determiniser determiniser(parser.nodes(), whole, work);
  const bool done = determiniser.Run();
  work -= std::min(work, determiniser.work());
  if (!done) {
    return Status(StatusCode::kUnsupported,
                  Format("pattern '{}' takes more than {} states, or the patterns more than {} "
                         "steps to compile",
                         Printable(pattern), kMaxStates, kPatternWork));
  }
  CharAutomaton automaton = determiniser.Take();
  if (std::none_of(automaton.states.begin(), automaton.states.end(),
                   [](const CharAutomaton::State& state) { return state.accepts; })) {
    return Status(StatusCode::kInvalidArgument,
                  Format("pattern '{}' matches nothing", Printable(pattern)));
  }
  return automaton;
}

CharAutomaton CompileWholePattern(std::string_view pattern) {
  std::size_t work = kPatternWork;
  return CompilePattern(Format("^(?:{})$", pattern), work).value();
}

CharAutomaton AllBut(const std::vector<std::string>& names) {
  CharAutomaton out;
  out.states.resize(2);
  out.states[0].accepts = true;
  out.states[1] = {.edges = {{.chars = {0, kLastChar}, .target = 1}}, .accepts = true};
  std::vector<std::map<char32_t, std::uint32_t>> next(2);
  for (const std::string& name : names) {
    std::uint32_t at = 0;
    for (std::string_view left = name; !left.empty();) {
      const Utf8Char c = DecodeUtf8(left);
      left.remove_prefix(c.length);
      const auto [place, fresh] =
          next[at].try_emplace(c.code_point, static_cast<std::uint32_t>(out.states.size()));
      const std::uint32_t target = place->second;
      if (fresh) {
        out.states.push_back({.edges = {}, .accepts = true});
        next.emplace_back();
      }
      at = target;
    }
    out.states[at].accepts = false;
  }
  for (std::size_t i = 0; i < out.states.size(); ++i) {
    if (i == 1) {
      continue;
    }
    char32_t from = 0;
    std::vector<CharAutomaton::Edge>& edges = out.states[i].edges;
    for (const auto& [c, target] : next[i]) {
      if (c > from) {
        edges.push_back({.chars = {from, c - 1}, .target = 1});
      }
      edges.push_back({.chars = {c, c}, .target = target});
      from = c + 1;
    }
    edges.push_back({.chars = {from, kLastChar}, .target = 1});
  }
  return out;
}

}  // namespace tandem::grammar
