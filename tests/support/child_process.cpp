#include "support/child_process.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace twinmq::testing {
namespace {

constexpr std::size_t kOutputBytesMax = 1 << 20;

/// The line around a position, if it is there whole.
std::string line_at(const std::string& text, std::size_t found) {
  const std::size_t end = text.find('\n', found);
  if (end == std::string::npos) return {};
  const std::size_t before = text.rfind('\n', found);
  const std::size_t begin = before == std::string::npos ? 0 : before + 1;
  return text.substr(begin, end - begin);
}

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
  reader_ = std::thread([this] { read_all(); });
}

ChildProcess::~ChildProcess() {
  stop();
  close(pipe_);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void ChildProcess::read_all() {
  char block[16384];
  for (;;) {
    const ssize_t got = read(pipe_, block, sizeof block);
    const std::lock_guard lock(mutex_);
    if (got > 0) {
      if (output_.size() > kOutputBytesMax) output_.erase(0, kOutputBytesMax / 2);
      output_.append(block, static_cast<std::size_t>(got));
    } else {
      ended_ = true;
    }
    changed_.notify_all();
    if (ended_) return;
  }
}

std::string ChildProcess::wait_for_line(std::string_view text) {
  std::unique_lock lock(mutex_);
  std::string line;
  changed_.wait_for(lock, std::chrono::seconds(60), [&] {
    const std::size_t found = output_.find(text);
    if (found != std::string::npos) line = line_at(output_, found);
    return !line.empty() || ended_;
  });
  return line;
}

std::string ChildProcess::output() {
  const std::lock_guard lock(mutex_);
  return output_;
}

int ChildProcess::stop() {
  if (status_ >= 0) return status_;
  kill(pid_, SIGTERM);
  {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return ended_; })) {
      kill(pid_, SIGKILL);
    }
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  reader_.join();
  return status_;
}

}  // namespace twinmq::testing
