#include "text/template.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"
#include "text/jinja/globals.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/json.h"
#include "text/jinja/parser.h"
#include "text/jinja/runtime.h"

namespace tandem::text {
namespace {

using jinja::Outcome;
using jinja::Value;

constexpr std::size_t kNesting = 200;  // of containers in the variables

TemplateError ToError(const jinja::Raised& raised) {
  const jinja::ErrorInfo& info = raised.info();
  return {.error_class = info.error_class,
          .line = info.position.line,
          .column = info.position.column,
          .message = info.message};
}

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A message: as its JSON says, but with its role trusted when it is a known one.
Outcome<Value> ConvertMessage(const nlohmann::ordered_json& message, const RenderOptions& options) {
  if (!message.is_object()) {
    return jinja::FromJson(message, kNesting - 1);
  }
  jinja::DictRep dict;
  for (const auto& [key, item] : message.get_ref<const nlohmann::ordered_json::object_t&>()) {
    const std::string* const role =
        key == "role" && item.is_string() ? &item.get_ref<const std::string&>() : nullptr;
    TANDEM_ASSIGN_OR_RETURN(Value value, role != nullptr && Contains(options.trusted_roles, *role)
                                             ? Outcome<Value>(Value::String(*role, true))
                                             : jinja::FromJson(item, kNesting - 2));
    dict.Set(Value::String(key, false), std::move(value));
  }
  return Value::Dict(std::move(dict));
}

Outcome<Value> ConvertVariable(const std::string& name, const nlohmann::ordered_json& json,
                               const RenderOptions& options) {
  if (json.is_string() && Contains(options.trusted_variables, name)) {
    return Value::String(json.get_ref<const std::string&>(), true);
  }
  if (name != "messages" || !json.is_array()) {
    return jinja::FromJson(json, kNesting);
  }
  std::vector<Value> messages;
  for (const nlohmann::ordered_json& message : json) {
    TANDEM_ASSIGN_OR_RETURN(Value value, ConvertMessage(message, options));
    messages.push_back(std::move(value));
  }
  return Value::List(std::move(messages));
}

// The values of all names of the program: variables, then globals.
Outcome<std::vector<Value>> ResolveNames(const jinja::Program& program,
                                         const nlohmann::ordered_json& variables,
                                         const RenderOptions& options) {
  std::vector<Value> values;
  values.reserve(program.names.size());
  for (const std::string& name : program.names) {
    const auto found = variables.find(name);
    if (found == variables.end()) {
      values.push_back(jinja::FindGlobal(name));
      continue;
    }
    TANDEM_ASSIGN_OR_RETURN(Value value, ConvertVariable(name, *found, options));
    values.push_back(std::move(value));
  }
  return values;
}

std::tm LocalTime() {
  const std::time_t now = std::time(nullptr);
  std::tm local = {};
  localtime_r(&now, &local);
  return local;
}

}  // namespace

namespace template_internal {

void Require(bool present) {
  TANDEM_CHECK(present, "a TemplateResult was used without looking at ok()");
}

}  // namespace template_internal

std::string Describe(const TemplateError& error) {
  return Format("{} at {}:{}: {}", error.error_class, error.line, error.column,
                Printable(error.message, 500));
}

Template::Parsed Template::Parse(std::string_view source) {
  Outcome<jinja::Program> program = jinja::ParseTemplate(source);
  if (!program.ok()) {
    return ToError(program.status());
  }
  return Template(std::make_shared<const jinja::Program>(std::move(program).value()));
}

TemplateResult<Rendered> Template::Render(const nlohmann::ordered_json& variables,
                                          const RenderOptions& options) const {
  Outcome<std::vector<Value>> values = ResolveNames(*program_, variables, options);
  if (!values.ok()) {
    return ToError(values.status());
  }
  jinja::Runtime runtime({.steps = options.step_limit,
                          .bytes = options.output_limit,
                          .depth = options.depth_limit,
                          .nesting = kNesting},
                         options.now.has_value() ? *options.now : LocalTime());
  jinja::Interpreter interpreter(*program_, runtime, std::move(values).value());
  const Outcome<jinja::MarkedText> text = interpreter.Run();
  if (!text.ok()) {
    return ToError(text.status());
  }
  Rendered rendered{.text = text->bytes(), .spans = {}};
  for (const jinja::MarkedText::Run& run : text->Runs()) {
    rendered.spans.push_back({run.begin, run.end, run.trusted});
  }
  return rendered;
}

bool Template::Mentions(std::string_view variable) const {
  const std::vector<std::string>& names = program_->names;
  return std::find(names.begin(), names.end(), variable) != names.end();
}

}  // namespace tandem::text
