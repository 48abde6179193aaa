// Messages from publishers to subscribers: cost, rate, latency, loss, duplicates, order.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "ledger.hpp"
#include "scenarios.hpp"

namespace twinmq::load {
namespace {

constexpr std::size_t kUnbatchedOutstanding = 50;
constexpr std::size_t kOutstanding = 5'000;  // copies of messages, unless --window says otherwise

std::string_view plan_text(TopicPlan plan) {
  switch (plan) {
    case TopicPlan::Pairs: return "pairs";
    case TopicPlan::FanIn: return "fanin";
    case TopicPlan::FanOut: return "fanout";
    case TopicPlan::Shared: return "shared";
  }
  return "";
}

bool every_subscriber_has_all(TopicPlan plan) {
  return plan == TopicPlan::FanIn || plan == TopicPlan::FanOut;
}

// Outstanding messages per publisher.
std::uint32_t window_of(const PubsubOptions& options) {
  if (options.window != 0 && !options.unbatched) return options.window;
  const bool all = every_subscriber_has_all(options.plan) && !options.unbatched;
  const std::size_t outstanding = options.unbatched ? kUnbatchedOutstanding : kOutstanding;
  const std::size_t sharers = options.publishers * (all ? options.subscribers : 1);
  return static_cast<std::uint32_t>(std::max<std::size_t>(1, outstanding / sharers));
}

class Traffic {
 public:
  Traffic(Fleet& fleet, const PubsubOptions& options);

  /// Runs to the end or to a stall.
  void run();
  /// Waits a moment for copies that should not come.
  void linger();

  // called by the loop
  void on_packet(Connection& connection, const Packet& packet);
  void on_closed(Connection& connection);
  void on_turn_end();

  std::uint64_t sent() const { return sent_; }
  std::uint64_t arrived() const { return arrived_; }
  std::uint64_t expected() const { return sent_ * copies_; }
  std::uint64_t refused() const { return refused_; }
  const Ledger& ledger() const { return ledger_; }
  const Histogram& latency() const { return latency_; }
  const std::string& failure() const { return failure_; }
  double wall_seconds() const { return static_cast<double>(last_ns_ - start_ns_) / 1e9; }

 private:
  struct Publisher {
    PublishTemplate publish;
    std::uint32_t sent = 0;
    std::uint32_t unacked = 0;
    std::uint32_t window = 0;
    std::uint64_t delivered = 0;  ///< copies
    bool touched = false;
  };

  std::string topic(std::size_t publisher) const;
  std::string filter(std::size_t subscriber) const;
  void on_publish(Connection& connection, const Packet& packet);
  void on_publisher_ack(Connection& connection, const Packet& packet);
  void answer(Connection& connection, PacketType type, std::uint16_t packet_id);
  void touch(std::size_t publisher);
  void refill(std::size_t publisher);
  void send_one(std::size_t publisher, std::int64_t stamp_ns);
  void send_due();
  bool finished() const;
  Connection& connection_of(std::size_t publisher) { return fleet_[subscribers_ + publisher]; }

  Fleet& fleet_;
  const PubsubOptions& options_;
  Version version_;
  std::size_t subscribers_;
  std::uint64_t copies_;  ///< of each message
  std::uint32_t quota_;   ///< messages per publisher
  bool one_to_all_;
  std::vector<Publisher> publishers_;
  std::vector<std::uint32_t> touched_;
  Ledger ledger_;
  Histogram latency_;
  std::uint64_t sent_ = 0;
  std::uint64_t arrived_ = 0;
  std::uint64_t unacked_ = 0;     ///< QoS 1 and 2, all publishers
  std::uint64_t unreleased_ = 0;  ///< QoS 2 messages at subscribers that wait for PUBREL
  std::uint64_t refused_ = 0;     ///< acknowledged with an error
  std::uint64_t ack_progress_ = 0;
  std::size_t next_publisher_ = 0;  ///< of the open loop
  std::int64_t start_ns_ = 0;
  std::int64_t last_ns_ = 0;
  std::string failure_;

