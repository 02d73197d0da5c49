#include "text/jinja/iteration.h"

#include <utility>

#include "base/format.h"
#include "text/jinja/characters.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

// The items of a list or tuple, which it keeps alive.
class SequenceIterator final : public Iterator {
 public:
  SequenceIterator(Value sequence, bool reversed)
      : sequence_(std::move(sequence)), left_(sequence_.items().size()), reversed_(reversed) {}
  Outcome<std::optional<Value>> Next(Runtime& /*runtime*/) override {
    if (left_ == 0) {
      return std::optional<Value>();
    }
    --left_;
    const std::vector<Value>& items = sequence_.items();
    return std::optional<Value>(reversed_ ? items[left_] : items[items.size() - 1 - left_]);
  }

 private:
  Value sequence_;
  std::size_t left_;
  bool reversed_;
};

class CharacterIterator final : public Iterator {
 public:
  explicit CharacterIterator(Value text) : text_(std::move(text)) {}
  Outcome<std::optional<Value>> Next(Runtime& runtime) override {
    TANDEM_RETURN_IF_ERROR(runtime.Charge(1));
    const MarkedText& text = text_.text().text;
    if (at_ == text.size()) {
      return std::optional<Value>();
    }
    const std::size_t begin = at_;
    at_ = SkipCharacters(text.bytes(), at_, 1);
    return std::optional<Value>(Value::String(text.Substr(begin, at_)));
  }

 private:
  Value text_;
  std::size_t at_ = 0;
};

class DictIterator final : public Iterator {
 public:
  DictIterator(DictView view, Value dict, bool reversed)
      : view_(view), dict_(std::move(dict)), left_(dict_.entries().size()), reversed_(reversed) {}
  Outcome<std::optional<Value>> Next(Runtime& runtime) override {
    TANDEM_RETURN_IF_ERROR(runtime.Charge(1));
    if (left_ == 0) {
      return std::optional<Value>();
    }
    --left_;
    const auto& entries = dict_.entries().entries();
    const auto& [key, value] = reversed_ ? entries[left_] : entries[entries.size() - 1 - left_];
    switch (view_) {
      case DictView::kKeys:
        return std::optional<Value>(key);
      case DictView::kValues:
        return std::optional<Value>(value);
      case DictView::kItems:
        break;
    }
    return std::optional<Value>(Value::Tuple({key, value}));
  }

 private:
  DictView view_;
  Value dict_;
  std::size_t left_;
  bool reversed_;
};

class EmptyIterator final : public Iterator {
 public:
  Outcome<std::optional<Value>> Next(Runtime& /*runtime*/) override {
    return std::optional<Value>();
  }
};

class FunctionIterator final : public Iterator {
 public:
  explicit FunctionIterator(std::function<Outcome<std::optional<Value>>(Runtime&)> next)
      : next_(std::move(next)) {}
  Outcome<std::optional<Value>> Next(Runtime& runtime) override { return next_(runtime); }

 private:
  std::function<Outcome<std::optional<Value>>(Runtime&)> next_;
};

// One iterator, shared by everybody who iterates the value.
class IteratorObject final : public Object {
 public:
  IteratorObject(std::string_view type_name, std::unique_ptr<Iterator> iterator)
      : type_name_(type_name), iterator_(std::move(iterator)) {}
  std::string_view TypeName() const override { return type_name_; }
  std::unique_ptr<Iterator> Iterate() override {
    return std::make_unique<FunctionIterator>(
        [iterator = iterator_](Runtime& runtime) -> Outcome<std::optional<Value>> {
          TANDEM_RETURN_IF_ERROR(runtime.Charge(1));
          return iterator->Next(runtime);
        });
  }

 private:
  std::string_view type_name_;
  std::shared_ptr<Iterator> iterator_;
};

class DictViewObject final : public Object {
 public:
  DictViewObject(DictView view, Value dict) : view_(view), dict_(std::move(dict)) {}
  std::string_view TypeName() const override {
    return view_ == DictView::kKeys     ? "dict_keys"
           : view_ == DictView::kValues ? "dict_values"
                                        : "dict_items";
  }
  bool Truthy() const override { return dict_.entries().size() != 0; }
  Outcome<std::optional<std::size_t>> Length(Runtime& /*runtime*/) override {
    return std::optional<std::size_t>(dict_.entries().size());
  }
  std::unique_ptr<Iterator> Iterate() override {
    return std::make_unique<DictIterator>(view_, dict_, false);
  }
  std::unique_ptr<Iterator> IterateReversed() override {
    return std::make_unique<DictIterator>(view_, dict_, true);
  }
  Outcome<MarkedText> Print(Runtime& runtime) override;

 private:
  DictView view_;
  Value dict_;
};

Outcome<MarkedText> DictViewObject::Print(Runtime& runtime) {
  TANDEM_ASSIGN_OR_RETURN(std::vector<Value> items,
                          Collect(runtime, Value::Of(std::make_shared<DictViewObject>(*this))));
  TANDEM_ASSIGN_OR_RETURN(const MarkedText listed, Repr(runtime, Value::List(std::move(items))));
  MarkedText out(Format("{}(", TypeName()), false);
  out.Append(listed);
  out.Append(")", false);
  return out;
}

}  // namespace

