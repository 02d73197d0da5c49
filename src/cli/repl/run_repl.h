#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/interrupt.h"
#include "cli/repl/repl.h"
#include "cli/run_session.h"

namespace tandem {

/// The conversation of `tandem run` at a terminal, with its commands. Single-threaded.
class RunRepl {
 public:
  RunRepl(RunSession& run, InterruptGuard& interrupt);

  /// Until the person leaves.
  void Run() { repl_.Run(); }

 private:
  std::vector<ReplCommand> Commands();
  void Ask(const std::string& message);
  void Set(std::string_view rest);
  void SetParameter(std::string_view rest);
  void SetFormat(std::string_view rest);
  void SetSystem(std::string_view rest);
  void SetTools(std::string_view path);
  void SetThinkBudget(std::string_view rest);
  void GiveResult(std::string_view rest);
  void Show(std::string_view rest) const;
  void Load(std::string_view rest);
  void LoadChat(const std::string& path);
  void LoadModel(const std::string& name);
  void Save(std::string_view rest) const;
  void Regenerate(std::string_view rest);
  void Edit(std::string_view rest);
  /// The position of the N-th message of the user, the last one when `number` is empty; says what
  /// is wrong when there is none.
  std::optional<std::size_t> FindQuestion(std::string_view number) const;
  /// Takes messages back until `count` are left.
  void CutTo(std::size_t count);

  RunSession& run_;
  std::vector<std::string> images_;  // of the first message
  std::vector<std::string> videos_;
  Repl repl_;
};

}  // namespace tandem
