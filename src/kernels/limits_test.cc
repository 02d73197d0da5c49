#include <cstddef>

#include "kernels/kernel_test.h"

#if defined(__x86_64__)
#include "kernels/count_instructions.h"
#endif

namespace tandem::cpu {
namespace {

#if defined(__x86_64__)

struct Products {
  const char* isa;
  std::size_t operations;          // of one product of vectors
  std::size_t least_instructions;  // that it and its sum take
};

// What the compiler finds superfluous is not done: the products must be as many as are counted.
TEST(Int8Limit, DoesEveryProductThatItCounts) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer keeps signals back";
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
  GTEST_SKIP() << "ThreadSanitizer keeps signals back";
#endif
#endif
  if (InstructionsOf([] {}) == 0) {
    GTEST_SKIP() << "the trap flag does nothing here";
  }
  // maddubs, madd and addition; dpbusd alone.
  for (const Products& p : {Products{"avx2", 64, 3}, Products{"avx512vnni", 128, 1}}) {
    const Result<KernelTable> table = SelectKernels(p.isa);
    if (!table.ok()) {
      continue;
    }
    std::size_t operations = 0;
    const std::size_t instructions =
        InstructionsOf([&] { operations = table->int8_dot_rounds(50); });
    EXPECT_GE(instructions, operations / p.operations * p.least_instructions) << p.isa;
    EXPECT_GT(operations, 0U);
  }
}

#endif

}  // namespace
}  // namespace tandem::cpu
