#include <atomic>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/tandem.h"
#include "tandem/tandem_c.h"
#include "tandem/version.h"

#include "api/answer_json.h"
#include "api/c_options.h"
#include "api/convert_types.h"
#include "api/guard.h"
#include "base/format.h"

struct tandem_model {
  tandem::Model model;
};

struct tandem_session {
  tandem::Session session;
  std::string model_name;
  std::atomic<bool> cancelled{false};
  std::optional<tandem::Answer> answer;
  std::string tools;  // that came with messages
};

struct tandem_comparison {
  tandem::Comparison comparison;
  std::vector<tandem::ColumnResult> results;
};

namespace tandem {
namespace {

static_assert(static_cast<int>(StatusCode::kInvalidArgument) == TANDEM_INVALID_ARGUMENT);
static_assert(static_cast<int>(StatusCode::kNotFound) == TANDEM_NOT_FOUND);
static_assert(static_cast<int>(StatusCode::kCorrupt) == TANDEM_CORRUPT);
static_assert(static_cast<int>(StatusCode::kUnsupported) == TANDEM_UNSUPPORTED);
static_assert(static_cast<int>(StatusCode::kOutOfMemory) == TANDEM_OUT_OF_MEMORY);
static_assert(static_cast<int>(StatusCode::kCancelled) == TANDEM_CANCELLED);
static_assert(static_cast<int>(StatusCode::kIo) == TANDEM_IO);
static_assert(static_cast<int>(StatusCode::kInternal) == TANDEM_INTERNAL);

std::string& LastError() {
  thread_local std::string message;
  return message;
}

std::int32_t Fail(std::int32_t status, std::string_view message) noexcept {
  try {
    LastError() = message;
  } catch (...) {
    LastError().clear();  // no memory for the message: the status has to do
  }
  return status;
}

std::int32_t Fail(const Status& status) noexcept {
  return Fail(static_cast<std::int32_t>(status.code()), status.message());
}

std::int32_t FailNull(const char* name) noexcept {
  try {
    return Fail(TANDEM_INVALID_ARGUMENT, Format("{} is NULL", name));
  } catch (...) {
    return Fail(TANDEM_INVALID_ARGUMENT, "");
  }
}

// For catch (...): the error of what is being handled.
std::int32_t FailException() noexcept {
  try {
    return Fail(StatusOfException());
  } catch (...) {
    return Fail(TANDEM_OUT_OF_MEMORY, "");  // no memory even for a message
  }
}

// Runs `body`, which returns a status number, and lets no exception out.
template <typename F>
std::int32_t Guard(F&& body) noexcept {
  try {
    return body();
  } catch (...) {
    return FailException();
  }
}

template <typename T>
std::int32_t Fill(const T* values, std::size_t count, T* buffer, std::size_t capacity,
                  std::size_t* needed) {
  if (needed != nullptr) {
    *needed = count;
  }
  if (buffer == nullptr && capacity != 0) {
    return FailNull("buffer");
  }
  if (capacity < count) {
    return Fail(TANDEM_BUFFER_TOO_SMALL,
                Format("the buffer has room for {}, {} are needed", capacity, count));
  }
  std::copy_n(values, count, buffer);
  return TANDEM_OK;
}

std::int32_t FillText(const std::string& text, char* buffer, std::size_t capacity,
                      std::size_t* needed) {
  return Fill(text.c_str(), text.size() + 1, buffer, capacity, needed);
}

std::int32_t FillJson(const Json& value, char* buffer, std::size_t capacity, std::size_t* needed) {
  return FillText(value.dump(-1, ' ', false, Json::error_handler_t::replace), buffer, capacity,
                  needed);
}

// Hands an event to the caller's function; true to go on.
bool Deliver(tandem_event_callback callback, void* user_data, std::size_t column,
             const Event& event) {
  if (callback == nullptr) {
    return true;
  }
  const std::string text =
      event.call == nullptr
          ? std::string(event.text)
          : ToolCallJson(*event.call).dump(-1, ' ', false, Json::error_handler_t::replace);
  tandem_event out{};
  out.size = sizeof out;
  out.text = text.c_str();
  out.text_size = text.size();
  out.done = event.done;
  out.total = event.total;
  out.column = column;
  switch (event.kind) {
    case Event::Kind::kPrefill:
      out.kind = TANDEM_EVENT_PREFILL;
      break;
    case Event::Kind::kReasoning:
      out.kind = TANDEM_EVENT_REASONING;
      break;
    case Event::Kind::kAnswer:
      out.kind = TANDEM_EVENT_ANSWER;
      break;
    case Event::Kind::kNote:
      out.kind = TANDEM_EVENT_NOTE;
      break;
    case Event::Kind::kToolCall:
      out.kind = TANDEM_EVENT_TOOL_CALL;
      break;
    case Event::Kind::kToolArguments:
      out.kind = TANDEM_EVENT_TOOL_ARGUMENTS;
      break;
    case Event::Kind::kToolCallEnd:
      out.kind = TANDEM_EVENT_TOOL_CALL_END;
      break;
  }
  return callback(&out, user_data) == 0;
}

}  // namespace
}  // namespace tandem

