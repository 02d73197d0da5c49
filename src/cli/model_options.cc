#include "cli/model_options.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include <CLI/CLI.hpp>

#include "base/format.h"
#include "base/suggestion.h"
#include "io/file.h"

namespace tandem {
namespace {

// All of `text` as a number of the type of `value`.
template <typename T>
bool ParseNumber(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

template <typename T>
bool ParseNumber(std::string_view text, std::optional<T>& value) {
  T number{};
  if (!ParseNumber(text, number)) {
    return false;
  }
  value = number;
  return true;
}

// What a setting changes.
struct Target {
  OpenOptions& open;
  GenerateOptions& generate;
};

bool SetText(std::string_view text, std::string& value) {
  value = text;
  return !text.empty();
}

std::string Text(const std::string& value, const std::string& usual) {
  return value == usual ? "" : value;
}

template <typename T>
std::string Text(T value, T usual) {
  return value == usual ? "" : Format("{}", value);
}

template <typename T>
std::string Text(const std::optional<T>& value) {
  return value.has_value() ? Format("{}", *value) : "";
}

struct Setting {
  std::string_view name;
  bool (*set)(std::string_view value, Target target);
  // The value as `set` takes it; empty when it is the usual one.
  std::string (*get)(const OpenOptions& open, const GenerateOptions& generate);
};

template <auto kMember>
constexpr Setting OfOpening(std::string_view name) {
  return {name,
          [](auto text, Target t) {
            if constexpr (std::is_same_v<decltype(kMember), std::string OpenOptions::*>) {
              return SetText(text, t.open.*kMember);
            } else {
              return ParseNumber(text, t.open.*kMember);
            }
          },
          [](const OpenOptions& open, const GenerateOptions&) {
            return Text(open.*kMember, OpenOptions().*kMember);
          }};
}

template <auto kMember>
constexpr Setting OfSampling(std::string_view name) {
  return {name, [](auto text, Target t) { return ParseNumber(text, t.generate.sampling.*kMember); },
          [](const OpenOptions&, const GenerateOptions& generate) {
            return Text(generate.sampling.*kMember);
          }};
}

constexpr Setting kSettings[] = {
    OfOpening<&OpenOptions::context_tokens>("ctx"),
    OfOpening<&OpenOptions::threads>("threads"),
    OfOpening<&OpenOptions::isa>("isa"),
    OfOpening<&OpenOptions::kv>("kv"),
    OfSampling<&Sampling::seed>("seed"),
    {"max-tokens", [](auto v, Target t) { return ParseNumber(v, t.generate.max_tokens); },
     [](const OpenOptions&, const GenerateOptions& generate) {
       return Text(generate.max_tokens, GenerateOptions().max_tokens);
     }},
    {"loop-check",
     [](auto v, Target t) {
       t.generate.loop_check = v != "false";
       return v == "true" || v == "false";
     },
     [](const OpenOptions&, const GenerateOptions& generate) {
       return std::string(generate.loop_check ? "" : "false");
     }},
    {"think-budget", [](auto v, Target t) { return ParseNumber(v, t.generate.think_budget); },
     [](const OpenOptions&, const GenerateOptions& generate) {
       return Text(generate.think_budget);
     }},
    OfSampling<&Sampling::temperature>("temperature"),
    OfSampling<&Sampling::top_k>("top-k"),
    OfSampling<&Sampling::top_p>("top-p"),
    OfSampling<&Sampling::min_p>("min-p"),
    OfSampling<&Sampling::typical_p>("typical-p"),
    OfSampling<&Sampling::repetition_penalty>("repetition-penalty"),
    OfSampling<&Sampling::presence_penalty>("presence-penalty"),
    OfSampling<&Sampling::frequency_penalty>("frequency-penalty"),
};

void AddOpenOptions(CLI::App& app, OpenOptions& open) {
  app.add_option("--ctx", open.context_tokens,
                 "Longest conversation in tokens; default: what the model allows and memory holds")
      ->option_text(" N")
      ->check(&RefuseNegative);
  app.add_option("--threads", open.threads, "Default: the physical cores that may be used")
      ->option_text(" N")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--pin", open.pin_threads, "Keep each thread on a core of its own");
  app.add_option("--isa", open.isa, "auto, scalar, avx2, avx512vnni, amx or neon")
      ->option_text(" NAME")
      ->check(CLI::IsMember({"auto", "scalar", "avx2", "avx512vnni", "amx", "neon"}));
  app.add_option("--kv", open.kv, "Format of cached keys and values: f16, f32, bf16, q8_0 or q4_0")
      ->option_text(" TYPE")
      ->check(CLI::IsMember({"f16", "f32", "bf16", "q8_0", "q4_0"}));
}

void AddPictureOptions(CLI::App& app, ModelOptions& options) {
  const auto add = [&app](const char* name, auto& value, const char* form, const char* text) {
    return app.add_option(name, value, text)->option_text(form)->group("Pictures");
  };
  add("--image", options.images, " FILE", "Show a PNG, JPEG or WebP file; may be repeated")
      ->allow_extra_args(false);
  add("--video", options.videos, " FILE", "Show a clip, read by ffmpeg; may be repeated")
      ->allow_extra_args(false);
  add("--mmproj", options.open.mmproj, " FILE",
      "Vision file; default: inside the model's file, or a fitting one beside it");
  add("--image-tokens", options.image_tokens, " N",
      "At most so many tokens per picture; default 1024, model: as the model says");
  app.add_flag("--allow-url", options.open.allow_url,
               "Fetch pictures and clips that are given as http(s) addresses")
      ->group("Pictures");
  app.add_flag("--allow-private-url", options.open.allow_private_url,
               "Also from this machine and its local network")
      ->group("Pictures");
  add("--image-pixels", options.image_pixels, " MIN:MAX", "Least and most pixels of a picture");
  add("--video-pixels", options.video_pixels, " MIN:MAX",
      "Least and most pixels of all frames of a clip");
}

using Pixels = std::optional<std::pair<std::uint64_t, std::uint64_t>>;

Status ReadPixels(const char* option, const std::string& text, Pixels& pixels) {
  if (text.empty()) {
    return OkStatus();
  }
  const std::string_view view = text;
  const std::size_t middle = view.find(':');
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  if (middle == std::string_view::npos || !ParseNumber(view.substr(0, middle), min) ||
      !ParseNumber(view.substr(middle + 1), max) || min == 0 || min > max) {
    return {StatusCode::kInvalidArgument,
            Format("{} is '{}'; it takes MIN:MAX, two numbers above 0", option, Printable(text))};
  }
  pixels = {min, max};
  return OkStatus();
}

std::string RefuseNotFinite(const std::string& text) {
  double value = 0;
  return ParseNumber(text, value) && !std::isfinite(value)
             ? Format("'{}' is no finite number", Printable(text))
             : "";
}

void AddSamplingOptions(CLI::App& app, Sampling& s) {
  const auto add = [&app](const char* name, auto& value, const char* text) {
    return app.add_option(name, value, text)
        ->option_text(" X")
        ->group("Sampling")
        ->check(&RefuseNotFinite);
  };
  const CLI::Range share(0.0, 1.0);
  add("--temperature", s.temperature, "0: always the most likely token")->check(&RefuseNegative);
  add("--top-k", s.top_k, "Only the K most likely tokens; 0: all")->check(&RefuseNegative);
  add("--top-p", s.top_p, "Only the most likely tokens that make up this share")->check(share);
  add("--min-p", s.min_p, "Only tokens at least this likely, compared to the likeliest")
      ->check(share);
  add("--typical-p", s.typical_p, "Only the most typical tokens that make up this share")
      ->check(share);
  add("--repetition-penalty", s.repetition_penalty, "Over prompt and answer; 1: none")
      ->check(CLI::PositiveNumber);
  add("--presence-penalty", s.presence_penalty, "For tokens that the answer already has");
  add("--frequency-penalty", s.frequency_penalty, "The same, times how often it has them");
}

}  // namespace

std::string RefuseNegative(const std::string& text) {
  return text.starts_with('-') ? Format("'{}' is below 0", Printable(text)) : "";
}

void AddModelOptions(CLI::App& app, ModelOptions& options) {
  GenerateOptions& generate = options.generate;
  app.add_option("--max-tokens", generate.max_tokens,
                 "Longest answer, thinking included; default 2048, 0: until the context is full")
      ->option_text(" N")
      ->check(&RefuseNegative);
  app.add_option("--seed", generate.sampling.seed, "Same seed, same answer; default: a new one")
      ->option_text(" N")
      ->check(&RefuseNegative);
  app.add_option("--stop", generate.stop, "End the answer before this text; may be repeated")
      ->option_text(" TEXT")
      ->allow_extra_args(false);
  app.add_flag(
         "--think", options.think,
         "Think before answering, or not with --think=false; default: as the model's template says")
      ->option_text("[=true|false]")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--format", options.format,
                 "Answer in JSON: json for any object, or the file of a JSON Schema")
      ->option_text(" json|FILE");
  app.add_flag_callback(
      "--no-loop-check", [&generate] { generate.loop_check = false; },
      "Let an answer go on that only repeats itself");
  app.add_option("--think-budget", generate.think_budget,
                 "End thinking after so many tokens and answer; 0: no thinking; default: no limit")
      ->option_text(" N")
      ->check(&RefuseNegative);
  app.add_option("--tools", options.tools_path,
                 "JSON file with definitions of tools that the model may call")
      ->option_text(" FILE");
  AddOpenOptions(app, options.open);
  AddPictureOptions(app, options);
  AddSamplingOptions(app, generate.sampling);
  app.add_option("--logit-bias", options.logit_bias,
                 "Make a token likelier (or less); may be repeated")
      ->option_text(" ID=BIAS")
      ->group("Sampling")
      ->allow_extra_args(false);
}

Status FinishModelOptions(ModelOptions& options) {
  if (options.think.has_value()) {
    if (*options.think != "true" && *options.think != "false") {
      return {StatusCode::kInvalidArgument,
              Format("--think is '{}'; it takes true or false", Printable(*options.think))};
    }
    options.generate.thinking = *options.think == "true" ? Thinking::kOn : Thinking::kOff;
  }
  for (const std::string& text : options.logit_bias) {
    std::int32_t id = 0;
    float bias = 0;
    const std::size_t middle = text.find('=');
    if (middle == std::string::npos || !ParseNumber(std::string_view(text).substr(0, middle), id) ||
        !ParseNumber(std::string_view(text).substr(middle + 1), bias)) {
      return {StatusCode::kInvalidArgument,
              Format("--logit-bias is '{}'; it takes ID=BIAS, two numbers", Printable(text))};
    }
    options.generate.sampling.logit_bias.emplace_back(id, bias);
  }
  TANDEM_RETURN_IF_ERROR(
      ReadPixels("--image-pixels", options.image_pixels, options.open.image_pixels));
  TANDEM_RETURN_IF_ERROR(
      ReadPixels("--video-pixels", options.video_pixels, options.open.video_pixels));
  if (options.image_tokens != "model" &&
      (!ParseNumber(options.image_tokens, options.open.image_tokens) ||
       options.open.image_tokens == 0)) {
    return {StatusCode::kInvalidArgument,
            Format("--image-tokens is '{}'; it takes a number above 0, or model",
                   Printable(options.image_tokens))};
  }
  return OkStatus();
}

Result<std::string> ToolsIn(std::string_view json, std::string_view where) {
  Result<std::string> tools = ParseTools(json);
  if (!tools.ok()) {
    return Status(tools.status().code(), Format("{}: {}", where, tools.status().message()));
  }
  return tools;
}

Result<std::string> ReadToolsFile(const std::string& path) {
  TANDEM_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ToolsIn(text, path);
}

std::vector<std::string> SettingsOf(const OpenOptions& open, const GenerateOptions& generate) {
  std::vector<std::string> settings;
  for (const Setting& known : kSettings) {
    if (const std::string value = known.get(open, generate); !value.empty()) {
      settings.push_back(Format("{}={}", known.name, value));
    }
  }
  if (generate.thinking != Thinking::kDefault) {
    settings.emplace_back(generate.thinking == Thinking::kOn ? "think" : "nothink");
  }
  return settings;
}

std::vector<std::string> SettingNames() {
  std::vector<std::string> names;
  for (const Setting& known : kSettings) {
    names.emplace_back(known.name);
  }
  return names;
}

bool LooksLikeSetting(std::string_view setting) {
  return setting == "think" || setting == "nothink" || setting.find('=') != std::string_view::npos;
}

Status ApplySetting(std::string_view setting, OpenOptions& open, GenerateOptions& generate) {
  if (setting == "think" || setting == "nothink") {
    generate.thinking = setting == "think" ? Thinking::kOn : Thinking::kOff;
    return OkStatus();
  }
  const std::size_t middle = std::min(setting.find('='), setting.size());
  const std::string_view name = setting.substr(0, middle);
  const std::string_view value = middle < setting.size() ? setting.substr(middle + 1) : "";
  std::vector<std::string> names = {"think", "nothink"};
  for (const Setting& known : kSettings) {
    if (known.name != name) {
      names.emplace_back(known.name);
    } else if (known.set(value, {.open = open, .generate = generate})) {
      return OkStatus();
    } else {
      return {StatusCode::kInvalidArgument,
              Format("'{}' is no value of {}", Printable(value), name)};
    }
  }
  const std::string closest = ClosestName(name, names);
  return {StatusCode::kInvalidArgument,
          Format("'{}' is no setting{}", Printable(name),
                 closest.empty() ? "" : Format("; did you mean '{}'?", closest))};
}

}  // namespace tandem
