#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/loaded_model.h"
#include "plan/memory.h"
#include "runtime/engine.h"

namespace tandem {

struct OpenSettings {
  std::size_t context_tokens = 0;  // 0: the model's limit, lowered to what memory allows
  std::size_t threads = 0;         // 0: usable physical cores
  std::string isa = "auto";
  std::string kv = "f16";
};

/// A loaded model with the engine settings that the memory planner settled on. Shared by the
/// engines made from it.
struct OpenedModel {
  std::string name;
  std::shared_ptr<const LoadedModel> loaded;
  EngineOptions engine;
  std::vector<std::string> notes;

  /// Loads `name` (a built-in name or a path). Errors of loading; InvalidArgument for a context
  /// above the model's limit or an unknown KV type.
  static Result<OpenedModel> Load(const std::string& name, const OpenSettings& settings);

  /// Settles the context within `available` bytes. OutOfMemory with the numbers when an explicit
  /// context, or even a small default one, does not fit.
  Status FitContext(std::uint64_t available);

  /// What one conversation of `context_tokens` tokens takes.
  MemoryNeed Need(std::size_t context_tokens) const;
  /// The context that must fit: the explicit one, or a small default.
  std::size_t LeastContext() const;
};

}  // namespace tandem
