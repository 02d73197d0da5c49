#ifndef TANDEM_C_H_
#define TANDEM_C_H_

/* Tandem's C API: what tandem.h offers, for C and for languages that call C. Conventions:
 *
 * (1) Text is UTF-8 that ends with a zero byte. Sizes are bytes, lengths tokens, times seconds.
 * (2) A function that can fail returns one of the statuses below; their numbers never change.
 *     tandem_last_error() then has one line that says what, where and which numbers.
 * (3) Handles are opaque. A handle made by a function that returned TANDEM_OK is freed by the
 *     function named after it; freeing NULL does nothing. A session or comparison keeps what it
 *     needs of its model: handles may be freed in any order.
 * (4) Text and ids go to a buffer of the caller's. `needed` (may be NULL) receives the size of the
 *     whole, for text with its zero byte. When the buffer is smaller, it is left alone and the
 *     status is TANDEM_BUFFER_TOO_SMALL: ask with NULL and 0 first, or try again.
 * (5) Structs of options begin with their own size and are filled by their init function. A caller
 *     compiled with an older header leaves out the newer fields, which then have their defaults.
 * (6) What has many fields is a JSON object: conversations as `tandem run --messages` reads them,
 *     answers as `tandem run --json` writes them.
 * (7) Models may be shared by threads. A session or comparison is used by one thread at a time;
 * only its cancel function may be called from any. No exception crosses the border.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TANDEM_EXPORT __attribute__((visibility("default")))
#else
#define TANDEM_EXPORT
#endif

enum {
  TANDEM_OK = 0,
  TANDEM_INVALID_ARGUMENT = 1, /* the caller's value is wrong */
  TANDEM_NOT_FOUND = 2,
  TANDEM_CORRUPT = 3,     /* a file contradicts itself or its format */
  TANDEM_UNSUPPORTED = 4, /* well-formed, but not something we run */
  TANDEM_OUT_OF_MEMORY = 5,
  TANDEM_CANCELLED = 6,
  TANDEM_IO = 7,
  TANDEM_INTERNAL = 8,
  TANDEM_BUFFER_TOO_SMALL = 9
};

typedef struct tandem_model tandem_model;
typedef struct tandem_session tandem_session;
typedef struct tandem_comparison tandem_comparison;

/* "0.1.0". Static. */
TANDEM_EXPORT const char* tandem_version(void);
/* What the last call on this thread that failed said; "" before the first. Valid until the next
 * call on this thread. */
TANDEM_EXPORT const char* tandem_last_error(void);
/* The status's name, such as "NotFound"; "Unknown" for other numbers. Static. */
TANDEM_EXPORT const char* tandem_status_name(int32_t status);
/* The names of the built-in models: a JSON array of strings. */
TANDEM_EXPORT int32_t tandem_builtin_models(char* buffer, size_t capacity, size_t* needed);

/* ---- Models ---- */

/* How a model is opened. NULL text: the default. */
typedef struct tandem_open_options {
  size_t size;             /* of this struct */
  uint64_t context_tokens; /* 0: the model's limit, lowered to what memory allows */
  uint64_t threads;        /* 0: the physical cores that this process may use */
  const char* isa;         /* "auto", or an instruction set by name */
  const char* kv;          /* "f16", "f32", "bf16", "q8_0": cached keys and values */
  const char* mmproj;      /* vision file; default: inside or beside the model's file */
  uint64_t image_min_pixels, image_max_pixels; /* both 0: what the vision file says */
  uint64_t video_min_pixels, video_max_pixels;
  uint64_t image_tokens; /* at most so many for each picture; 0: no such limit */
  /* 1: fetch pictures and clips from http and https addresses; from addresses that are not public
   * only when the second is 1 too */
  int32_t allow_url, allow_private_url;
} tandem_open_options;

/* Fills in the defaults of the first `size` bytes; call it with sizeof(tandem_open_options). */
TANDEM_EXPORT void tandem_open_options_init(tandem_open_options* options, size_t size);

/* Opens a GGUF file, a built-in model ("qwen3.5:demo") or a model on this machine ("qwen3.5:4b");
 * nothing is downloaded. options: NULL for the defaults. *model is NULL after an error. */
TANDEM_EXPORT int32_t tandem_model_open(const char* name, const tandem_open_options* options,
                                        tandem_model** model);
