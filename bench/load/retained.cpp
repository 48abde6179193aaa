// Retained messages: what one costs to set and keep, and what it costs to show all to a new
// subscription.

#include <algorithm>

#include "ledger.hpp"
#include "scenarios.hpp"

namespace twinmq::load {
namespace {

constexpr std::size_t kPerBranch = 1'000;

// Sends one QoS 1 packet per number, spread over the publishers, within their windows.
class AckedSender {
 public:
  AckedSender(Fleet& fleet, const RetainedOptions& options, bool clear)
      : fleet_(fleet), options_(options), clear_(clear), unacked_(options.publishers) {}

  void run() {
    Watchdog watchdog(fleet_.target().stall_seconds);
    on_turn_end();
    fleet_.loop().write_dirty();
    while (acked_ < options_.messages && failure_.empty()) {
      fleet_.loop().turn(*this, 100);
      if (watchdog.stalled(acked_)) failure_ = "no PUBACK came";
    }
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() != PacketType::Puback) return;
    if (ack_code(packet) >= 0x80) failure_ = "the broker refused a retained message";
    --unacked_[connection.index];
    ++acked_;
  }
  void on_closed(Connection&) { failure_ = "the broker closed a publisher"; }
  void on_turn_end() {
    for (std::size_t i = 0; i < options_.publishers; ++i) {
      Connection& connection = fleet_[i];
      const std::uint32_t window =
          std::min(options_.window, std::uint32_t{connection.receive_maximum});
      if (window - unacked_[i] < std::max(1U, window / 2)) continue;
      for (; unacked_[i] < window && sent_ < options_.messages; ++unacked_[i]) {
        send(connection, static_cast<std::uint32_t>(sent_++));
      }
    }
  }

  const std::string& failure() const { return failure_; }
  std::uint64_t acked() const { return acked_; }

 private:
  void send(Connection& connection, std::uint32_t number) {
    const std::string topic = fleet_.target().prefix + "/retained/" +
                              std::to_string(number / kPerBranch) + "/" + std::to_string(number);
    const std::uint16_t packet_id = connection.next_packet_id();
    const Version version = fleet_.target().version;
    if (clear_) {
      append_clear_retained(connection.out, topic, 1, packet_id, version);
    } else {
      PublishTemplate(topic, 1, true, options_.payload_size, version)
          .append_to(connection.out, packet_id, {0, number, now_ns()});
    }
    fleet_.loop().write_later(connection);
  }

  Fleet& fleet_;
  const RetainedOptions& options_;
  bool clear_;
  std::vector<std::uint32_t> unacked_;
  std::uint64_t sent_ = 0;
  std::uint64_t acked_ = 0;
  std::string failure_;
};

// Subscribes to everything and counts what comes. Other retained messages of the broker are passed
// over.
class Replay {
 public:
  Replay(Fleet& fleet, const RetainedOptions& options)
      : fleet_(fleet),
        options_(options),
        ledger_(1, 1, static_cast<std::uint32_t>(options.messages)),
        branch_(fleet.target().prefix + "/retained/") {}

  void run() {
    Watchdog watchdog(fleet_.target().stall_seconds);
    const std::string everything[] = {"#"};
    Connection& connection = fleet_[options_.publishers];
    append_subscribe(connection.out, connection.next_packet_id(), everything, 0,
                     fleet_.target().version);
    start_ns_ = last_ns_ = now_ns();
    fleet_.loop().write_now(connection);
    while (ledger_.received() < options_.messages && failure_.empty()) {
      fleet_.loop().turn(*this, 100);
      if (watchdog.stalled(ledger_.received())) failure_ = "stalled";
    }
  }

  void on_packet(Connection&, const Packet& packet) {
    if (packet.type() != PacketType::Publish) return;
    const Publish publish = read_publish(packet, fleet_.target().version);
    if (publish.topic.substr(0, branch_.size()) != branch_) return;
    ++arrived_;
    last_ns_ = fleet_.loop().read_time_ns();
    if (!publish.retain || publish.payload_size != options_.payload_size) {
      ledger_.record_unexpected();
      return;
    }
    Stamp stamp;
    std::memcpy(&stamp, publish.payload, sizeof stamp);
    ledger_.record(0, 0, stamp.sequence);
  }
  void on_closed(Connection&) { failure_ = "the broker closed the subscriber"; }
  void on_turn_end() {}

  const Ledger& ledger() const { return ledger_; }
  std::uint64_t arrived() const { return arrived_; }
  const std::string& failure() const { return failure_; }
  double wall_seconds() const { return static_cast<double>(last_ns_ - start_ns_) / 1e9; }

 private:
  Fleet& fleet_;
  const RetainedOptions& options_;
  Ledger ledger_;
  std::string branch_;
  std::uint64_t arrived_ = 0;
  std::int64_t start_ns_ = 0;
  std::int64_t last_ns_ = 0;
  std::string failure_;
};

std::string set_all(Fleet& fleet, const RetainedOptions& options, const ProcessMeter& meter,
                    Report& report) {
  settle(meter);
  const auto rss_before = meter.rss_bytes();
  const auto before = meter.cpu();
  AckedSender sender(fleet, options, false);
  sender.run();
  settle(meter);
  const auto count = static_cast<double>(options.messages);
  report.cpu_us_per_retained_set = us_per(cpu_ns_between(before, meter.cpu()), count);
  report.messages_in = static_cast<std::int64_t>(sender.acked());
  const auto rss_after = meter.rss_bytes();
  report.broker_rss_bytes = rss_after;
  if (rss_before && rss_after) {
    report.rss_bytes_per_retained = static_cast<double>(*rss_after - *rss_before) / count;
  }
  return sender.failure();
}

// Each message is on a topic of its own, so their order among each other means nothing.
std::string replay_all(Fleet& fleet, const RetainedOptions& options, const ProcessMeter& meter,
                       Report& report) {
  Replay replay(fleet, options);
  const auto before = meter.cpu();
  replay.run();
  const auto used_ns = cpu_ns_between(before, meter.cpu());
  const auto arrived = static_cast<double>(replay.arrived());
  report.cpu_us_per_retained_delivery = us_per(used_ns, arrived);
  report.broker_cpu_seconds = per(used_ns, 1e9);
  report.messages_out = static_cast<std::int64_t>(replay.arrived());
  report.wall_seconds = replay.wall_seconds();
  report.deliveries_per_second = per(arrived, replay.wall_seconds());
  report.loss = static_cast<std::int64_t>(options.messages - replay.ledger().received());
  report.duplicates = static_cast<std::int64_t>(replay.ledger().duplicates());
  return replay.failure();
}

}  // namespace

Report run_retained(const Target& target, const RetainedOptions& options) {
  const ProcessMeter meter(target.pid);
  Report report = begin_report(target, "retained", meter);
  report.publishers = static_cast<std::int64_t>(options.publishers);
  report.payload_bytes = static_cast<std::int64_t>(options.payload_size);
  report.window = options.window;
  report.qos = 1;
  report.label =
      std::to_string(options.messages) + " " + std::to_string(options.payload_size) + "B";
  Fleet fleet(target);
  if (auto done = fleet.connect(options.publishers + 1); !done) {
    report.failure = done.error().detail;
    return report;
  }
  report.failure = set_all(fleet, options, meter, report);
  if (report.failure.empty()) report.failure = replay_all(fleet, options, meter, report);
  if (!options.keep) {
    fleet.loop().close(fleet[options.publishers]);
    AckedSender(fleet, options, true).run();
  }
  return report;
}

}  // namespace twinmq::load
