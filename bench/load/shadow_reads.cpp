#include "shadow_reads.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace twinmq::load {

std::int64_t number_behind(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == text.npos) return -1;
  std::int64_t number = -1;
  text.remove_prefix(at + key.size());
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

namespace {

constexpr std::int64_t kMillisecond = 1'000'000;

std::string_view text_of(const Publish& publish) {
  return {reinterpret_cast<const char*>(publish.payload), publish.payload_size};
}

class Gets {
 public:
  Gets(Fleet& fleet, const ShadowOptions& options)
      : fleet_(fleet), options_(options), unanswered_(options.publishers) {}

  void run() {
    Watchdog watchdog(fleet_.target().stall_seconds);
    start_ns_ = last_ns_ = now_ns();
    on_turn_end();
    fleet_.loop().write_dirty();
    while (answered_ < options_.gets && failure_.empty()) {
      fleet_.loop().turn(*this, 100);
      if (watchdog.stalled(answered_)) failure_ = "gets stalled";
    }
  }

  void on_packet(Connection&, const Packet& packet) {
    if (packet.type() != PacketType::Publish) return;
    const Publish publish = read_publish(packet, fleet_.target().version);
    if (!publish.topic.ends_with("/get/accepted")) {
      failure_ = "a get was rejected";
      return;
    }
    const std::int64_t publisher = number_behind(text_of(publish), R"("clientToken":")");
    if (publisher < 0 || static_cast<std::size_t>(publisher) >= options_.publishers) {
      failure_ = "an answer has another token than was sent";
      return;
    }
    last_ns_ = fleet_.loop().read_time_ns();
    ++answered_;
    --unanswered_[static_cast<std::size_t>(publisher)];
  }
  void on_closed(Connection&) { failure_ = "the broker closed a connection"; }
  void on_turn_end() {
    for (std::size_t i = 0; i < options_.publishers; ++i) {
      const std::uint32_t window =
          std::min(options_.window, std::uint32_t{fleet_[i].receive_maximum});
      if (window - unanswered_[i] < std::max(1U, window / 2)) continue;
      while (unanswered_[i] < window && sent_ < options_.gets) send(i);
    }
  }

  std::uint64_t answered() const { return answered_; }
  double wall_seconds() const { return static_cast<double>(last_ns_ - start_ns_) / 1e9; }
  const std::string& failure() const { return failure_; }

 private:
  void send(std::size_t publisher) {
    const std::size_t thing = sent_++ % options_.things;
    Connection& connection = fleet_[publisher];
    append_publish(connection.out,
                   "$aws/things/" + fleet_.target().prefix + std::to_string(thing) + "/shadow/get",
                   connection.next_packet_id(),
                   R"({"clientToken":")" + std::to_string(publisher) + "\"}",
                   fleet_.target().version);
    fleet_.loop().write_later(connection);
    ++unanswered_[publisher];
  }

  Fleet& fleet_;
  const ShadowOptions& options_;
  std::vector<std::uint32_t> unanswered_;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  std::int64_t start_ns_ = 0;
  std::int64_t last_ns_ = 0;
  std::string failure_;
};

// A ping a millisecond after the answer to the last one; at most one query at a time.
class Pinger {
 public:
  explicit Pinger(Fleet& fleet) : fleet_(fleet) {}

  void idle(std::int64_t nanoseconds) {
    const std::int64_t until = now_ns() + nanoseconds;
    while (now_ns() < until && failure_.empty()) turn();
  }

