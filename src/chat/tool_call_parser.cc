#include "chat/tool_call_parser.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/format.h"
#include "base/trim.h"
#include "chat/stream_tags.h"

namespace tandem {
namespace {

constexpr std::string_view kFunction = "<function=";
constexpr std::string_view kFunctionEnd = "</function>";
constexpr std::string_view kParameter = "<parameter=";
constexpr std::string_view kParameterEnd = "</parameter>";
constexpr std::string_view kFunctools = "functools";
constexpr std::size_t kLongestName = 256;

struct MarkText {
  std::string_view text;
  bool opens;
};
// Qwen3.5's, Phi-4-mini's, and one that the latter is seen to write.
constexpr std::array<MarkText, 6> kMarks = {{{"<tool_call>", true},
                                             {"</tool_call>", false},
                                             {"<|tool_call|>", true},
                                             {"<|/tool_call|>", false},
                                             {"<|tool_calls|>", true},
                                             {"<|/tool_calls|>", false}}};

bool IsBlank(std::string_view text) {
  return text.find_first_not_of(kWhiteSpace) == std::string_view::npos;
}

// The inside of a JSON string. Bytes beyond ASCII stay, so pieces may be cut anywhere.
std::string Escaped(std::string_view text) {
  constexpr std::string_view kCharacters = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  std::string out;
  for (const char c : text) {
    const std::size_t at = kCharacters.find(c);
    if (at != std::string_view::npos) {
      out += '\\';
      out += kLetters[at];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += Format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out;
}

// Without the line ends that the format puts around a value.
std::string_view WithoutFrame(std::string_view value) {
  if (value.starts_with('\n')) {
    value.remove_prefix(1);
  }
  if (value.ends_with('\n')) {
    value.remove_suffix(1);
  }
  return value;
}

}  // namespace

ToolMarks ToolMarks::Of(const text::Tokenizer& tokenizer) {
  ToolMarks marks = AsText();
  for (Mark& mark : marks.marks) {
    mark.token = AddedToken(tokenizer, mark.text).value_or(-1);
  }
  return marks;
}

ToolMarks ToolMarks::AsText() {
  ToolMarks marks;
  for (const MarkText& mark : kMarks) {
    marks.marks.push_back({.text = std::string(mark.text), .token = -1, .opens = mark.opens});
  }
  return marks;
}

const ToolMarks::Mark* ToolMarks::Find(TokenId token) const {
  for (const Mark& mark : marks) {
    if (mark.token >= 0 && mark.token == token) {
      return &mark;
    }
  }
  return nullptr;
}

ToolCallParser::ToolCallParser(const ToolSchemas& tools, ToolMarks marks, std::size_t first_id)
    : tools_(tools), marks_(std::move(marks)), next_id_(first_id) {}

void ToolCallParser::Push(std::string_view text, std::vector<ToolEvent>& out) {
  out_ = &out;
  pending_ += text;
  Run(Ahead::kMore);
}

void ToolCallParser::PushMark(const ToolMarks::Mark& mark, std::vector<ToolEvent>& out) {
  out_ = &out;
  Run(Ahead::kNothing);
  OnMark(mark);
}

void ToolCallParser::Flush(std::vector<ToolEvent>& out) {
  out_ = &out;
  if (state_ == State::kBetween && marked_ && calls_ == 0) {
    // The answer ended before the call said anything; perhaps within its name.
    TakeIntoOpening(pending_.size());
    const std::size_t name = opening_.rfind(kFunction);
    StartCall();
    TellName(name == std::string::npos ? "" : call_.raw.substr(name + kFunction.size()));
    EndCall(false);
  }
  Run(Ahead::kNothing);
  if (state_ == State::kFunction || state_ == State::kParameter) {
    CutFunction(false);
  } else if (state_ == State::kObject) {
    EndObject();
  } else if (state_ == State::kText && !after_call_) {
    EmitText(std::exchange(pending_, {}));
  }
  pending_.clear();
  CloseRegion();
}

void ToolCallParser::Run(Ahead ahead) {
  while (!pending_.empty() && Step(ahead)) {
  }
}

// False when nothing more can be settled now.
bool ToolCallParser::Step(Ahead ahead) {
  switch (state_) {
    case State::kText:
      return StepText(ahead);
    case State::kBetween:
      return StepBetween(ahead);
    case State::kFunction:
      return StepFunction();
    case State::kParameter:
      return StepParameter();
    case State::kObject:
      return StepObject();
  }
  return false;
}

// ---- The text of the answer ----

bool ToolCallParser::StepText(Ahead ahead) {
  for (std::size_t at = 0; at < pending_.size(); ++at) {
    const Beginning found = BeginningAt(at);
    if (found.match == Match::kNo || (found.match == Match::kMaybe && ahead == Ahead::kNothing)) {
      continue;
    }
    // White space in front of a call belongs to neither.
    const std::size_t shown = TrimmedEnd(std::string_view(pending_).substr(0, at)).size();
    EmitText(std::string_view(pending_).substr(0, shown));
    pending_.erase(0, shown);
    if (found.match == Match::kMaybe) {
      return false;
    }
    const std::size_t end = at - shown + found.length;
    if (found.mark != nullptr) {
      pending_.erase(at - shown, found.length);
      std::string rest = pending_.substr(at - shown);
      pending_.erase(at - shown);
      OnMark(*found.mark);
      pending_ += rest;
      return true;
    }
    OpenRegion(pending_.substr(0, end), false);
    pending_.erase(0, end);
    return true;
  }
  const std::size_t shown = TrimmedEnd(pending_).size();
  EmitText(std::string_view(pending_).substr(0, shown));
  pending_.erase(0, shown);
  return false;
}

ToolCallParser::Beginning ToolCallParser::BeginningAt(std::size_t at) const {
  const std::string_view text = std::string_view(pending_).substr(at);
  Beginning found;
  if (text[0] == '<') {
    found.match = MatchMark(text, &found.mark);
    if (found.match == Match::kYes) {
      found.length = found.mark->text.size();
    } else if (AtLineStart(at)) {
      found.match = std::max(found.match, MatchFunction(text, true));
    }
  } else if (!text_shown_ && !after_call_ && pending_.find_first_not_of(kWhiteSpace) == at) {
    found.match = MatchBare(text);
    found.length = text[0] == 'f' ? kFunctools.size() : 0;
  }
  return found;
}

ToolCallParser::Match ToolCallParser::MatchMark(std::string_view text,
                                                const ToolMarks::Mark** found) const {
  Match match = Match::kNo;
  for (const ToolMarks::Mark& mark : marks_.marks) {
    if (mark.token >= 0) {
      continue;  // its letters are text
    }
    if (text.starts_with(mark.text)) {
      *found = &mark;
      return Match::kYes;
    }
    if (std::string_view(mark.text).starts_with(text)) {
      match = Match::kMaybe;
    }
  }
  return match;
}

// [{"name": "TOOL", with or without the bracket, and perhaps functools in front of it.
ToolCallParser::Match ToolCallParser::MatchBare(std::string_view text) const {
  const auto skip_blank = [&text] {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(kWhiteSpace)));
  };
  const auto take = [&](std::string_view part) {
    const std::size_t size = std::min(part.size(), text.size());
    if (text.substr(0, size) != part.substr(0, size)) {
      return Match::kNo;
    }
    text.remove_prefix(size);
    return size == part.size() ? Match::kYes : Match::kMaybe;
  };
  std::vector<std::string_view> parts;
  if (text.starts_with('f')) {
    parts = {kFunctools, "["};
  } else if (text.starts_with('[')) {
    parts = {"["};
  }
  parts.insert(parts.end(), {"{", "\"name\"", ":", "\""});
  for (const std::string_view part : parts) {
    if (const Match match = take(part); match != Match::kYes) {
      return match;
    }
    if (part != parts.back() || part == "[") {
      skip_blank();
    }
  }
  const std::size_t end = text.find('"');
  if (end == std::string_view::npos) {
    return tools_.HasBeginning(text) ? Match::kMaybe : Match::kNo;
  }
  return tools_.Has(text.substr(0, end)) ? Match::kYes : Match::kNo;
}

ToolCallParser::Match ToolCallParser::MatchFunction(std::string_view text, bool known_only) const {
  if (!text.starts_with(kFunction)) {
    return kFunction.starts_with(text) ? Match::kMaybe : Match::kNo;
  }
  text.remove_prefix(kFunction.size());
  const std::size_t end = text.find_first_of(">\n<");
  const std::string_view name = text.substr(0, end);
  if (end == std::string_view::npos) {
    const bool possible = known_only ? tools_.HasBeginning(name) : name.size() <= kLongestName;
    return possible ? Match::kMaybe : Match::kNo;
  }
  const bool good = text[end] == '>' && !name.empty() && name.size() <= kLongestName &&
                    (!known_only || tools_.Has(name));
  return good ? Match::kYes : Match::kNo;
}

// Whether only spaces stand between a line's start and `at`. What was shown ends within a line.
bool ToolCallParser::AtLineStart(std::size_t at) const {
  while (at > 0) {
    --at;
    if (pending_[at] == '\n') {
      return true;
    }
    if (kWhiteSpace.find(pending_[at]) == std::string_view::npos) {
      return false;
    }
  }
  return !text_shown_ || after_call_;
}

void ToolCallParser::EmitText(std::string_view text) {
  if (after_call_ && !text_shown_) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(kWhiteSpace)));
  }
  if (text.empty()) {
    return;
  }
  text_shown_ = text_shown_ || !IsBlank(text);
  after_call_ = after_call_ && IsBlank(text);
  out_->push_back({.kind = ToolEvent::Kind::kText, .text = std::string(text)});
}

