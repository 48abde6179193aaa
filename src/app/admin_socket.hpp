#pragma once
// The local socket of administrators: one request and one answer per connection, each a line of
// JSON. Who may connect is a matter of the file's mode.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <twinmq/result.hpp>

namespace twinmq::app {

class AdminSocket {
 public:
  /// Answers one request; on the socket's thread.
  using Answer = std::function<std::string(std::string_view request)>;

  /// Listens at the path, which only the owner may use. A socket that nobody serves any more is
  /// replaced.
  static Result<std::unique_ptr<AdminSocket>> open(const std::string& path, Answer answer);
  /// Ends the thread after the request it is at and removes the file.
  ~AdminSocket();

  const std::string& path() const { return path_; }

 private:
  AdminSocket(std::string path, int listener, int waker, Answer answer);
  Result<void> start();
  void serve();
  void serve_one(int connection);

  const std::string path_;
  const int listener_;
  const int waker_;  ///< readable: the end
  const Answer answer_;
  std::thread thread_;
};

/// Asks the daemon that serves the socket. Blocks.
Result<std::string> ask_admin_socket(const std::string& path, std::string request);

}  // namespace twinmq::app
