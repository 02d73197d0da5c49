#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/jinja/error.h"
#include "text/jinja/marked_text.h"

namespace tandem::jinja {

class Object;
struct TextRep;
struct SequenceRep;
class DictRep;
struct UndefinedRep;

/// Wide enough for every integer of a JSON document; beyond it arithmetic is an OverflowError.
__extension__ using Int = __int128;

/// The decimal digits of `value`.
std::string ToDecimal(Int value);

/// One value of the template language, with Python's types. Containers and strings are immutable
/// and shared, so a copy is cheap. Thread-compatible; constants are shared between threads.
class Value {
 public:
  enum class Kind : std::uint8_t {
    kMissing,    // no value at all: an absent argument, a name not assigned yet
    kUndefined,  // jinja2's Undefined
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kTuple,
    kDict,
    kObject,
  };

  Value() = default;
  static Value None(bool trusted = true);
  static Value Bool(bool value, bool trusted = true);
  static Value Integer(Int value, bool trusted = true);
  static Value Float(double value, bool trusted = true);
  static Value String(MarkedText text);
  static Value String(std::string_view bytes, bool trusted) {
    return String(MarkedText(std::string(bytes), trusted));
  }
  static Value List(std::vector<Value> items);
  static Value Tuple(std::vector<Value> items);
  static Value Dict(DictRep dict);
  static Value Undefined(UndefinedRep undefined);
  static Value Of(std::shared_ptr<Object> object);

  Kind kind() const { return kind_; }
  bool missing() const { return kind_ == Kind::kMissing; }
  bool undefined() const { return kind_ == Kind::kUndefined; }
  bool none() const { return kind_ == Kind::kNone; }
  bool string() const { return kind_ == Kind::kString; }
  bool sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }
  bool dict() const { return kind_ == Kind::kDict; }
  bool object() const { return kind_ == Kind::kObject; }
  /// bool is a kind of int, as in Python.
  bool integral() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool number() const { return integral() || kind_ == Kind::kFloat; }

  bool AsBool() const { return number_.boolean; }
  /// Of an int or a bool.
  Int AsInt() const { return kind_ == Kind::kBool ? Int{number_.boolean} : number_.integer; }
  /// Of any number.
  double AsDouble() const;
  const TextRep& text() const;
  /// The bytes of a string.
  const std::string& bytes() const;
  const std::vector<Value>& items() const;
  const DictRep& entries() const;
  const UndefinedRep& undefined_info() const;
  Object& AsObject() const;

  /// Where the characters of a printed number, bool or None come from.
  bool trusted() const { return trusted_; }
  /// A string marked safe for HTML (markupsafe.Markup): joining it to others escapes those.
  bool markup() const { return markup_; }
  Value WithMarkup(bool markup) const;

  /// How deep containers nest below this value, and how much work a walk over it is.
  std::size_t depth() const;
  std::uint64_t weight() const;

  /// Python's truth of a value.
  bool Truthy() const;
  /// type(value).__name__, e.g. "str", "NoneType".
  std::string TypeName() const;
  /// Both are the same object (`is`): equal small values count as the same.
  bool Same(const Value& other) const;

 private:
  union Number {
    bool boolean;
    Int integer = 0;
    double real;
  };

  Kind kind_ = Kind::kMissing;
  bool trusted_ = true;
  bool markup_ = false;
  Number number_;
  std::shared_ptr<void> rep_;
};

struct TextRep {
  MarkedText text;
  std::size_t length = 0;  // in characters

  bool ascii() const { return length == text.size(); }
};

struct SequenceRep {
  std::vector<Value> items;
  std::size_t depth = 0;
  std::uint64_t weight = 0;
};

/// Insertion-ordered mapping; keys are hashable values.
class DictRep {
 public:
  using Entry = std::pair<Value, Value>;

  const std::vector<Entry>& entries() const { return entries_; }
  std::size_t size() const { return entries_.size(); }
  /// The value under `key`, or null. The key must be hashable.
  const Value* Find(const Value& key) const;
  const Value* Find(std::string_view key) const;
  /// Replaces the value under an equal key (which stays), or appends.
  void Set(Value key, Value value);

  std::size_t depth() const { return depth_; }
  std::uint64_t weight() const { return weight_; }

 private:
  std::size_t Locate(const Value& key, std::size_t hash) const;

  std::vector<Entry> entries_;
  std::unordered_multimap<std::size_t, std::size_t> index_;  // used from kIndexedFrom entries on
  std::size_t depth_ = 1;
  std::uint64_t weight_ = 1;
};

/// Why a value is undefined; the text is built only when it is needed.
struct UndefinedRep {
  std::string hint = {};         // the whole text, when not empty
  std::string object_type = {};  // e.g. "dict object"; empty for a plain name
  std::string name = {};         // the attribute or variable, or the repr of an index
  bool attribute = true;         // `name` is a string, not an index
  bool unsafe = false;           // the sandbox refused it: use raises SecurityError

  std::string Message() const;
  /// What any use except printing, testing and iterating raises.
  Raised Fail() const;
};

/// What an undefined value calls the type of the object it was looked up on.
std::string ObjectTypeName(const Value& value);

/// Python's ==; never fails. Strings compare by characters, numbers by value whatever their type.
bool Equal(const Value& a, const Value& b);
/// A TypeError when `value` holds something unhashable.
Raised CheckHashable(const Value& value);
/// A hash that agrees with Equal, of a hashable value.
std::size_t HashOf(const Value& value);

}  // namespace tandem::jinja
