/* The same question to both built-in models, in C.
 *   compare [QUESTION]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tandem/tandem_c.h"

/* A message as JSON; returns NULL without memory. */
static char* message_json(const char* text) {
  char* json = malloc(6 * strlen(text) + 64);
  char* end = json;
  if (json == NULL) {
    return NULL;
  }
  end += sprintf(end, "[{\"role\":\"user\",\"content\":\"");
  for (; *text != '\0'; ++text) {
    if (*text == '"' || *text == '\\' || (unsigned char)*text < 0x20) {
      end += sprintf(end, "\\u%04x", (unsigned)(unsigned char)*text);
    } else {
      *end++ = *text;
    }
  }
  strcpy(end, "\"}]");
  return json;
}

static int32_t show_progress(const tandem_event* event, void* user_data) {
  size_t* pieces = user_data;
  *pieces += event->kind == TANDEM_EVENT_ANSWER;
  return 0; /* go on */
}

int main(int argc, char** argv) {
  tandem_generate_options greedy;
  tandem_generate_options_init(&greedy, sizeof greedy);
  greedy.temperature = 0;
  tandem_column qwen = {sizeof qwen, "qwen3.5:demo", NULL, NULL, &greedy};
  tandem_column phi = {sizeof phi, "phi4-mini:demo", NULL, NULL, &greedy};
  const tandem_column* columns[] = {&qwen, &phi};
  size_t pieces = 0;

  tandem_comparison* comparison = NULL;
  char* messages = message_json(argc > 1 ? argv[1] : "What is 27 + 45?");
  int32_t status = tandem_comparison_open(columns, 2, &comparison);
  if (status == TANDEM_OK) {
    status = tandem_comparison_run(comparison, messages, 1, show_progress, &pieces);
  }
  for (size_t i = 0; status == TANDEM_OK && i < 2; ++i) {
    size_t needed = 0;
    char* result;
    tandem_comparison_result(comparison, i, NULL, 0, &needed);
    result = malloc(needed);
    status = tandem_comparison_result(comparison, i, result, needed, NULL);
    printf("%s\n", result);
    free(result);
  }
  if (status != TANDEM_OK) {
    fprintf(stderr, "Error: %s: %s\n", tandem_status_name(status), tandem_last_error());
  } else {
    fprintf(stderr, "%zu pieces of answers\n", pieces);
  }
  tandem_comparison_free(comparison);
  free(messages);
  return status == TANDEM_OK ? 0 : 1;
}
