#include "store/builtin.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <system_error>

#include "base/format.h"

// The labels of builtin_bytes.S.
extern "C" {
extern const std::byte tandem_builtin_qwen3_5_begin[];
extern const std::byte tandem_builtin_qwen3_5_end[];
extern const std::byte tandem_builtin_phi4_mini_begin[];
extern const std::byte tandem_builtin_phi4_mini_end[];
}

namespace tandem {
namespace {

struct Builtin {
  std::string_view name;
  std::string_view source;
  const std::byte* begin;
  const std::byte* end;

  std::span<const std::byte> bytes() const {
    return {begin, static_cast<std::size_t>(end - begin)};
  }
};

constexpr Builtin kBuiltins[] = {
    {"qwen3.5:demo", "assets/demo/qwen3.5-demo.gguf", tandem_builtin_qwen3_5_begin,
     tandem_builtin_qwen3_5_end},
    {"phi4-mini:demo", "assets/demo/phi4-mini-demo.gguf", tandem_builtin_phi4_mini_begin,
     tandem_builtin_phi4_mini_end},
};

char LowerAscii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool SameName(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (LowerAscii(a[i]) != LowerAscii(b[i])) {
      return false;
    }
  }
  return true;
}

const Builtin* FindBuiltin(std::string_view name) {
  for (const Builtin& builtin : kBuiltins) {
    if (SameName(builtin.name, name)) {
      return &builtin;
    }
  }
  return nullptr;
}

bool LooksLikePath(const std::string& name) {
  std::error_code error;
  return name.find('/') != std::string::npos || name.ends_with(".gguf") ||
         std::filesystem::exists(name, error);
}

Status UnknownModel(const std::string& name) {
  std::string known;
  for (const Builtin& builtin : kBuiltins) {
    known += Format("{}{}", known.empty() ? "" : ", ", builtin.name);
  }
  return {StatusCode::kNotFound,
          Format("'{}' is neither a file nor a built-in model ({}); give the path of a .gguf file "
                 "or one of these names",
                 Printable(name), known)};
}

}  // namespace

std::vector<std::string> BuiltinModelNames() {
  std::vector<std::string> names;
  for (const Builtin& builtin : kBuiltins) {
    if (!builtin.bytes().empty()) {
      names.emplace_back(builtin.name);
    }
  }
  return names;
}

bool IsBuiltinModelName(std::string_view name) {
  return FindBuiltin(name) != nullptr;
}

Result<std::unique_ptr<gguf::ModelFile>> OpenModelFile(const std::string& name_or_path) {
  if (name_or_path.empty()) {
    return Status(StatusCode::kInvalidArgument, "the name of the model is empty");
  }
  const Builtin* builtin = FindBuiltin(name_or_path);
  if (builtin != nullptr && builtin->bytes().empty()) {
    return Status(StatusCode::kNotFound,
                  Format("the model '{}' is not part of this build: {} was missing when it was "
                         "configured",
                         builtin->name, builtin->source));
  }
  if (builtin != nullptr) {
    return gguf::ModelFile::FromBytes(builtin->bytes(), builtin->name);
  }
  if (!LooksLikePath(name_or_path)) {
    return UnknownModel(name_or_path);
  }
  return gguf::ModelFile::Open(name_or_path);
}

}  // namespace tandem