TANDEM_EXPORT void tandem_model_free(tandem_model* model);
/* A JSON object: name, architecture, quantisation, parameters, file_bytes, context_tokens,
 * context_limit, kv_bytes_per_token, state_bytes, isa, threads, kv, has_thinking_switch,
 * sees_images, notes. */
TANDEM_EXPORT int32_t tandem_model_facts(const tandem_model* model, char* buffer, size_t capacity,
                                         size_t* needed);

/* The ids of a text of `text_size` bytes (zero bytes may be in it). special: 0 takes special tokens
 * as plain text, 1 as tokens. capacity and needed count ids. */
TANDEM_EXPORT int32_t tandem_model_tokenize(const tandem_model* model, const char* text,
                                            size_t text_size, int32_t special, int32_t* ids,
                                            size_t capacity, size_t* needed);
/* The text of ids, special tokens spelt out; bytes that are no UTF-8 become U+FFFD. */
TANDEM_EXPORT int32_t tandem_model_detokenize(const tandem_model* model, const int32_t* ids,
                                              size_t count, char* buffer, size_t capacity,
                                              size_t* needed);
enum {
  TANDEM_THINKING_DEFAULT = 0, /* /think and /no_think in the conversation, else the template */
  TANDEM_THINKING_ON = 1,
  TANDEM_THINKING_OFF = 2
};
/* The prompt that the model's chat template makes of a conversation, tools included. */
TANDEM_EXPORT int32_t tandem_model_render(const tandem_model* model, const char* messages_json,
                                          int32_t thinking, char* buffer, size_t capacity,
                                          size_t* needed);

/* What a model would take, read from its file's directory alone. A JSON object: context_tokens,
 * weights_bytes, cache_bytes, state_bytes, working_bytes, vision_bytes, program_bytes, total_bytes,
 * available_bytes, largest_context_tokens, context_limit, fits. */
TANDEM_EXPORT int32_t tandem_plan(const char* name, const tandem_open_options* options,
                                  char* buffer, size_t capacity, size_t* needed);

/* ---- Conversations ---- */

enum {
  TANDEM_EVENT_PREFILL = 0,   /* done of total prompt tokens are read */
  TANDEM_EVENT_REASONING = 1, /* a piece of reasoning text */
  TANDEM_EVENT_ANSWER = 2,    /* a piece of the answer */
  TANDEM_EVENT_NOTE = 3,      /* something the user should see */
  /* With tools alone: */
  TANDEM_EVENT_TOOL_CALL = 4,      /* a call begins; text is the tool's name */
  TANDEM_EVENT_TOOL_ARGUMENTS = 5, /* a piece of the JSON text of its arguments */
  TANDEM_EVENT_TOOL_CALL_END = 6   /* text is the call, as in "tool_calls" of an answer */
};

/* Valid during the call that it is handed to. */
typedef struct tandem_event {
  size_t size; /* of this struct */
  int32_t kind;
  const char* text; /* whole characters, ends with a zero byte */
  size_t text_size;
  uint64_t done, total;
  size_t column; /* of a comparison; else 0 */
} tandem_event;

/* Called on the generating thread. 0 goes on; anything else stops the answer, as cancelling does.
 */
typedef int32_t (*tandem_event_callback)(const tandem_event* event, void* user_data);

typedef struct tandem_logit_bias {
  int32_t id;
  float bias; /* -INFINITY forbids the token */
} tandem_logit_bias;

/* How an answer is made. After init every sampling value is unset: the recommended value of the
 * model and its thinking mode holds. Unset is NAN for floats and a negative number for top_k. */
typedef struct tandem_generate_options {
  size_t size;       /* of this struct */
  float temperature; /* 0: always the most likely token */
  int64_t top_k;     /* 0: all */
  float top_p;
  float min_p;
  float typical_p;
  float repetition_penalty;
  float presence_penalty;
  float frequency_penalty;
  const tandem_logit_bias* logit_bias;
  size_t logit_bias_count;
  int32_t has_seed; /* 0: a new seed each time */
  int32_t thinking;
  uint64_t seed;
  uint64_t max_tokens; /* reasoning included; 0: until the context is full */
  const char* const* stop;
  size_t stop_count;
  const char* format;    /* NULL: anything; "json", or the text of a JSON Schema */
  int32_t no_loop_check; /* 1: an answer may repeat itself without end */
  /* Definitions of tools: a JSON list, or an object with "tools". NULL: those that came with the
   * session's messages, if any did. */
  const char* tools;
  int64_t think_budget; /* tokens of thinking, then it is closed; 0: none; negative: no limit */
} tandem_generate_options;

