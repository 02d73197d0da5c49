#include "text/jinja/globals.h"

#include <array>
#include <ctime>

#include "base/format.h"
#include "text/jinja/iteration.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

Outcome<Value> Range(Call& call) {
  for (std::size_t i = 0; i < 3; ++i) {
    if (call.Has(i) && call[i].undefined()) {
      return TypeError("'Undefined' object cannot be interpreted as an integer");
    }
  }
  TANDEM_ASSIGN_OR_RETURN(const Int first, call.Integer(0, 0));
  if (!call.Has(1)) {
    return MakeRange(0, first, 1);
  }
  TANDEM_ASSIGN_OR_RETURN(const Int stop, call.Integer(1, 0));
  TANDEM_ASSIGN_OR_RETURN(const Int step, call.Integer(2, 1));
  if (step == 0) {
    return ValueError("range() arg 3 must not be zero");
  }
  return MakeRange(first, stop, step);
}

// dict(mapping or pairs, **keywords)
Outcome<DictRep> BuildDict(Runtime& runtime, const Arguments& arguments) {
  DictRep dict;
  if (arguments.positional.size() > 1) {
    return TypeError(
        Format("dict expected at most 1 argument, got {}", arguments.positional.size()));
  }
  for (const Value& source : arguments.positional) {
    if (source.dict()) {
      TANDEM_RETURN_IF_ERROR(runtime.Charge(source.entries().size()));
      dict = source.entries();
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> pairs, Collect(runtime, source));
    for (const Value& pair : pairs) {
      TANDEM_ASSIGN_OR_RETURN(const std::vector<Value> both, Unpack(runtime, pair, 2));
      TANDEM_RETURN_IF_ERROR(CheckHashable(both[0]));
      dict.Set(both[0], both[1]);
    }
  }
  for (const auto& [name, value] : arguments.keywords) {
    dict.Set(Value::String(name, true), value);
  }
  return dict;
}

Outcome<Value> Dict(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(DictRep dict, BuildDict(call.runtime, call.raw));
  return Value::Dict(std::move(dict));
}

Outcome<Value> Namespace(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(DictRep attributes, BuildDict(call.runtime, call.raw));
  return call.runtime.NewNamespace(std::move(attributes));
}

// cycler(...): hands its items out in turn.
class Cycler final : public Object, public std::enable_shared_from_this<Cycler> {
 public:
  explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}
  std::string_view TypeName() const override { return "Cycler"; }
  std::string_view QualifiedTypeName() const override { return "jinja2.utils.Cycler"; }
  Outcome<std::optional<Value>> Attribute(Runtime& runtime, std::string_view name) override;

  Value Take() {
    Value item = items_[next_];
    next_ = (next_ + 1) % items_.size();
    return item;
  }
  void Reset() { next_ = 0; }

 private:
  std::vector<Value> items_;
  std::size_t next_ = 0;
};

Outcome<Value> CyclerNext(Call& call) {
  return static_cast<Cycler&>(call.self.AsObject()).Take();
}

Outcome<Value> CyclerReset(Call& call) {
  static_cast<Cycler&>(call.self.AsObject()).Reset();
  return Value::None();
}

constexpr Builtin kCyclerMethods[] = {{"next", "/", CyclerNext}, {"reset", "/", CyclerReset}};

Outcome<std::optional<Value>> Cycler::Attribute(Runtime& /*runtime*/, std::string_view name) {
  if (name == "current") {
    return std::optional<Value>(items_[next_]);
  }
  if (name == "items") {
    return std::optional<Value>(Value::Tuple(items_));
  }
  if (name == "pos") {
    return std::optional<Value>(Value::Integer(static_cast<Int>(next_)));
  }
  const Builtin* const method =
      BuiltinTable{std::begin(kCyclerMethods), std::end(kCyclerMethods)}.Find(name);
  if (method == nullptr) {
    return std::optional<Value>();
  }
  return std::optional<Value>(
      Value::Of(std::make_shared<BuiltinObject>(*method, Value::Of(shared_from_this()))));
}

