#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/tandem.h"

#include "cli/model_options.h"
#include "cli/terminal.h"

namespace tandem {

/// How `tandem run` holds a conversation.
struct RunSettings {
  std::string model;
  ModelOptions options;
  std::optional<std::string> system;
  bool hide_thinking = false;  // on a terminal
  bool show_thinking = false;  // elsewhere
  bool verbose = false;
  bool json = false;  // text is not streamed
  bool quiet = false;
  std::vector<Message> beginning;  // of the first conversation, in front of the first prompt
};

/// An opened model, one conversation with it, and how its answers are shown. Single-threaded.
class RunSession {
 public:
  /// cancel: stops answers and reading ahead. Errors of Model::Open. Shows the model's notes.
  static Result<std::unique_ptr<RunSession>> Open(RunSettings settings,
                                                  const std::atomic<bool>* cancel);

  /// Answers the message of the user, shown while it is made. A message that could not be answered
  /// is taken back.
  Result<Answer> Ask(Message message);
  /// Answers the conversation as it stands.
  Result<Answer> Generate();
  /// Gives the result of the first call of the last answer that has none, and once all have one,
  /// answers; nothing is answered before. InvalidArgument when no call waits; a result that could
  /// not be answered is taken back.
  Result<std::optional<Answer>> GiveResult(std::string_view text);
  /// Begins anew, with the system text alone.
  void Clear();
  /// Opens the model again as the settings say now, and goes on with the same messages. After an
  /// error the old opening goes on.
  Status Reopen();

  RunSettings& settings() { return settings_; }
  const Model& model() const { return *model_; }
  Session& session() { return *session_; }
  const std::optional<Answer>& last() const { return last_; }
  const Terminal& out() const { return out_; }

 private:
  RunSession(RunSettings settings, const std::atomic<bool>* cancel);
  void ShowEnd(const Answer& answer) const;

  Terminal out_;
  Terminal err_;
  RunSettings settings_;
  const std::atomic<bool>* cancel_;
  std::optional<Model> model_;
  std::optional<Session> session_;
  std::optional<Answer> last_;
};

}  // namespace tandem
