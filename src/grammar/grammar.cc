#include "grammar/grammar.h"

#include <algorithm>
#include <utility>

#include "base/format.h"

namespace tandem::grammar {

StateId GrammarBuilder::NewState() {
  if (states_.size() >= kMaxStates) {
    full_ = true;
    return static_cast<StateId>(states_.size() - 1);
  }
  states_.emplace_back();
  return static_cast<StateId>(states_.size() - 1);
}

// A state that is the dump of a full builder must not grow without end either.
void GrammarBuilder::AddEdge(StateId from, std::uint8_t first, std::uint8_t last, StateId target,
                             bool counts) {
  if (!full_) {
    states_[from].edges.push_back(
        {.first = first, .last = last, .counts = counts, .target = target});
  }
}

void GrammarBuilder::AddGoto(StateId from, StateId target) {
  if (!full_) {
    states_[from].moves.push_back({.kind = Move::Kind::kGoto, .target = target});
  }
}

void GrammarBuilder::AddJump(StateId from, const Rule& rule) {
  if (!full_) {
    states_[from].moves.push_back(
        {.kind = Move::Kind::kJump, .target = rule.start, .count = rule.count});
  }
}

void GrammarBuilder::AddCall(StateId from, const Rule& rule, StateId back, bool counts) {
  if (!full_) {
    states_[from].moves.push_back({.kind = Move::Kind::kCall,
                                   .counts = counts,
                                   .target = rule.start,
                                   .back = back,
                                   .count = rule.count});
  }
}

StateId GrammarBuilder::AddText(StateId from, std::string_view text) {
  for (const char c : text) {
    const StateId next = NewState();
    AddEdge(from, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), next);
    from = next;
  }
  return from;
}

/// The states from which a rule can end without reading a byte.
std::vector<bool> GrammarBuilder::FindNullable() const {
  std::vector<bool> nullable(states_.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = states_.size(); i-- > 0;) {
      if (nullable[i]) {
        continue;
      }
      const State& state = states_[i];
      bool now = state.returns;
      for (const Move& move : state.moves) {
        now = now ||
              (nullable[move.target] && (move.kind != Move::Kind::kCall || nullable[move.back]));
      }
      nullable[i] = now;
      changed = changed || now;
    }
  }
  return nullable;
}

/// A state that comes back to itself without reading a byte; kDone: there is none.
StateId GrammarBuilder::FindLeftRecursion() const {
  const std::vector<bool> nullable = FindNullable();
  enum class Mark : std::uint8_t { kNew, kOpen, kClosed };
  std::vector<Mark> marks(states_.size(), Mark::kNew);
  std::vector<std::pair<StateId, std::size_t>> path;  // a state and the step to take next
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (marks[i] != Mark::kNew) {
      continue;
    }
    path.assign(1, {static_cast<StateId>(i), 0});
    marks[i] = Mark::kOpen;
    while (!path.empty()) {
      const StateId at = path.back().first;
      const std::vector<Move>& moves = states_[at].moves;
      // Two steps for each move: into it, and for a call past it.
      const std::size_t step = path.back().second++;
      if (step >= 2 * moves.size()) {
        marks[at] = Mark::kClosed;
        path.pop_back();
        continue;
      }
      const Move& move = moves[step / 2];
      const bool past = step % 2 == 1;
      if (past && (move.kind != Move::Kind::kCall || !nullable[move.target])) {
        continue;
      }
      const StateId next = past ? move.back : move.target;
      if (marks[next] == Mark::kOpen) {
        return next;
      }
      if (marks[next] == Mark::kNew) {
        marks[next] = Mark::kOpen;
        path.emplace_back(next, 0);
      }
    }
  }
  return kDone;
}

/// Knuth's generalisation of Dijkstra's algorithm: a state is settled with the least height, and
/// then offers one to the states before it.
std::vector<std::uint32_t> GrammarBuilder::Heights() const {
  struct Before {
    StateId state;
    std::uint32_t move;  // that leads on; kUnbounded: an edge
  };
  std::vector<std::vector<Before>> before(states_.size());
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const auto state = static_cast<StateId>(i);
    for (const ByteEdge& edge : states_[i].edges) {
      before[edge.target].push_back({state, kUnbounded});
    }
    for (std::uint32_t m = 0; m < states_[i].moves.size(); ++m) {
      const Move& move = states_[i].moves[m];
      before[move.target].push_back({state, m});
      if (move.kind == Move::Kind::kCall) {
        before[move.back].push_back({state, m});
      }
    }
  }
  std::vector<std::uint32_t> heights(states_.size(), kUnbounded);
  std::vector<std::vector<StateId>> waiting(1);  // by height
  waiting[0].push_back(kDone);
  for (std::size_t i = 1; i < states_.size(); ++i) {
    if (states_[i].returns) {
      waiting[0].push_back(static_cast<StateId>(i));
    }
  }
  for (std::uint32_t height = 0; height < waiting.size(); ++height) {
    for (std::size_t i = 0; i < waiting[height].size(); ++i) {
      const StateId settled = waiting[height][i];
      if (heights[settled] <= height) {
        continue;
      }
      heights[settled] = height;
      for (const auto& [state, m] : before[settled]) {
        std::uint32_t offer = height;
        if (m != kUnbounded && states_[state].moves[m].kind == Move::Kind::kCall) {
          const Move& move = states_[state].moves[m];
          if (heights[move.target] == kUnbounded || heights[move.back] == kUnbounded) {
            continue;  // the other half comes later
          }
          offer = std::max(heights[move.target] + 1, heights[move.back]);
        }
        if (offer < heights[state]) {
          if (waiting.size() <= offer) {
            waiting.resize(offer + 1);
          }
          waiting[offer].push_back(state);
        }
      }
    }
  }
  return heights;
}

Result<Grammar> GrammarBuilder::Finish(const Rule& root,
                                       std::span<const std::pair<StateId, std::string>> names) && {
  if (full_) {
    return Status(StatusCode::kUnsupported,
                  Format("the grammar takes more than {} states", kMaxStates));
  }
  if (const StateId state = FindLeftRecursion(); state != kDone) {
    std::string name = "a rule";
    for (const auto& [start, text] : names) {
      name = start == state ? text : name;
    }
    return Status(StatusCode::kInvalidArgument,
                  Format("{} refers to itself with nothing in between", name));
  }
  Grammar grammar;
  grammar.root_ = root;
  grammar.heights_ = Heights();
  const std::uint32_t height = grammar.heights_[root.start];
  if (height == kUnbounded) {
    return Status(StatusCode::kInvalidArgument, "no finite value fits the schema");
  }
  if (height >= kMaxDepth) {
    return Status(StatusCode::kUnsupported,
                  Format("the least value is {} levels deep; {} are the limit", height, kMaxDepth));
  }
  for (State& state : states_) {
    grammar.states_.push_back({.edges = static_cast<std::uint32_t>(grammar.edges_.size()),
                               .moves = static_cast<std::uint32_t>(grammar.moves_.size()),
                               .returns = state.returns});
    std::sort(state.edges.begin(), state.edges.end(),
              [](const ByteEdge& a, const ByteEdge& b) { return a.first < b.first; });
    grammar.edges_.insert(grammar.edges_.end(), state.edges.begin(), state.edges.end());
    grammar.moves_.insert(grammar.moves_.end(), state.moves.begin(), state.moves.end());
  }
  grammar.states_.push_back({.edges = static_cast<std::uint32_t>(grammar.edges_.size()),
                             .moves = static_cast<std::uint32_t>(grammar.moves_.size())});
  return grammar;
}

}  // namespace tandem::grammar
