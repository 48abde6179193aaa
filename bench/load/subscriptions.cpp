// Many filters: what one costs to add and keep, and what matching against all of them costs.

#include <algorithm>

#include "ledger.hpp"
#include "scenarios.hpp"

namespace twinmq::load {
namespace {

// A quarter exact, half with `+`, a quarter with `#`; each topic matches the filter of its number
// only.
std::string filter_of(std::size_t number) {
  const std::string id = std::to_string(number);
  switch (number % 4) {
    case 0: return "plant/" + id + "/state";
    case 3: return "site/" + id + "/#";
    default: return "device/" + id + "/+/telemetry";
  }
}

std::string topic_of(std::size_t number) {
  const std::string id = std::to_string(number);
  switch (number % 4) {
    case 0: return "plant/" + id + "/state";
    case 3: return "site/" + id + "/hall/door";
    default: return "device/" + id + "/engine/telemetry";
  }
}

// QoS 0 publishes to random topics, each of which reaches one connection.
class RandomPublishes {
 public:
  RandomPublishes(Fleet& fleet, const SubscriptionsOptions& options)
      : fleet_(fleet),
        options_(options),
        quota_(static_cast<std::uint32_t>((options.messages + options.publishers - 1) /
                                          options.publishers)),
        sent_(options.publishers),
        delivered_(options.publishers),
        ledger_(options.publishers, options.publishers * options.connections, quota_) {
    prepare_packets();
  }

  void run() {
    Watchdog watchdog(fleet_.target().stall_seconds);
    start_ns_ = last_ns_ = now_ns();
    on_turn_end();
    fleet_.loop().write_dirty();
    while (ledger_.received() < total() && failure_.empty()) {
      fleet_.loop().turn(*this, 100);
      if (watchdog.stalled(ledger_.received())) failure_ = "stalled";
    }
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() != PacketType::Publish) return;
    const Publish publish = read_publish(packet, fleet_.target().version);
    ++arrived_;
    last_ns_ = fleet_.loop().read_time_ns();
    Stamp stamp;
    if (publish.payload_size == sizeof stamp) std::memcpy(&stamp, publish.payload, sizeof stamp);
    if (stamp.sent_ns == 0 || stamp.publisher >= options_.publishers) {
      ledger_.record_unexpected();
      return;
    }
    const std::size_t stream = stamp.publisher * options_.connections + connection.index;
    if (ledger_.record(stamp.publisher, stream, stamp.sequence)) ++delivered_[stamp.publisher];
  }
  void on_closed(Connection&) { failure_ = "the broker closed a connection"; }

  void on_turn_end() {
    for (std::size_t i = 0; i < options_.publishers; ++i) {
      const std::uint32_t left = quota_ - sent_[i];
      const std::uint32_t free = options_.window - (sent_[i] - delivered_[i]);
      if (left == 0 || free < std::min(left, std::max(1U, options_.window / 2))) continue;
      send(i, std::min(free, left));
    }
  }

  std::uint64_t total() const { return std::uint64_t{quota_} * options_.publishers; }
  std::uint64_t arrived() const { return arrived_; }
  const Ledger& ledger() const { return ledger_; }
  const std::string& failure() const { return failure_; }
  double wall_seconds() const { return static_cast<double>(last_ns_ - start_ns_) / 1e9; }

 private:
  void prepare_packets() {
    std::uint64_t random = 0x9e3779b97f4a7c15;
    packets_.reserve(total());
    for (std::uint64_t i = 0; i < total(); ++i) {
      random ^= random << 13;
      random ^= random >> 7;
      random ^= random << 17;
      packets_.emplace_back(topic_of(random % options_.filters), std::uint8_t{0}, false,
                            sizeof(Stamp), fleet_.target().version);
    }
  }

  void send(std::size_t publisher, std::uint32_t count) {
    Connection& connection = fleet_[options_.connections + publisher];
    const std::int64_t stamp_ns = now_ns();
    for (; count > 0; --count) {
      const std::uint32_t sequence = sent_[publisher]++;
      packets_[publisher * quota_ + sequence].append_to(
          connection.out, 0, {static_cast<std::uint32_t>(publisher), sequence, stamp_ns});
    }
    fleet_.loop().write_later(connection);
  }

  Fleet& fleet_;
  const SubscriptionsOptions& options_;
  std::uint32_t quota_;
  std::vector<std::uint32_t> sent_;
  std::vector<std::uint32_t> delivered_;
  Ledger ledger_;
  std::vector<PublishTemplate> packets_;
  std::uint64_t arrived_ = 0;
  std::int64_t start_ns_ = 0;
  std::int64_t last_ns_ = 0;
  std::string failure_;
};

Result<void> measure_filters(Fleet& fleet, const SubscriptionsOptions& options,
                             const ProcessMeter& meter, Report& report) {
  std::vector<std::vector<std::string>> filters(options.connections);
  for (std::size_t i = 0; i < options.filters; ++i) {
    filters[i % options.connections].push_back(filter_of(i));
  }
  if (auto done = fleet.connect(options.connections + options.publishers); !done) return done;
  settle(meter);
  const auto rss_before = meter.rss_bytes();
  const auto before = meter.cpu();
  if (auto done = fleet.subscribe(filters, 0); !done) return done;
  settle(meter);
  const auto count = static_cast<double>(options.filters);
  report.cpu_us_per_filter = us_per(cpu_ns_between(before, meter.cpu()), count);
  const auto rss_after = meter.rss_bytes();
  report.broker_rss_bytes = rss_after;
  if (rss_before && rss_after) {
    report.rss_bytes_per_filter = static_cast<double>(*rss_after - *rss_before) / count;
  }
  return {};
}

}  // namespace

Report run_subscriptions(const Target& target, const SubscriptionsOptions& options) {
  const ProcessMeter meter(target.pid);
  Report report = begin_report(target, "subscriptions", meter);
  report.filters = static_cast<std::int64_t>(options.filters);
  report.connections = static_cast<std::int64_t>(options.connections);
  report.publishers = static_cast<std::int64_t>(options.publishers);
  report.window = options.window;
  report.qos = 0;
  report.payload_bytes = static_cast<std::int64_t>(sizeof(Stamp));
  report.label = std::to_string(options.filters) + " filters";
  Fleet fleet(target);
  RandomPublishes publishes(fleet, options);
  if (auto done = measure_filters(fleet, options, meter, report); !done) {
    report.failure = done.error().detail;
    return report;
  }
  const auto before = meter.cpu();
  publishes.run();
  const auto used_ns = cpu_ns_between(before, meter.cpu());
  const auto in = static_cast<double>(publishes.total());
  const auto out = static_cast<double>(publishes.arrived());
  report.messages_in = static_cast<std::int64_t>(publishes.total());
  report.messages_out = static_cast<std::int64_t>(publishes.arrived());
  report.wall_seconds = publishes.wall_seconds();
  report.messages_per_second = per(in + out, publishes.wall_seconds());
  report.deliveries_per_second = per(out, publishes.wall_seconds());
  report.cpu_us_per_publish = us_per(used_ns, in);
  report.cpu_us_per_message = us_per(used_ns, in + out);
  report.broker_cpu_seconds = per(used_ns, 1e9);
  report.loss = static_cast<std::int64_t>(publishes.total() - publishes.ledger().received());
  report.duplicates = static_cast<std::int64_t>(publishes.ledger().duplicates());
  report.reorders = static_cast<std::int64_t>(publishes.ledger().reorders());
  report.failure = publishes.failure();
  return report;
}

}  // namespace twinmq::load