using tandem::Fail;
using tandem::FailNull;
using tandem::FillJson;
using tandem::FillText;
using tandem::Guard;

const char* tandem_version() {
  return TANDEM_VERSION;
}

const char* tandem_last_error() {
  return tandem::LastError().c_str();
}

const char* tandem_status_name(int32_t status) {
  if (status == TANDEM_BUFFER_TOO_SMALL) {
    return "BufferTooSmall";
  }
  if (status < TANDEM_OK || status > TANDEM_INTERNAL) {
    return "Unknown";
  }
  return tandem::StatusCodeName(static_cast<tandem::StatusCode>(status)).data();
}

int32_t tandem_builtin_models(char* buffer, size_t capacity, size_t* needed) {
  return Guard(
      [&] { return FillJson(tandem::Json(tandem::BuiltinModels()), buffer, capacity, needed); });
}

int32_t tandem_model_open(const char* name, const tandem_open_options* options,
                          tandem_model** model) {
  if (model == nullptr) {
    return FailNull("model");
  }
  *model = nullptr;
  if (name == nullptr) {
    return FailNull("name");
  }
  return Guard([&]() -> int32_t {
    const auto read = tandem::ReadOpenOptions(options);
    if (!read.ok()) {
      return Fail(read.status());
    }
    auto opened = tandem::Model::Open(name, *read);
    if (!opened.ok()) {
      return Fail(opened.status());
    }
    *model = new tandem_model{std::move(opened).value()};
    return TANDEM_OK;
  });
}

void tandem_model_free(tandem_model* model) {
  delete model;
}

int32_t tandem_model_facts(const tandem_model* model, char* buffer, size_t capacity,
                           size_t* needed) {
  if (model == nullptr) {
    return FailNull("model");
  }
  return Guard(
      [&] { return FillJson(tandem::FactsJson(model->model.facts()), buffer, capacity, needed); });
}

int32_t tandem_model_tokenize(const tandem_model* model, const char* text, size_t text_size,
                              int32_t special, int32_t* ids, size_t capacity, size_t* needed) {
  if (model == nullptr) {
    return FailNull("model");
  }
  if (text == nullptr && text_size > 0) {
    return FailNull("text");
  }
  return Guard([&]() -> int32_t {
    const auto made = model->model.Tokenize(
        text == nullptr ? std::string_view() : std::string_view(text, text_size), special != 0);
    return made.ok() ? tandem::Fill(made->data(), made->size(), ids, capacity, needed)
                     : Fail(made.status());
  });
}

int32_t tandem_model_detokenize(const tandem_model* model, const int32_t* ids, size_t count,
                                char* buffer, size_t capacity, size_t* needed) {
  if (model == nullptr) {
    return FailNull("model");
  }
  if (ids == nullptr && count > 0) {
    return FailNull("ids");
  }
  return Guard([&]() -> int32_t {
    const auto text = model->model.Detokenize({ids, count});
    return text.ok() ? FillText(*text, buffer, capacity, needed) : Fail(text.status());
  });
}

int32_t tandem_model_render(const tandem_model* model, const char* messages_json, int32_t thinking,
                            char* buffer, size_t capacity, size_t* needed) {
  if (model == nullptr) {
    return FailNull("model");
  }
  if (messages_json == nullptr) {
    return FailNull("messages_json");
  }
  return Guard([&]() -> int32_t {
    const auto mode = tandem::ReadThinking(thinking);
    if (!mode.ok()) {
      return Fail(mode.status());
    }
    const auto text = model->model.Render(messages_json, *mode);
    return text.ok() ? FillText(*text, buffer, capacity, needed) : Fail(text.status());
  });
}

