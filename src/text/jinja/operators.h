#pragma once

#include "text/jinja/runtime.h"
#include "text/jinja/value.h"

namespace tandem::jinja {

enum class BinaryOperator { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow };
enum class UnaryOperator { kNegative, kPositive };

/// `a op b` with Python's meanings and errors. Texts keep their marks; a number is trusted when
/// both operands are.
Outcome<Value> Apply(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b);
Outcome<Value> Apply(Runtime& runtime, UnaryOperator op, const Value& value);

/// value[start:stop:step]; a bound that is missing or None takes Python's default.
Outcome<Value> Slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
                     const Value& step);

/// The text `times` times over; nothing when `times` is not positive.
Outcome<Value> Repeat(Runtime& runtime, const Value& text, Int times);

}  // namespace tandem::jinja
