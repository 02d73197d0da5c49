#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "io/json.h"

namespace tandem::jinja {
struct Program;
}  // namespace tandem::jinja

namespace tandem::text {

/// A part [begin, end) of a rendered text, in bytes. Trusted characters were written in the
/// template; all others came from the variables: messages, tools, names.
struct RenderedSpan {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool trusted = false;

  bool operator==(const RenderedSpan&) const = default;
};

/// A rendered text and its spans, which cover it in order without gaps.
struct Rendered {
  std::string text;
  std::vector<RenderedSpan> spans;
};

/// Why a template cannot be parsed or rendered. The class is named as Python and jinja2 name it
/// (TemplateError is what raise_exception raises); LimitError is ours, for a rendering that does
/// more than RenderOptions allow.
struct TemplateError {
  std::string error_class;
  std::size_t line = 0;    // from 1, 0 when there is none
  std::size_t column = 0;  // in characters, from 1
  std::string message;
};

/// "CLASS at LINE:COLUMN: message", on one line.
std::string Describe(const TemplateError& error);

namespace template_internal {
/// Aborts when `present` is false: the caller did not look at ok().
void Require(bool present);
}  // namespace template_internal

/// A value or the TemplateError that took its place. value() on an error is a bug and aborts.
template <typename T>
class [[nodiscard]] TemplateResult {
 public:
  // `return value;` and `return error;` are the point of the type.
  // NOLINTNEXTLINE(google-explicit-constructor): see above.
  TemplateResult(T value) : content_(std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): as above.
  TemplateResult(TemplateError error) : content_(std::move(error)) {}

  bool ok() const { return content_.index() == 0; }
  T& value() & { return *Checked(std::get_if<0>(&content_)); }
  const T& value() const& { return *Checked(std::get_if<0>(&content_)); }
  T&& value() && { return std::move(*Checked(std::get_if<0>(&content_))); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const TemplateError& error() const { return *Checked(std::get_if<1>(&content_)); }

 private:
  template <typename Part>
  static Part* Checked(Part* part) {
    template_internal::Require(part != nullptr);
    return part;
  }

  std::variant<T, TemplateError> content_;
};

struct RenderOptions {
  /// What strftime_now formats, local time; the system's clock when absent.
  std::optional<std::tm> now;
  /// Work allowed: expressions, statements, 64 bytes copied. An ordinary message takes a few
  /// hundred steps.
  std::uint64_t step_limit = 10'000'000;
  /// Bytes of the result, and of any string on the way.
  std::size_t output_limit = std::size_t{64} << 20;
  /// Nested expressions, blocks and macro calls; a level takes about one kilobyte of stack.
  std::size_t depth_limit = 1000;
  /// Variables that are the model file's own words, so that their text is trusted.
  std::vector<std::string> trusted_variables = {"bos_token", "eos_token", "pad_token", "unk_token"};
  /// Roles of messages that a template may make tokens of (`<|user|>`): trusted in
  /// messages[i].role. Any other role is data.
  std::vector<std::string> trusted_roles = {"assistant", "developer", "system", "tool", "user"};
};

/// A chat template: the Jinja language as jinja2 3.1 runs it in Hugging Face's sandbox
/// (trim_blocks, lstrip_blocks, break and continue, {% generation %}, tojson without escaping,
/// raise_exception, strftime_now; nothing can be loaded or changed). Immutable; thread-safe.
class Template {
 public:
  using Parsed = TemplateResult<Template>;

  /// A TemplateSyntaxError or its kin, with its place.
  static Parsed Parse(std::string_view source);

  /// `variables`: an object, the whole context of the rendering.
  TemplateResult<Rendered> Render(const nlohmann::ordered_json& variables,
                                  const RenderOptions& options = {}) const;

  /// True when the template mentions the variable anywhere, e.g. "enable_thinking".
  bool Mentions(std::string_view variable) const;

 private:
  explicit Template(std::shared_ptr<const jinja::Program> program) : program_(std::move(program)) {}

  std::shared_ptr<const jinja::Program> program_;
};

}  // namespace tandem::text
