#pragma once
// A broker that the tool starts, kills and starts again.

#include <sys/types.h>

#include <cstdint>
#include <string>

#include <twinmq/result.hpp>

namespace twinmq::load {

class BrokerProcess {
 public:
  /// `command` is for the shell; `{port}` and `{dir}` in it are filled in. The directory is made,
  /// and removed in the end.
  static Result<BrokerProcess> prepare(std::string command, std::uint16_t port);
  BrokerProcess(BrokerProcess&& other) noexcept;
  BrokerProcess& operator=(BrokerProcess&&) = delete;
  ~BrokerProcess();

  /// Waits until the port is free, starts it, and waits until it accepts connections there.
  Result<void> start(int patience_seconds);
  /// SIGKILL to it and all it started; it is gone afterwards.
  void kill();

  /// Of the command itself, while it runs.
  pid_t pid() const { return pid_; }
  /// What {dir} stands for.
  const std::string& directory() const { return directory_; }

 private:
  BrokerProcess() = default;
  bool accepts() const;

  std::string command_;
  std::string directory_;
  std::uint16_t port_ = 0;
  pid_t pid_ = 0;  ///< and its process group
};

}  // namespace twinmq::load
