#include "broker_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace twinmq::load {
namespace {

void fill_in(std::string& text, const std::string& name, const std::string& value) {
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += value.size())
    text.replace(at, name.size(), value);
}

}  // namespace

Result<BrokerProcess> BrokerProcess::prepare(std::string command, std::uint16_t port) {
  std::string directory = (std::filesystem::temp_directory_path() / "twinmq-bench-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr)
    return Error{ErrorCode::Internal,
                 "no directory for the broker: " + std::string(std::strerror(errno))};
  fill_in(command, "{port}", std::to_string(port));
  fill_in(command, "{dir}", directory);
  BrokerProcess process;
  process.command_ = std::move(command);
  process.directory_ = std::move(directory);
  process.port_ = port;
  return process;
}

BrokerProcess::BrokerProcess(BrokerProcess&& other) noexcept
    : command_(std::move(other.command_)),
      directory_(std::exchange(other.directory_, {})),
      port_(other.port_),
      pid_(std::exchange(other.pid_, 0)) {}

BrokerProcess::~BrokerProcess() {
  kill();
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
}

Result<void> BrokerProcess::start(int patience_seconds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(patience_seconds);
  while (accepts()) {
    if (std::chrono::steady_clock::now() > until)
      return Error{ErrorCode::Internal, "somebody else listens on port " + std::to_string(port_)};
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  pid_ = ::fork();
  if (pid_ < 0) return Error{ErrorCode::Internal, "cannot fork"};
  if (pid_ == 0) {
    ::setpgid(0, 0);
    // What the broker says would stand between the results.
    const int log = ::open((directory_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    const std::string command = "exec " + command_;
    ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  ::setpgid(pid_, pid_);
  while (!accepts()) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = 0;
      return Error{ErrorCode::Internal, "the broker ended at once: " + command_};
    }
    if (std::chrono::steady_clock::now() > until)
      return Error{ErrorCode::Internal,
                   "the broker does not listen on port " + std::to_string(port_)};
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return {};
}

void BrokerProcess::kill() {
  if (pid_ == 0) return;
  ::kill(-pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

bool BrokerProcess::accepts() const {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected =
      ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  // A port that nobody listens on may be chosen for the probe itself, which then meets itself.
  sockaddr_in own{};
  socklen_t size = sizeof own;
  const bool itself = ::getsockname(probe, reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
                      own.sin_port == address.sin_port;
  ::close(probe);
  return connected && !itself;
}

}  // namespace twinmq::load
