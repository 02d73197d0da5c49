#include <algorithm>

#include "base/format.h"
#include "text/jinja/iteration.h"

namespace tandem::jinja {
namespace {

constexpr Int kMaxRange = 100'000;  // jinja2.sandbox.MAX_RANGE

class RangeIterator final : public Iterator {
 public:
  RangeIterator(Int first, Int step, Int count) : next_(first), step_(step), left_(count) {}
  Outcome<std::optional<Value>> Next(Runtime& runtime) override {
    TANDEM_RETURN_IF_ERROR(runtime.Charge(1));
    if (left_ == 0) {
      return std::optional<Value>();
    }
    --left_;
    const Int value = next_;
    next_ += step_;
    return std::optional<Value>(Value::Integer(value));
  }

 private:
  Int next_;
  Int step_;
  Int left_;
};

class RangeObject final : public Object {
 public:
  RangeObject(Int start, Int stop, Int step, Int count)
      : start_(start), stop_(stop), step_(step), count_(count) {}

  std::string_view TypeName() const override { return "range"; }
  bool Truthy() const override { return count_ != 0; }
  bool Sequence() const override { return true; }
  bool Equals(const Object& other) const override {
    const auto* const range = dynamic_cast<const RangeObject*>(&other);
    return range != nullptr && range->count_ == count_ &&
           (count_ == 0 || (range->start_ == start_ && (count_ == 1 || range->step_ == step_)));
  }
  Outcome<std::optional<Value>> Item(Runtime& /*runtime*/, const Value& key) override {
    if (!key.integral()) {
      return std::optional<Value>();
    }
    const Int index = key.AsInt() < 0 ? key.AsInt() + count_ : key.AsInt();
    if (index < 0 || index >= count_) {
      return std::optional<Value>();
    }
    return std::optional<Value>(Value::Integer(start_ + index * step_));
  }
  Outcome<std::optional<std::size_t>> Length(Runtime& /*runtime*/) override {
    return std::optional<std::size_t>(static_cast<std::size_t>(count_));
  }
  std::unique_ptr<Iterator> Iterate() override {
    return std::make_unique<RangeIterator>(start_, step_, count_);
  }
  std::unique_ptr<Iterator> IterateReversed() override {
    return std::make_unique<RangeIterator>(start_ + (count_ - 1) * step_, -step_, count_);
  }
  Outcome<std::optional<Value>> Attribute(Runtime& /*runtime*/, std::string_view name) override {
    const Int* const found = name == "start"  ? &start_
                             : name == "stop" ? &stop_
                             : name == "step" ? &step_
                                              : nullptr;
    return found == nullptr ? std::optional<Value>() : std::optional(Value::Integer(*found));
  }
  Outcome<MarkedText> Print(Runtime& /*runtime*/) override {
    return MarkedText(step_ == 1 ? Format("range({}, {})", ToDecimal(start_), ToDecimal(stop_))
                                 : Format("range({}, {}, {})", ToDecimal(start_), ToDecimal(stop_),
                                          ToDecimal(step_)),
                      true);
  }

 private:
  Int start_;
  Int stop_;
  Int step_;
  Int count_;
};

}  // namespace

Outcome<Value> MakeRange(Int start, Int stop, Int step) {
  // Within 64 bits no difference below can overflow; beyond them only a hostile template goes.
  constexpr Int kFar = Int{1} << 64;
  for (const Int part : {start, stop, step}) {
    if (part > kFar || part < -kFar) {
      return Raised("OverflowError", "range() argument is too large");
    }
  }
  const Int distance = step > 0 ? stop - start : start - stop;
  const Int stride = step > 0 ? step : -step;
  const Int count = distance <= 0 ? 0 : (distance + stride - 1) / stride;
  if (count > kMaxRange) {
    return Raised("OverflowError",
                  "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).");
  }
  return Value::Of(std::make_shared<RangeObject>(start, stop, step, count));
}

}  // namespace tandem::jinja