// ---- Regions of calls ----

void ToolCallParser::OpenRegion(std::string opening, bool marked) {
  state_ = State::kBetween;
  marked_ = marked;
  list_ = false;
  calls_ = 0;
  opening_ = std::move(opening);
}

void ToolCallParser::CloseRegion() {
  state_ = State::kText;
  marked_ = false;
  list_ = false;
  calls_ = 0;
  opening_.clear();
}

// There is no call in it: what was taken for its beginning is text.
void ToolCallParser::GiveRegionBack() {
  EmitText(opening_);
  CloseRegion();
}

// A mark, behind pending_.
void ToolCallParser::OnMark(const ToolMarks::Mark& mark) {
  if (state_ == State::kFunction || state_ == State::kParameter) {
    CutFunction(true);
  } else if (state_ == State::kObject) {
    EndObject();
  }
  if (mark.opens && state_ == State::kText) {
    OpenRegion(std::exchange(pending_, {}) + mark.text, true);
    return;
  }
  if (mark.opens) {
    if (calls_ == 0) {
      opening_ += pending_ + mark.text;
    }
    marked_ = true;
    pending_.clear();
    return;
  }
  const bool ends_calls = state_ == State::kBetween ? calls_ > 0 : after_call_;
  if (ends_calls && IsBlank(pending_)) {
    pending_.clear();
    CloseRegion();
    return;
  }
  if (state_ == State::kBetween) {
    GiveRegionBack();
  }
  EmitText(std::exchange(pending_, {}));
  EmitText(mark.text);
}

