#include "grammar/matcher.h"

#include <algorithm>

#include "base/check.h"

namespace tandem::grammar {
namespace {

// Frames that are none: the end of the text, and a caller that is not known.
constexpr std::uint32_t kBottom = 0;
constexpr std::uint32_t kUnknown = 1;
constexpr std::size_t kFirstFrame = 2;

// Of counts that are not known.
constexpr std::uint32_t kUnknownRoom = 0xFFFFFFFE;

constexpr std::size_t kMaxReadings = 1024;
constexpr std::size_t kMaxKnownBytes = std::size_t{16} << 20;
constexpr std::size_t kManyFrames = 1024;

void SetBit(std::span<std::uint64_t> words, TokenId id) {
  const auto index = static_cast<std::size_t>(id);
  words[index / 64] |= std::uint64_t{1} << (index % 64);
}

void SetBits(std::span<std::uint64_t> words, std::span<const TokenId> ids) {
  for (const TokenId id : ids) {
    SetBit(words, id);
  }
}

template <typename T>
void AddOnce(std::vector<T>& list, const T& item) {
  if (std::find(list.begin(), list.end(), item) == list.end()) {
    list.push_back(item);
  }
}

void ClearBit(std::span<std::uint64_t> words, TokenId id) {
  const auto index = static_cast<std::size_t>(id);
  words[index / 64] &= ~(std::uint64_t{1} << (index % 64));
}

}  // namespace

Matcher::Matcher(std::shared_ptr<const Grammar> grammar, std::shared_ptr<const TokenTrie> trie)
    : grammar_(std::move(grammar)), trie_(std::move(trie)), words_(trie_->words()) {
  for (std::vector<Reading>* list : {&readings_, &open_, &walk_, &next_, &path_, &after_}) {
    list->reserve(kMaxReadings);
  }
  frames_.reserve(4 * kManyFrames);
  levels_.reserve(256);
  returns_.reserve(1024);
  moved_.reserve(4 * kManyFrames);
  Start();
}

void Matcher::Start() {
  frames_.assign(kFirstFrame, {});
  readings_.clear();
  const Rule& root = grammar_->root();
  Close({.state = root.start, .frame = kBottom, .count = root.count}, 0, readings_);
}

bool Matcher::complete() const {
  return std::any_of(readings_.begin(), readings_.end(),
                     [](const Reading& reading) { return reading.state == kDone; });
}

bool Matcher::must_end() const {
  return std::all_of(readings_.begin(), readings_.end(),
                     [](const Reading& reading) { return reading.state == kDone; });
}

// Each reading goes its way alone, as AllowedTokens looks at them.
bool Matcher::Accept(std::string_view bytes) {
  const std::size_t frames = frames_.size();
  next_.clear();
  for (const Reading& reading : readings_) {
    path_.assign(1, reading);
    for (const char byte : bytes) {
      after_.clear();
      for (const Reading& at : path_) {
        Step(at, static_cast<std::uint8_t>(byte), 0, after_);
      }
      path_.swap(after_);
    }
    for (const Reading& at : path_) {
      if (next_.size() < kMaxReadings && std::find(next_.begin(), next_.end(), at) == next_.end()) {
        next_.push_back(at);
      }
    }
  }
  if (next_.empty()) {
    frames_.resize(frames);
    return false;
  }
  readings_.swap(next_);
  if (frames_.size() > kManyFrames) {
    DropDeadFrames();
  }
  return true;
}

// Frames are made after their callers, so one pass over them keeps the order.
void Matcher::DropDeadFrames() {
  moved_.assign(frames_.size(), 0);
  for (const Reading& reading : readings_) {
    for (std::uint32_t at = reading.frame; at >= kFirstFrame && moved_[at] == 0;
         at = frames_[at].parent) {
      moved_[at] = 1;
    }
  }
  std::size_t kept = kFirstFrame;
  for (std::size_t i = kFirstFrame; i < frames_.size(); ++i) {
    if (moved_[i] != 0) {
      Frame frame = frames_[i];
      frame.parent = frame.parent >= kFirstFrame ? moved_[frame.parent] : frame.parent;
      frames_[kept] = frame;
      moved_[i] = static_cast<std::uint32_t>(kept++);
    }
  }
  frames_.resize(kept);
  for (Reading& reading : readings_) {
    reading.frame = reading.frame >= kFirstFrame ? moved_[reading.frame] : reading.frame;
  }
}

bool Matcher::Spend(Reading& reading) {
  Count& count = reading.count;
  if (count.room == kUnknownRoom) {
    ++reading.used;
    return true;
  }
  if (count.room == 0) {
    return false;
  }
  count.room -= count.room == kUnbounded ? 0 : 1;
  count.need -= count.need == 0 ? 0 : 1;
  return true;
}

std::uint32_t Matcher::Push(const Frame& frame) {
  // The same call by two readings is one.
  constexpr std::size_t kLookBack = 16;
  const std::size_t oldest =
      std::max(kFirstFrame, frames_.size() - std::min(frames_.size(), kLookBack));
  for (std::size_t i = frames_.size(); i-- > oldest;) {
    if (frames_[i].back == frame.back && frames_[i].parent == frame.parent &&
        frames_[i].count == frame.count) {
      return static_cast<std::uint32_t>(i);
    }
  }
  frames_.push_back(frame);
  return static_cast<std::uint32_t>(frames_.size() - 1);
}

void Matcher::Step(const Reading& reading, std::uint8_t byte, std::size_t begin,
                   std::vector<Reading>& out) {
  const Reading from = reading;  // it may lie in `out`, which grows
  for (const ByteEdge& edge : grammar_->edges(from.state)) {
    if (edge.first > byte) {
      break;
    }
    if (edge.last < byte) {
      continue;
    }
    Reading next = from;
    if (edge.counts && !Spend(next)) {
      continue;
    }
    next.state = edge.target;
    Close(next, begin, out);
  }
}

// Adds the readings that read on from here: without moves, each once among those from `begin` on.
void Matcher::Close(const Reading& first, std::size_t begin, std::vector<Reading>& out) {
  open_.assign(1, first);
  // What was met stays in open_ until the end, so that it is met once.
  for (std::size_t i = 0; i < open_.size() && i < 4 * kMaxReadings; ++i) {
    const Reading reading = open_[i];
    const std::uint32_t height = grammar_->height(reading.state);
    const std::uint32_t depth = frames_[reading.frame].depth;
    if (height == kUnbounded || depth + height > kMaxDepth) {
      continue;
    }
    height_ = std::max(height_, depth + height);
    const bool reads = reading.state == kDone || !grammar_->edges(reading.state).empty();
    if (reads && std::find(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), reading) ==
                     out.end()) {
      if (out.size() - begin >= kMaxReadings) {
        break;
      }
      out.push_back(reading);
    }
    if (grammar_->returns(reading.state)) {
      ReturnFrom(reading);
    }
    for (const Move& move : grammar_->moves(reading.state)) {
      Follow(reading, move);
    }
  }
}

