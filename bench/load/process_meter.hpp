#pragma once
// CPU time and memory of a running process, read from /proc.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace twinmq::load {

/// CPU time of a process, user and system, all threads, at one moment.
struct CpuReading {
  std::int64_t ticks_ns = 0;    ///< of the process, in steps of the clock tick (10 ms)
  std::int64_t precise_ns = 0;  ///< of the threads alive, in nanoseconds
  std::vector<pid_t> threads;   ///< ascending
};

class ProcessMeter {
 public:
  /// `pid` 0: nothing is measured.
  explicit ProcessMeter(pid_t pid) : pid_(pid) {}

  /// False when there is no such process or it may not be read.
  bool readable() const;

  std::optional<CpuReading> cpu() const;
  /// Resident bytes.
  std::optional<std::int64_t> rss_bytes() const;
  /// The process's name; empty when unknown.
  std::string name() const;

 private:
  pid_t pid_;
};

/// CPU nanoseconds from `before` to `after`; the precise clock where no thread ended in between.
std::optional<double> cpu_ns_between(const std::optional<CpuReading>& before,
                                     const std::optional<CpuReading>& after);

}  // namespace twinmq::load
