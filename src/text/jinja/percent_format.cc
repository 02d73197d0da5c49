#include <cmath>

#include "base/format.h"
#include "base/utf8.h"
#include "text/jinja/characters.h"
#include "text/jinja/number_format.h"
#include "text/jinja/printing.h"
#include "text/jinja/text_format.h"

namespace tandem::jinja {
namespace {

// One %-conversion after its flags were read.
struct Conversion {
  FormatSpec spec;
  bool left = false;
  bool zero = false;
  bool has_key = false;
  std::string key;
  char type = 0;
};

// Walks a %-format once.
class PercentFormatter {
 public:
  PercentFormatter(Runtime& runtime, const Value& format, const Value& arguments)
      : runtime_(runtime), format_(format), arguments_(arguments) {}

  Outcome<Value> Run();

 private:
  Outcome<Conversion> ReadConversion();
  Outcome<std::string> ReadKey();
  Outcome<std::size_t> ReadNumber(bool& negative);
  Raised AppendConverted(const Conversion& conversion);
  Outcome<Value> NextArgument();
  Outcome<Value> ArgumentFor(const Conversion& conversion);
  Outcome<MarkedText> ConvertText(char type, const Value& value);
  Outcome<MarkedText> ConvertNumber(const Conversion& conversion, const Value& value);
  Outcome<MarkedText> ConvertCharacter(const Value& value);
  std::string_view bytes() const { return format_.bytes(); }