void ToolCallParser::TakeIntoOpening(std::size_t bytes) {
  if (calls_ == 0) {
    opening_.append(pending_, 0, bytes);
  }
  pending_.erase(0, bytes);
}

bool ToolCallParser::StepBetween(Ahead ahead) {
  const std::size_t begin = pending_.find_first_not_of(kWhiteSpace);
  if (begin == std::string::npos) {
    return false;
  }
  const std::string_view text = std::string_view(pending_).substr(begin);
  const ToolMarks::Mark* mark = nullptr;
  const Match marks = MatchMark(text, &mark);
  const Match function = MatchFunction(text, !marked_);
  if (marks == Match::kYes) {
    const std::string rest = pending_.substr(begin + mark->text.size());
    pending_.erase(begin);
    OnMark(*mark);
    pending_ += rest;
    return true;
  }
  if (std::max(marks, function) == Match::kMaybe && ahead == Ahead::kMore) {
    return false;
  }
  if (function == Match::kYes) {
    TakeIntoOpening(begin);
    BeginFunction();
  } else if (text[0] == '{') {
    TakeIntoOpening(begin);
    StartCall();
    object_ = JsonCall();
    state_ = State::kObject;
  } else if (text[0] == '[' && !list_ && calls_ == 0) {
    TakeIntoOpening(begin + 1);
    list_ = true;
  } else if (text[0] == ']' && list_) {
    TakeIntoOpening(begin + 1);
    list_ = false;
    if (!marked_ && calls_ > 0) {
      CloseRegion();
    }
  } else if ((text[0] == ',' || text[0] == ';') && calls_ > 0) {
    pending_.erase(0, begin + 1);
  } else if (calls_ > 0) {
    CloseRegion();
  } else {
    GiveRegionBack();
  }
  return true;
}