 public:
  /// Subscribes all subscribers, then makes the publishers' windows obey the broker's Receive
  /// Maximum.
  Result<void> prepare();
};

Traffic::Traffic(Fleet& fleet, const PubsubOptions& options)
    : fleet_(fleet),
      options_(options),
      version_(fleet.target().version),
      subscribers_(options.subscribers),
      copies_(1),
      quota_(static_cast<std::uint32_t>((options.messages + options.publishers - 1) /
                                        options.publishers)),
      one_to_all_(every_subscriber_has_all(options.plan)),
      ledger_(options.publishers * (one_to_all_ ? options.subscribers : 1),
              options.publishers * options.subscribers, quota_) {
  if (one_to_all_) copies_ = subscribers_;
  for (std::size_t i = 0; i < options.publishers; ++i) {
    publishers_.push_back(
        {PublishTemplate(topic(i), options.qos, false, options.payload_size, version_)});
  }
  touched_.reserve(options.publishers);
}

std::string Traffic::topic(std::size_t publisher) const {
  std::string stem = fleet_.target().prefix + "/" + std::string(plan_text(options_.plan));
  const bool own = options_.plan == TopicPlan::Pairs || options_.plan == TopicPlan::FanIn;
  return own ? stem + "/" + std::to_string(publisher) : stem;
}

std::string Traffic::filter(std::size_t subscriber) const {
  std::string stem = fleet_.target().prefix + "/" + std::string(plan_text(options_.plan));
  switch (options_.plan) {
    case TopicPlan::Pairs: return stem + "/" + std::to_string(subscriber);
    case TopicPlan::FanIn: return stem + "/+";
    case TopicPlan::FanOut: return stem;
    case TopicPlan::Shared: return "$share/group/" + stem;
  }
  return stem;
}

Result<void> Traffic::prepare() {
  fleet_.set_clean(!options_.persistent);
  if (auto done = fleet_.connect(subscribers_); !done) return done;
  fleet_.set_clean(true);
  if (auto done = fleet_.connect(publishers_.size()); !done) return done;
  std::vector<std::vector<std::string>> filters;
  for (std::size_t i = 0; i < subscribers_; ++i) filters.push_back({filter(i)});
  if (auto done = fleet_.subscribe(filters, options_.qos); !done) return done;
  for (std::size_t i = 0; i < publishers_.size(); ++i) {
    std::uint32_t window = window_of(options_);
    if (options_.qos > 0) {
      window = std::min(window, std::uint32_t{connection_of(i).receive_maximum});
    }
    publishers_[i].window = window;
  }
  return {};
}

void Traffic::run() {
  Watchdog watchdog(fleet_.target().stall_seconds);
  start_ns_ = last_ns_ = now_ns();
  if (options_.rate == 0) {
    for (std::size_t i = 0; i < publishers_.size(); ++i) refill(i);
    fleet_.loop().write_dirty();
  }
  while (!finished() && failure_.empty()) {
    if (options_.rate != 0) send_due();
    // The open loop does not sleep while messages are left: a late wake-up would count as the
    // broker's latency.
    const bool spin = options_.rate != 0 && sent_ < std::uint64_t{quota_} * publishers_.size();
    fleet_.loop().turn(*this, spin ? 0 : 100);
    if (watchdog.stalled(sent_ + arrived_ + ack_progress_)) failure_ = "stalled";
  }
}

void Traffic::linger() {
  for (int i = 0; i < 5 && failure_.empty(); ++i) fleet_.loop().turn(*this, 20);
}

bool Traffic::finished() const {
  return sent_ == std::uint64_t{quota_} * publishers_.size() && ledger_.received() >= expected() &&
         unacked_ == 0 && unreleased_ == 0;
}

void Traffic::on_packet(Connection& connection, const Packet& packet) {
  const PacketType type = packet.type();
  if (type == PacketType::Publish) {
    on_publish(connection, packet);
  } else if (type == PacketType::Disconnect) {
    failure_ = "the broker sent DISCONNECT with code " +
               std::to_string(packet.size > 0 ? packet.body[0] : 0);
  } else if (packet.size < 2) {
    failure_ = "the broker sent a packet that is too short";
  } else if (connection.index >= subscribers_) {
    on_publisher_ack(connection, packet);
  } else if (type == PacketType::Pubrel) {
    --unreleased_;
    ++ack_progress_;
    answer(connection, PacketType::Pubcomp, read_u16(packet.body));
  }
}

void Traffic::on_publish(Connection& connection, const Packet& packet) {
  const Publish publish = read_publish(packet, version_);
  if (publish.qos == 1) answer(connection, PacketType::Puback, publish.packet_id);
  if (publish.qos == 2) {
    ++unreleased_;
    answer(connection, PacketType::Pubrec, publish.packet_id);
  }
  ++arrived_;
  last_ns_ = fleet_.loop().read_time_ns();
  Stamp stamp;
  if (publish.payload != nullptr && publish.payload_size == options_.payload_size) {
    std::memcpy(&stamp, publish.payload, sizeof stamp);
  }
  if (stamp.sent_ns == 0 || stamp.publisher >= publishers_.size()) {
    ledger_.record_unexpected();
    return;
  }
  const std::size_t stream = stamp.publisher * subscribers_ + connection.index;
  if (!ledger_.record(one_to_all_ ? stream : stamp.publisher, stream, stamp.sequence)) return;
  latency_.record(last_ns_ - stamp.sent_ns);
  ++publishers_[stamp.publisher].delivered;
  touch(stamp.publisher);
}

void Traffic::on_publisher_ack(Connection& connection, const Packet& packet) {
  const std::uint16_t packet_id = read_u16(packet.body);
  const bool error = ack_code(packet) >= 0x80;
  ++ack_progress_;
  if (packet.type() == PacketType::Pubrec && !error) {
    answer(connection, PacketType::Pubrel, packet_id);
    return;
  }
  if (error) ++refused_;
  const std::size_t publisher = connection.index - subscribers_;
  if (publishers_[publisher].unacked == 0) {
    failure_ = "the broker acknowledged more than was published";
    return;
  }
  --publishers_[publisher].unacked;
  --unacked_;
  touch(publisher);
}

void Traffic::answer(Connection& connection, PacketType type, std::uint16_t packet_id) {
  append_ack(connection.out, type, packet_id);
  fleet_.loop().write_later(connection);
}

void Traffic::on_closed(Connection& connection) {
  failure_ = std::string("the broker closed a ") +
             (connection.index < subscribers_ ? "subscriber" : "publisher");
}

void Traffic::touch(std::size_t publisher) {
  if (publishers_[publisher].touched) return;
  publishers_[publisher].touched = true;
  touched_.push_back(static_cast<std::uint32_t>(publisher));
}

void Traffic::on_turn_end() {
  for (const std::uint32_t publisher : touched_) {
    publishers_[publisher].touched = false;
    if (options_.rate == 0) refill(publisher);
  }
  touched_.clear();
}

// Waits until half the window is free: the size of a batch then depends on the window, not on who
// happens to run faster.
void Traffic::refill(std::size_t index) {
  Publisher& publisher = publishers_[index];
  const std::uint32_t left = quota_ - publisher.sent;
  if (left == 0) return;
  const std::uint64_t undelivered = publisher.sent - publisher.delivered / copies_;
  const std::uint64_t outstanding = std::max<std::uint64_t>(undelivered, publisher.unacked);
  if (outstanding >= publisher.window) return;
  const auto free = static_cast<std::uint32_t>(publisher.window - outstanding);
  if (free < std::min(left, std::max(1U, publisher.window / 2))) return;
  const std::int64_t stamp_ns = now_ns();
  for (std::uint32_t i = std::min(free, left); i > 0; --i) {
    send_one(index, stamp_ns);
    if (options_.unbatched) fleet_.loop().write_now(connection_of(index));
  }
}

void Traffic::send_one(std::size_t index, std::int64_t stamp_ns) {
  Publisher& publisher = publishers_[index];
  Connection& connection = connection_of(index);
  const std::uint16_t packet_id = options_.qos > 0 ? connection.next_packet_id() : std::uint16_t{0};
  publisher.publish.append_to(connection.out, packet_id,
                              {static_cast<std::uint32_t>(index), publisher.sent, stamp_ns});
  ++publisher.sent;
  ++sent_;
  if (options_.qos > 0) {
    ++publisher.unacked;
    ++unacked_;
  }
  fleet_.loop().write_later(connection);
}

// A message carries the moment at which it was due, not the one at which it was written: what the
// generator is late counts too.
void Traffic::send_due() {
  const std::uint64_t total = std::uint64_t{quota_} * publishers_.size();
  const double elapsed_s = static_cast<double>(now_ns() - start_ns_) / 1e9;
  const auto due =
      std::min(total, static_cast<std::uint64_t>(elapsed_s * static_cast<double>(options_.rate)));
  while (sent_ < due) {
    const double at_ns = static_cast<double>(sent_ + 1) * 1e9 / static_cast<double>(options_.rate);
    const std::size_t publisher = next_publisher_;
    next_publisher_ = (next_publisher_ + 1) % publishers_.size();
    send_one(publisher, start_ns_ + static_cast<std::int64_t>(at_ns));
    fleet_.loop().write_now(connection_of(publisher));
  }
}

std::string label_of(const PubsubOptions& options) {
  std::string label(plan_text(options.plan));
  label.append(" ").append(std::to_string(options.publishers));
  label.append("->").append(std::to_string(options.subscribers));
  label.append(" q").append(std::to_string(options.qos));
  label.append(" ").append(std::to_string(options.payload_size)).append("B");
  if (options.unbatched) label += " unbatched";
  if (options.persistent) label += " persistent";
  if (options.rate != 0) label.append(" ").append(std::to_string(options.rate)).append("/s");
  return label;
}

void describe(Report& report, const PubsubOptions& options) {
  report.label = label_of(options);
  report.topics = std::string(plan_text(options.plan));
  report.publishers = static_cast<std::int64_t>(options.publishers);
  report.subscribers = static_cast<std::int64_t>(options.subscribers);
  report.qos = options.qos;
  report.payload_bytes = static_cast<std::int64_t>(options.payload_size);
  report.window = window_of(options);
  report.unbatched = options.unbatched;
  report.persistent = options.persistent;
  if (options.rate != 0) report.rate = static_cast<std::int64_t>(options.rate);
}

Report measure(const Target& target, const PubsubOptions& options) {
  const ProcessMeter meter(target.pid);
  Report report = begin_report(target, "pubsub", meter);
  describe(report, options);
  Fleet fleet(target);
  Traffic traffic(fleet, options);
  if (auto ready = traffic.prepare(); !ready) {
    report.failure = ready.error().detail;
    return report;
  }
  settle(meter);
  const auto before = meter.cpu();
  traffic.run();
  const auto used_ns = cpu_ns_between(before, meter.cpu());
  traffic.linger();

  const auto in = static_cast<double>(traffic.sent());
  const auto out = static_cast<double>(traffic.arrived());
  report.messages_in = static_cast<std::int64_t>(traffic.sent());
  report.messages_out = static_cast<std::int64_t>(traffic.arrived());
  report.wall_seconds = traffic.wall_seconds();
  report.messages_per_second = per(in + out, traffic.wall_seconds());
  report.deliveries_per_second = per(out, traffic.wall_seconds());
  report.cpu_us_per_message = us_per(used_ns, in + out);
  report.cpu_us_per_delivery = us_per(used_ns, out);
  report.broker_cpu_seconds = per(used_ns, 1e9);
  report.broker_rss_bytes = meter.rss_bytes();
  report.set_latency(traffic.latency());
  report.loss = static_cast<std::int64_t>(traffic.expected() - traffic.ledger().received());
  report.duplicates = static_cast<std::int64_t>(traffic.ledger().duplicates());
  report.reorders = static_cast<std::int64_t>(traffic.ledger().reorders());
  report.failure = traffic.failure();
  if (report.failure.empty() && traffic.refused() != 0) {
    report.failure = std::to_string(traffic.refused()) + " publishes were refused";
  }
  return report;
}

}  // namespace

Report run_pubsub(const Target& target, const PubsubOptions& options) {
  Report report = measure(target, options);
  if (!options.persistent) return report;
  if (const auto ended = end_sessions(target, options.subscribers);
      !ended && report.failure.empty())
    report.failure = ended.error().detail;
  return report;
}

}  // namespace twinmq::load
