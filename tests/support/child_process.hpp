#pragma once
// A program that a test starts, whose output it reads and which it stops.

#include <sys/types.h>

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace twinmq::testing {

/// Runs in a new empty directory of its own. A thread reads output and error output, so that the
/// program never waits for us.
class ChildProcess {
 public:
  explicit ChildProcess(const std::vector<std::string>& arguments);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Waits until a line contains the text, and returns the line; empty: the program ended, or 60 s
  /// passed.
  std::string wait_for_line(std::string_view text);
  /// Everything read so far (of much: the last part).
  std::string output();
  /// Sends SIGTERM and waits; answers the exit status (128 + signal when it did not exit by
  /// itself).
  int stop();

 private:
  void read_all();

  pid_t pid_ = -1;
  int pipe_ = -1;
  int status_ = -1;
  std::string folder_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_;
  bool ended_ = false;  ///< nobody can write any more: the program is gone
  std::thread reader_;
};

}  // namespace twinmq::testing