  /// Milliseconds until the answer; none if it does not come.
  std::optional<double> ask(const std::string& condition) {
    Connection& asker = fleet_[fleet_.size() - 1];
    answered_ns_ = 0;
    const std::int64_t start = now_ns();
    append_publish(asker.out, "$twinmq/shadows/query", asker.next_packet_id(),
                   R"({"query":")" + condition + R"(","limit":100})", fleet_.target().version);
    fleet_.loop().write_now(asker);
    while (answered_ns_ == 0 && failure_.empty()) {
      turn();
      if (now_ns() - start > 120'000 * kMillisecond) failure_ = "no answer to a query";
    }
    if (!failure_.empty()) return std::nullopt;
    return static_cast<double>(answered_ns_ - start) / static_cast<double>(kMillisecond);
  }

  /// Of the pings since the last call.
  Histogram take_latency() {
    Histogram taken = pings_;
    pings_ = Histogram();
    return taken;
  }
  std::int64_t looked_at() const { return looked_at_; }
  bool indexed() const { return indexed_; }
  const std::string& failure() const { return failure_; }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() == PacketType::Pingresp && connection.index == 0) {
      pings_.record(fleet_.loop().read_time_ns() - pinged_ns_);
      pinged_ns_ = 0;
      rest_until_ns_ = now_ns() + kMillisecond;
    }
    if (packet.type() == PacketType::Puback && ack_code(packet) >= 0x80)
      failure_ = "the broker refused a query: start it with shadow.queries = true";
    if (packet.type() != PacketType::Publish) return;
    const Publish publish = read_publish(packet, fleet_.target().version);
    if (!publish.topic.starts_with("$twinmq/shadows/query/")) return;
    if (publish.topic.ends_with("/rejected")) failure_ = "a query was rejected";
    answered_ns_ = fleet_.loop().read_time_ns();
    looked_at_ = number_behind(text_of(publish), R"("lookedAt":)");
    indexed_ = text_of(publish).find(R"("index":")") != std::string_view::npos;
  }
  void on_closed(Connection&) { failure_ = "the broker closed a connection"; }
  void on_turn_end() {}

 private:
  void turn() {
    if (pinged_ns_ == 0 && now_ns() >= rest_until_ns_) {
      Connection& pinger = fleet_[0];
      pinger.out.push_back(0xc0);
      pinger.out.push_back(0);
      pinged_ns_ = now_ns();
      fleet_.loop().write_now(pinger);
    }
    fleet_.loop().turn(*this, 1);
  }

  Fleet& fleet_;
  Histogram pings_;
  std::int64_t pinged_ns_ = 0;  ///< 0: no ping is open
  std::int64_t rest_until_ns_ = 0;
  std::int64_t answered_ns_ = 0;
  std::int64_t looked_at_ = 0;
  bool indexed_ = false;
  std::string failure_;
};

}  // namespace

void measure_gets(Fleet& fleet, const ShadowOptions& options, const ProcessMeter& meter,
                  Report& report) {
  std::vector<std::vector<std::string>> filters(fleet.size());
  filters.back() = {"$aws/things/+/shadow/get/+"};
  if (const auto ready = fleet.subscribe(filters, 0); !ready) {
    report.failure = ready.error().detail;
    return;
  }
  settle(meter);
  Gets gets(fleet, options);
  const auto before = meter.cpu();
  gets.run();
  const auto used_ns = cpu_ns_between(before, meter.cpu());
  const auto answered = static_cast<double>(gets.answered());
  report.gets_per_second = per(answered, gets.wall_seconds());
  report.cpu_us_per_get = us_per(used_ns, answered);
  report.failure = gets.failure();
}

void measure_queries(Fleet& fleet, Report& report) {
  std::vector<std::vector<std::string>> filters(fleet.size());
  filters.back() = {"$twinmq/shadows/query/+"};
  if (const auto ready = fleet.subscribe(filters, 0); !ready) {
    report.failure = ready.error().detail;
    return;
  }
  Pinger pinger(fleet);
  pinger.idle(1'000 * kMillisecond);
  report.ping_idle_p99_us = pinger.take_latency().percentile_us(0.99);
  constexpr int kTimes = 20;
  Histogram indexed;
  for (int i = 0; i < kTimes && pinger.failure().empty(); ++i) {
    const auto took = pinger.ask("reported.level = " + std::to_string(2 + i * 37));
    if (took) indexed.record(static_cast<std::int64_t>(*took * static_cast<double>(kMillisecond)));
  }
  if (pinger.indexed()) report.indexed_query_ms = indexed.percentile_us(0.5) / 1000;
  pinger.take_latency();
  report.scanning_query_ms = pinger.ask("desired.level > 1");
  const Histogram pings = pinger.take_latency();
  report.scanned_shadows = pinger.looked_at();
  report.ping_p99_us = pings.percentile_us(0.99);
  report.ping_max_us = pings.max_us();
  report.failure = pinger.failure();
}

}  // namespace twinmq::load
