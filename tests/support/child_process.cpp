#include "support/child_process.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace twinmq::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kOutputBytesMax = 1 << 20;

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
  std::string pattern = (std::filesystem::temp_directory_path() / "twinmq-test-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary directory");
  folder_ = pattern;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) {
    dup2(ends[1], STDOUT_FILENO);
    dup2(ends[1], STDERR_FILENO);
    if (chdir(folder_.c_str()) == 0) execvp(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  pipe_ = ends[0];
  fcntl(pipe_, F_SETFL, O_NONBLOCK);
  // A test that is busy with its clients does not read the log: the program must not wait for it.
  fcntl(pipe_, F_SETPIPE_SZ, 1 << 20);
}

ChildProcess::~ChildProcess() {
  stop();
  close(pipe_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool ChildProcess::read_some(int timeout_ms) {
  pollfd wanted{pipe_, POLLIN, 0};
  if (poll(&wanted, 1, timeout_ms) <= 0) return false;
  char block[16384];
  const ssize_t got = read(pipe_, block, sizeof block);
  if (got <= 0) return false;
  if (output_.size() > kOutputBytesMax) output_.erase(0, kOutputBytesMax / 2);
  output_.append(block, static_cast<std::size_t>(got));
  return true;
}

std::string ChildProcess::wait_for_line(std::string_view text) {
  const auto deadline = Clock::now() + std::chrono::seconds(30);
  for (;;) {
    const std::size_t found = output_.find(text);
    const std::size_t end = found == std::string::npos ? found : output_.find('\n', found);
    if (end != std::string::npos) {
      const std::size_t begin = output_.rfind('\n', found);
      return output_.substr(begin == std::string::npos ? 0 : begin + 1, end - (begin + 1));
    }
    if (!read_some(1000) && (!running() || Clock::now() > deadline)) return {};
  }
}

void ChildProcess::drain() {
  while (read_some(0)) {
  }
}

bool ChildProcess::running() {
  if (status_ >= 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return false;
}

int ChildProcess::stop() {
  if (running()) kill(pid_, SIGTERM);
  const auto deadline = Clock::now() + std::chrono::seconds(20);
  while (running()) {
    // The pipe reports a hang-up when the program ends, so this wait is short.
    read_some(20);
    if (Clock::now() > deadline) kill(pid_, SIGKILL);
  }
  drain();
  return status_;
}

}  // namespace twinmq::testing
