#pragma once
// The generator's only thread: one epoll set, one read buffer, writes gathered per turn.

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <twinmq/result.hpp>

#include "net/tls_filter.hpp"
#include "wire.hpp"

namespace twinmq::load {

/// Nanoseconds of the monotonic clock.
std::int64_t now_ns();

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
  bool loopback = false;
  std::shared_ptr<net::TlsClient> tls;  ///< null: connections are not encrypted
  std::string host;                     ///< for HTTP
  std::string websocket_path;           ///< empty: no WebSocket
};

/// A Unix socket.
Result<Endpoint> local(const std::string& path);

/// Of the addresses that the name stands for, the first that accepts a connection; the first if
/// none does.
Result<Endpoint> resolve(const std::string& host, std::uint16_t port);

/// One client's socket. Its address must not change while the socket is open.
struct Connection {
  int fd = -1;
  std::uint32_t index = 0;
  std::uint16_t receive_maximum = 65'535;  ///< the broker's
  std::uint16_t last_packet_id = 0;
  int error = 0;  ///< what the system first said against it; 0: nothing
  bool awaits_writable = false;
  bool dirty = false;  ///< has bytes to write at the end of the turn
  Bytes out;
  std::size_t out_begin = 0;
  std::unique_ptr<net::Filter> filter;  ///< null: `out` is written as it is
  net::ByteBuffer encrypted;            ///< with a filter, what is to be written
  Bytes partial;                        ///< the beginning of a packet whose rest has not come

  std::uint16_t next_packet_id() {
    if (++last_packet_id == 0) last_packet_id = 1;
    return last_packet_id;
  }
};

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Starts to connect; what is in `connection.out` follows as soon as it can. On loopback the
  /// source addresses rotate through 127.0.0.0/8, so that ports never run out.
  Result<void> open(Connection& connection, const Endpoint& endpoint);
  void close(Connection& connection);

  /// `connection.out` is written at the end of the turn.
  void write_later(Connection& connection) {
    if (!connection.dirty) {
      connection.dirty = true;
      dirty_.push_back(&connection);
    }
  }
  /// One write system call now.
  void write_now(Connection& connection);
  void write_dirty();

  /// Time right after the last read.
  std::int64_t read_time_ns() const { return read_time_ns_; }

  /// Waits (milliseconds, 0: does not) and gives each packet to `handler.on_packet(Connection&,
  /// const Packet&)` and each end of a connection, which is closed by then, to
  /// `handler.on_closed(Connection&)`; then `handler.on_turn_end()`; then writes.
  template <typename Handler>
  void turn(Handler& handler, int timeout_ms);

 private:
  static constexpr std::size_t kReadSize = 256 * 1024;

  template <typename Handler>
  void read(Connection& connection, Handler& handler);
  /// Bytes in the buffer, the earlier part of a packet included; 0: closed, or nothing there yet.
  std::size_t fill(Connection& connection, bool& closed);
  std::size_t fill_decrypted(Connection& connection, bool& closed);
  void write_encrypted(Connection& connection);
  void await_writable(Connection& connection, bool wait);
  void keep_rest(Connection& connection, std::size_t begin, std::size_t end);
  void watch(Connection& connection, std::uint32_t events, int operation);
  /// Whether the system call that just failed may be made again.
  static bool may_go_on(Connection& connection);

  int epoll_ = -1;
  std::int64_t read_time_ns_ = 0;
  std::uint64_t opened_ = 0;
  Bytes buffer_;
  Bytes encrypted_;
  net::ByteBuffer decrypted_;
  std::vector<Connection*> dirty_;
  std::array<epoll_event, 256> events_{};
};

template <typename Handler>
void EventLoop::turn(Handler& handler, int timeout_ms) {
  const int ready =
      ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    auto& connection = *static_cast<Connection*>(event.data.ptr);
    if (connection.fd >= 0 && (event.events & EPOLLOUT) != 0) write_now(connection);
    if (connection.fd >= 0 && (event.events & ~std::uint32_t{EPOLLOUT}) != 0) {
      read(connection, handler);
    }
  }
  handler.on_turn_end();
  write_dirty();
}

template <typename Handler>
void EventLoop::read(Connection& connection, Handler& handler) {
  bool closed = false;
  const std::size_t end = fill(connection, closed);
  std::size_t at = 0;
  Packet packet;
  while (at < end) {
    const std::size_t used = next_packet(buffer_.data() + at, end - at, packet);
    if (used == 0) break;
    if (used == kMalformed) {
      closed = true;
      break;
    }
    handler.on_packet(connection, packet);
    if (connection.fd < 0) return;
    at += used;
  }
  if (closed) {
    close(connection);
    handler.on_closed(connection);
  } else if (at < end || !connection.partial.empty()) {
    keep_rest(connection, at, end);
  }
}

}  // namespace twinmq::load
