#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace tandem {

void CheckFailed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "tandem: internal error at %s:%d: %s is false: %s\n", file, line, condition,
               why);
  std::abort();
}

}  // namespace tandem