int32_t tandem_plan(const char* name, const tandem_open_options* options, char* buffer,
                    size_t capacity, size_t* needed) {
  if (name == nullptr) {
    return FailNull("name");
  }
  return Guard([&]() -> int32_t {
    const auto read = tandem::ReadOpenOptions(options);
    if (!read.ok()) {
      return Fail(read.status());
    }
    const auto plan = tandem::PlanModel(name, *read);
    return plan.ok() ? FillJson(tandem::PlanJson(*plan), buffer, capacity, needed)
                     : Fail(plan.status());
  });
}

int32_t tandem_session_new(const tandem_model* model, tandem_session** session) {
  if (session == nullptr) {
    return FailNull("session");
  }
  *session = nullptr;
  if (model == nullptr) {
    return FailNull("model");
  }
  return Guard([&]() -> int32_t {
    *session = new tandem_session{.session = tandem::Session(model->model),
                                  .model_name = model->model.facts().name,
                                  .answer = {},
                                  .tools = {}};
    return TANDEM_OK;
  });
}

void tandem_session_free(tandem_session* session) {
  delete session;
}

int32_t tandem_session_add(tandem_session* session, const char* messages_json) {
  if (session == nullptr) {
    return FailNull("session");
  }
  if (messages_json == nullptr) {
    return FailNull("messages_json");
  }
  return Guard([&]() -> int32_t {
    auto parsed = tandem::ParseMessagesAndTools(messages_json);
    if (!parsed.ok()) {
      return Fail(parsed.status());
    }
    if (parsed->tools.has_value()) {
      session->tools = std::move(*parsed->tools);
    }
    for (tandem::Message& message : parsed->messages) {
      session->session.Add(std::move(message));
    }
    return TANDEM_OK;
  });
}

int32_t tandem_session_remove_last(tandem_session* session) {
  if (session == nullptr) {
    return FailNull("session");
  }
  return Guard([&]() -> int32_t {
    if (session->session.messages().empty()) {
      return Fail(TANDEM_INVALID_ARGUMENT, "the conversation has no messages");
    }
    session->session.RemoveLast();
    return TANDEM_OK;
  });
}

void tandem_session_clear(tandem_session* session) {
  if (session != nullptr) {
    (void)Guard([&]() -> int32_t {
      session->session.Clear();
      session->answer.reset();
      session->tools.clear();
      return TANDEM_OK;
    });
  }
}

int32_t tandem_session_generate(tandem_session* session, const tandem_generate_options* options,
                                tandem_event_callback callback, void* user_data) {
  if (session == nullptr) {
    return FailNull("session");
  }
  return Guard([&]() -> int32_t {
    auto read = tandem::ReadGenerateOptions(options);
    if (!read.ok()) {
      return Fail(read.status());
    }
    session->cancelled = false;
    read->cancel = &session->cancelled;
    if (read->tools.empty()) {
      read->tools = session->tools;
    }
    auto answer = session->session.Generate(*read, [&](const tandem::Event& event) {
      return tandem::Deliver(callback, user_data, 0, event);
    });
    if (!answer.ok()) {
      return Fail(answer.status());
    }
    session->answer = std::move(answer).value();
    return TANDEM_OK;
  });
}

int32_t tandem_session_read_ahead(tandem_session* session, size_t* tokens) {
  if (session == nullptr) {
    return FailNull("session");
  }
  return Guard([&]() -> int32_t {
    session->cancelled = false;
    const auto read = session->session.ReadAhead(&session->cancelled);
    if (!read.ok()) {
      return Fail(read.status());
    }
    if (tokens != nullptr) {
      *tokens = *read;
    }
    return TANDEM_OK;
  });
}

int32_t tandem_session_memory(const tandem_session* session, char* buffer, size_t capacity,
                              size_t* needed) {
  if (session == nullptr) {
    return FailNull("session");
  }
  return Guard([&] {
    return FillJson(tandem::SessionMemoryJson(session->session.memory()), buffer, capacity, needed);
  });
}

void tandem_session_cancel(tandem_session* session) {
  if (session != nullptr) {
    session->cancelled = true;
  }
}

