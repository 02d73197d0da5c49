/* The C API as a C program sees it: C11, no C++ headers, every function, every kind of error.
 * Prints what differs; exit code 1 when anything does. */
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tandem/tandem_c.h"

static int failures = 0;

#define EXPECT(condition)                                                                          \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      printf("%s:%d: %s (last error: %s)\n", __FILE__, __LINE__, #condition, tandem_last_error()); \
      ++failures;                                                                                  \
    }                                                                                              \
  } while (0)
#define EXPECT_ERROR(call, expected, words)             \
  do {                                                  \
    const int32_t status_ = (call);                     \
    EXPECT(status_ == (expected));                      \
    EXPECT(strstr(tandem_last_error(), words) != NULL); \
  } while (0)

static const char* const kHello = "[{\"role\":\"user\",\"content\":\"What is 3 + 4? /no_think\"}]";

static tandem_generate_options greedy(uint64_t max_tokens) {
  tandem_generate_options options;
  tandem_generate_options_init(&options, sizeof options);
  options.temperature = 0;
  options.max_tokens = max_tokens;
  return options;
}

static tandem_model* open_model(const char* name) {
  tandem_open_options options;
  tandem_model* model = NULL;
  tandem_open_options_init(&options, sizeof options);
  options.context_tokens = 1024;
  EXPECT(tandem_model_open(name, &options, &model) == TANDEM_OK);
  return model;
}

static void test_constants(void) {
  EXPECT(strcmp(tandem_status_name(TANDEM_NOT_FOUND), "NotFound") == 0);
  EXPECT(strcmp(tandem_status_name(TANDEM_BUFFER_TOO_SMALL), "BufferTooSmall") == 0);
  EXPECT(strcmp(tandem_status_name(77), "Unknown") == 0);
  EXPECT(strlen(tandem_version()) >= 5);
  EXPECT(tandem_last_error()[0] == '\0');
}

static void test_buffers(void) {
  char text[256];
  size_t needed = 0;
  EXPECT_ERROR(tandem_builtin_models(NULL, 0, &needed), TANDEM_BUFFER_TOO_SMALL, "needed");
  EXPECT(needed > 10 && needed < sizeof text);
  memset(text, 'x', sizeof text);
  EXPECT(tandem_builtin_models(text, needed - 1, NULL) == TANDEM_BUFFER_TOO_SMALL);
  EXPECT(text[0] == 'x'); /* left alone */
  EXPECT(tandem_builtin_models(text, needed, &needed) == TANDEM_OK);
  EXPECT(strlen(text) + 1 == needed);
  EXPECT(strstr(text, "\"qwen3.5:demo\"") != NULL);
  EXPECT_ERROR(tandem_builtin_models(NULL, 5, NULL), TANDEM_INVALID_ARGUMENT, "buffer is NULL");
}

