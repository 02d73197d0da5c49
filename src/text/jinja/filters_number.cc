#include <cmath>

#include "base/format.h"
#include "text/jinja/filters.h"
#include "text/jinja/number_format.h"
#include "text/jinja/number_parse.h"
#include "text/jinja/operators.h"
#include "text/jinja/printing.h"

namespace tandem::jinja {
namespace {

Outcome<Value> Abs(Call& call) {
  const Value& value = call.self;
  if (!value.number()) {
    return TypeError(Format("bad operand type for abs(): '{}'", value.TypeName()));
  }
  const bool negative = value.integral() ? value.AsInt() < 0 : std::signbit(value.AsDouble());
  return Apply(call.runtime, negative ? UnaryOperator::kNegative : UnaryOperator::kPositive, value);
}

Outcome<Value> IntFilter(Call& call) {
  const Value& value = call.self;
  const Value fallback = call.Has(0) ? call[0] : Value::Integer(0);
  TANDEM_ASSIGN_OR_RETURN(const Int base, call.Integer(1, 10));
  if (value.undefined()) {
    return value.undefined_info().Fail();
  }
  if (value.integral()) {
    return Value::Integer(value.AsInt(), value.trusted());
  }
  std::optional<double> real;
  bool trusted = value.trusted();
  if (value.string()) {
    trusted = value.text().text.AllTrusted();
    TANDEM_ASSIGN_OR_RETURN(const std::optional<Int> parsed, ParseInteger(value.bytes(), base));
    if (parsed.has_value()) {
      return Value::Integer(*parsed, trusted);
    }
    real = ParseDouble(value.bytes());
    if (real.has_value() && std::isinf(*real)) {
      return fallback;
    }
  } else if (value.number()) {
    real = value.AsDouble();
  }
  if (!real.has_value() || std::isnan(*real)) {
    return fallback;
  }
  TANDEM_ASSIGN_OR_RETURN(const Int whole, Truncated(*real));
  return Value::Integer(whole, trusted);
}

Outcome<Value> FloatFilter(Call& call) {
  const Value& value = call.self;
  if (value.undefined()) {
    return value.undefined_info().Fail();
  }
  if (value.number()) {
    return Value::Float(value.AsDouble(), value.trusted());
  }
  if (value.string()) {
    if (const std::optional<double> parsed = ParseDouble(value.bytes())) {
      return Value::Float(*parsed, value.text().text.AllTrusted());
    }
  }
  return call.Has(0) ? call[0] : Value::Float(0);
}

// Python's round(): half to even, exact in decimal.
double RoundDouble(double value, Int digits) {
  if (!std::isfinite(value) || digits > 300) {
    return value;
  }
  if (digits >= 0) {
    return std::strtod(FormatDouble(value, 'f', static_cast<std::size_t>(digits), false).c_str(),
                       nullptr);
  }
  const double scale = std::pow(10.0, static_cast<double>(-digits));
  return std::isfinite(scale) ? std::nearbyint(value / scale) * scale : 0.0;
}

Int RoundInteger(Int value, Int digits) {
  if (digits >= 0) {
    return value;
  }
  Int scale = 1;
  for (Int i = digits; i < 0; ++i) {
    if (__builtin_mul_overflow(scale, Int{10}, &scale)) {
      return 0;
    }
  }
  const Int rest = ((value % scale) + scale) % scale;
  const Int down = value - rest;
  const bool up = rest * 2 > scale || (rest * 2 == scale && (down / scale) % 2 != 0);
  return up ? down + scale : down;
}

Outcome<Value> Round(Call& call) {
  const Value& value = call.self;
  TANDEM_ASSIGN_OR_RETURN(const Int digits, call.Integer(0, 0));
  const std::string method = call.Has(1) && call[1].string() ? call[1].bytes() : "common";
  if (method != "common" && method != "ceil" && method != "floor") {
    return Raised("FilterArgumentError", "method must be common, ceil or floor");
  }
  if (!value.number()) {
    return TypeError(Format("type {} doesn't define __round__ method", value.TypeName()));
  }
  if (method == "common") {
    return value.integral() ? Value::Integer(RoundInteger(value.AsInt(), digits), value.trusted())
                            : Value::Float(RoundDouble(value.AsDouble(), digits), value.trusted());
  }
  const double scale = std::pow(10.0, static_cast<double>(digits));
  const double scaled = value.AsDouble() * scale;
  if (!std::isfinite(scaled)) {
    return Raised("OverflowError", "cannot convert float infinity to integer");
  }
  return Value::Float((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale,
                      value.trusted());
}

Outcome<Value> FileSize(Call& call) {
  if (!call.self.number() && !call.self.string() && !call.self.undefined()) {
    return TypeError(Format("float() argument must be a string or a real number, not '{}'",
                            call.self.TypeName()));
  }
  if (call.self.string() && !ParseDouble(call.self.bytes()).has_value()) {
    return ValueError(
        Format("could not convert string to float: {}", QuotedRepr(call.self.bytes())));
  }
  TANDEM_ASSIGN_OR_RETURN(const Value real, FloatFilter(call));
  constexpr std::string_view kDecimal[] = {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
  constexpr std::string_view kBinary[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"};
  const bool binary = call.Flag(0, false);
  const double base = binary ? 1024 : 1000;
  const double bytes = real.AsDouble();
  if (bytes == 1) {
    return Value::String("1 Byte", real.trusted());
  }
  if (bytes < base) {
    TANDEM_ASSIGN_OR_RETURN(const Int whole, Truncated(bytes));
    return Value::String(Format("{} Bytes", whole), real.trusted());
  }
  double unit = base;
  for (std::size_t i = 0; i < std::size(kDecimal); ++i) {
    unit *= base;
    if (bytes < unit || i + 1 == std::size(kDecimal)) {
      return Value::String(FormatDouble(base * bytes / unit, 'f', 1, false) + " " +
                               std::string(binary ? kBinary[i] : kDecimal[i]),
                           real.trusted());
    }
  }
  return ValueError("unreachable size");
}

constexpr Builtin kFilters[] = {
    {"abs", "", Abs},
    {"filesizeformat", "[binary]", FileSize},
    {"float", "[default]", FloatFilter},
    {"int", "[default] [base]", IntFilter},
    {"round", "[precision] [method]", Round},
};

}  // namespace

BuiltinTable NumberFilters() {
  return {std::begin(kFilters), std::end(kFilters)};
}

}  // namespace tandem::jinja
