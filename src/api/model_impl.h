#pragma once

#include <memory>
#include <mutex>

#include "tandem/tandem.h"

#include "compare/opened_model.h"

namespace tandem {

/// What a Model handle shares: the loaded file and one engine, stepped by whichever session's
/// thread holds the lock.
struct Model::Impl {
  OpenedModel opened;
  ModelFacts facts;
  std::unique_ptr<Engine> engine;
  std::uint64_t snapshot_budget = 0;  // bytes, of each session
  std::mutex step_mutex;              // guards the engine and every session's part of a step
};

}  // namespace tandem
