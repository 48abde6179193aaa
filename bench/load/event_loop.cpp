#include "event_loop.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>

#include "websocket_client.hpp"

namespace twinmq::load {
namespace {

constexpr std::uint64_t kConnectsPerSource = 8'000;

bool is_loopback(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    return (ntohl(v4.sin_addr.s_addr) >> 24) == 127;
  }
  const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
  return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) != 0;
}

void set_option(int fd, int level, int option) {
  const int on = 1;
  ::setsockopt(fd, level, option, &on, sizeof on);
}

// A source per some thousand connects, different from run to run: a 4-tuple in TIME_WAIT is never
// met.
void bind_source(int fd, std::uint64_t opened) {
  set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  const auto run = static_cast<std::uint32_t>(::getpid()) & 0xff;
  const auto source = static_cast<std::uint32_t>(opened / kConnectsPerSource) % 250 + 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl((127U << 24) | (1U << 16) | (run << 8) | source);
  // Without it the system chooses a source, which serves as long as ports last.
  static_cast<void>(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
}

bool accepts(const addrinfo& there) {
  const int fd = ::socket(there.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const timeval patience{2, 0};
  static_cast<void>(::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience));
  const bool connected = ::connect(fd, there.ai_addr, there.ai_addrlen) == 0;
  ::close(fd);
  return connected;
}

// A name often stands for an address of each kind, and the broker listens at one of them.
const addrinfo& one_that_accepts(const addrinfo& first) {
  if (first.ai_next == nullptr) return first;
  for (const addrinfo* each = &first; each != nullptr; each = each->ai_next) {
    if (accepts(*each)) return *each;
  }
  return first;
}

Error system_error(const char* what) {
  return Error{ErrorCode::Internal, std::string(what) + ": " + std::strerror(errno)};
}

}  // namespace

std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Result<Endpoint> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failed != 0) {
    return Error{ErrorCode::InvalidArgument, "--host " + host + ": " + ::gai_strerror(failed)};
  }
  Endpoint endpoint;
  const addrinfo& chosen = one_that_accepts(*found);
  std::memcpy(&endpoint.address, chosen.ai_addr, chosen.ai_addrlen);
  endpoint.size = chosen.ai_addrlen;
  endpoint.loopback = is_loopback(endpoint.address);
  ::freeaddrinfo(found);
  return endpoint;
}

Result<Endpoint> local(const std::string& path) {
  Endpoint endpoint;
  auto& address = reinterpret_cast<sockaddr_un&>(endpoint.address);
  if (path.size() >= sizeof address.sun_path)
    return Error{ErrorCode::InvalidArgument, "--unix " + path + ": the path is too long"};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  endpoint.size = sizeof address;
  endpoint.loopback = true;
  return endpoint;
}

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(kReadSize) {}

EventLoop::~EventLoop() {
  ::close(epoll_);
}

Result<void> EventLoop::open(Connection& connection, const Endpoint& endpoint) {
  const int family = endpoint.address.ss_family;
  // Where many wait to be accepted, a Unix socket that does not block refuses at once.
  const bool local = family == AF_UNIX;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | (local ? 0 : SOCK_NONBLOCK), 0);
  if (fd < 0) return system_error("socket");
  if (!local) set_option(fd, IPPROTO_TCP, TCP_NODELAY);
  if (endpoint.loopback && family == AF_INET) bind_source(fd, opened_);
  ++opened_;
  const auto* address = reinterpret_cast<const sockaddr*>(&endpoint.address);
  const bool done = ::connect(fd, address, endpoint.size) == 0;
  if (!done && errno != EINPROGRESS) {
    Error error = system_error("connect");
    ::close(fd);
    return error;
  }
  if (local) ::fcntl(fd, F_SETFL, O_NONBLOCK);
  connection.fd = fd;
  connection.error = 0;
  connection.out_begin = 0;
  connection.partial.clear();
  if (endpoint.tls) connection.filter = endpoint.tls->filter();
  if (!endpoint.websocket_path.empty()) {
    connection.filter = std::make_unique<WebSocketClient>(endpoint.host, endpoint.websocket_path,
                                                          std::move(connection.filter));
  }
  if (connection.filter) connection.filter->start(connection.encrypted);
  connection.awaits_writable = !done;
  watch(connection, EPOLLIN | (done ? 0U : std::uint32_t{EPOLLOUT}), EPOLL_CTL_ADD);
  if (done) write_now(connection);
  return {};
}

void EventLoop::close(Connection& connection) {
  if (connection.fd < 0) return;
  ::close(connection.fd);
  connection.fd = -1;
  connection.out.clear();
  connection.out_begin = 0;
  connection.filter.reset();
  connection.encrypted.clear();
}

