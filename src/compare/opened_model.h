#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/eyes.h"
#include "chat/loaded_model.h"
#include "plan/memory.h"
#include "runtime/engine.h"

namespace tandem {

struct OpenSettings {
  std::size_t context_tokens = 0;  // 0: the model's limit, lowered to what memory allows
  std::size_t threads = 0;         // 0: usable physical cores
  std::string isa = "auto";
  bool pin_threads = false;
  std::string kv = "f16";
  std::string mmproj = "";                      // vision file; empty: beside the model
  std::optional<PixelRange> image_pixels = {};  // else what the vision file says
  std::optional<PixelRange> video_pixels = {};
  std::size_t image_tokens = 0;  // at most so many per picture; 0: no budget
  bool allow_url = false;        // fetch pictures and clips from addresses
  bool allow_private_url = false;
};

/// A loaded model with the engine settings that the memory planner settled on. Shared by the
/// engines made from it.
struct OpenedModel {
  std::string name;
  std::shared_ptr<const LoadedModel> loaded;
  EngineOptions engine;
  std::vector<std::string> notes;

  /// Loads `name` (a built-in name or a path). Errors of loading; InvalidArgument for a context
  /// above the model's limit or an unknown KV type; errors of OpenEyes.
  /// `pool` (may be null): vision files that models share.
  static Result<OpenedModel> Load(const std::string& name, const OpenSettings& settings,
                                  EyesPool* pool = nullptr);

  /// Settles the context within `available` bytes. OutOfMemory with the numbers when an explicit
  /// context, or even a small default one, does not fit.
  Status FitContext(std::uint64_t available);

  /// Bytes of its vision file and of looking at the largest picture; 0 for a blind model.
  std::uint64_t VisionBytes() const;
  /// What one conversation of `context_tokens` tokens takes.
  MemoryNeed Need(std::size_t context_tokens) const;
  /// The largest context that fits `available` bytes, 0 when none does.
  std::size_t LargestContext(std::uint64_t available) const;
  /// The context that must fit: the explicit one, or a small default.
  std::size_t LeastContext() const;

 private:
  MemoryRequest Request(std::size_t context_tokens) const;
};

}  // namespace tandem
