#include "fleet.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace twinmq::load {
namespace {

Error run_error(std::string detail) {
  return Error{ErrorCode::Internal, std::move(detail)};
}

struct ConnectPhase {
  std::size_t accepted = 0;
  std::string failure;
  Version version;

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() != PacketType::Connack) return;
    const Connack connack = read_connack(packet, version);
    if (connack.code != 0) {
      failure = "the broker refused a connection with code " + std::to_string(connack.code);
    }
    connection.receive_maximum = connack.receive_maximum;
    ++accepted;
  }
  void on_closed(Connection& connection) { failure = why_not_accepted(connection); }
  void on_turn_end() {}
};

struct SubscribePhase {
  Fleet& fleet;
  const std::vector<std::vector<std::string>>& filters;
  std::uint8_t qos;
  std::size_t batch;
  std::vector<std::size_t> sent;
  std::size_t open = 0;     ///< connections that have filters left or a SUBACK to wait for
  std::uint64_t acked = 0;  ///< packets
  std::string failure;

  void send_next(Connection& connection) {
    const auto& all = filters[connection.index];
    std::size_t& from = sent[connection.index];
    if (from == all.size()) {
      --open;
      return;
    }
    const std::size_t count = std::min(batch, all.size() - from);
    append_subscribe(connection.out, connection.next_packet_id(), {all.data() + from, count}, qos,
                     fleet.target().version);
    from += count;
    fleet.loop().write_later(connection);
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() != PacketType::Suback) return;
    if (const auto code = suback_refusal(packet, fleet.target().version)) {
      failure = "the broker refused a subscription with code " + std::to_string(*code);
    }
    ++acked;
    send_next(connection);
  }
  void on_closed(Connection&) { failure = "the broker closed a subscribing connection"; }
  void on_turn_end() {}
};

struct DisconnectPhase {
  std::size_t closed = 0;

  void on_packet(Connection&, const Packet&) {}
  void on_closed(Connection&) { ++closed; }
  void on_turn_end() {}
};

}  // namespace

std::string why_not_accepted(const Connection& connection) {
  if (connection.error == ECONNREFUSED) {
    return "nobody listens there: start the broker, or name it by --host and --port";
  }
  const std::string what = "the broker closed a connection before CONNACK";
  return connection.error == 0 ? what : what + ": " + std::strerror(connection.error);
}

std::string Fleet::client_id(std::size_t index) const {
  return target_.prefix + name_ + "-" + std::to_string(::getpid()) + "-" + std::to_string(index);
}

Result<void> Fleet::open() {
  Connection& connection = connections_.emplace_back();
  connection.index = static_cast<std::uint32_t>(connections_.size() - 1);
  append_connect(connection.out, client_id(connection.index), target_.version, clean_);
  return loop_.open(connection, target_.endpoint);
}

Result<void> Fleet::connect(std::size_t count) {
  ConnectPhase phase{0, {}, target_.version};
  Watchdog watchdog(target_.stall_seconds);
  std::size_t opened = 0;
  while (phase.accepted < count) {
    while (opened < count && opened - phase.accepted < kConnectsAtOnce) {
      if (auto done = open(); !done) return done;
      ++opened;
    }
    loop_.turn(phase, 100);
    if (!phase.failure.empty()) return run_error(phase.failure);
    if (watchdog.stalled(phase.accepted)) return run_error("no CONNACK came");
  }
  return {};
}

Result<void> Fleet::subscribe(const std::vector<std::vector<std::string>>& filters,
                              std::uint8_t qos, std::size_t batch) {
  SubscribePhase phase{*this, filters, qos, batch, std::vector<std::size_t>(filters.size()),
                       0,     0,       {}};
  Watchdog watchdog(target_.stall_seconds);
  phase.open = filters.size();
  for (std::size_t i = 0; i < filters.size(); ++i) phase.send_next(connections_[i]);
  loop_.write_dirty();
  while (phase.open != 0) {
    loop_.turn(phase, 100);
    if (!phase.failure.empty()) return run_error(phase.failure);
    if (watchdog.stalled(phase.acked)) return run_error("no SUBACK came");
  }
  return {};
}

Result<void> Fleet::disconnect() {
  DisconnectPhase phase;
  Watchdog watchdog(target_.stall_seconds);
  std::size_t sent = 0;
  while (phase.closed < connections_.size()) {
    while (sent < connections_.size() && sent - phase.closed < kConnectsAtOnce) {
      Connection& connection = connections_[sent++];
      if (connection.fd < 0) {
        ++phase.closed;
        continue;
      }
      append_disconnect(connection.out);
      loop_.write_later(connection);
    }
    loop_.write_dirty();
    if (phase.closed == connections_.size()) break;
    loop_.turn(phase, 100);
    if (watchdog.stalled(phase.closed))
      return run_error("the broker does not close after DISCONNECT");
  }
  return {};
}

void Fleet::answer(Connection& connection, PacketType type, std::uint16_t packet_id) {
  append_ack(connection.out, type, packet_id);
  loop_.write_later(connection);
}

std::string own_topic(const Target& target, std::string_view scenario, std::size_t index) {
  return target.prefix + '/' + std::string(scenario) + '/' + std::to_string(index);
}

Result<void> leave_sessions(const Target& target, std::string_view scenario, std::size_t clients,
                            std::uint8_t qos) {
  Fleet fleet(target, false);
  if (auto done = fleet.connect(clients); !done) return done;
  std::vector<std::vector<std::string>> filters;
  for (std::size_t i = 0; i < clients; ++i) filters.push_back({own_topic(target, scenario, i)});
  if (auto done = fleet.subscribe(filters, qos); !done) return done;
  return fleet.disconnect();
}

Result<void> end_sessions(const Target& target, std::size_t clients) {
  Fleet fleet(target);
  if (auto done = fleet.connect(clients); !done) return done;
  return fleet.disconnect();
}

void settle(const ProcessMeter& meter) {
  using namespace std::chrono_literals;
  constexpr double kIdleNs = 1'000'000;  // per pause
  for (int pause = 0; pause < 100; ++pause) {
    const auto before = meter.cpu();
    std::this_thread::sleep_for(100ms);
    const auto used = cpu_ns_between(before, meter.cpu());
    if (!used || *used < kIdleNs) return;
  }
}

}  // namespace twinmq::load
