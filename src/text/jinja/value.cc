#include "text/jinja/value.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "base/format.h"
#include "text/jinja/characters.h"
#include "text/jinja/object.h"

namespace tandem::jinja {
namespace {

constexpr std::size_t kIndexedFrom = 9;  // entries; smaller dicts are searched in order
constexpr std::size_t kNotFound = std::numeric_limits<std::size_t>::max();
constexpr std::uint64_t kHeaviest = std::uint64_t{1} << 62;
constexpr std::uint64_t kBytesPerStep = 64;

std::uint64_t AddWeight(std::uint64_t a, std::uint64_t b) {
  return std::min(kHeaviest, a + b);
}

SequenceRep MakeSequence(std::vector<Value> items) {
  SequenceRep rep{.items = std::move(items), .depth = 1, .weight = 1};
  for (const Value& item : rep.items) {
    rep.depth = std::max(rep.depth, item.depth() + 1);
    rep.weight = AddWeight(rep.weight, item.weight());
  }
  return rep;
}

bool EqualNumbers(const Value& a, const Value& b) {
  if (a.integral() && b.integral()) {
    return a.AsInt() == b.AsInt();
  }
  return a.AsDouble() == b.AsDouble();
}

bool EqualDicts(const DictRep& a, const DictRep& b) {
  if (a.size() != b.size()) {
    return false;
  }
  return std::all_of(a.entries().begin(), a.entries().end(), [&b](const DictRep::Entry& entry) {
    const Value* other = b.Find(entry.first);
    return other != nullptr && Equal(entry.second, *other);
  });
}

}  // namespace

std::string ToDecimal(Int value) {
  return Format("{}", value);
}

Value Value::None(bool trusted) {
  Value v;
  v.kind_ = Kind::kNone;
  v.trusted_ = trusted;
  return v;
}

Value Value::Bool(bool value, bool trusted) {
  Value v;
  v.kind_ = Kind::kBool;
  v.trusted_ = trusted;
  v.number_.boolean = value;
  return v;
}

Value Value::Integer(Int value, bool trusted) {
  Value v;
  v.kind_ = Kind::kInt;
  v.trusted_ = trusted;
  v.number_.integer = value;
  return v;
}

Value Value::Float(double value, bool trusted) {
  Value v;
  v.kind_ = Kind::kFloat;
  v.trusted_ = trusted;
  v.number_.real = value;
  return v;
}

Value Value::String(MarkedText text) {
  const std::size_t length = CountCharacters(text.bytes());
  Value v;
  v.kind_ = Kind::kString;
  v.rep_ = std::make_shared<TextRep>(TextRep{std::move(text), length});
  return v;
}

Value Value::List(std::vector<Value> items) {
  Value v;
  v.kind_ = Kind::kList;
  v.rep_ = std::make_shared<SequenceRep>(MakeSequence(std::move(items)));
  return v;
}

Value Value::Tuple(std::vector<Value> items) {
  Value v;
  v.kind_ = Kind::kTuple;
  v.rep_ = std::make_shared<SequenceRep>(MakeSequence(std::move(items)));
  return v;
}

Value Value::Dict(DictRep dict) {
  Value v;
  v.kind_ = Kind::kDict;
  v.rep_ = std::make_shared<DictRep>(std::move(dict));
  return v;
}

Value Value::Undefined(UndefinedRep undefined) {
  Value v;
  v.kind_ = Kind::kUndefined;
  v.rep_ = std::make_shared<UndefinedRep>(std::move(undefined));
  return v;
}

Value Value::Of(std::shared_ptr<Object> object) {
  Value v;
  v.kind_ = Kind::kObject;
  v.rep_ = std::move(object);
  return v;
}

Value Value::WithMarkup(bool markup) const {
  TANDEM_DCHECK(string(), "only strings are markup");
  Value v = *this;
  v.markup_ = markup;
  return v;
}

double Value::AsDouble() const {
  return kind_ == Kind::kFloat ? number_.real : static_cast<double>(AsInt());
}

const TextRep& Value::text() const {
  TANDEM_DCHECK(string(), "a string");
  return *static_cast<const TextRep*>(rep_.get());
}

const std::string& Value::bytes() const {
  return text().text.bytes();
}

const std::vector<Value>& Value::items() const {
  TANDEM_DCHECK(sequence(), "a list or tuple");
  return static_cast<const SequenceRep*>(rep_.get())->items;
}

const DictRep& Value::entries() const {
  TANDEM_DCHECK(dict(), "a dict");
  return *static_cast<const DictRep*>(rep_.get());
}

const UndefinedRep& Value::undefined_info() const {
  TANDEM_DCHECK(undefined(), "an undefined value");
  return *static_cast<const UndefinedRep*>(rep_.get());
}

Object& Value::AsObject() const {
  TANDEM_DCHECK(object(), "an object");
  return *static_cast<Object*>(rep_.get());
}

std::size_t Value::depth() const {
  switch (kind_) {
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<const SequenceRep*>(rep_.get())->depth;
    case Kind::kDict:
      return entries().depth();
    default:
      return 0;
  }
}

std::uint64_t Value::weight() const {
  switch (kind_) {
    case Kind::kString:
      return 1 + bytes().size() / kBytesPerStep;
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<const SequenceRep*>(rep_.get())->weight;
    case Kind::kDict:
      return entries().weight();
    default:
      return 1;
  }
}

bool Value::Truthy() const {
  switch (kind_) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return number_.boolean;
    case Kind::kInt:
      return number_.integer != 0;
    case Kind::kFloat:
      return number_.real != 0;
    case Kind::kString:
      return !bytes().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !items().empty();
    case Kind::kDict:
      return entries().size() != 0;
    case Kind::kObject:
      return AsObject().Truthy();
  }
  return false;
}