  Runtime& runtime_;
  const Value& format_;
  const Value& arguments_;
  MarkedText out_;
  std::size_t at_ = 0;
  std::size_t used_ = 0;
};

Outcome<Value> PercentFormatter::Run() {
  const MarkedText& text = format_.text().text;
  while (at_ < bytes().size()) {
    const std::size_t percent = std::min(bytes().find('%', at_), bytes().size());
    out_.AppendRange(text, at_, percent);
    at_ = percent;
    if (at_ == bytes().size()) {
      break;
    }
    ++at_;
    TANDEM_ASSIGN_OR_RETURN(const Conversion conversion, ReadConversion());
    if (conversion.type == '%') {
      out_.AppendRange(text, at_ - 1, at_);
    } else {
      TANDEM_RETURN_IF_ERROR(AppendConverted(conversion));
    }
    TANDEM_RETURN_IF_ERROR(runtime_.CheckSize(out_.size()));
  }
  const bool tuple = arguments_.kind() == Value::Kind::kTuple;
  const bool mapping =
      arguments_.dict() || arguments_.undefined() || arguments_.kind() == Value::Kind::kList;
  if (tuple ? used_ < arguments_.items().size() : used_ == 0 && !mapping) {
    return TypeError("not all arguments converted during string formatting");
  }
  TANDEM_ASSIGN_OR_RETURN(const Value formatted, runtime_.Text(std::move(out_)));
  return formatted.WithMarkup(format_.markup());
}

Outcome<std::string> PercentFormatter::ReadKey() {
  const std::size_t begin = ++at_;
  for (int open = 1; at_ < bytes().size(); ++at_) {
    open += bytes()[at_] == '(' ? 1 : bytes()[at_] == ')' ? -1 : 0;
    if (open == 0) {
      ++at_;
      return std::string(bytes().substr(begin, at_ - 1 - begin));
    }
  }
  return ValueError("incomplete format key");
}

// A width or precision: digits, or * for the next argument.
Outcome<std::size_t> PercentFormatter::ReadNumber(bool& negative) {
  if (at_ < bytes().size() && bytes()[at_] == '*') {
    ++at_;
    TANDEM_ASSIGN_OR_RETURN(const Value value, NextArgument());
    if (!value.integral()) {
      return TypeError("* wants int");
    }
    negative = value.AsInt() < 0;
    const Int magnitude = negative ? -value.AsInt() : value.AsInt();
    TANDEM_RETURN_IF_ERROR(runtime_.CheckSize(static_cast<std::size_t>(magnitude)));
    return static_cast<std::size_t>(magnitude);
  }
  std::size_t number = 0;
  while (at_ < bytes().size() && bytes()[at_] >= '0' && bytes()[at_] <= '9') {
    number = number * 10 + static_cast<std::size_t>(bytes()[at_++] - '0');
    TANDEM_RETURN_IF_ERROR(runtime_.CheckSize(number));
  }
  return number;
}

Outcome<Conversion> PercentFormatter::ReadConversion() {
  Conversion conversion;
  if (at_ < bytes().size() && bytes()[at_] == '(') {
    TANDEM_ASSIGN_OR_RETURN(conversion.key, ReadKey());
    conversion.has_key = true;
  }
  constexpr std::string_view kFlags = "-+ #0";
  for (; at_ < bytes().size() && kFlags.find(bytes()[at_]) != std::string_view::npos; ++at_) {
    switch (bytes()[at_]) {
      case '-':
        conversion.left = true;
        break;
      case '+':
        conversion.spec.sign = '+';
        break;
      case ' ':
        conversion.spec.sign = conversion.spec.sign == '+' ? '+' : ' ';
        break;
      case '#':
        conversion.spec.alternate = true;
        break;
      default:
        conversion.zero = true;
        break;
    }
  }
  bool negative = false;
  TANDEM_ASSIGN_OR_RETURN(conversion.spec.width, ReadNumber(negative));
  conversion.left = conversion.left || negative;
  if (at_ < bytes().size() && bytes()[at_] == '.') {
    ++at_;
    TANDEM_ASSIGN_OR_RETURN(conversion.spec.precision, ReadNumber(negative));
    conversion.spec.has_precision = true;
  }
  constexpr std::string_view kLengths = "hlL";
  while (at_ < bytes().size() && kLengths.find(bytes()[at_]) != std::string_view::npos) {
    ++at_;
  }
  if (at_ == bytes().size()) {
    return ValueError("incomplete format");
  }
  conversion.type = bytes()[at_++];
  return conversion;
}

Outcome<Value> PercentFormatter::NextArgument() {
  const bool tuple = arguments_.kind() == Value::Kind::kTuple;
  const std::size_t count = tuple ? arguments_.items().size() : 1;
  if (used_ >= count) {
    return TypeError("not enough arguments for format string");
  }
  return tuple ? arguments_.items()[used_++] : (++used_, arguments_);
}

Outcome<Value> PercentFormatter::ArgumentFor(const Conversion& conversion) {
  if (!conversion.has_key) {
    return NextArgument();
  }
  if (!arguments_.dict()) {
    return TypeError("format requires a mapping");
  }
  const Value* found = arguments_.entries().Find(conversion.key);
  if (found == nullptr) {
    return Raised("KeyError", QuotedRepr(conversion.key));
  }
  ++used_;
  return *found;
}

Outcome<MarkedText> PercentFormatter::ConvertText(char type, const Value& value) {
  TANDEM_ASSIGN_OR_RETURN(MarkedText text,
                          type == 's' ? Print(runtime_, value) : Repr(runtime_, value));
  if (format_.markup() && !(type == 's' && value.markup())) {
    return EscapeHtml(text);
  }
  return text;
}

Outcome<MarkedText> PercentFormatter::ConvertCharacter(const Value& value) {
  if (value.string() && value.text().length == 1) {
    return value.text().text;
  }
  if (!value.integral()) {
    return TypeError("%c requires int or char");
  }
  FormatSpec spec;
  spec.type = 'c';
  TANDEM_ASSIGN_OR_RETURN(std::string character, FormatNumber(value, spec));
  return MarkedText(std::move(character), value.trusted());
}

Outcome<MarkedText> PercentFormatter::ConvertNumber(const Conversion& conversion,
                                                    const Value& value) {
  constexpr std::string_view kReal = "eEfFgG";
  const bool real = kReal.find(conversion.type) != std::string_view::npos;
  const bool decimal = conversion.type == 'd' || conversion.type == 'i' || conversion.type == 'u';
  if (value.undefined()) {
    return value.undefined_info().Fail();
  }
  if (!value.number() || (!real && !decimal && !value.integral())) {
    return TypeError(real ? Format("must be real number, not {}", value.TypeName())
                          : Format("%{} format: {} is required, not {}", conversion.type,
                                   decimal ? "a real number" : "an integer", value.TypeName()));
  }
  FormatSpec spec = conversion.spec;
  spec.type = decimal ? 'd' : conversion.type;
  Value number = value;
  if (real) {
    number = Value::Float(value.AsDouble());
  } else {
    if (!value.integral()) {
      if (!std::isfinite(value.AsDouble()) || std::fabs(value.AsDouble()) > 1e38) {
        return Raised("OverflowError", "cannot convert float to integer");
      }
      number = Value::Integer(static_cast<Int>(value.AsDouble()));
    }
    spec.has_precision = false;
  }
  TANDEM_ASSIGN_OR_RETURN(std::string text, FormatNumber(number, spec));
  if (!real && conversion.spec.has_precision) {  // at least that many digits
    const std::size_t sign = text.find_first_of("0123456789abcdefABCDEF");
    const std::size_t digits = text.size() - sign;
    if (digits < conversion.spec.precision) {
      text.insert(sign, conversion.spec.precision - digits, '0');
    }
  }
  return MarkedText(std::move(text), value.trusted());
}

Raised PercentFormatter::AppendConverted(const Conversion& conversion) {
  constexpr std::string_view kNumbers = "diuoxXeEfFgG";
  constexpr std::string_view kTexts = "sra";
  TANDEM_ASSIGN_OR_RETURN(const Value value, ArgumentFor(conversion));
  FormatSpec padding = conversion.spec;
  padding.align = conversion.left ? '<' : '>';
  MarkedText text;
  if (kTexts.find(conversion.type) != std::string_view::npos) {
    TANDEM_ASSIGN_OR_RETURN(text, ConvertText(conversion.type, value));
    if (conversion.spec.has_precision) {
      text = text.Substr(0, SkipCharacters(text.bytes(), 0, conversion.spec.precision));
    }
  } else if (conversion.type == 'c') {
    TANDEM_ASSIGN_OR_RETURN(text, ConvertCharacter(value));
  } else if (kNumbers.find(conversion.type) != std::string_view::npos) {
    TANDEM_ASSIGN_OR_RETURN(text, ConvertNumber(conversion, value));
    if (conversion.zero && !conversion.left) {
      padding.fill.assign(1, '0');
      padding.align = '=';
    }
  } else {
    return ValueError(Format("unsupported format character '{}' (0x{:x}) at index {}",
                             conversion.type, static_cast<unsigned char>(conversion.type),
                             CountCharacters(bytes().substr(0, at_ - 1))));
  }
  out_.Append(Pad(text, padding, '>'));
  return {};
}

}  // namespace

Outcome<Value> FormatPercent(Runtime& runtime, const Value& format, const Value& arguments) {
  return PercentFormatter(runtime, format, arguments).Run();
}

}  // namespace tandem::jinja
