// Device shadows: what an update costs with all that is told of it, and when it is accepted.

#include <algorithm>

#include "scenarios.hpp"
#include "shadow_reads.hpp"

namespace twinmq::load {
namespace {

constexpr std::uint64_t kToldPerUpdate = 4;  // the update itself, delta, documents, accepted
constexpr std::string_view kAccepted = "/shadow/update/accepted";

class Updates {
 public:
  Updates(Fleet& fleet, const ShadowOptions& options)
      : fleet_(fleet),
        options_(options),
        unanswered_(options.publishers),
        versions_(options.things) {
    const std::string head = R"({"state":{"desired":{"level":1},"reported":{"level":2,"fill":")";
    fill_.assign(options.document_size > head.size() ? options.document_size - head.size() : 1,
                 'x');
  }

  void run() {
    Watchdog watchdog(fleet_.target().stall_seconds);
    start_ns_ = last_ns_ = now_ns();
    on_turn_end();
    fleet_.loop().write_dirty();
    while ((accepted_ < options_.updates || told_ < expected()) && failure_.empty()) {
      const bool spin = options_.rate != 0 && sent_ < options_.updates;
      fleet_.loop().turn(*this, spin ? 0 : 100);
      if (options_.rate != 0) {
        send_due();
        fleet_.loop().write_dirty();
      }
      if (watchdog.stalled(accepted_ + told_)) failure_ = "stalled";
    }
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() == PacketType::Puback && ack_code(packet) >= 0x80)
      failure_ = "the broker refused an update";
    if (packet.type() != PacketType::Publish) return;
    const Publish publish = read_publish(packet, fleet_.target().version);
    last_ns_ = fleet_.loop().read_time_ns();
    ++told_;
    if (!publish.topic.ends_with(kAccepted)) {
      if (publish.topic.ends_with("/rejected")) failure_ = "an update was rejected";
      return;
    }
    if (connection.index < options_.publishers) return;
    on_accepted({reinterpret_cast<const char*>(publish.payload), publish.payload_size});
  }
  void on_closed(Connection&) { failure_ = "the broker closed a connection"; }
  void on_turn_end() {
    if (options_.rate != 0) return;
    for (std::size_t i = 0; i < options_.publishers; ++i) {
      const std::uint32_t window =
          std::min(options_.window, std::uint32_t{fleet_[i].receive_maximum});
      if (window - unanswered_[i] < std::max(1U, window / 2)) continue;
      while (unanswered_[i] < window && sent_ < options_.updates) send(i, now_ns());
    }
  }

  std::uint64_t sent() const { return sent_; }
  std::uint64_t accepted() const { return accepted_; }
  std::uint64_t told() const { return told_; }
  std::uint64_t expected() const { return options_.updates * kToldPerUpdate; }
  std::uint64_t disordered() const { return disordered_; }
  const Histogram& latency() const { return latency_; }
  const std::string& failure() const { return failure_; }
  double wall_seconds() const { return static_cast<double>(last_ns_ - start_ns_) / 1e9; }

 private:
  void on_accepted(std::string_view payload) {
    const std::int64_t version = number_behind(payload, R"("version":)");
    const std::int64_t publisher = number_behind(payload, R"("clientToken":")");
    const std::int64_t thing = number_behind(payload, "/");
    const std::int64_t stamp = number_behind(payload, "@");
    if (publisher < 0 || static_cast<std::size_t>(publisher) >= options_.publishers || thing < 0 ||
        static_cast<std::size_t>(thing) >= options_.things) {
      failure_ = "an answer has another token than was sent";
      return;
    }
    std::int64_t& known = versions_[static_cast<std::size_t>(thing)];
    if (known != 0 && version != known + 1) ++disordered_;
    known = version;
    latency_.record(last_ns_ - stamp);
    ++accepted_;
    --unanswered_[static_cast<std::size_t>(publisher)];
  }