std::string Value::TypeName() const {
  switch (kind_) {
    case Kind::kMissing:
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kString:
      return markup_ ? "Markup" : "str";
    case Kind::kList:
      return "list";
    case Kind::kTuple:
      return "tuple";
    case Kind::kDict:
      return "dict";
    case Kind::kObject:
      return std::string(AsObject().TypeName());
  }
  return "object";
}

bool Value::Same(const Value& other) const {
  if (kind_ != other.kind_) {
    return false;
  }
  switch (kind_) {
    case Kind::kMissing:
    case Kind::kNone:
      return true;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kString:
      return Equal(*this, other);
    case Kind::kFloat:
      return number_.real == other.number_.real;
    default:
      return rep_ == other.rep_;
  }
}

std::size_t DictRep::Locate(const Value& key, std::size_t hash) const {
  if (entries_.size() < kIndexedFrom) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (Equal(entries_[i].first, key)) {
        return i;
      }
    }
    return kNotFound;
  }
  const auto [first, last] = index_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    if (Equal(entries_[it->second].first, key)) {
      return it->second;
    }
  }
  return kNotFound;
}

const Value* DictRep::Find(const Value& key) const {
  const std::size_t at = Locate(key, entries_.size() < kIndexedFrom ? 0 : HashOf(key));
  return at == kNotFound ? nullptr : &entries_[at].second;
}

const Value* DictRep::Find(std::string_view key) const {
  if (entries_.size() >= kIndexedFrom) {
    const auto [first, last] = index_.equal_range(std::hash<std::string_view>{}(key));
    for (auto it = first; it != last; ++it) {
      const Entry& entry = entries_[it->second];
      if (entry.first.string() && entry.first.bytes() == key) {
        return &entry.second;
      }
    }
    return nullptr;
  }
  for (const Entry& entry : entries_) {
    if (entry.first.string() && entry.first.bytes() == key) {
      return &entry.second;
    }
  }
  return nullptr;
}

void DictRep::Set(Value key, Value value) {
  const std::size_t hash = HashOf(key);
  depth_ = std::max({depth_, key.depth() + 1, value.depth() + 1});
  weight_ = AddWeight(weight_, AddWeight(key.weight(), value.weight()));
  const std::size_t at = Locate(key, hash);
  if (at != kNotFound) {
    entries_[at].second = std::move(value);
    return;
  }
  entries_.emplace_back(std::move(key), std::move(value));
  if (entries_.size() == kIndexedFrom) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      index_.emplace(HashOf(entries_[i].first), i);
    }
  } else if (entries_.size() > kIndexedFrom) {
    index_.emplace(hash, entries_.size() - 1);
  }
}

std::string UndefinedRep::Message() const {
  if (!hint.empty()) {
    return hint;
  }
  if (object_type.empty()) {
    return Format("'{}' is undefined", name);
  }
  return attribute ? Format("'{}' has no attribute '{}'", object_type, name)
                   : Format("{} has no element {}", object_type, name);
}

Raised UndefinedRep::Fail() const {
  return Raised(unsafe ? "SecurityError" : "UndefinedError", Message());
}

std::string ObjectTypeName(const Value& value) {
  if (value.none()) {
    return "None";
  }
  if (value.object()) {
    return std::string(value.AsObject().QualifiedTypeName()) + " object";
  }
  if (value.undefined()) {
    return "jinja2.runtime.Undefined object";
  }
  return (value.markup() ? "markupsafe.Markup" : value.TypeName()) + " object";
}

bool Equal(const Value& a, const Value& b) {
  if (a.number() && b.number()) {
    return EqualNumbers(a, b);
  }
  if (a.kind() != b.kind()) {
    return false;
  }
  switch (a.kind()) {
    case Value::Kind::kString:
      return a.bytes() == b.bytes();
    case Value::Kind::kList:
    case Value::Kind::kTuple:
      return std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(),
                        &Equal);
    case Value::Kind::kDict:
      return EqualDicts(a.entries(), b.entries());
    case Value::Kind::kObject:
      return &a.AsObject() == &b.AsObject() || a.AsObject().Equals(b.AsObject());
    default:
      return true;
  }
}

Raised CheckHashable(const Value& value) {
  if (value.kind() == Value::Kind::kList || value.dict()) {
    return TypeError(Format("unhashable type: '{}'", value.TypeName()));
  }
  if (value.kind() == Value::Kind::kTuple) {
    for (const Value& item : value.items()) {
      TANDEM_RETURN_IF_ERROR(CheckHashable(item));
    }
  }
  return {};
}

std::size_t HashOf(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kBool:
    case Value::Kind::kInt:
      return std::hash<double>{}(value.AsDouble());
    case Value::Kind::kFloat:
      return std::hash<double>{}(value.AsDouble());
    case Value::Kind::kString:
      return std::hash<std::string_view>{}(value.bytes());
    case Value::Kind::kTuple: {
      std::size_t hash = 0x9E3779B9u;
      for (const Value& item : value.items()) {
        hash = hash * 31 + HashOf(item);
      }
      return hash;
    }
    case Value::Kind::kObject:
      return std::hash<const void*>{}(&value.AsObject());
    default:
      return static_cast<std::size_t>(value.kind());
  }
}

}  // namespace tandem::jinja