static void test_options(void) {
  struct {
    tandem_open_options known;
    uint64_t newer;
  } larger;
  struct {
    size_t size;
    uint64_t context_tokens;
  } older = {sizeof older, 512};
  tandem_open_options options;
  tandem_model* model = (tandem_model*)&options;
  char text[2048];

  EXPECT_ERROR(tandem_model_open("no-such-model", NULL, &model), TANDEM_NOT_FOUND, "no-such-model");
  EXPECT(model == NULL);
  EXPECT_ERROR(tandem_model_open(NULL, NULL, &model), TANDEM_INVALID_ARGUMENT, "name is NULL");
  EXPECT_ERROR(tandem_model_open("qwen3.5:demo", NULL, NULL), TANDEM_INVALID_ARGUMENT,
               "model is NULL");

  memset(&options, 0, sizeof options); /* init was forgotten */
  EXPECT_ERROR(tandem_model_open("qwen3.5:demo", &options, &model), TANDEM_INVALID_ARGUMENT,
               "tandem_open_options_init");
  tandem_open_options_init(&options, sizeof options);
  options.kv = "f12";
  EXPECT_ERROR(tandem_model_open("qwen3.5:demo", &options, &model), TANDEM_INVALID_ARGUMENT, "f12");
  tandem_open_options_init(&options, sizeof options);
  options.context_tokens = 1 << 30;
  EXPECT_ERROR(tandem_model_open("qwen3.5:demo", &options, &model), TANDEM_INVALID_ARGUMENT,
               "1073741824");
  tandem_open_options_init(&options, sizeof options);
  options.image_min_pixels = 100;
  EXPECT_ERROR(tandem_model_open("qwen3.5:demo", &options, &model), TANDEM_INVALID_ARGUMENT,
               "image_max_pixels");

  /* A caller made for a newer library, and one made for an older. */
  tandem_open_options_init(&larger.known, sizeof larger);
  EXPECT(larger.known.size == sizeof larger && larger.newer == 0);
  EXPECT(tandem_model_open("phi4-mini:demo", &larger.known, &model) == TANDEM_OK);
  tandem_model_free(model);
  larger.newer = 1;
  EXPECT_ERROR(tandem_model_open("phi4-mini:demo", &larger.known, &model), TANDEM_INVALID_ARGUMENT,
               "is set");
  EXPECT(tandem_model_open("phi4-mini:demo", (const tandem_open_options*)&older, &model) ==
         TANDEM_OK);
  EXPECT(tandem_model_facts(model, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "\"context_tokens\":512,") != NULL);
  EXPECT(strstr(text, "\"architecture\":\"phi3\"") != NULL);
  tandem_model_free(model);
}

/* What a caller compiled with an older header hands over: a struct that ends at some field. */
static void test_older_options(const tandem_model* model) {
  static const size_t ends[] = {sizeof(size_t), offsetof(tandem_generate_options, stop),
                                offsetof(tandem_generate_options, tools),
                                offsetof(tandem_generate_options, think_budget),
                                sizeof(tandem_generate_options)};
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; ++i) {
    union {
      tandem_generate_options options;
      unsigned char bytes[sizeof(tandem_generate_options)];
    } given;
    tandem_session* session = NULL;
    size_t j;
    memset(&given, 0xAB, sizeof given);
    tandem_generate_options_init(&given.options, ends[i]);
    for (j = ends[i]; j < sizeof given && given.bytes[j] == 0xAB; ++j) {
    }
    EXPECT(j == sizeof given); /* init leaves what the caller does not have alone */
    EXPECT(tandem_session_new(model, &session) == TANDEM_OK);
    EXPECT(tandem_session_add(session, kHello) == TANDEM_OK);
    EXPECT(tandem_session_generate(session, &given.options, NULL, NULL) == TANDEM_OK);
    tandem_session_free(session);
  }
  {
    tandem_open_options open;
    tandem_open_options_init(&open, sizeof open);
    EXPECT(open.allow_url == 0 && open.allow_private_url == 0);
    tandem_open_options_init(&open, offsetof(tandem_open_options, allow_url));
    open.allow_url = 1; /* not looked at: it lies behind the end */
    EXPECT(tandem_plan("qwen3.5:demo", &open, NULL, 0, NULL) == TANDEM_BUFFER_TOO_SMALL);
    open.size = 3;
    EXPECT_ERROR(tandem_plan("qwen3.5:demo", &open, NULL, 0, NULL), TANDEM_INVALID_ARGUMENT,
                 "size is 3");
    open.size = 5000;
    EXPECT_ERROR(tandem_plan("qwen3.5:demo", &open, NULL, 0, NULL), TANDEM_INVALID_ARGUMENT,
                 "size is 5000");
  }
}

