#include "app/log_writer.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

#include "base/start_thread.hpp"

namespace twinmq::app {

namespace {
constexpr int kLookUpMilliseconds = 100;
}  // namespace

LogWriter::LogWriter(net::Descriptor target, std::function<std::string(std::uint64_t)> left_out)
    : left_out_(std::move(left_out)), target_(std::move(target)) {
  if (auto thread = base::start_thread([this] { run(); })) {
    thread_ = std::move(*thread);
  } else {
    started_ = thread.error();
  }
}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    give_up_at_ = std::chrono::steady_clock::now() + kPatience;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LogWriter::write(std::string_view line) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + line.size() > kWaitingMax) {
      ++lines_left_out_;
      return;
    }
    if (lines_left_out_ > 0)
      waiting_.append(left_out_(std::exchange(lines_left_out_, 0))).push_back('\n');
    waiting_.append(line).push_back('\n');
  }
  changed_.notify_one();
}

void LogWriter::set_target(net::Descriptor target) {
  flush();
  const std::lock_guard lock(mutex_);
  next_target_ = std::move(target);
}

void LogWriter::flush() {
  std::unique_lock lock(mutex_);
  idle_.wait_for(lock, kPatience, [this] { return waiting_.empty() && !writing_; });
}

void LogWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    if (next_target_) target_ = std::exchange(next_target_, {});
    const std::string text = std::exchange(waiting_, {});
    writing_ = true;
    lock.unlock();
    put(target_.get(), text);
    lock.lock();
    writing_ = false;
    if (waiting_.empty()) idle_.notify_all();
  }
}

void LogWriter::put(int target, std::string_view text) {
  while (!text.empty()) {
    pollfd ready{target, POLLOUT, 0};
    if (::poll(&ready, 1, kLookUpMilliseconds) <= 0) {
      const std::lock_guard lock(mutex_);
      if (stopping_ && std::chrono::steady_clock::now() >= give_up_at_) return;
      continue;
    }
    // So much a pipe takes without waiting when it is ready at all.
    const ssize_t taken =
        ::write(target, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
    // A full disk under the log is no reason to stop serving; the next line tries again.
    if (taken < 0 && errno != EINTR && errno != EAGAIN) return;
    if (taken > 0) text.remove_prefix(static_cast<std::size_t>(taken));
  }
}

}  // namespace twinmq::app