void Matcher::Follow(const Reading& reading, const Move& move) {
  Reading next = reading;
  if (move.counts && !Spend(next)) {
    return;
  }
  next.state = move.target;
  if (move.kind != Move::Kind::kGoto) {
    if (move.kind == Move::Kind::kCall) {
      const std::uint32_t depth = frames_[next.frame].depth + 1;
      if (depth > kMaxDepth) {
        return;
      }
      next.frame =
          Push({.back = move.back, .parent = next.frame, .count = next.count, .depth = depth});
    }
    next.count = move.count;
  }
  AddOnce(open_, next);
}

void Matcher::ReturnFrom(const Reading& reading) {
  const bool unknown = reading.count.room == kUnknownRoom;
  if (!unknown && reading.count.need > 0) {
    return;
  }
  if (reading.frame == kUnknown) {
    const Return found{.node = node_, .used = reading.used, .counts = unknown};
    if (returns_.empty() || returns_.back().node != found.node ||
        returns_.back().used != found.used || returns_.back().counts != found.counts) {
      returns_.push_back(found);
    }
    return;
  }
  Reading next = reading;
  if (reading.frame == kBottom) {
    next.state = kDone;
    next.count = {};
  } else {
    const Frame& frame = frames_[reading.frame];
    next.state = frame.back;
    next.count = frame.count;
    next.frame = frame.parent;
  }
  AddOnce(open_, next);
}

/// Calls on_node(node, least room used) for each node below `root` whose bytes can be read.
template <typename OnNode>
void Matcher::Walk(std::uint32_t root, std::span<const Reading> from, OnNode on_node) {
  const std::span<const TokenTrie::Node> nodes = trie_->nodes();
  const std::size_t first_frames = frames_.size();
  walk_.assign(from.begin(), from.end());
  levels_.assign(1, {.begin = 0, .frames = first_frames});
  const std::uint32_t end = nodes[root].past;
  for (std::uint32_t at = root + 1; at < end;) {
    const TokenTrie::Node& node = nodes[at];
    const std::size_t level = static_cast<std::size_t>(node.depth - nodes[root].depth);
    while (levels_.size() > level) {
      walk_.resize(levels_.back().begin);
      frames_.resize(levels_.back().frames);
      levels_.pop_back();
    }
    const std::size_t before = levels_.back().begin;
    const std::size_t begin = walk_.size();
    levels_.push_back({.begin = begin, .frames = frames_.size()});
    node_ = at;
    for (std::size_t i = before; i < begin; ++i) {
      Step(walk_[i], node.byte, begin, walk_);
    }
    if (walk_.size() == begin) {
      at = node.past;
      continue;
    }
    std::uint32_t used = walk_[begin].used;
    for (std::size_t i = begin; i < walk_.size(); ++i) {
      used = std::min(used, walk_[i].used);
    }
    on_node(at, used);
    ++at;
  }
  frames_.resize(first_frames);
}

