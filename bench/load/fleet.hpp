#pragma once
// The generator's clients: connects and subscribes them, before a measurement or as one.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>

#include "event_loop.hpp"
#include "process_meter.hpp"
#include "report.hpp"

namespace twinmq::load {

/// Where and how all scenarios connect.
struct Target {
  std::string host = "127.0.0.1";
  std::uint16_t port = 1883;
  std::string unix_path;       ///< of a Unix socket, in the place of host and port
  std::string websocket_path;  ///< empty: no WebSocket
  pid_t pid = 0;               ///< 0: the broker's CPU and memory are not measured
  Version version = Version::V5;
  std::string prefix = "bench";  ///< of topics and client identifiers
  int stall_seconds = 10;        ///< without any progress, after which a run gives up
  bool allow_remote = false;
  bool encrypted = false;  ///< speak TLS, as `tls` says
  net::TlsClient::Options tls;
  Endpoint endpoint;  ///< filled by main
};

class Fleet {
 public:
  /// Without `clean` the clients' sessions outlive their connections. `name` tells fleets apart
  /// that connect at the same time.
  explicit Fleet(const Target& target, bool clean = true, std::string name = {})
      : target_(target), clean_(clean), name_(std::move(name)) {}

  EventLoop& loop() { return loop_; }
  const Target& target() const { return target_; }
  std::size_t size() const { return connections_.size(); }
  Connection& operator[](std::size_t index) { return connections_[index]; }

  /// Opens one more connection; its CONNACK will come to whoever turns the loop.
  Result<void> open();
  /// Of connections that will be opened.
  void set_clean(bool clean) { clean_ = clean; }
  /// Opens `count` more connections and waits for each CONNACK.
  Result<void> connect(std::size_t count);

  /// Sends `filters[i]` to connection i in SUBSCRIBEs of at most `batch` filters, one outstanding
  /// per connection, and waits for all SUBACKs.
  Result<void> subscribe(const std::vector<std::vector<std::string>>& filters, std::uint8_t qos,
                         std::size_t batch = 100);

  /// DISCONNECT on every connection; waits until the broker closed them.
  Result<void> disconnect();

  /// Writes an acknowledgement at the end of the turn.
  void answer(Connection& connection, PacketType type, std::uint16_t packet_id);

  std::string client_id(std::size_t index) const;

  /// Connections opened at the same time: below the accept queue of any broker.
  static constexpr std::size_t kConnectsAtOnce = 64;

 private:
  const Target& target_;
  bool clean_;
  std::string name_;
  EventLoop loop_;
  std::deque<Connection> connections_;
};

/// Of a connection that ended before its CONNACK.
std::string why_not_accepted(const Connection& connection);

/// The topic of client `index` of a scenario in which each has one of its own.
std::string own_topic(const Target& target, std::string_view scenario, std::size_t index);
/// Leaves sessions of so many clients behind, each subscribed to its own topic.
Result<void> leave_sessions(const Target& target, std::string_view scenario, std::size_t clients,
                            std::uint8_t qos);

/// Ends the sessions that the first so many clients left behind.
Result<void> end_sessions(const Target& target, std::size_t clients);

/// Tells a run without progress from a slow one.
class Watchdog {
 public:
  explicit Watchdog(int stall_seconds)
      : limit_ns_(std::int64_t{stall_seconds} * 1'000'000'000), since_ns_(now_ns()) {}

  /// `progress` is any number that changes while things go on.
  bool stalled(std::uint64_t progress) {
    const std::int64_t now = now_ns();
    if (progress != last_) {
      last_ = progress;
      since_ns_ = now;
    }
    return now - since_ns_ > limit_ns_;
  }

 private:
  std::int64_t limit_ns_;
  std::int64_t since_ns_;
  std::uint64_t last_ = 0;
};

/// Waits until the broker has been idle for a moment, so that a memory reading holds.
void settle(const ProcessMeter& meter);

}  // namespace twinmq::load
