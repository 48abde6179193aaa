// What a connection costs: to make, to keep, to end.

#include <chrono>
#include <thread>

#include "scenarios.hpp"

namespace twinmq::load {
namespace {

// A fixed number of slots, each connecting, waiting for CONNACK and disconnecting over and over.
class Churn {
 public:
  Churn(const Target& target, std::size_t cycles)
      : target_(target), fleet_(target), cycles_(cycles) {}

  void run() {
    Watchdog watchdog(target_.stall_seconds);
    for (std::size_t i = 0; i < Fleet::kConnectsAtOnce && opened_ < cycles_; ++i) {
      open(slots_.emplace_back());
    }
    while (done_ < cycles_ && failure_.empty()) {
      fleet_.loop().turn(*this, 100);
      if (watchdog.stalled(done_)) failure_ = "stalled";
    }
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() != PacketType::Connack) return;
    if (read_connack(packet, target_.version).code != 0)
      failure_ = "the broker refused a connection";
    append_disconnect(connection.out);
    fleet_.loop().write_later(connection);
    ++accepted_;
  }
  void on_closed(Connection& connection) {
    ++done_;
    if (accepted_ < done_) failure_ = why_not_accepted(connection);
    if (opened_ < cycles_ && failure_.empty()) open(connection);
  }
  void on_turn_end() {}

  std::size_t done() const { return done_; }
  const std::string& failure() const { return failure_; }

 private:
  void open(Connection& connection) {
    append_connect(connection.out, fleet_.client_id(opened_++), target_.version);
    if (auto ok = fleet_.loop().open(connection, target_.endpoint); !ok) {
      failure_ = ok.error().detail;
    }
  }

  const Target& target_;
  Fleet fleet_;
  std::size_t cycles_;
  std::size_t opened_ = 0;
  std::size_t accepted_ = 0;
  std::size_t done_ = 0;
  std::deque<Connection> slots_;
  std::string failure_;
};

double seconds_since(std::int64_t start_ns) {
  return static_cast<double>(now_ns() - start_ns) / 1e9;
}

void run_churn(const Target& target, const ConnectOptions& options, const ProcessMeter& meter,
               Report& report) {
  Churn churn(target, options.connections);
  settle(meter);
  const auto before = meter.cpu();
  const std::int64_t start_ns = now_ns();
  churn.run();
  report.wall_seconds = seconds_since(start_ns);
  settle(meter);
  const auto used_ns = cpu_ns_between(before, meter.cpu());
  const auto done = static_cast<double>(churn.done());
  report.connects_per_second = per(done, *report.wall_seconds);
  report.cpu_us_per_connect = us_per(used_ns, done);
  report.broker_cpu_seconds = per(used_ns, 1e9);
  report.failure = churn.failure();
}

std::optional<double> growth(std::optional<std::int64_t> before,
                             std::optional<std::int64_t> after) {
  if (!before || !after) return std::nullopt;
  return static_cast<double>(*after - *before);
}

std::vector<std::vector<std::string>> one_filter_each(const Target& target, std::size_t count) {
  std::vector<std::vector<std::string>> filters;
  for (std::size_t i = 0; i < count; ++i) {
    filters.push_back({target.prefix + "/device/" + std::to_string(i) + "/command"});
  }
  return filters;
}

Result<void> run_idle(const Target& target, const ConnectOptions& options,
                      const ProcessMeter& meter, Report& report) {
  const auto count = static_cast<double>(options.connections);
  Fleet fleet(target);
  settle(meter);
  const auto rss_before = meter.rss_bytes();
  const auto cpu_before = meter.cpu();
  const std::int64_t start_ns = now_ns();
  if (auto done = fleet.connect(options.connections); !done) return done;
  report.wall_seconds = seconds_since(start_ns);
  settle(meter);
  const auto cpu_connected = meter.cpu();
  report.connects_per_second = per(count, *report.wall_seconds);
  report.cpu_us_per_connect = us_per(cpu_ns_between(cpu_before, cpu_connected), count);
  report.rss_bytes_per_connection = per(growth(rss_before, meter.rss_bytes()), count);

  if (options.subscribe) {
    const auto filters = one_filter_each(target, options.connections);
    const auto before = meter.cpu();
    if (auto done = fleet.subscribe(filters, 0); !done) return done;
    settle(meter);
    report.cpu_us_per_subscribe = us_per(cpu_ns_between(before, meter.cpu()), count);
    report.rss_bytes_per_subscribed_connection = per(growth(rss_before, meter.rss_bytes()), count);
  }
  report.broker_rss_bytes = meter.rss_bytes();

  const auto before = meter.cpu();
  if (auto done = fleet.disconnect(); !done) return done;
  settle(meter);
  const auto after = meter.cpu();
  report.cpu_us_per_disconnect = us_per(cpu_ns_between(before, after), count);
  report.broker_cpu_seconds = per(cpu_ns_between(cpu_before, after), 1e9);
  return {};
}

}  // namespace

Report begin_report(const Target& target, std::string scenario, const ProcessMeter& meter) {
  Report report;
  report.scenario = std::move(scenario);
  report.broker = meter.name();
  report.mqtt_version = static_cast<int>(target.version);
  return report;
}

Report run_connect(const Target& target, const ConnectOptions& options) {
  const ProcessMeter meter(target.pid);
  Report report = begin_report(target, "connect", meter);
  report.connections = static_cast<std::int64_t>(options.connections);
  report.subscribe = options.subscribe;
  report.churn = options.churn;
  report.label = std::to_string(options.connections) + (options.churn ? " churn" : "") +
                 (options.subscribe ? " subscribed" : "");
  if (options.churn) {
    run_churn(target, options, meter, report);
  } else if (auto done = run_idle(target, options, meter, report); !done) {
    report.failure = done.error().detail;
  }
  return report;
}

}  // namespace twinmq::load
