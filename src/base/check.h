#pragma once

namespace tandem {

/// Prints the failed condition with its place and aborts. Called by the macros below only.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const char* why);

}  // namespace tandem

/// For our own bugs, always on; never for input (that is a Status). `why` is a C string.
#define TANDEM_CHECK(condition, why)                                \
  do {                                                              \
    if (!(condition)) [[unlikely]] {                                \
      ::tandem::CheckFailed(__FILE__, __LINE__, #condition, (why)); \
    }                                                               \
  } while (false)

/// TANDEM_CHECK for inner loops: only in builds with TANDEM_DCHECK_ENABLED.
#ifdef TANDEM_DCHECK_ENABLED
#define TANDEM_DCHECK(condition, why) TANDEM_CHECK(condition, why)
#else
#define TANDEM_DCHECK(condition, why) \
  do {                                \
  } while (false)
#endif