Outcome<Value> MakeCycler(Call& call) {
  if (!call.raw.keywords.empty()) {
    return TypeError("cycler() takes no keyword arguments");
  }
  if (call.raw.positional.empty()) {
    return Raised("RuntimeError", "at least one item has to be provided");
  }
  return Value::Of(std::make_shared<Cycler>(call.raw.positional));
}

// joiner(sep): nothing the first time it is called, then the separator.
class Joiner final : public Object {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  std::string_view TypeName() const override { return "Joiner"; }
  std::string_view QualifiedTypeName() const override { return "jinja2.utils.Joiner"; }
  bool Callable() const override { return true; }
  Outcome<Value> Call(Runtime& /*runtime*/, const Arguments& arguments) override {
    if (!arguments.positional.empty() || !arguments.keywords.empty()) {
      return TypeError("Joiner.__call__() takes no arguments");
    }
    if (!used_) {
      used_ = true;
      return Value::String("", true);
    }
    return separator_;
  }

 private:
  Value separator_;
  bool used_ = false;
};

Outcome<Value> MakeJoiner(Call& call) {
  return Value::Of(std::make_shared<Joiner>(call.Has(0) ? call[0] : Value::String(", ", true)));
}

Outcome<Value> RaiseException(Call& call) {
  TANDEM_ASSIGN_OR_RETURN(const MarkedText message, Print(call.runtime, call[0]));
  return Raised("TemplateError", message.bytes());
}

Outcome<Value> StrftimeNow(Call& call) {
  if (!call[0].string()) {
    return TypeError(Format("strftime() argument 1 must be str, not {}", call[0].TypeName()));
  }
  const std::string& format = call[0].bytes();
  constexpr std::size_t kLongest = 1024;  // of a format and of its result
  if (format.empty() || format.size() > kLongest) {
    return format.empty() ? Outcome<Value>(Value::String("", true))
                          : Outcome<Value>(ValueError("the time format is too long"));
  }
  std::array<char, kLongest* 4> buffer = {};
  const std::size_t length =
      std::strftime(buffer.data(), buffer.size(), format.c_str(), &call.runtime.now());
  return Value::String(std::string_view(buffer.data(), length), call[0].text().text.AllTrusted());
}

Outcome<Value> NotHere(Call& /*call*/) {
  return Raised("NotImplementedError", "lipsum is not available in chat templates");
}

constexpr Builtin kGlobals[] = {
    {"cycler", "*", MakeCycler},
    {"dict", "*", Dict},
    {"joiner", "[sep]", MakeJoiner},
    {"lipsum", "*", NotHere},
    {"namespace", "*", Namespace},
    {"raise_exception", "message", RaiseException},
    {"range", "/ start [stop] [step]", Range},
    {"strftime_now", "format", StrftimeNow},
};

}  // namespace

Value FindGlobal(std::string_view name) {
  const Builtin* const found = BuiltinTable{std::begin(kGlobals), std::end(kGlobals)}.Find(name);
  return found == nullptr ? Value() : Value::Of(std::make_shared<BuiltinObject>(*found, Value()));
}

Outcome<std::optional<Value>> NamespaceObject::Attribute(Runtime& /*runtime*/,
                                                         std::string_view name) {
  const Value* const found = attributes_.Find(name);
  return found == nullptr ? std::optional<Value>() : std::optional<Value>(*found);
}

Outcome<MarkedText> NamespaceObject::Print(Runtime& runtime) {
  MarkedText out("<Namespace ", true);
  TANDEM_ASSIGN_OR_RETURN(const MarkedText attributes, Repr(runtime, Value::Dict(attributes_)));
  out.Append(attributes);
  out.Append(">", true);
  return out;
}

}  // namespace tandem::jinja