TANDEM_EXPORT void tandem_generate_options_init(tandem_generate_options* options, size_t size);

TANDEM_EXPORT int32_t tandem_session_new(const tandem_model* model, tandem_session** session);
TANDEM_EXPORT void tandem_session_free(tandem_session* session);
/* Adds the messages of a JSON array (or object with "messages") to the conversation. Pictures and
 * clips are parts of a message's content. "tools" of an object are the session's from then on. An
 * error adds none. */
TANDEM_EXPORT int32_t tandem_session_add(tandem_session* session, const char* messages_json);
/* Takes the last message back. TANDEM_INVALID_ARGUMENT when there is none. */
TANDEM_EXPORT int32_t tandem_session_remove_last(tandem_session* session);
TANDEM_EXPORT void tandem_session_clear(tandem_session* session);
/* Answers the conversation, which must end with a message of the user or a tool, and appends the
 * answer to it; an error appends nothing. options, callback: may be NULL. */
TANDEM_EXPORT int32_t tandem_session_generate(tandem_session* session,
                                              const tandem_generate_options* options,
                                              tandem_event_callback callback, void* user_data);
/* Between an answer and the next message: reads the last answer as the next turn will find it, so
 * that the turn reads its own message alone. *tokens (may be NULL) receives how many were read. */
TANDEM_EXPORT int32_t tandem_session_read_ahead(tandem_session* session, size_t* tokens);
/* What the session holds: a JSON object with tokens, cache_bytes, state_bytes, snapshots,
 * snapshot_bytes, snapshot_budget. */
TANDEM_EXPORT int32_t tandem_session_memory(const tandem_session* session, char* buffer,
                                            size_t capacity, size_t* needed);
/* Stops the answer that is being made, from any thread; it is kept as far as it came. */
TANDEM_EXPORT void tandem_session_cancel(tandem_session* session);
/* The last answer: its text alone, or everything as JSON. TANDEM_NOT_FOUND before the first. */
TANDEM_EXPORT int32_t tandem_session_text(const tandem_session* session, char* buffer,
                                          size_t capacity, size_t* needed);
TANDEM_EXPORT int32_t tandem_session_answer(const tandem_session* session, char* buffer,
                                            size_t capacity, size_t* needed);
/* The whole conversation as a JSON array of messages. */
TANDEM_EXPORT int32_t tandem_session_messages(const tandem_session* session, char* buffer,
                                              size_t capacity, size_t* needed);

/* ---- Comparisons ---- */

/* One side. NULL options: the defaults. NULL label: the model's name. */
typedef struct tandem_column {
  size_t size; /* of this struct */
  const char* model;
  const char* label;
  const tandem_open_options* open;
  const tandem_generate_options* generate;
} tandem_column;

/* Opens the models of `count` columns. columns: an array of pointers. */
TANDEM_EXPORT int32_t tandem_comparison_open(const tandem_column* const* columns, size_t count,
                                             tandem_comparison** comparison);
TANDEM_EXPORT void tandem_comparison_free(tandem_comparison* comparison);
/* A JSON object: together (false: memory forces one model after the other), notes. */
TANDEM_EXPORT int32_t tandem_comparison_facts(const tandem_comparison* comparison, char* buffer,
                                              size_t capacity, size_t* needed);
/* Answers the conversation once per column, each from an empty conversation, the models taking
 * turns step by step. seed: of the columns that set none themselves. A column that fails has its
 * error in its result. */
TANDEM_EXPORT int32_t tandem_comparison_run(tandem_comparison* comparison,
                                            const char* messages_json, uint64_t seed,
                                            tandem_event_callback callback, void* user_data);
/* One column's last result as JSON: label and an answer's fields, or label and error.
 * TANDEM_NOT_FOUND before the first run. */
TANDEM_EXPORT int32_t tandem_comparison_result(const tandem_comparison* comparison, size_t column,
                                               char* buffer, size_t capacity, size_t* needed);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TANDEM_C_H_ */