// ---- Calls ----

void ToolCallParser::StartCall() {
  call_ = {};
  call_.raw = std::exchange(opening_, {});
  told_ = false;
  damaged_ = false;
  parameters_ = 0;
  whole_ = 0;
}

void ToolCallParser::TakeIntoCall(std::size_t bytes) {
  call_.raw.append(pending_, 0, bytes);
  pending_.erase(0, bytes);
}

void ToolCallParser::TellName(const std::string& name) {
  if (!told_) {
    told_ = true;
    call_.name = name;
    call_.id = Format("call_{}", next_id_++);
    out_->push_back({.kind = ToolEvent::Kind::kCallBegins, .text = name});
  }
}

void ToolCallParser::AddArguments(const std::string& piece) {
  if (!piece.empty()) {
    call_.arguments += piece;
    out_->push_back({.kind = ToolEvent::Kind::kArguments, .text = piece});
  }
}

void ToolCallParser::EndCall(bool complete) {
  call_.complete = complete;
  if (call_.arguments.empty()) {
    call_.arguments = "{}";
  }
  ++calls_;
  after_call_ = true;
  state_ = State::kBetween;
  out_->push_back({.kind = ToolEvent::Kind::kCallEnds, .text = {}, .call = std::move(call_)});
}

void ToolCallParser::BeginFunction() {
  const std::size_t end = pending_.find('>');
  StartCall();
  TellName(pending_.substr(kFunction.size(), end - kFunction.size()));
  TakeIntoCall(end + 1);
  state_ = State::kFunction;
}

bool ToolCallParser::StepFunction() {
  const std::size_t begin = pending_.find_first_not_of(kWhiteSpace);
  if (begin == std::string::npos) {
    return false;
  }
  const std::string_view text = std::string_view(pending_).substr(begin);
  if (text.starts_with(kFunctionEnd)) {
    TakeIntoCall(begin + kFunctionEnd.size());
    AddArguments(parameters_ == 0 ? "{}" : "}");
    EndCall(!damaged_);
    return true;
  }
  const ToolMarks::Mark* mark = nullptr;
  const Match marks = MatchMark(text, &mark);
  const Match another = MatchFunction(text, false);
  if (marks == Match::kYes || another == Match::kYes) {
    CutFunction(true);  // its own end is missing
    return true;
  }
  const bool parameter = text.starts_with(kParameter);
  const std::size_t key_end = text.find_first_of(">\n");
  const bool partial = std::max(marks, another) == Match::kMaybe ||
                       kFunctionEnd.starts_with(text) || kParameter.starts_with(text) ||
                       (parameter && key_end == std::string_view::npos);
  if (partial) {
    return false;
  }
  if (parameter && text[key_end] == '>' && BeginParameter(text.substr(0, key_end))) {
    TakeIntoCall(begin + key_end + 1);
    state_ = State::kParameter;
    return true;
  }
  damaged_ = true;
  TakeIntoCall(std::min(pending_.find('<', begin + 1), pending_.size()));
  return true;
}

