#include "text/jinja/operators.h"

#include <cmath>
#include <limits>

#include "base/format.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_format.h"

namespace tandem::jinja {
namespace {

std::string_view Symbol(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::kAdd:
      return "+";
    case BinaryOperator::kSub:
      return "-";
    case BinaryOperator::kMul:
      return "*";
    case BinaryOperator::kDiv:
      return "/";
    case BinaryOperator::kFloorDiv:
      return "//";
    case BinaryOperator::kMod:
      return "%";
    case BinaryOperator::kPow:
      return "** or pow()";
  }
  return "?";
}

Raised TooLarge() {
  return Raised("OverflowError", "integer result is too large");
}

Raised DivisionByZero(std::string message) {
  return Raised("ZeroDivisionError", std::move(message));
}

Outcome<Int> IntegerPower(Int base, Int exponent) {
  Int result = 1;
  while (exponent > 0) {
    if (exponent % 2 != 0 && __builtin_mul_overflow(result, base, &result)) {
      return TooLarge();
    }
    exponent /= 2;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) {
      return TooLarge();
    }
  }
  return result;
}

// Rounds toward minus infinity, as Python's // and % do.
Int FloorDivide(Int a, Int b) {
  const Int quotient = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

Outcome<Int> ApplyIntegers(BinaryOperator op, Int a, Int b) {
  Int result = 0;
  switch (op) {
    case BinaryOperator::kAdd:
      return __builtin_add_overflow(a, b, &result) ? Outcome<Int>(TooLarge()) : result;
    case BinaryOperator::kSub:
      return __builtin_sub_overflow(a, b, &result) ? Outcome<Int>(TooLarge()) : result;
    case BinaryOperator::kMul:
      return __builtin_mul_overflow(a, b, &result) ? Outcome<Int>(TooLarge()) : result;
    case BinaryOperator::kFloorDiv:
    case BinaryOperator::kMod:
      if (b == 0) {
        return DivisionByZero(op == BinaryOperator::kMod ? "integer modulo by zero"
                                                         : "integer division or modulo by zero");
      }
      if (b == -1) {  // the one quotient that can overflow
        if (op == BinaryOperator::kMod) {
          return Int{0};
        }
        return __builtin_sub_overflow(Int{0}, a, &result) ? Outcome<Int>(TooLarge()) : result;
      }
      return op == BinaryOperator::kFloorDiv ? FloorDivide(a, b) : a - FloorDivide(a, b) * b;
    default:
      return IntegerPower(a, b);
  }
}

Outcome<double> ApplyFloats(BinaryOperator op, double a, double b) {
  switch (op) {
    case BinaryOperator::kAdd:
      return a + b;
    case BinaryOperator::kSub:
      return a - b;
    case BinaryOperator::kMul:
      return a * b;
    case BinaryOperator::kDiv:
      if (b == 0) {
        return DivisionByZero("float division by zero");
      }
      return a / b;
    case BinaryOperator::kFloorDiv:
    case BinaryOperator::kMod: {
      if (b == 0) {
        return DivisionByZero(op == BinaryOperator::kMod ? "float modulo"
                                                         : "float floor division by zero");
      }
      double remainder = std::fmod(a, b);
      const bool moved = remainder != 0 && (remainder < 0) != (b < 0);
      if (op == BinaryOperator::kMod) {
        return moved ? remainder + b : std::copysign(remainder, b);
      }
      const double quotient = (a - remainder) / b - (moved ? 1 : 0);
      return std::round(quotient);
    }
    case BinaryOperator::kPow:
      if (a == 0 && b < 0) {
        return DivisionByZero("0.0 cannot be raised to a negative power");
      }
      if (a < 0 && std::floor(b) != b && std::isfinite(b)) {
        return ValueError("a negative number has no real fractional power");
      }
      return std::pow(a, b);
  }
  return ValueError("unknown operator");
}

Outcome<Value> ApplyNumbers(BinaryOperator op, const Value& a, const Value& b) {
  const bool trusted = a.trusted() && b.trusted();
  const bool integers = a.integral() && b.integral() && op != BinaryOperator::kDiv &&
                        !(op == BinaryOperator::kPow && b.AsInt() < 0);
  if (integers) {
    TANDEM_ASSIGN_OR_RETURN(const Int result, ApplyIntegers(op, a.AsInt(), b.AsInt()));
    return Value::Integer(result, trusted);
  }
  if (op == BinaryOperator::kDiv && a.integral() && b.integral() && b.AsInt() == 0) {
    return DivisionByZero("division by zero");
  }
  TANDEM_ASSIGN_OR_RETURN(const double result, ApplyFloats(op, a.AsDouble(), b.AsDouble()));
  return Value::Float(result, trusted);
}

Outcome<Value> Concatenate(Runtime& runtime, const Value& a, const Value& b) {
  if (a.string()) {
    const bool markup = a.markup() || b.markup();
    Value left = a;
    Value right = b;
    if (markup) {  // Markup.__add__ and __radd__ escape the other side
      TANDEM_ASSIGN_OR_RETURN(left, Escape(runtime, a));
      TANDEM_ASSIGN_OR_RETURN(right, Escape(runtime, b));
    }
    TANDEM_RETURN_IF_ERROR(runtime.CheckSize(left.bytes().size() + right.bytes().size()));
    MarkedText text = left.text().text;
    text.Append(right.text().text);
    TANDEM_ASSIGN_OR_RETURN(const Value joined, runtime.Text(std::move(text)));
    return joined.WithMarkup(markup);
  }
  TANDEM_RETURN_IF_ERROR(runtime.Charge(a.items().size() + b.items().size()));
  std::vector<Value> items = a.items();
  items.insert(items.end(), b.items().begin(), b.items().end());
  return a.kind() == Value::Kind::kList ? Value::List(std::move(items))
                                        : Value::Tuple(std::move(items));
}

Outcome<Value> Multiply(Runtime& runtime, const Value& sequence, const Value& times) {
  if (!times.integral()) {
    return TypeError(Format("can't multiply sequence by non-int of type '{}'", times.TypeName()));
  }
  const Int count = times.AsInt() < 0 ? 0 : times.AsInt();
  if (sequence.string()) {
    return Repeat(runtime, sequence, count);
  }
  std::vector<Value> items;
  if (!sequence.items().empty()) {
    for (Int i = 0; i < count; ++i) {
      TANDEM_RETURN_IF_ERROR(runtime.Charge(sequence.items().size()));
      items.insert(items.end(), sequence.items().begin(), sequence.items().end());
    }
  }
  return sequence.kind() == Value::Kind::kList ? Value::List(std::move(items))
                                               : Value::Tuple(std::move(items));
}

Raised Unsupported(BinaryOperator op, const Value& a, const Value& b) {
  if (op == BinaryOperator::kAdd && (a.string() || a.sequence())) {
    const std::string type = a.string() ? "str" : a.TypeName();
    return TypeError(
        Format("can only concatenate {} (not \"{}\") to {}", type, b.TypeName(), type));
  }
  return TypeError(Format("unsupported operand type(s) for {}: '{}' and '{}'", Symbol(op),
                          a.TypeName(), b.TypeName()));
}

}  // namespace