int32_t tandem_session_text(const tandem_session* session, char* buffer, size_t capacity,
                            size_t* needed) {
  if (session == nullptr) {
    return FailNull("session");
  }
  return Guard([&]() -> int32_t {
    return session->answer.has_value()
               ? FillText(session->answer->text, buffer, capacity, needed)
               : Fail(TANDEM_NOT_FOUND, "the session has made no answer yet");
  });
}

int32_t tandem_session_answer(const tandem_session* session, char* buffer, size_t capacity,
                              size_t* needed) {
  if (session == nullptr) {
    return FailNull("session");
  }
  return Guard([&]() -> int32_t {
    return session->answer.has_value()
               ? FillJson(tandem::AnswerJson(session->model_name, *session->answer), buffer,
                          capacity, needed)
               : Fail(TANDEM_NOT_FOUND, "the session has made no answer yet");
  });
}

int32_t tandem_session_messages(const tandem_session* session, char* buffer, size_t capacity,
                                size_t* needed) {
  if (session == nullptr) {
    return FailNull("session");
  }
  return Guard([&] {
    tandem::Json messages = tandem::Json::array();
    for (const tandem::Message& message : session->session.messages()) {
      messages.push_back(tandem::MessageJson(message));
    }
    return FillJson(messages, buffer, capacity, needed);
  });
}

int32_t tandem_comparison_open(const tandem_column* const* columns, size_t count,
                               tandem_comparison** comparison) {
  if (comparison == nullptr) {
    return FailNull("comparison");
  }
  *comparison = nullptr;
  if (columns == nullptr || count == 0) {
    return Fail(TANDEM_INVALID_ARGUMENT, "a comparison needs at least one column");
  }
  return Guard([&]() -> int32_t {
    std::vector<tandem::CompareColumn> read;
    for (size_t i = 0; i < count; ++i) {
      auto column = tandem::ReadColumn(columns[i]);
      if (!column.ok()) {
        return Fail(static_cast<int32_t>(column.status().code()),
                    tandem::Format("column {}: {}", i, column.status().message()));
      }
      read.push_back(std::move(column).value());
    }
    auto opened = tandem::Comparison::Open(std::move(read));
    if (!opened.ok()) {
      return Fail(opened.status());
    }
    *comparison = new tandem_comparison{.comparison = std::move(opened).value(), .results = {}};
    return TANDEM_OK;
  });
}

void tandem_comparison_free(tandem_comparison* comparison) {
  delete comparison;
}

int32_t tandem_comparison_facts(const tandem_comparison* comparison, char* buffer, size_t capacity,
                                size_t* needed) {
  if (comparison == nullptr) {
    return FailNull("comparison");
  }
  return Guard([&] {
    return FillJson({{"together", comparison->comparison.together()},
                     {"notes", comparison->comparison.notes()}},
                    buffer, capacity, needed);
  });
}

int32_t tandem_comparison_run(tandem_comparison* comparison, const char* messages_json,
                              uint64_t seed, tandem_event_callback callback, void* user_data) {
  if (comparison == nullptr) {
    return FailNull("comparison");
  }
  if (messages_json == nullptr) {
    return FailNull("messages_json");
  }
  return Guard([&]() -> int32_t {
    const auto parsed = tandem::ParseMessagesAndTools(messages_json);
    if (!parsed.ok()) {
      return Fail(parsed.status());
    }
    if (!parsed->tools.value_or("").empty()) {
      return Fail(TANDEM_UNSUPPORTED,
                  "messages: \"tools\" of a comparison stand in its columns' options");
    }
    comparison->results = comparison->comparison.Run(
        parsed->messages, seed, [&](std::size_t column, const tandem::Event& event) {
          return tandem::Deliver(callback, user_data, column, event);
        });
    return TANDEM_OK;
  });
}

int32_t tandem_comparison_result(const tandem_comparison* comparison, size_t column, char* buffer,
                                 size_t capacity, size_t* needed) {
  if (comparison == nullptr) {
    return FailNull("comparison");
  }
  return Guard([&]() -> int32_t {
    if (comparison->results.empty()) {
      return Fail(TANDEM_NOT_FOUND, "the comparison has not run yet");
    }
    if (column >= comparison->results.size()) {
      return Fail(TANDEM_INVALID_ARGUMENT,
                  tandem::Format("column {} of {}", column, comparison->results.size()));
    }
    return FillJson(tandem::ColumnJson(comparison->comparison.columns()[column].label,
                                       comparison->results[column]),
                    buffer, capacity, needed);
  });
}