/* Definitions come with the options or with messages; calls and results are messages. */
static void test_tools(const tandem_model* model) {
  static const char* const tools = "[{\"name\":\"get_weather\"}]";
  static const char* const talk =
      "{\"messages\":[{\"role\":\"user\",\"content\":\"Weather? /no_think\"},"
      "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"call_1\","
      "\"function\":{\"name\":\"get_weather\",\"arguments\":\"{}\"}}]},"
      "{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":\"3 C\"}],"
      "\"tools\":[{\"name\":\"get_weather\"}]}";
  tandem_session* session = NULL;
  tandem_generate_options options = greedy(8);
  char with[4096];
  char without[4096];
  EXPECT(tandem_session_new(model, &session) == TANDEM_OK);
  EXPECT(tandem_session_add(session, talk) == TANDEM_OK);
  EXPECT(tandem_session_messages(session, with, sizeof with, NULL) == TANDEM_OK);
  EXPECT(strstr(with, "\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\"") != NULL);
  EXPECT(strstr(with, "\"tool_call_id\":\"call_1\"") != NULL);
  EXPECT(tandem_session_generate(session, &options, NULL, NULL) == TANDEM_OK);
  EXPECT(tandem_session_answer(session, with, sizeof with, NULL) == TANDEM_OK);
  EXPECT(strstr(with, "\"tool_calls\":[]") != NULL);
  tandem_session_clear(session);
  EXPECT(tandem_session_add(session, kHello) == TANDEM_OK);
  EXPECT(tandem_session_generate(session, &options, NULL, NULL) == TANDEM_OK);
  EXPECT(tandem_session_answer(session, without, sizeof without, NULL) == TANDEM_OK);
  EXPECT(tandem_session_remove_last(session) == TANDEM_OK);
  options.tools = tools;
  EXPECT(tandem_session_generate(session, &options, NULL, NULL) == TANDEM_OK);
  EXPECT(tandem_session_answer(session, with, sizeof with, NULL) == TANDEM_OK);
  EXPECT(strcmp(strstr(with, "\"prompt_tokens\":"), strstr(without, "\"prompt_tokens\":")) != 0);
  EXPECT(tandem_session_remove_last(session) == TANDEM_OK);
  options.tools = "[1]";
  EXPECT_ERROR(tandem_session_generate(session, &options, NULL, NULL), TANDEM_INVALID_ARGUMENT,
               "tool 0");
  EXPECT_ERROR(tandem_session_add(session, "{\"messages\":[],\"tools\":[{}]}"),
               TANDEM_INVALID_ARGUMENT, "name");
  /* A budget ends thinking. */
  options = greedy(100);
  options.thinking = TANDEM_THINKING_ON;
  options.think_budget = 2;
  EXPECT(tandem_session_generate(session, &options, NULL, NULL) == TANDEM_OK);
  EXPECT(tandem_session_answer(session, with, sizeof with, NULL) == TANDEM_OK);
  EXPECT(strstr(with, "\"thinking_cut\":true") != NULL);
  tandem_session_free(session);
}

static void test_text(const tandem_model* model) {
  int32_t ids[64];
  char text[1024];
  size_t count = 0;
  size_t needed = 0;
  const int32_t wrong[] = {-1};
  EXPECT(tandem_model_tokenize(model, "3 + 4\0 5", 8, 0, NULL, 0, &count) ==
         TANDEM_BUFFER_TOO_SMALL);
  EXPECT(count > 3 && count < 64);
  EXPECT(tandem_model_tokenize(model, "3 + 4\0 5", 8, 0, ids, 64, &count) == TANDEM_OK);
  EXPECT(tandem_model_detokenize(model, ids, count, text, sizeof text, &needed) == TANDEM_OK);
  EXPECT(needed == 9 && memcmp(text, "3 + 4\0 5", 9) == 0);
  EXPECT(tandem_model_tokenize(model, NULL, 0, 0, NULL, 0, &count) == TANDEM_OK && count == 0);
  EXPECT(tandem_model_tokenize(model, "<|im_end|>", 10, 1, ids, 64, &count) == TANDEM_OK);
  EXPECT(count == 1);
  EXPECT(tandem_model_tokenize(model, "<|im_end|>", 10, 0, ids, 64, &count) == TANDEM_OK);
  EXPECT(count > 1);
  EXPECT_ERROR(tandem_model_tokenize(model, "a\xff", 2, 0, ids, 64, &count),
               TANDEM_INVALID_ARGUMENT, "byte 1");
  EXPECT_ERROR(tandem_model_detokenize(model, wrong, 1, text, sizeof text, NULL),
               TANDEM_INVALID_ARGUMENT, "-1");

  EXPECT(tandem_model_render(model, kHello, TANDEM_THINKING_DEFAULT, text, sizeof text, NULL) ==
         TANDEM_OK);
  EXPECT(strstr(text, "What is 3 + 4?") != NULL && strstr(text, "/no_think") == NULL);
  EXPECT_ERROR(tandem_model_render(model, kHello, 3, text, sizeof text, NULL),
               TANDEM_INVALID_ARGUMENT, "thinking is 3");
  EXPECT_ERROR(tandem_model_render(model, "[{\"content\":\"x\"}]", 0, text, sizeof text, NULL),
               TANDEM_INVALID_ARGUMENT, "role");
  EXPECT_ERROR(tandem_model_render(model, "[{", 0, text, sizeof text, NULL), TANDEM_CORRUPT,
               "messages");
}

