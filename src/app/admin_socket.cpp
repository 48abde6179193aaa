#include "app/admin_socket.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/start_thread.hpp"

namespace twinmq::app {

namespace {

constexpr std::size_t kRequestMax = 4 * 1024 * 1024;  // the definition of a rule
constexpr int kBacklog = 16;
// One administrator who says nothing must not keep the others waiting for long.
constexpr timeval kPatience{5, 0};

Error failed(const std::string& what, const std::string& path) {
  const bool refused = errno == EACCES || errno == EPERM || errno == EROFS;
  return {refused ? ErrorCode::PermissionDenied : ErrorCode::Internal,
          "the socket " + path + " cannot be " + what + ": " + std::strerror(errno)};
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error{ErrorCode::InvalidArgument,
                 "the path " + path + " is too long for a socket, which may have " +
                     std::to_string(sizeof address.sun_path - 1) + " bytes; set admin.socket"};
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

int new_socket() {
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int try_connect(const sockaddr_un& address) {
  const int connection = new_socket();
  if (connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return connection;
  const int code = errno;
  close(connection);
  errno = code;
  return -1;
}

/// Up to the end of a line, or of everything.
std::string read_line(int connection, std::size_t max) {
  std::string text;
  char block[4096];
  while (text.size() < max && text.find('\n') == std::string::npos) {
    const ssize_t size = recv(connection, block, sizeof block, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    text.append(block, static_cast<std::size_t>(size));
  }
  return text.substr(0, text.find('\n'));
}

void write_line(int connection, std::string text) {
  text += '\n';
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t size = send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return;
    rest.remove_prefix(static_cast<std::size_t>(size));
  }
}

}  // namespace

Result<std::unique_ptr<AdminSocket>> AdminSocket::open(const std::string& path, Answer answer) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return address.error();
  if (const int other = try_connect(*address); other >= 0) {
    close(other);
    return Error{ErrorCode::AddressInUse, "the socket " + path + " is served by another daemon"};
  }
  if (errno == ECONNREFUSED) unlink(path.c_str());
  const int listener = new_socket();
  const int waker = eventfd(0, EFD_CLOEXEC);
  // Nobody connects before listen(), and by then the mode is right.
  if (bind(listener, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || listen(listener, kBacklog) != 0) {
    Error error = failed("opened", path);
    close(listener);
    close(waker);
    return error;
  }
  std::unique_ptr<AdminSocket> socket(new AdminSocket(path, listener, waker, std::move(answer)));
  if (const Result<void> started = socket->start(); !started) return started.error();
  return socket;
}

AdminSocket::AdminSocket(std::string path, int listener, int waker, Answer answer)
    : path_(std::move(path)), listener_(listener), waker_(waker), answer_(std::move(answer)) {}

Result<void> AdminSocket::start() {
  auto thread = base::start_thread([this] { serve(); });
  if (!thread) return thread.error();
  thread_ = std::move(*thread);
  return {};
}

AdminSocket::~AdminSocket() {
  eventfd_write(waker_, 1);
  if (thread_.joinable()) thread_.join();
  unlink(path_.c_str());
  close(listener_);
  close(waker_);
}

void AdminSocket::serve() {
  for (;;) {
    pollfd wanted[] = {{listener_, POLLIN, 0}, {waker_, POLLIN, 0}};
    if (poll(wanted, 2, -1) < 0) continue;
    if (wanted[1].revents != 0) return;
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    serve_one(connection);
    close(connection);
  }
}

void AdminSocket::serve_one(int connection) {
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  const std::string request = read_line(connection, kRequestMax);
  if (!request.empty()) write_line(connection, answer_(request));
}

Result<std::string> ask_admin_socket(const std::string& path, std::string request) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return address.error();
  const int connection = try_connect(*address);
  if (connection < 0) {
    Error error = failed("reached", path);
    error.detail += "; does twinmqd run, and is --socket right?";
    return error;
  }
  write_line(connection, std::move(request));
  std::string answer = read_line(connection, std::string::npos);
  close(connection);
  if (answer.empty())
    return Error{ErrorCode::Unavailable, "the daemon closed " + path + " without an answer"};
  return answer;
}

}  // namespace twinmq::app