void EventLoop::write_now(Connection& connection) {
  if (connection.fd < 0) return;
  if (connection.filter) return write_encrypted(connection);
  const std::size_t left = connection.out.size() - connection.out_begin;
  const ssize_t sent =
      left == 0
          ? 0
          : ::send(connection.fd, connection.out.data() + connection.out_begin, left, MSG_NOSIGNAL);
  if (sent > 0) connection.out_begin += static_cast<std::size_t>(sent);
  const bool all = connection.out_begin == connection.out.size();
  if (all) {
    connection.out.clear();
    connection.out_begin = 0;
  }
  // A broken connection shows itself to the next read.
  await_writable(connection, !all && (sent >= 0 || may_go_on(connection)));
}

bool EventLoop::may_go_on(Connection& connection) {
  if (errno == EAGAIN || errno == EINTR) return true;
  if (connection.error == 0) connection.error = errno;
  return false;
}

void EventLoop::await_writable(Connection& connection, bool wait) {
  if (wait == connection.awaits_writable) return;
  connection.awaits_writable = wait;
  watch(connection, EPOLLIN | (wait ? std::uint32_t{EPOLLOUT} : 0U), EPOLL_CTL_MOD);
}

void EventLoop::write_encrypted(Connection& connection) {
  if (connection.filter->state() == net::FilterState::Open && !connection.out.empty()) {
    const iovec all{connection.out.data(), connection.out.size()};
    connection.filter->send({&all, 1}, connection.encrypted);
    connection.out.clear();
  }
  const ByteView bytes = connection.encrypted.view();
  if (bytes.empty()) return await_writable(connection, false);
  const ssize_t sent = ::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  const bool again = sent >= 0 || may_go_on(connection);
  if (sent > 0) connection.encrypted.consume(static_cast<std::size_t>(sent));
  await_writable(connection, !connection.encrypted.empty() && again);
}

std::size_t EventLoop::fill_decrypted(Connection& connection, bool& closed) {
  if (encrypted_.empty()) encrypted_.resize(kReadSize);
  const ssize_t got = ::recv(connection.fd, encrypted_.data(), kReadSize, 0);
  if (got <= 0) {
    closed = got == 0 || !may_go_on(connection);
    return 0;
  }
  read_time_ns_ = now_ns();
  decrypted_.clear();
  const bool shaking_hands = connection.filter->state() == net::FilterState::Handshaking;
  connection.filter->receive({encrypted_.data(), static_cast<std::size_t>(got)}, decrypted_,
                             connection.encrypted);
  const net::FilterState state = connection.filter->state();
  if (state == net::FilterState::Failed) {
    std::fprintf(stderr, "%s\n", std::string(connection.filter->error()).c_str());
  }
  closed = state == net::FilterState::Failed || state == net::FilterState::Ended;
  if (shaking_hands || !connection.encrypted.empty()) write_encrypted(connection);
  if (decrypted_.empty()) return 0;
  const std::size_t earlier = connection.partial.size();
  const std::size_t end = earlier + decrypted_.size();
  if (buffer_.size() < end) buffer_.resize(end);
  if (earlier != 0) std::memcpy(buffer_.data(), connection.partial.data(), earlier);
  std::memcpy(buffer_.data() + earlier, decrypted_.view().data(), decrypted_.size());
  return end;
}

void EventLoop::write_dirty() {
  for (Connection* connection : dirty_) {
    connection->dirty = false;
    if (!connection->awaits_writable) write_now(*connection);
  }
  dirty_.clear();
}

std::size_t EventLoop::fill(Connection& connection, bool& closed) {
  if (connection.filter) return fill_decrypted(connection, closed);
  const std::size_t earlier = connection.partial.size();
  if (buffer_.size() < earlier + kReadSize) buffer_.resize(earlier + kReadSize);
  const ssize_t got = ::recv(connection.fd, buffer_.data() + earlier, kReadSize, 0);
  if (got <= 0) {
    closed = got == 0 || !may_go_on(connection);
    return 0;
  }
  read_time_ns_ = now_ns();
  if (earlier != 0) std::memcpy(buffer_.data(), connection.partial.data(), earlier);
  return earlier + static_cast<std::size_t>(got);
}

void EventLoop::keep_rest(Connection& connection, std::size_t begin, std::size_t end) {
  if (end == 0) return;
  connection.partial.assign(buffer_.begin() + static_cast<std::ptrdiff_t>(begin),
                            buffer_.begin() + static_cast<std::ptrdiff_t>(end));
}

void EventLoop::watch(Connection& connection, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &connection;
  ::epoll_ctl(epoll_, operation, connection.fd, &event);
}

}  // namespace twinmq::load
