// Queues of clients that are away: what a message costs to keep, and what it costs to hand over
// when its client comes back.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "ledger.hpp"
#include "scenarios.hpp"

namespace twinmq::load {
namespace {

constexpr std::string_view kScenario = "offline";

// Message n goes to subscriber n modulo their number, from publisher n modulo theirs.
class Filling {
 public:
  Filling(Fleet& fleet, const OfflineOptions& options)
      : fleet_(fleet), options_(options), unacked_(options.publishers), sent_(options.publishers) {
    for (std::size_t i = 0; i < options.subscribers; ++i)
      publishes_.emplace_back(own_topic(fleet.target(), kScenario, i), options.qos, false,
                              options.payload_size, fleet.target().version);
  }

  void run() {
    Watchdog watchdog(fleet_.target().stall_seconds);
    const std::int64_t start_ns = now_ns();
    on_turn_end();
    fleet_.loop().write_dirty();
    while (acked_ < options_.messages && failure_.empty()) {
      fleet_.loop().turn(*this, 100);
      if (watchdog.stalled(acked_)) failure_ = "no acknowledgement came";
    }
    wall_seconds_ = static_cast<double>(now_ns() - start_ns) / 1e9;
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.size < 2) return;
    const bool received = packet.type() == PacketType::Pubrec;
    if (ack_code(packet) >= 0x80) {
      failure_ = "the broker refused a message with code " + std::to_string(ack_code(packet));
    } else if (received) {
      append_ack(connection.out, PacketType::Pubrel, read_u16(packet.body));
      fleet_.loop().write_later(connection);
      return;
    }
    --unacked_[connection.index];
    ++acked_;
  }
  void on_closed(Connection&) { failure_ = "the broker closed a publisher"; }
  void on_turn_end() {
    for (std::size_t i = 0; i < options_.publishers; ++i) refill(i);
  }

  const std::string& failure() const { return failure_; }
  std::uint64_t acked() const { return acked_; }
  double wall_seconds() const { return wall_seconds_; }

 private:
  void refill(std::size_t publisher) {
    Connection& connection = fleet_[publisher];
    const std::uint32_t window =
        std::min(options_.window, std::uint32_t{connection.receive_maximum});
    if (window - unacked_[publisher] < std::max(1U, window / 2)) return;
    for (; unacked_[publisher] < window; ++unacked_[publisher]) {
      const std::uint64_t number = sent_[publisher] * options_.publishers + publisher;
      if (number >= options_.messages) return;
      ++sent_[publisher];
      publishes_[number % options_.subscribers].append_to(
          connection.out, connection.next_packet_id(),
          {static_cast<std::uint32_t>(publisher), static_cast<std::uint32_t>(number), now_ns()});
      fleet_.loop().write_later(connection);
    }
  }

  Fleet& fleet_;
  const OfflineOptions& options_;
  std::vector<PublishTemplate> publishes_;
  std::vector<std::uint32_t> unacked_;
  std::vector<std::uint64_t> sent_;
  std::uint64_t acked_ = 0;
  double wall_seconds_ = 0;
  std::string failure_;
};

// The clients come back and acknowledge everything.
class Draining {
 public:
  Draining(Fleet& fleet, const OfflineOptions& options)
      : fleet_(fleet),
        options_(options),
        ledger_(1, options.publishers * options.subscribers,
                static_cast<std::uint32_t>(options.messages)) {}

  void run() {
    Watchdog watchdog(fleet_.target().stall_seconds);
    const std::int64_t start_ns = now_ns();
    for (std::size_t i = 0; i < options_.subscribers; ++i) {
      if (const auto opened = fleet_.open(); !opened) {
        failure_ = opened.error().detail;
        return;
      }
    }
    while ((ledger_.received() < options_.messages || unreleased_ > 0) && failure_.empty()) {
      fleet_.loop().turn(*this, 100);
      if (watchdog.stalled(ledger_.received())) failure_ = "stalled";
    }
    wall_seconds_ = static_cast<double>(now_ns() - start_ns) / 1e9;
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() == PacketType::Connack) {
      if (packet.size > 0 && (packet.body[0] & 1) == 0) failure_ = "the broker has lost a session";
    } else if (packet.type() == PacketType::Pubrel) {
      --unreleased_;
      fleet_.answer(connection, PacketType::Pubcomp, read_u16(packet.body));
    } else if (packet.type() == PacketType::Publish) {
      on_publish(connection, packet);
    }
  }
  void on_closed(Connection&) { failure_ = "the broker closed a subscriber"; }
  void on_turn_end() {}