const Matcher::Known& Matcher::KnownOf(StateId state) {
  if (const auto found = known_.find(state); found != known_.end()) {
    return found->second;
  }
  if (known_bytes_ > kMaxKnownBytes) {
    known_.clear();
    known_bytes_ = 0;
  }
  found_.clear();
  returns_.clear();
  height_ = 0;
  const Reading from{
      .state = state, .frame = kUnknown, .count = {.need = 0, .room = kUnknownRoom}, .used = 0};
  Walk(0, {&from, 1}, [this](std::uint32_t node, std::uint32_t used) {
    for (const TokenId id : trie_->tokens(node)) {
      found_.emplace_back(used, id);
    }
  });
  Known& known = known_[state];
  known.height = height_;
  known.returns = returns_;
  const bool many = found_.size() > trie_->vocabulary() / 32;
  if (many) {
    known.words.resize(trie_->words());
    for (const auto& [used, id] : found_) {
      SetBit(known.words, id);
    }
  }
  std::stable_sort(found_.begin(), found_.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  known.most_used = found_.empty() ? 0 : found_.front().first;
  for (const auto& [used, id] : found_) {
    if (!many || used > 0) {
      known.ids.push_back(id);
      known.used.push_back(used);
    }
  }
  known_bytes_ += sizeof(std::uint64_t) * known.words.size() + 8 * known.ids.size() +
                  sizeof(Return) * known.returns.size() + sizeof(Known);
  return known;
}

void Matcher::AllowedTokens(std::span<std::uint64_t> allowed) {
  TANDEM_CHECK(allowed.size() == trie_->words(), "a word for each 64 tokens");
  std::fill(allowed.begin(), allowed.end(), 0);
  for (const Reading& reading : readings_) {
    if (reading.state != kDone) {
      AddTokensOf(reading, allowed);
    }
  }
}

void Matcher::AddTokensOf(const Reading& reading, std::span<std::uint64_t> allowed) {
  const Known& known = KnownOf(reading.state);
  // Near the deepest level what was found without knowing the callers does not hold.
  if (frames_[reading.frame].depth + known.height > kMaxDepth) {
    Walk(0, {&reading, 1},
         [&](std::uint32_t node, std::uint32_t) { SetBits(allowed, trie_->tokens(node)); });
    return;
  }
  AddKnown(known, reading.count, allowed);
  if (!known.returns.empty()) {
    AddReturns(known, reading, allowed);
  }
}

void Matcher::AddKnown(const Known& known, const Count& count, std::span<std::uint64_t> allowed) {
  std::size_t first = 0;  // of the tokens that have room
  while (first < known.ids.size() && known.used[first] > count.room) {
    ++first;
  }
  if (known.words.empty()) {
    SetBits(allowed, std::span(known.ids).subspan(first));
    return;
  }
  std::copy(known.words.begin(), known.words.end(), words_.begin());
  for (std::size_t i = 0; i < first; ++i) {
    ClearBit(words_, known.ids[i]);
  }
  for (std::size_t i = 0; i < words_.size(); ++i) {
    allowed[i] |= words_[i];
  }
}

void Matcher::AddReturns(const Known& known, const Reading& reading,
                         std::span<std::uint64_t> allowed) {
  const std::size_t frames = frames_.size();
  // What the caller reads next is the same, wherever in a token the rule returns.
  Reading caller{.state = kDone, .frame = kBottom, .count = {}, .used = 0};
  if (reading.frame != kBottom) {
    const Frame& frame = frames_[reading.frame];
    caller = {.state = frame.back, .frame = frame.parent, .count = frame.count, .used = 0};
  }
  after_.clear();
  Close(caller, 0, after_);
  for (const Return& found : known.returns) {
    if (after_.empty() || found.used > reading.count.room ||
        (found.counts && found.used < reading.count.need)) {
      continue;
    }
    SetBits(allowed, trie_->tokens(found.node));
    Walk(found.node, after_,
         [&](std::uint32_t node, std::uint32_t) { SetBits(allowed, trie_->tokens(node)); });
  }
  frames_.resize(frames);
}

}  // namespace tandem::grammar
