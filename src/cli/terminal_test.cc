#include "cli/terminal.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace tandem {
namespace {

void Nothing(int /*signal*/) {}

TEST(WriteNow, LosesNothingToSignalsWhileTheReaderIsSlow) {
  struct sigaction action {};
  action.sa_handler = &Nothing;  // without SA_RESTART, as Ctrl-C has it
  struct sigaction before {};
  ASSERT_EQ(sigaction(SIGUSR1, &action, &before), 0);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::fflush(stderr);
  const int kept = dup(STDERR_FILENO);
  ASSERT_EQ(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
  close(ends[1]);

  std::string text;
  for (int i = 0; i < 40'000; ++i) {
    text += std::to_string(i) + " ";
  }
  std::thread writer([&] {
    WriteNow(text, STDERR_FILENO);
    dup2(kept, STDERR_FILENO);  // the reader meets the end, whatever was written
  });
  std::string got;
  std::string piece(1000, ' ');
  while (got.size() < text.size()) {
    pthread_kill(writer.native_handle(), SIGUSR1);
    const ssize_t n = read(ends[0], piece.data(), piece.size());
    if (n <= 0) {
      break;
    }
    got.append(piece, 0, static_cast<std::size_t>(n));
  }
  writer.join();

  const bool failed = std::ferror(stderr) != 0;
  std::clearerr(stderr);
  close(kept);
  close(ends[0]);
  sigaction(SIGUSR1, &before, nullptr);
  EXPECT_FALSE(failed);
  EXPECT_EQ(got.size(), text.size());
  EXPECT_TRUE(got == text);
}

}  // namespace
}  // namespace tandem