  const Ledger& ledger() const { return ledger_; }
  const std::string& failure() const { return failure_; }
  double wall_seconds() const { return wall_seconds_; }

 private:
  void on_publish(Connection& connection, const Packet& packet) {
    const Publish publish = read_publish(packet, fleet_.target().version);
    if (publish.qos == 1) fleet_.answer(connection, PacketType::Puback, publish.packet_id);
    if (publish.qos == 2) {
      ++unreleased_;
      fleet_.answer(connection, PacketType::Pubrec, publish.packet_id);
    }
    Stamp stamp;
    if (publish.payload != nullptr && publish.payload_size == options_.payload_size)
      std::memcpy(&stamp, publish.payload, sizeof stamp);
    if (stamp.sent_ns == 0 || stamp.publisher >= options_.publishers)
      return ledger_.record_unexpected();
    ledger_.record(0, stamp.publisher * options_.subscribers + connection.index, stamp.sequence);
  }

  Fleet& fleet_;
  const OfflineOptions& options_;
  Ledger ledger_;
  std::uint64_t unreleased_ = 0;
  double wall_seconds_ = 0;
  std::string failure_;
};

std::string fill(const Target& target, const OfflineOptions& options, const ProcessMeter& meter,
                 Report& report) {
  Fleet fleet(target, true, "-from");
  if (const auto done = fleet.connect(options.publishers); !done) return done.error().detail;
  settle(meter);
  report.rss_bytes_before = meter.rss_bytes();
  const auto before = meter.cpu();
  Filling filling(fleet, options);
  filling.run();
  const auto used_ns = cpu_ns_between(before, meter.cpu());
  report.messages_in = static_cast<std::int64_t>(filling.acked());
  report.cpu_us_per_queued = us_per(used_ns, static_cast<double>(filling.acked()));
  report.queued_per_second = per(static_cast<double>(filling.acked()), filling.wall_seconds());
  settle(meter);
  report.rss_bytes_queued = meter.rss_bytes();
  return filling.failure();
}

std::string drain(const Target& target, const OfflineOptions& options, const ProcessMeter& meter,
                  Report& report) {
  Fleet fleet(target, false);
  const auto before = meter.cpu();
  Draining draining(fleet, options);
  draining.run();
  const auto used_ns = cpu_ns_between(before, meter.cpu());
  const auto arrived = static_cast<double>(draining.ledger().received());
  report.messages_out = static_cast<std::int64_t>(draining.ledger().received());
  report.wall_seconds = draining.wall_seconds();
  report.cpu_us_per_drained = us_per(used_ns, arrived);
  report.deliveries_per_second = per(arrived, draining.wall_seconds());
  report.loss = static_cast<std::int64_t>(options.messages - draining.ledger().received());
  report.duplicates = static_cast<std::int64_t>(draining.ledger().duplicates());
  report.reorders = static_cast<std::int64_t>(draining.ledger().reorders());
  settle(meter);
  report.rss_bytes_drained = meter.rss_bytes();
  return draining.failure();
}

}  // namespace

Report run_offline(const Target& target, const OfflineOptions& options) {
  const ProcessMeter meter(target.pid);
  Report report = begin_report(target, "offline", meter);
  report.publishers = static_cast<std::int64_t>(options.publishers);
  report.subscribers = static_cast<std::int64_t>(options.subscribers);
  report.payload_bytes = static_cast<std::int64_t>(options.payload_size);
  report.window = options.window;
  report.qos = options.qos;
  report.label = std::to_string(options.messages) + " q" + std::to_string(options.qos) + " " +
                 std::to_string(options.payload_size) + "B";
  if (const auto done = leave_sessions(target, kScenario, options.subscribers, options.qos);
      !done) {
    report.failure = done.error().detail;
    return report;
  }
  report.failure = fill(target, options, meter, report);
  if (report.failure.empty()) report.failure = drain(target, options, meter, report);
  if (const auto ended = end_sessions(target, options.subscribers);
      !ended && report.failure.empty())
    report.failure = ended.error().detail;
  report.broker_rss_bytes = report.rss_bytes_queued;
  return report;
}

}  // namespace twinmq::load
