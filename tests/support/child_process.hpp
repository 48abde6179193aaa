#pragma once
// A program that a test starts, whose output it reads and which it stops.

#include <string>
#include <vector>

#include <sys/types.h>

namespace twinmq::testing {

/// Runs in a new empty directory of its own. Output and error output are read together.
class ChildProcess {
 public:
  explicit ChildProcess(const std::vector<std::string>& arguments);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Reads on until a line contains the text, which is returned; empty: the program ended, or 30 s
  /// passed.
  std::string wait_for_line(std::string_view text);
  /// Everything read so far.
  const std::string& output() const { return output_; }
  /// Takes what has been printed, without waiting.
  void drain();
  bool running();
  /// Sends SIGTERM and waits; answers the exit status (128 + signal when it did not exit by
  /// itself).
  int stop();

 private:
  bool read_some(int timeout_ms);

  pid_t pid_ = -1;
  int pipe_ = -1;
  int status_ = -1;
  std::string folder_;
  std::string output_;
};

}  // namespace twinmq::testing
