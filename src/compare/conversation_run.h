#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "chat/chat_session.h"
#include "compare/opened_model.h"

namespace tandem {

/// One column of a comparison: which model, opened how, asked how.
struct ColumnSpec {
  std::string model;
  OpenSettings open;
  TurnOptions turn;
};

/// A column's answer, or why there is none; the instruction set its engine chose, and the memory
/// engine and model held at the end.
struct ColumnOutcome {
  Status error;
  TurnResult turn;
  std::string isa;  // empty when there was no engine
  std::uint64_t memory_bytes = 0;
};

using ColumnCallback = std::function<bool(std::size_t column, const TurnEvent& event)>;

/// Several models on the same conversations: they take turns step by step and never compute at
/// once. Columns of the same model and opening share its weights, each has an engine of its own.
/// When memory does not hold all of them, they are opened and run one after the other.
/// Single-threaded.
class ConversationRun {
 public:
  /// Loads every model once and plans their contexts within `available` bytes. An error names the
  /// model.
  static Result<std::unique_ptr<ConversationRun>> Open(std::vector<ColumnSpec> columns,
                                                       std::uint64_t available = AvailableMemory());

  std::size_t size() const { return columns_.size(); }
  const OpenedModel& opened(std::size_t column) const { return opened_[column]; }
  bool together() const { return together_; }
  const std::vector<std::string>& notes() const { return notes_; }

  /// Answers one conversation with each column, from an empty state.
  std::vector<ColumnOutcome> Run(const Conversation& conversation, std::uint64_t seed,
                                 const ColumnCallback& on_event);
  /// Answers a conversation of its own with each column, as many as columns; a column without one
  /// takes no turn, and its outcome is empty. What the models have read is kept for the next call
  /// as far as memory holds all of them together.
  std::vector<ColumnOutcome> Continue(const std::vector<std::optional<Conversation>>& conversations,
                                      std::uint64_t seed, const ColumnCallback& on_event);
  /// TurnOptions::format and tools of all columns, from the next turn on.
  void SetFormat(const std::string& format);
  void SetTools(const std::string& tools);
  /// Forgets what Continue kept.
  void Forget() { running_.clear(); }

 private:
  /// A column at work.
  struct Running {
    std::unique_ptr<Engine> engine;
    std::unique_ptr<ChatSession> session;  // refers to the engine, so it goes first
    bool active = false;
  };

  ConversationRun() = default;
  Status LoadModels();
  Status PlanMemoryUse(std::uint64_t available);
  Status StartColumn(std::size_t column, const Conversation& conversation, std::uint64_t seed,
                     const ColumnCallback& on_event, Running& running);
  void StepColumn(std::size_t column, Running& running, ColumnOutcome& outcome);
  std::vector<ColumnOutcome> RunColumns(const std::vector<const Conversation*>& conversations,
                                        std::uint64_t seed, const ColumnCallback& on_event);

  std::vector<ColumnSpec> columns_;
  std::vector<OpenedModel> opened_;
  std::vector<Running> running_;  // one per column while something is kept
  bool together_ = true;
  std::vector<std::string> notes_;
};

}  // namespace tandem
