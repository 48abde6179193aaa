#pragma once
// Log lines on their way to a descriptor that may be slow, full or read by nobody: whoever logs
// never waits for it.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <twinmq/result.hpp>
#include <twinmq/time.hpp>

#include "net/descriptor.hpp"

namespace twinmq::app {

/// One thread writes what any thread leaves. Beyond kWaitingMax bytes lines are left out, and a
/// line tells how many.
class LogWriter {
 public:
  static constexpr std::size_t kWaitingMax = 4'194'304;
  /// How long the end of the writer waits for a descriptor that takes nothing.
  static constexpr Milliseconds kPatience{1000};

  /// `left_out` makes the line that tells of lines left out.
  LogWriter(net::Descriptor target, std::function<std::string(std::uint64_t lines)> left_out);
  ~LogWriter();
  /// An error: there is no thread, and nothing is ever written.
  const Result<void>& started() const { return started_; }
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// Without a line end.
  void write(std::string_view line);
  /// Writes what follows there.
  void set_target(net::Descriptor target);
  /// Waits until all lines are written, at most kPatience.
  void flush();

 private:
  void run();
  void put(int target, std::string_view text);

  const std::function<std::string(std::uint64_t)> left_out_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable idle_;
  net::Descriptor target_;
  net::Descriptor next_target_;
  std::string waiting_;
  std::uint64_t lines_left_out_ = 0;
  bool writing_ = false;
  bool stopping_ = false;
  Result<void> started_;
  std::chrono::steady_clock::time_point give_up_at_{};
  std::thread thread_;
};

}  // namespace twinmq::app
