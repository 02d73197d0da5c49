#include "cli/interrupt.h"

#include <unistd.h>

#include <csignal>

namespace tandem {
namespace {

// A signal handler can reach nothing but global state.
std::atomic<bool> stop{false};        // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)
std::atomic<bool> terminated{false};  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

static_assert(std::atomic<bool>::is_always_lock_free);

void OnSignal(int signal) {
  if (stop.exchange(true)) {
    // The answer did not stop in time: show the cursor, in case it was hidden, and go.
    constexpr char kShowCursor[] = "\x1b[?25h";
    if (isatty(STDOUT_FILENO) != 0) {
      const ssize_t ignored = write(STDOUT_FILENO, kShowCursor, sizeof(kShowCursor) - 1);
      static_cast<void>(ignored);
    }
    std::signal(signal, SIG_DFL);
    raise(signal);
  }
  if (signal != SIGINT) {
    terminated = true;
  }
}

void Handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);  // without SA_RESTART: a waiting read() returns
}

}  // namespace

InterruptGuard::InterruptGuard() {
  stop = false;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Handle(signal, &OnSignal);
  }
}

InterruptGuard::~InterruptGuard() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Handle(signal, SIG_DFL);
  }
}

const std::atomic<bool>* InterruptGuard::flag() const {
  return &stop;
}

bool InterruptGuard::interrupted() const {
  return stop;
}

void InterruptGuard::Clear() {
  stop = terminated.load();
}

}  // namespace tandem