  void send_due() {
    const auto due = static_cast<std::uint64_t>(static_cast<double>(now_ns() - start_ns_) / 1e9 *
                                                static_cast<double>(options_.rate));
    while (sent_ < std::min(due, options_.updates)) {
      const auto at = start_ns_ + static_cast<std::int64_t>(static_cast<double>(sent_) * 1e9 /
                                                            static_cast<double>(options_.rate));
      const std::size_t publisher = sent_ % options_.publishers;
      if (unanswered_[publisher] >= fleet_[publisher].receive_maximum) return;
      send(publisher, at);
    }
  }

  void send(std::size_t publisher, std::int64_t stamp_ns) {
    const std::size_t thing = sent_ % options_.things;
    std::string payload = R"({"state":{"desired":{"level":1},"reported":{"level":)" +
                          std::to_string(2 + sent_ % 1000) + R"(,"fill":")" + fill_ +
                          R"("}},"clientToken":")" + std::to_string(publisher) + "/" +
                          std::to_string(thing) + "@" + std::to_string(stamp_ns) + "\"}";
    Connection& connection = fleet_[publisher];
    append_publish(
        connection.out,
        "$aws/things/" + fleet_.target().prefix + std::to_string(thing) + "/shadow/update",
        connection.next_packet_id(), payload, fleet_.target().version);
    fleet_.loop().write_later(connection);
    ++sent_;
    ++unanswered_[publisher];
  }

  Fleet& fleet_;
  const ShadowOptions& options_;
  std::string fill_;
  std::vector<std::uint32_t> unanswered_;
  std::vector<std::int64_t> versions_;
  Histogram latency_;
  std::uint64_t sent_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t told_ = 0;
  std::uint64_t disordered_ = 0;
  std::int64_t start_ns_ = 0;
  std::int64_t last_ns_ = 0;
  std::string failure_;
};

}  // namespace

Report run_shadow(const Target& target, const ShadowOptions& options) {
  const ProcessMeter meter(target.pid);
  Report report = begin_report(target, "shadow", meter);
  report.publishers = static_cast<std::int64_t>(options.publishers);
  report.payload_bytes = static_cast<std::int64_t>(options.document_size);
  report.window = options.window;
  report.qos = 1;
  if (options.rate != 0) report.rate = static_cast<std::int64_t>(options.rate);
  report.label =
      std::to_string(options.things) + " things " + std::to_string(options.document_size) + "B";
  Fleet fleet(target);
  std::vector<std::vector<std::string>> filters(options.publishers + 1);
  filters.back() = {"$aws/things/+/shadow/update/#"};
  auto ready = fleet.connect(options.publishers + 1);
  if (ready) ready = fleet.subscribe(filters, 0);
  if (!ready) {
    report.failure = ready.error().detail;
    return report;
  }
  settle(meter);
  const auto rss_before = meter.rss_bytes();
  Updates updates(fleet, options);
  const auto before = meter.cpu();
  updates.run();
  const auto used_ns = cpu_ns_between(before, meter.cpu());
  const auto accepted = static_cast<double>(updates.accepted());
  report.messages_in = static_cast<std::int64_t>(updates.sent());
  report.messages_out = static_cast<std::int64_t>(updates.told());
  report.wall_seconds = updates.wall_seconds();
  report.updates_per_second = per(accepted, updates.wall_seconds());
  report.cpu_us_per_update = us_per(used_ns, accepted);
  report.broker_cpu_seconds = per(used_ns, 1e9);
  report.broker_rss_bytes = meter.rss_bytes();
  report.set_latency(updates.latency());
  report.loss = static_cast<std::int64_t>(updates.expected()) -
                static_cast<std::int64_t>(std::min(updates.told(), updates.expected()));
  report.reorders = static_cast<std::int64_t>(updates.disordered());
  report.failure = updates.failure();
  settle(meter);
  if (const auto rss = meter.rss_bytes(); rss && rss_before)
    report.rss_bytes_per_shadow =
        static_cast<double>(*rss - *rss_before) /
        static_cast<double>(std::min<std::uint64_t>(options.things, options.updates));
  if (report.failure.empty() && options.gets > 0) measure_gets(fleet, options, meter, report);
  if (report.failure.empty() && options.queries) measure_queries(fleet, report);
  return report;
}

}  // namespace twinmq::load