static void test_plan(void) {
  tandem_open_options options;
  char text[1024];
  EXPECT(tandem_plan("qwen3.5:demo", NULL, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "\"fits\":true") != NULL);
  tandem_open_options_init(&options, sizeof options);
  options.context_tokens = 512;
  EXPECT(tandem_plan("qwen3.5:demo", &options, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "\"context_tokens\":512,") != NULL);
  EXPECT_ERROR(tandem_plan("nothing-here", NULL, text, sizeof text, NULL), TANDEM_NOT_FOUND,
               "nothing-here");
}

struct seen {
  size_t answer_pieces, prefill_events, stop_after;
  char answer[512];
  tandem_session* cancel;
};

static int32_t collect(const tandem_event* event, void* user_data) {
  struct seen* seen = user_data;
  EXPECT(event->size == sizeof *event);
  EXPECT(strlen(event->text) == event->text_size);
  seen->prefill_events += event->kind == TANDEM_EVENT_PREFILL;
  if (event->kind == TANDEM_EVENT_ANSWER) {
    ++seen->answer_pieces;
    strncat(seen->answer, event->text, sizeof seen->answer - strlen(seen->answer) - 1);
    if (seen->cancel != NULL) {
      tandem_session_cancel(seen->cancel);
    }
  }
  return seen->stop_after != 0 && seen->answer_pieces >= seen->stop_after;
}

