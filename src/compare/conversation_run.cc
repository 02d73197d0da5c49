#include "compare/conversation_run.h"

#include <algorithm>

#include "base/check.h"
#include "base/format.h"

namespace tandem {
namespace {

bool SameOpening(const ColumnSpec& a, const ColumnSpec& b) {
  return a.model == b.model;
}

}  // namespace

Result<std::unique_ptr<ConversationRun>> ConversationRun::Open(std::vector<ColumnSpec> columns,
                                                               std::uint64_t available) {
  std::unique_ptr<ConversationRun> run(new ConversationRun());
  run->columns_ = std::move(columns);
  TANDEM_RETURN_IF_ERROR(run->LoadModels());
  TANDEM_RETURN_IF_ERROR(run->PlanMemoryUse(available));
  return run;
}

Status ConversationRun::LoadModels() {
  EyesPool pool;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    TANDEM_ASSIGN_OR_RETURN(OpenedModel opened,
                            OpenedModel::Load(columns_[i].model, columns_[i].open, &pool));
    for (std::size_t j = 0; j < i; ++j) {
      if (SameOpening(columns_[i], columns_[j])) {
        opened.loaded = opened_[j].loaded;
      }
    }
    opened_.push_back(std::move(opened));
  }
  return OkStatus();
}

// Together when every column's least context fits beside the others; what is left over is shared
// out evenly for longer contexts. Weights that columns share count once.
Status ConversationRun::PlanMemoryUse(std::uint64_t available) {
  std::vector<std::uint64_t> least;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < opened_.size(); ++i) {
    MemoryNeed need = opened_[i].Need(opened_[i].LeastContext());
    for (std::size_t j = 0; j < i; ++j) {
      if (opened_[j].loaded == opened_[i].loaded) {
        need.weights = 0;
      }
    }
    least.push_back(opened_[i].Need(opened_[i].LeastContext()).total());
    sum += need.total();
  }
  together_ = sum <= available;
  if (!together_) {
    notes_.push_back(
        Format("The models need {} together and {} are available: they run one after the other.",
               FormatBytes(static_cast<double>(sum)), FormatBytes(static_cast<double>(available))));
  }
  for (std::size_t i = 0; i < opened_.size(); ++i) {
    const std::uint64_t budget =
        together_ ? least[i] + (available - sum) / opened_.size() : available;
    TANDEM_RETURN_IF_ERROR(opened_[i].FitContext(budget));
    for (const std::string& note : opened_[i].notes) {
      if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) {
        notes_.push_back(note);
      }
    }
  }
  return OkStatus();
}

Status ConversationRun::StartColumn(std::size_t column, const Conversation& conversation,
                                    std::uint64_t seed, const ColumnCallback& on_event,
                                    Running& running) {
  const OpenedModel& opened = opened_[column];
  if (running.engine == nullptr) {
    TANDEM_ASSIGN_OR_RETURN(running.engine,
                            Engine::Create(opened.loaded->network(), opened.engine));
    running.session = std::make_unique<ChatSession>(*opened.loaded, *running.engine);
  }
  TurnOptions turn = columns_[column].turn;
  turn.seed = seed;
  TANDEM_RETURN_IF_ERROR(running.session->Start(
      conversation, turn,
      [&on_event, column](const TurnEvent& event) { return on_event(column, event); }));
  running.active = true;
  return OkStatus();
}

void ConversationRun::StepColumn(std::size_t column, Running& running, ColumnOutcome& outcome) {
  running.engine->Step();
  if (!running.session->Advance()) {
    return;
  }
  running.active = false;
  Result<TurnResult> turn = running.session->Finish();
  if (turn.ok()) {
    outcome.turn = std::move(turn).value();
  } else {
    outcome.error = turn.status();
  }
  const ModelInfo& info = opened_[column].loaded->network().info();
  outcome.memory_bytes = opened_[column].loaded->file().file_bytes() +
                         running.engine->memory_bytes() + 2 * sizeof(float) * info.recurrent_floats;
}

std::vector<ColumnOutcome> ConversationRun::Run(const Conversation& conversation,
                                                std::uint64_t seed,
                                                const ColumnCallback& on_event) {
  Forget();
  std::vector<ColumnOutcome> outcomes =
      RunColumns(std::vector<const Conversation*>(columns_.size(), &conversation), seed, on_event);
  Forget();
  return outcomes;
}

std::vector<ColumnOutcome> ConversationRun::Continue(
    const std::vector<std::optional<Conversation>>& conversations, std::uint64_t seed,
    const ColumnCallback& on_event) {
  TANDEM_CHECK(conversations.size() == columns_.size(), "one conversation per column");
  std::vector<const Conversation*> pointers;
  for (const std::optional<Conversation>& conversation : conversations) {
    pointers.push_back(conversation.has_value() ? &*conversation : nullptr);
  }
  return RunColumns(pointers, seed, on_event);
}

void ConversationRun::SetFormat(const std::string& format) {
  for (ColumnSpec& column : columns_) {
    column.turn.format = format;
  }
}

void ConversationRun::SetTools(const std::string& tools) {
  for (ColumnSpec& column : columns_) {
    column.turn.tools = tools;
  }
}

std::vector<ColumnOutcome> ConversationRun::RunColumns(
    const std::vector<const Conversation*>& conversations, std::uint64_t seed,
    const ColumnCallback& on_event) {
  std::vector<ColumnOutcome> outcomes(columns_.size());
  running_.resize(columns_.size());
  const auto start = [&](std::size_t i) {
    if (conversations[i] == nullptr) {
      return;
    }
    outcomes[i].error = StartColumn(i, *conversations[i], seed, on_event, running_[i]);
    if (running_[i].engine != nullptr) {
      outcomes[i].isa = running_[i].engine->ops().isa();
    }
  };
  if (!together_) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      start(i);
      while (running_[i].active) {
        StepColumn(i, running_[i], outcomes[i]);
      }
      // Frees its memory for the next one; the session refers to the engine and goes first.
      running_[i].session.reset();
      running_[i].engine.reset();
    }
    return outcomes;
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    start(i);
  }
  const auto any = [&] {
    return std::any_of(running_.begin(), running_.end(), [](const Running& r) { return r.active; });
  };
  while (any()) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (running_[i].active) {
        StepColumn(i, running_[i], outcomes[i]);
      }
    }
  }
  return outcomes;
}

}  // namespace tandem
