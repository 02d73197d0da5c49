#include "compare/opened_model.h"

#include <algorithm>
#include <atomic>

#include "base/format.h"
#include "base/thread_pool.h"
#include "store/builtin.h"
#include "store/media_fetch.h"

namespace tandem {
namespace {

// A default context below this is not worth opening a model for.
constexpr std::size_t kLeastDefaultContext = 2048;

std::string Bytes(std::uint64_t bytes) {
  return FormatBytes(static_cast<double>(bytes));
}

MediaFetcher FetcherFor(const OpenSettings& settings) {
  if (!settings.allow_url) {
    return nullptr;
  }
  return [allow_private = settings.allow_private_url](const std::string& url, bool video,
                                                      const std::atomic<bool>* cancel) {
    FetchLimits limits = video ? kClipFetch : kPictureFetch;
    limits.allow_private = allow_private;
    return FetchMedia(url, limits, cancel);
  };
}

}  // namespace

Result<OpenedModel> OpenedModel::Load(const std::string& name, const OpenSettings& settings,
                                      EyesPool* pool) {
  OpenedModel opened;
  opened.name = name;
  TANDEM_ASSIGN_OR_RETURN(opened.engine.kv, ParseKvType(settings.kv));
  TANDEM_ASSIGN_OR_RETURN(const ModelPlace place, FindModelPlace(name));
  TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<gguf::ModelFile> file, OpenModelFile(name, place));
  TANDEM_ASSIGN_OR_RETURN(std::unique_ptr<LoadedModel> loaded, LoadedModel::Load(std::move(file)));
  opened.engine.cpu.isa = settings.isa;
  opened.engine.cpu.pin = settings.pin_threads;
  opened.engine.cpu.threads = settings.threads == 0 ? UsablePhysicalCores() : settings.threads;
  TANDEM_RETURN_IF_ERROR(OpenEyes({.model = place.model,
                                   .mmproj = settings.mmproj,
                                   .projector = place.projector,
                                   .encoder = {.image_pixels = settings.image_pixels,
                                               .video_pixels = settings.video_pixels,
                                               .image_tokens = settings.image_tokens,
                                               .threads = opened.engine.cpu.threads,
                                               .isa = settings.isa,
                                               .fetch = FetcherFor(settings)},
                                   .pool = pool},
                                  *loaded));
  opened.loaded = std::move(loaded);
  const std::size_t limit = opened.loaded->network().info().context_length;
  if (settings.context_tokens > limit) {
    return Status(StatusCode::kInvalidArgument,
                  Format("{}: a context of {} tokens is more than the model's limit of {}", name,
                         settings.context_tokens, limit));
  }
  opened.engine.context_tokens = settings.context_tokens;
  return opened;
}

std::uint64_t OpenedModel::VisionBytes() const {
  const VisionEncoder* eyes = loaded->eyes();
  return eyes == nullptr ? 0 : eyes->file_bytes() + eyes->working_bytes();
}

MemoryRequest OpenedModel::Request(std::size_t context_tokens) const {
  return {.file_bytes = loaded->file().file_bytes(),
          .vision_bytes = VisionBytes(),
          .context_tokens = context_tokens,
          .kv = engine.kv,
          .step_rows = engine.max_step_rows,
          .threads = engine.cpu.threads};
}

MemoryNeed OpenedModel::Need(std::size_t context_tokens) const {
  return PlanMemory(loaded->network().info(), Request(context_tokens));
}

std::size_t OpenedModel::LargestContext(std::uint64_t available) const {
  return tandem::LargestContext(loaded->network().info(), Request(0), available);
}

std::size_t OpenedModel::LeastContext() const {
  return engine.context_tokens != 0
             ? engine.context_tokens
             : std::min(kLeastDefaultContext, loaded->network().info().context_length);
}

Status OpenedModel::FitContext(std::uint64_t available) {
  const ModelInfo& info = loaded->network().info();
  const MemoryNeed least = Need(LeastContext());
  if (least.total() > available) {
    return {
        StatusCode::kOutOfMemory,
        Format("{}: a context of {} tokens needs {} (weights {}, cache {}, state {}, working "
               "memory {}, program {}{}), but {} are available; 'tandem fit' shows what fits",
               name, LeastContext(), Bytes(least.total()), Bytes(least.weights), Bytes(least.cache),
               Bytes(least.state), Bytes(least.working), Bytes(least.program),
               least.vision == 0 ? "" : Format(", vision {}", Bytes(least.vision)),
               Bytes(available))};
  }
  if (engine.context_tokens != 0) {
    return OkStatus();
  }
  engine.context_tokens = LargestContext(available);
  if (engine.context_tokens < info.context_length) {
    notes.push_back(Format(
        "{}: context lowered from {} to {} tokens to fit the {} of memory that are available", name,
        info.context_length, engine.context_tokens, Bytes(available)));
  }
  return OkStatus();
}

}  // namespace tandem