static void test_format(const tandem_model* model) {
  tandem_session* session = NULL;
  tandem_generate_options options = greedy(200);
  char text[4096];
  EXPECT(tandem_session_new(model, &session) == TANDEM_OK);
  EXPECT(tandem_session_add(session, kHello) == TANDEM_OK);
  options.format = "{\"items\":{\"multipleOf\":2}}";
  EXPECT_ERROR(tandem_session_generate(session, &options, NULL, NULL), TANDEM_UNSUPPORTED,
               "format: #/items: 'multipleOf' is not supported");
  options.format = "{\"type\":\"array\",\"items\":{\"enum\":[17,23]},\"minItems\":2}";
  EXPECT(tandem_session_generate(session, &options, NULL, NULL) == TANDEM_OK);
  EXPECT(tandem_session_text(session, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(text[0] == '[');
  EXPECT(strstr(text, "17") != NULL || strstr(text, "23") != NULL);
  tandem_session_free(session);
}

static void test_session(const tandem_model* model) {
  tandem_session* session = NULL;
  tandem_generate_options options = greedy(64);
  const tandem_logit_bias forbidden = {0, -INFINITY};
  const char* const stop[] = {"7"};
  struct seen seen = {0};
  size_t read = 0;
  char text[4096];
  EXPECT_ERROR(tandem_session_new(NULL, &session), TANDEM_INVALID_ARGUMENT, "model is NULL");
  EXPECT(tandem_session_new(model, &session) == TANDEM_OK);
  EXPECT_ERROR(tandem_session_text(session, text, sizeof text, NULL), TANDEM_NOT_FOUND,
               "no answer");
  EXPECT_ERROR(tandem_session_remove_last(session), TANDEM_INVALID_ARGUMENT, "no messages");
  EXPECT(tandem_session_generate(session, &options, NULL, NULL) == TANDEM_INVALID_ARGUMENT);
  EXPECT_ERROR(tandem_session_add(session, "{}"), TANDEM_INVALID_ARGUMENT, "messages");
  EXPECT(tandem_session_add(session, kHello) == TANDEM_OK);
  EXPECT(tandem_session_generate(session, &options, collect, &seen) == TANDEM_OK);
  EXPECT(seen.answer_pieces > 0 && seen.prefill_events > 0);
  EXPECT(tandem_session_text(session, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strcmp(text, seen.answer) == 0);
  EXPECT(strstr(text, "7") != NULL);
  EXPECT(tandem_session_answer(session, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "\"model\":\"qwen3.5:demo\"") != NULL);
  EXPECT(strstr(text, "\"thinking\":false") != NULL);
  EXPECT(strstr(text, "\"finish\":\"stop\"") != NULL);
  EXPECT(tandem_session_read_ahead(session, &read) == TANDEM_OK && read > 0);
  EXPECT(tandem_session_read_ahead(session, &read) == TANDEM_OK && read == 0);
  EXPECT(tandem_session_memory(session, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "\"snapshots\":2") != NULL);
  EXPECT(tandem_session_messages(session, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "{\"role\":\"assistant\",\"content\":") != NULL);

  /* The callback, cancel and a stop string end an answer; a bad option makes none. */
  tandem_session_clear(session);
  EXPECT(tandem_session_text(session, text, sizeof text, NULL) == TANDEM_NOT_FOUND);
  memset(&seen, 0, sizeof seen);
  seen.stop_after = 1;
  EXPECT(tandem_session_add(session, kHello) == TANDEM_OK);
  EXPECT(tandem_session_generate(session, &options, collect, &seen) == TANDEM_OK);
  EXPECT(tandem_session_answer(session, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "\"finish\":\"cancelled\"") != NULL);
  EXPECT(tandem_session_remove_last(session) == TANDEM_OK);
  memset(&seen, 0, sizeof seen);
  seen.cancel = session;
  EXPECT(tandem_session_generate(session, &options, collect, &seen) == TANDEM_OK);
  EXPECT(tandem_session_answer(session, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "\"finish\":\"cancelled\"") != NULL);
  EXPECT(tandem_session_remove_last(session) == TANDEM_OK);
  options.stop = stop;
  options.stop_count = 1;
  options.logit_bias = &forbidden;
  options.logit_bias_count = 1;
  EXPECT(tandem_session_generate(session, &options, NULL, NULL) == TANDEM_OK);
  EXPECT(tandem_session_text(session, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strchr(text, '7') == NULL);
  EXPECT(tandem_session_remove_last(session) == TANDEM_OK);
  options.stop = NULL;
  EXPECT_ERROR(tandem_session_generate(session, &options, NULL, NULL), TANDEM_INVALID_ARGUMENT,
               "without its array");
  options = greedy(64);
  options.top_p = 2;
  EXPECT_ERROR(tandem_session_generate(session, &options, NULL, NULL), TANDEM_INVALID_ARGUMENT,
               "top_p");
  tandem_session_free(session);
  tandem_session_free(NULL);
}

static void test_comparison(void) {
  tandem_generate_options options = greedy(48);
  tandem_column qwen = {sizeof qwen, "qwen3.5:demo", "left", NULL, &options};
  tandem_column phi = {sizeof phi, "phi4-mini:demo", NULL, NULL, &options};
  const tandem_column* columns[] = {&qwen, &phi};
  tandem_comparison* comparison = NULL;
  struct seen seen = {0};
  char text[4096];
  EXPECT_ERROR(tandem_comparison_open(columns, 0, &comparison), TANDEM_INVALID_ARGUMENT, "column");
  options.max_tokens = 48;
  phi.model = "no-such-model";
  EXPECT(tandem_comparison_open(columns, 2, &comparison) == TANDEM_NOT_FOUND);
  phi.model = NULL;
  EXPECT_ERROR(tandem_comparison_open(columns, 2, &comparison), TANDEM_INVALID_ARGUMENT,
               "column 1");
  phi.model = "phi4-mini:demo";
  EXPECT(tandem_comparison_open(columns, 2, &comparison) == TANDEM_OK);
  EXPECT(tandem_comparison_facts(comparison, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strcmp(text, "{\"together\":true,\"notes\":[]}") == 0);
  EXPECT(tandem_comparison_result(comparison, 0, text, sizeof text, NULL) == TANDEM_NOT_FOUND);
  EXPECT(tandem_comparison_run(comparison, kHello, 1, collect, &seen) == TANDEM_OK);
  EXPECT(seen.answer_pieces > 1);
  EXPECT(tandem_comparison_result(comparison, 0, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "\"label\":\"left\"") != NULL && strstr(text, "7") != NULL);
  EXPECT(tandem_comparison_result(comparison, 1, text, sizeof text, NULL) == TANDEM_OK);
  EXPECT(strstr(text, "\"label\":\"phi4-mini:demo\"") != NULL);
  EXPECT_ERROR(tandem_comparison_run(comparison, "{\"messages\":[],\"tools\":[{\"name\":\"f\"}]}",
                                     1, NULL, NULL),
               TANDEM_UNSUPPORTED, "options");
  EXPECT_ERROR(tandem_comparison_result(comparison, 2, text, sizeof text, NULL),
               TANDEM_INVALID_ARGUMENT, "column 2 of 2");
  tandem_comparison_free(comparison);
}

/* Two sessions of one model on two threads; errors are the thread's own. */
static void* converse(void* argument) {
  tandem_session* session = NULL;
  tandem_generate_options options = greedy(48);
  char* answer = calloc(1, 512);
  if (tandem_session_new(argument, &session) != TANDEM_OK ||
      tandem_session_add(session, kHello) != TANDEM_OK ||
      tandem_session_generate(session, &options, NULL, NULL) != TANDEM_OK ||
      tandem_session_text(session, answer, 512, NULL) != TANDEM_OK ||
      tandem_last_error()[0] != '\0') {
    strcpy(answer, "failed");
  }
  tandem_session_free(session);
  return answer;
}

static void test_threads(tandem_model* model) {
  pthread_t threads[2];
  void* answers[2];
  for (int i = 0; i < 2; ++i) {
    EXPECT(pthread_create(&threads[i], NULL, converse, model) == 0);
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT(pthread_join(threads[i], &answers[i]) == 0);
  }
  EXPECT(strcmp(answers[0], "failed") != 0);
  EXPECT(strcmp(answers[0], answers[1]) == 0);
  free(answers[0]);
  free(answers[1]);
}

/* Bytes that the allocator has given out. */
static size_t bytes_in_use(void) {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static long open_files(void) {
  long count = 0;
  for (int i = 0; i < 256; ++i) {
    char name[64];
    char target[8];
    snprintf(name, sizeof name, "/proc/self/fd/%d", i);
    count += readlink(name, target, sizeof target) > 0;
  }
  return count;
}

/* Opening and closing leaves nothing behind: no memory, files or threads. */
static void test_reopening(int rounds) {
  size_t bytes = 0;
  long files = 0;
  for (int i = 0; i < rounds; ++i) {
    tandem_model* model = open_model(i % 2 == 0 ? "qwen3.5:demo" : "phi4-mini:demo");
    tandem_session* session = NULL;
    tandem_generate_options options = greedy(2);
    EXPECT(tandem_session_new(model, &session) == TANDEM_OK);
    tandem_model_free(model); /* the session keeps what it needs */
    EXPECT(tandem_session_add(session, kHello) == TANDEM_OK);
    EXPECT(tandem_session_generate(session, &options, NULL, NULL) == TANDEM_OK);
    tandem_session_free(session);
    if (i == rounds / 5) {
      bytes = bytes_in_use();
      files = open_files();
    }
  }
#if !defined(TANDEM_SANITIZED) /* whose allocator counts in its own way, and finds leaks itself */
  EXPECT(bytes_in_use() < bytes + 1024 * (size_t)rounds);
#else
  (void)bytes;
#endif
  EXPECT(open_files() == files);
}

/* A file that somebody cuts under the program is an error of every function that would read it. */
static void test_cut_file(const char* source) {
  char path[64];
  char text[64];
  int32_t id = 0;
  size_t needed = 0;
  size_t bytes = 0;
  char block[4096];
  tandem_generate_options options = greedy(2);
  tandem_open_options open;
  const tandem_column column = {sizeof column, path, "", &open, NULL};
  const tandem_column* columns[2] = {&column, &column};
  tandem_comparison* comparison = NULL;
  tandem_session* session = NULL;
  tandem_session* fresh = NULL;
  tandem_model* model;
  FILE* from = fopen(source, "rb");
  FILE* to;
  snprintf(path, sizeof path, "/tmp/tandem-c-%ld.gguf", (long)getpid());
  to = fopen(path, "wb");
  EXPECT(from != NULL && to != NULL);
  if (from == NULL || to == NULL) {
    return;
  }
  while ((bytes = fread(block, 1, sizeof block, from)) > 0) {
    EXPECT(fwrite(block, 1, bytes, to) == bytes);
  }
  fclose(from);
  EXPECT(fclose(to) == 0);
  model = open_model(path);
  EXPECT(tandem_session_new(model, &session) == TANDEM_OK);
  EXPECT(tandem_session_new(model, &fresh) == TANDEM_OK);
  EXPECT(tandem_session_add(session, kHello) == TANDEM_OK);
  EXPECT(tandem_session_generate(session, &options, NULL, NULL) == TANDEM_OK);
  tandem_open_options_init(&open, sizeof open);
  open.context_tokens = 128;
  EXPECT(tandem_comparison_open(columns, 2, &comparison) == TANDEM_OK);

  EXPECT(truncate(path, 4096) == 0);
  EXPECT_ERROR(tandem_session_read_ahead(session, NULL), TANDEM_IO, "while it was in use");
  EXPECT(tandem_session_add(session, kHello) == TANDEM_OK);
  EXPECT_ERROR(tandem_session_generate(session, &options, NULL, NULL), TANDEM_IO, path);
  EXPECT(tandem_session_add(fresh, kHello) == TANDEM_OK);
  EXPECT_ERROR(tandem_session_generate(fresh, &options, NULL, NULL), TANDEM_IO, path);
  EXPECT_ERROR(tandem_model_tokenize(model, "a", 1, 0, &id, 1, &needed), TANDEM_IO, path);
  EXPECT_ERROR(tandem_model_detokenize(model, &id, 1, text, sizeof text, &needed), TANDEM_IO, path);
  EXPECT_ERROR(tandem_model_render(model, kHello, 0, text, sizeof text, &needed), TANDEM_IO, path);
  EXPECT(tandem_comparison_run(comparison, kHello, 1, NULL, NULL) == TANDEM_OK);
  {
    char* result = malloc(1 << 16);
    EXPECT(tandem_comparison_result(comparison, 0, result, 1 << 16, NULL) == TANDEM_OK);
    EXPECT(strstr(result, "while it was in use") != NULL);
    free(result);
  }
  /* What is kept outside the file is still there. */
  EXPECT(tandem_session_text(session, text, sizeof text, &needed) == TANDEM_OK);
  tandem_comparison_free(comparison);
  tandem_session_free(fresh);
  tandem_session_free(session);
  tandem_model_free(model);
  EXPECT(remove(path) == 0);
}

int main(int count, char** arguments) {
  tandem_model* qwen;
  test_constants();
  test_buffers();
  test_options();
  test_plan();
  qwen = open_model("qwen3.5:demo");
  if (qwen != NULL) {
    test_text(qwen);
    test_session(qwen);
    test_format(qwen);
    test_older_options(qwen);
    test_tools(qwen);
    test_threads(qwen);
    tandem_model_free(qwen);
  }
  test_comparison();
  if (count > 1) {
    test_cut_file(arguments[1]);
  }
  test_reopening(100);
  printf("%s\n", failures == 0 ? "the C API holds" : "the C API does not hold");
  return failures == 0 ? 0 : 1;
}
