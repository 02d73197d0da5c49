#include "io/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/format.h"

namespace tandem {
namespace {

constexpr int kPollMs = 100;
constexpr std::size_t kMostComplaints = 16384;

/// Both ends of a pipe that programs started later do not inherit.
struct Pipe {
  Descriptor read;
  Descriptor write;

  static Result<Pipe> Make() {
    int ends[2] = {-1, -1};
    if (pipe2(ends, O_CLOEXEC) != 0) {
      return SystemError("make", "a pipe", errno);
    }
    return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
  }
};

/// What posix_spawn does between the two programs; freed at the end.
struct SpawnPlan {
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

void Limit(pid_t pid, __rlimit_resource resource, rlim_t value) {
  const rlimit limit{value, value};
  prlimit(pid, resource, &limit, nullptr);
}

// What a decoder of hostile files may use.
void LimitResources(pid_t pid, std::uint64_t address_bytes) {
  Limit(pid, RLIMIT_CORE, 0);
  Limit(pid, RLIMIT_FSIZE, 0);  // of files; pipes have no size
  Limit(pid, RLIMIT_AS, rlim_t{address_bytes});
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Result<ChildProcess> ChildProcess::Start(const std::vector<std::string>& arguments,
                                         std::uint64_t address_bytes) {
  TANDEM_ASSIGN_OR_RETURN(Pipe output, Pipe::Make());
  TANDEM_ASSIGN_OR_RETURN(Pipe errors, Pipe::Make());
  SpawnPlan plan;
  posix_spawn_file_actions_addopen(&plan.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&plan.actions, output.write.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&plan.actions, errors.write.get(), STDERR_FILENO);
  // A group of its own: Ctrl-C is for us, and we pass it on by ending the child.
  posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&plan.attributes, &none);
  const char* path = std::getenv("PATH");
  std::vector<std::string> environment = {
      Format("PATH={}", path != nullptr ? path : "/usr/bin:/bin"), "LC_ALL=C",
      "AV_LOG_FORCE_NOCOLOR=1"};
  std::vector<std::string> words = arguments;
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, words[0].c_str(), &plan.actions, &plan.attributes,
                                 Pointers(words).data(), Pointers(environment).data());
  if (error != 0) {
    return SystemError("start", words[0], error);
  }
  LimitResources(pid, address_bytes);
  ChildProcess child;
  child.pid_ = pid;
  child.output_ = std::move(output.read);
  child.errors_ = std::move(errors.read);
  fcntl(child.errors_.get(), F_SETFL, O_NONBLOCK);
  return child;
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)),
      complaints_(std::move(other.complaints_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
}

void ChildProcess::TakeComplaints() {
  std::array<char, 4096> buffer;
  ssize_t n = 0;
  while ((n = read(errors_.get(), buffer.data(), buffer.size())) > 0) {
    complaints_.append(buffer.data(), static_cast<std::size_t>(n));
    if (complaints_.size() > kMostComplaints) {
      complaints_.erase(0, complaints_.size() - kMostComplaints / 2);
    }
  }
}

Result<std::size_t> ChildProcess::Read(std::span<std::byte> out, const std::atomic<bool>* cancel) {
  std::size_t done = 0;
  while (done < out.size()) {
    if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) {
      return Status(StatusCode::kCancelled, "cancelled while reading what another program says");
    }
    std::array<pollfd, 2> ready = {{{output_.get(), POLLIN, 0}, {errors_.get(), POLLIN, 0}}};
    if (poll(ready.data(), ready.size(), kPollMs) < 0 && errno != EINTR) {
      return SystemError("read", "the output of another program", errno);
    }
    // A program that complains without end must not block on it.
    TakeComplaints();
    if ((ready[0].revents & (POLLIN | POLLHUP)) == 0) {
      continue;
    }
    const ssize_t n = read(output_.get(), out.data() + done, out.size() - done);
    if (n == 0) {
      break;
    }
    if (n < 0 && errno != EINTR) {
      return SystemError("read", "the output of another program", errno);
    }
    done += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  return done;
}

bool ChildProcess::Succeeded() {
  if (pid_ <= 0) {
    return false;
  }
  output_ = Descriptor();  // what still writes ends
  int status = -1;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  TakeComplaints();
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string ChildProcess::Complaint() const {
  const std::size_t last = complaints_.find_last_not_of(" \r\n");
  if (last == std::string::npos) {
    return "";
  }
  const std::size_t before = complaints_.find_last_of('\n', last);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  return complaints_.substr(begin, last + 1 - begin);
}

}  // namespace tandem