Outcome<Value> Repeat(Runtime& runtime, const Value& text, Int times) {
  const MarkedText& unit = text.text().text;
  MarkedText out;
  if (times > 0 && !unit.empty()) {
    const Int most = std::numeric_limits<std::int64_t>::max() / static_cast<Int>(unit.size());
    TANDEM_RETURN_IF_ERROR(runtime.CheckSize(times > most
                                                 ? std::numeric_limits<std::size_t>::max()
                                                 : static_cast<std::size_t>(times) * unit.size()));
    for (Int i = 0; i < times; ++i) {
      out.Append(unit);
    }
  }
  TANDEM_ASSIGN_OR_RETURN(const Value repeated, runtime.Text(std::move(out)));
  return repeated.WithMarkup(text.markup());
}

Outcome<Value> Apply(Runtime& runtime, BinaryOperator op, const Value& a, const Value& b) {
  if (a.number() && b.number()) {
    return ApplyNumbers(op, a, b);
  }
  if (op == BinaryOperator::kMod && a.string()) {
    return FormatPercent(runtime, a, b);
  }
  for (const Value* side : {&a, &b}) {
    if (side->undefined()) {
      return side->undefined_info().Fail();
    }
  }
  if (op == BinaryOperator::kAdd && a.kind() == b.kind() && (a.string() || a.sequence())) {
    return Concatenate(runtime, a, b);
  }
  if (op == BinaryOperator::kMul && (a.string() || a.sequence())) {
    return Multiply(runtime, a, b);
  }
  if (op == BinaryOperator::kMul && (b.string() || b.sequence())) {
    return Multiply(runtime, b, a);
  }
  return Unsupported(op, a, b);
}

Outcome<Value> Apply(Runtime& /*runtime*/, UnaryOperator op, const Value& value) {
  if (value.undefined()) {
    return value.undefined_info().Fail();
  }
  const bool negative = op == UnaryOperator::kNegative;
  if (value.integral()) {
    Int result = value.AsInt();
    if (negative && __builtin_sub_overflow(Int{0}, value.AsInt(), &result)) {
      return TooLarge();
    }
    return Value::Integer(result, value.trusted());
  }
  if (value.number()) {
    return Value::Float(negative ? -value.AsDouble() : value.AsDouble(), value.trusted());
  }
  return TypeError(
      Format("bad operand type for unary {}: '{}'", negative ? "-" : "+", value.TypeName()));
}

}  // namespace tandem::jinja
