#include "grammar/string_formats.h"

namespace tandem::grammar {
namespace {

std::string Date() {
  return "(?:"
         "[0-9]{4}-(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"
         "[0-9]{4}-(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|"
         "[0-9]{4}-02-(?:0[1-9]|1[0-9]|2[0-8])|"
         // Leap years: those of 4, but of 100 only those of 400.
         "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29"
         ")";
}

std::string Time() {
  return "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?"
         "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])";
}

}  // namespace

std::string PatternOfFormat(std::string_view format) {
  if (format == "date") {
    return Date();
  }
  if (format == "time") {
    return Time();
  }
  if (format == "date-time") {
    return Date() + "T" + Time();
  }
  if (format == "uuid") {
    return "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
  }
  return "";
}

}  // namespace tandem::grammar
