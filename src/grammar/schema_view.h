#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "io/json.h"

namespace tandem::grammar {

/// JSON's types as bits; whole numbers apart from others.
inline constexpr std::uint32_t kNullKind = 1;
inline constexpr std::uint32_t kBooleanKind = 2;
inline constexpr std::uint32_t kObjectKind = 4;
inline constexpr std::uint32_t kArrayKind = 8;
inline constexpr std::uint32_t kStringKind = 16;
inline constexpr std::uint32_t kIntegerKind = 32;
inline constexpr std::uint32_t kFractionKind = 64;
inline constexpr std::uint32_t kAllKinds = 127;

/// The bits of one of JSON Schema's type names; 0 for another text.
std::uint32_t KindsOfName(std::string_view name);
std::uint32_t KindOfValue(const Json& value);
/// What is written for a schema without a type: the kinds that its keywords speak of, or all.
std::uint32_t KindsOfKeywords(const Json& schema);

/// A place in a schema document.
struct SchemaPlace {
  const Json* json = nullptr;
  std::string pointer;  // "#/properties/a"
};

/// Looks things up in one schema document, without compiling anything. Single-threaded.
class SchemaView {
 public:
  explicit SchemaView(const Json& document) : document_(document) {}

  /// Follows "#", "#/a/b". InvalidArgument when it leads nowhere; Unsupported when it leaves the
  /// document.
  Result<SchemaPlace> Resolve(const std::string& reference) const;

  /// Whether a value that `a` makes us write might be accepted by `b`. Errs on the side of yes.
  bool MayHold(const Json& a, const Json& b) const { return MayHold(a, b, 0); }

 private:
  const Json& Target(const Json& schema) const;
  std::uint32_t Kinds(const Json& schema, bool written, int depth) const;
  bool MayHold(const Json& a, const Json& b, int depth) const;
  bool ObjectsMayHold(const Json& a, const Json& b, int depth) const;

  const Json& document_;
  mutable std::size_t work_ = 0;  // comparisons of schemas; beyond a limit everything may hold
};

/// The member of an object, or nullptr.
const Json* Member(const Json& object, const char* name);

/// `pointer` + "/" + name, escaped as RFC 6901 says.
std::string PointerTo(const std::string& pointer, std::string_view name);

}  // namespace tandem::grammar