std::unique_ptr<Iterator> TryIterate(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kList:
    case Value::Kind::kTuple:
      return std::make_unique<SequenceIterator>(value, false);
    case Value::Kind::kString:
      return std::make_unique<CharacterIterator>(value);
    case Value::Kind::kDict:
      return std::make_unique<DictIterator>(DictView::kKeys, value, false);
    case Value::Kind::kUndefined:
      return std::make_unique<EmptyIterator>();
    case Value::Kind::kObject:
      return value.AsObject().Iterate();
    default:
      return nullptr;
  }
}

Outcome<std::unique_ptr<Iterator>> Iterate(const Value& value) {
  std::unique_ptr<Iterator> iterator = TryIterate(value);
  if (iterator == nullptr) {
    return TypeError(Format("'{}' object is not iterable", value.TypeName()));
  }
  return iterator;
}

std::unique_ptr<Iterator> TryIterateReversed(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kList:
    case Value::Kind::kTuple:
      return std::make_unique<SequenceIterator>(value, true);
    case Value::Kind::kString:
      return std::make_unique<SequenceIterator>(Value::List(Characters(value)), true);
    case Value::Kind::kDict:
      return std::make_unique<DictIterator>(DictView::kKeys, value, true);
    case Value::Kind::kObject:
      return value.AsObject().IterateReversed();
    default:
      return nullptr;
  }
}

std::vector<Value> Characters(const Value& value) {
  const MarkedText& text = value.text().text;
  std::vector<Value> characters;
  characters.reserve(value.text().length);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    at = SkipCharacters(text.bytes(), at, 1);
    characters.push_back(Value::String(text.Substr(begin, at)));
  }
  return characters;
}

Outcome<std::vector<Value>> Collect(Runtime& runtime, const Value& value) {
  if (value.sequence()) {
    TANDEM_RETURN_IF_ERROR(runtime.Charge(value.items().size()));
    return value.items();
  }
  TANDEM_ASSIGN_OR_RETURN(const std::unique_ptr<Iterator> iterator, Iterate(value));
  std::vector<Value> items;
  while (true) {
    TANDEM_RETURN_IF_ERROR(runtime.Charge(1));
    TANDEM_ASSIGN_OR_RETURN(std::optional<Value> next, iterator->Next(runtime));
    if (!next.has_value()) {
      return items;
    }
    items.push_back(*std::move(next));
  }
}

Outcome<std::optional<std::size_t>> TryLength(Runtime& runtime, const Value& value) {
  using Length = std::optional<std::size_t>;
  switch (value.kind()) {
    case Value::Kind::kString:
      return Length(value.text().length);
    case Value::Kind::kList:
    case Value::Kind::kTuple:
      return Length(value.items().size());
    case Value::Kind::kDict:
      return Length(value.entries().size());
    case Value::Kind::kUndefined:
      return Length(0);
    case Value::Kind::kObject:
      return value.AsObject().Length(runtime);
    default:
      return Length();
  }
}

Outcome<std::size_t> LengthOf(Runtime& runtime, const Value& value) {
  TANDEM_ASSIGN_OR_RETURN(const std::optional<std::size_t> length, TryLength(runtime, value));
  if (!length.has_value()) {
    return TypeError(Format("object of type '{}' has no len()", value.TypeName()));
  }
  return *length;
}

Value MakeIteratorValue(std::string_view type_name, std::unique_ptr<Iterator> iterator) {
  return Value::Of(std::make_shared<IteratorObject>(type_name, std::move(iterator)));
}

Value MakeGenerator(std::function<Outcome<std::optional<Value>>(Runtime&)> next) {
  return MakeIteratorValue("generator", std::make_unique<FunctionIterator>(std::move(next)));
}

Value MakeDictView(DictView view, const Value& dict) {
  return Value::Of(std::make_shared<DictViewObject>(view, dict));
}

Outcome<std::vector<Value>> Unpack(Runtime& runtime, const Value& value, std::size_t count) {
  if (value.sequence() && value.items().size() == count) {
    return value.items();
  }
  const std::unique_ptr<Iterator> iterator = TryIterate(value);
  if (iterator == nullptr) {
    return TypeError(Format("cannot unpack non-iterable {} object", value.TypeName()));
  }
  std::vector<Value> items;
  while (true) {
    TANDEM_ASSIGN_OR_RETURN(std::optional<Value> next, iterator->Next(runtime));
    if (!next.has_value()) {
      break;
    }
    if (items.size() == count) {
      return ValueError(Format("too many values to unpack (expected {})", count));
    }
    items.push_back(*std::move(next));
  }
  if (items.size() < count) {
    return ValueError(
        Format("not enough values to unpack (expected {}, got {})", count, items.size()));
  }
  return items;
}

}  // namespace tandem::jinja
