#pragma once
// The broker's own log, for hosts that want their lines beside the broker's.

#include <memory>

#include <twinmq/broker.hpp>
#include <twinmq/config.hpp>
#include <twinmq/result.hpp>

namespace twinmq {

/// Writes lines as LogConfig says: text or JSON, standard error or a file. Every member may be
/// called from any thread.
class Log {
 public:
  static Result<std::shared_ptr<Log>> open(const LogConfig& config);

  virtual ~Log() = default;

  /// Drops the line if it is less serious than the configured level. Never waits for the file: a
  /// thread of the log writes; lines for which four megabytes are not enough are left out and
  /// counted.
  virtual void write(const LogLine& line) = 0;

  virtual bool wants(LogLevel level) const = 0;

  /// Waits until everything is written, at most a second. So does the end of the log.
  virtual void flush() = 0;

  /// Takes the new settings and opens the file again (it may have been rotated away); on failure
  /// everything stays as it was.
  virtual Result<void> reconfigure(const LogConfig& config) = 0;

 protected:
  Log() = default;
};

}  // namespace twinmq
