#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/token_id.h"
#include "chat/json_call.h"
#include "chat/tool_definitions.h"
#include "text/tokenizer.h"

namespace tandem {

/// A call of a tool as a model wrote it.
struct ParsedCall {
  std::string id;         // "call_1", counted through the conversation
  std::string name;       // empty when the answer ended before it
  std::string arguments;  // text of a JSON object; of a broken call, what could be read whole
  bool complete = false;  // false: cut off, or not well-formed
  std::string raw;        // what was written, with the mark in front of the first call
};

/// Something that a stream of answer text holds.
struct ToolEvent {
  enum class Kind {
    kText,        // a piece of the answer itself
    kCallBegins,  // `text`: the name
    kArguments,   // a piece of the JSON text of the arguments; all pieces make up a complete call's
    kCallEnds,    // `call`
  };
  Kind kind = Kind::kText;
  std::string text = {};
  ParsedCall call = {};
};

/// The marks that stand around calls in a vocabulary: <tool_call>, <|tool_call|> and their ends, by
/// token; those that it has no token for are recognised as text.
struct ToolMarks {
  struct Mark {
    std::string text;
    TokenId token = -1;  // -1: it is ordinary text
    bool opens = false;
  };
  std::vector<Mark> marks;

  static ToolMarks Of(const text::Tokenizer& tokenizer);
  /// All marks as text, for text that came without tokens.
  static ToolMarks AsText();
  /// The mark that the token is; null for any other.
  const Mark* Find(TokenId token) const;
};

/// Finds the calls in the text of an answer while it streams in. Qwen3.5's <function=NAME> blocks
/// and JSON objects with "name" and "arguments" (or "parameters"), alone, in a list or one after
/// the other, between marks; at the beginning of an answer, for tools that are defined, also a JSON
/// list or object without marks and functools[...]; at the beginning of a line a <function=NAME>
/// block without marks. Closing marks may be missing. What is no call stays text, marks included;
/// white space around calls is dropped. How the text is cut into pieces makes no difference but to
/// the pieces of text and arguments. Single-threaded; the schemas must outlive it.
class ToolCallParser {
 public:
  /// first_id: number in the first call's id.
  ToolCallParser(const ToolSchemas& tools, ToolMarks marks, std::size_t first_id = 1);

  const ToolMarks& marks() const { return marks_; }

  /// A piece of text, whole characters. What it completes is appended to `out`.
  void Push(std::string_view text, std::vector<ToolEvent>& out);
  /// A token that is a mark.
  void PushMark(const ToolMarks::Mark& mark, std::vector<ToolEvent>& out);
  /// At the end: what was held back, and a call that was cut off.
  void Flush(std::vector<ToolEvent>& out);

 private:
  enum class State {
    kText,       // of the answer
    kBetween,    // in a region of calls, outside of a call
    kFunction,   // in <function=NAME>, outside of a parameter
    kParameter,  // in <parameter=KEY>
    kObject,     // in a JSON object
  };
  // What stands at a place of the text, as far as it is known.
  enum class Match { kNo, kMaybe, kYes };
  // What follows the text that is known: more of it may, or a mark or the end does.
  enum class Ahead { kMore, kNothing };
  // A place of the text where calls begin.
  struct Beginning {
    Match match = Match::kNo;
    const ToolMarks::Mark* mark = nullptr;  // null: none stands there
    std::size_t length = 0;                 // of what stands in front of the first call
  };

  void Run(Ahead ahead);
  bool Step(Ahead ahead);
  bool StepText(Ahead ahead);
  bool StepBetween(Ahead ahead);
  bool StepFunction();
  bool StepParameter();
  bool StepObject();

  Beginning BeginningAt(std::size_t at) const;
  Match MatchMark(std::string_view text, const ToolMarks::Mark** found) const;
  Match MatchBare(std::string_view text) const;
  Match MatchFunction(std::string_view text, bool known_only) const;
  bool AtLineStart(std::size_t at) const;

  void EmitText(std::string_view text);
  void OpenRegion(std::string opening, bool marked);
  void CloseRegion();
  void GiveRegionBack();
  void OnMark(const ToolMarks::Mark& mark);
  void TakeIntoOpening(std::size_t bytes);
  void TakeIntoCall(std::size_t bytes);

  void StartCall();
  void TellName(const std::string& name);
  void AddArguments(const std::string& piece);
  void EndCall(bool complete);
  void BeginFunction();
  bool BeginParameter(std::string_view text);
  void StreamValue(bool ended);
  void EndParameter();
  void CutFunction(bool at_mark);
  void EndObject();

  const ToolSchemas& tools_;
  ToolMarks marks_;
  std::size_t next_id_;
  std::vector<ToolEvent>* out_ = nullptr;  // of the call of Push, PushMark or Flush under way

  State state_ = State::kText;
  std::string pending_;      // text that is not settled
  bool text_shown_ = false;  // some text came out
  bool after_call_ = false;  // only white space since a call

  // Of the region.
  bool marked_ = false;    // it began with a mark
  bool list_ = false;      // in an opening bracket
  std::size_t calls_ = 0;  // ended in it
  std::string opening_;    // what stands in front of its first call

  // Of the call.
  ParsedCall call_;
  bool told_ = false;     // its name
  bool damaged_ = false;  // something stands in it that does not belong there
  JsonCall object_;
  std::size_t parameters_ = 0;    // that have ended
  std::size_t whole_ = 0;         // bytes of call_.arguments up to the last that has
  const Json* schema_ = nullptr;  // of the parameter
  std::string value_;             // of the parameter, as written
  std::size_t value_sent_ = 0;    // bytes of it
  bool text_value_ = false;       // it is text, which is told piece by piece
};

/// The calls in a whole text, marks as text. For tests and other callers without tokens.
std::vector<ToolEvent> ParseToolCalls(std::string_view text, const ToolSchemas& tools);

}  // namespace tandem