// False when it has no name.
bool ToolCallParser::BeginParameter(std::string_view text) {
  const std::string key(text.substr(kParameter.size()));
  if (key.empty()) {
    return false;
  }
  schema_ = tools_.Parameter(call_.name, key);
  text_value_ = IsTextOnly(schema_);
  value_.clear();
  value_sent_ = 0;
  AddArguments(
      Format("{}\"{}\": {}", parameters_ == 0 ? "{" : ", ", Escaped(key), text_value_ ? "\"" : ""));
  return true;
}

bool ToolCallParser::StepParameter() {
  const std::size_t end = pending_.find(kParameterEnd);
  if (end != std::string::npos) {
    value_.append(pending_, 0, end);
    TakeIntoCall(end + kParameterEnd.size());
    EndParameter();
    return true;
  }
  const std::size_t ready = pending_.size() - PartialTag(pending_, kParameterEnd);
  value_.append(pending_, 0, ready);
  TakeIntoCall(ready);
  StreamValue(false);
  return false;
}

// Tells what is settled of a value that is text: not the line end that may be its frame.
void ToolCallParser::StreamValue(bool ended) {
  if (!text_value_) {
    return;
  }
  const std::size_t begin = value_.starts_with('\n') ? 1 : 0;
  const std::size_t end = value_.size() - (value_.ends_with('\n') && value_.size() > begin ? 1 : 0);
  const std::size_t from = std::max(begin, value_sent_);
  if (end > from) {
    AddArguments(Escaped(std::string_view(value_).substr(from, end - from)));
    value_sent_ = end;
  }
  if (ended) {
    AddArguments("\"");
  }
}

void ToolCallParser::EndParameter() {
  StreamValue(true);
  if (!text_value_) {
    AddArguments(DumpAsPython(ArgumentFromText(WithoutFrame(value_), schema_)));
  }
  ++parameters_;
  whole_ = call_.arguments.size();
  state_ = State::kFunction;
}

// A mark, another call or the end stands where the end of the function should be.
void ToolCallParser::CutFunction(bool at_mark) {
  const std::size_t begin = std::min(pending_.find_first_not_of(kWhiteSpace), pending_.size());
  const std::string_view text = std::string_view(pending_).substr(begin);
  const ToolMarks::Mark* mark = nullptr;
  // Anything else in front of the mark may be a part of something.
  const bool clean = state_ == State::kFunction && at_mark &&
                     (text.empty() || MatchMark(text, &mark) == Match::kYes ||
                      MatchFunction(text, false) == Match::kYes);
  TakeIntoCall(clean ? begin : pending_.size());
  if (clean && !damaged_) {
    AddArguments(parameters_ == 0 ? "{}" : "}");
    EndCall(true);
    return;
  }
  call_.arguments.resize(whole_);
  call_.arguments += parameters_ == 0 ? "{}" : "}";
  EndCall(false);
}

bool ToolCallParser::StepObject() {
  const std::size_t taken = object_.Push(pending_);
  const bool stopped = taken < pending_.size() && !object_.ended();
  TakeIntoCall(taken);
  // Without a mark it is a call only when it has arguments.
  if (object_.name().has_value() && (marked_ || !object_.arguments().empty())) {
    TellName(*object_.name());
    AddArguments(std::string(object_.arguments().substr(call_.arguments.size())));
  }
  if (object_.ended() || stopped) {
    EndObject();
    return true;
  }
  return false;
}

void ToolCallParser::EndObject() {
  const std::optional<JsonCall::Call> call = object_.Read();
  if (!marked_ && !told_ && !(call.has_value() && call->has_arguments)) {
    EmitText(call_.raw);
    CloseRegion();
    return;
  }
  if (call.has_value()) {
    TellName(call->name);
    if (call_.arguments.empty()) {
      AddArguments(call->arguments);
    }
    EndCall(true);
    return;
  }
  const JsonCall::Call known = object_.Known();
  TellName(known.name);
  call_.arguments = known.arguments;
  EndCall(false);
}

std::vector<ToolEvent> ParseToolCalls(std::string_view text, const ToolSchemas& tools) {
  std::vector<ToolEvent> events;
  ToolCallParser parser(tools, ToolMarks::AsText());
  parser.Push(text, events);
  parser.Flush(events);
  return events;
}

}  // namespace tandem
