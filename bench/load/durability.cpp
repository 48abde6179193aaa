// Kills a broker under load, again and again, and holds what it acknowledged against what it still
// has.

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "broker_process.hpp"
#include "scenarios.hpp"

namespace twinmq::load {
namespace {

constexpr std::string_view kScenario = "durability";

// Every message of all rounds, by number: number n is for subscriber n modulo their number, from
// publisher n modulo theirs.
class Promises {
 public:
  Promises(std::size_t publishers, std::size_t subscribers)
      : publishers_(publishers),
        subscribers_(subscribers),
        next_(publishers),
        last_(publishers * subscribers) {}

  std::uint64_t next_of(std::size_t publisher) {
    const std::uint64_t number = next_[publisher]++ * publishers_ + publisher;
    if (facts_.size() <= number) facts_.resize(number + 1);
    return number;
  }
  void acknowledged(std::uint64_t number) {
    facts_[number].acknowledged = true;
    ++acknowledged_;
    ++missing_;
  }
  void received(std::uint64_t number, std::size_t subscriber, bool at_most_once) {
    if (number >= facts_.size() || number % subscribers_ != subscriber) {
      ++duplicates_;  // nobody sent it
      return;
    }
    Fact& fact = facts_[number];
    ++received_;
    if (fact.received) {
      // A client acknowledged it, but the broker was killed before it had noted that.
      if (at_most_once) ++duplicates_;
      return;
    }
    fact.received = true;
    if (fact.acknowledged) --missing_;
    std::uint64_t& last = last_[number % publishers_ * subscribers_ + subscriber];
    if (number + 1 < last) ++reorders_;
    last = std::max(last, number + 1);
  }
  /// What is missing now will not come any more.
  void give_up() {
    loss_ += missing_;
    missing_ = 0;
    for (Fact& fact : facts_) fact.received |= fact.acknowledged;
  }

  std::uint64_t missing() const { return missing_; }
  std::uint64_t acknowledged() const { return acknowledged_; }
  std::uint64_t received() const { return received_; }
  std::uint64_t loss() const { return loss_; }
  std::uint64_t duplicates() const { return duplicates_; }
  std::uint64_t reorders() const { return reorders_; }

 private:
  struct Fact {
    bool acknowledged = false;
    bool received = false;
  };
  std::size_t publishers_;
  std::size_t subscribers_;
  std::vector<Fact> facts_;
  std::vector<std::uint64_t> next_;  ///< per publisher
  std::vector<std::uint64_t> last_;  ///< per publisher and subscriber, plus one
  std::uint64_t missing_ = 0;        ///< acknowledged, and not received yet
  std::uint64_t acknowledged_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t loss_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t reorders_ = 0;
};

// Publishes until the broker is gone.
class Loading {
 public:
  Loading(Fleet& fleet, const DurabilityOptions& options, Promises& promises)
      : fleet_(fleet), options_(options), promises_(promises), waiting_(options.publishers) {
    for (std::size_t i = 0; i < options.subscribers; ++i)
      publishes_.emplace_back(own_topic(fleet.target(), kScenario, i), options.qos, false,
                              options.payload_size, fleet.target().version);
  }

  void run(std::int64_t duration_ns, BrokerProcess& broker) {
    const std::int64_t end_ns = now_ns() + duration_ns;
    on_turn_end();
    fleet_.loop().write_dirty();
    while (now_ns() < end_ns && failure_.empty()) fleet_.loop().turn(*this, 1);
    broker.kill();
    killed_ = true;
    // What left the broker before it died is promised.
    while (closed_ < options_.publishers && failure_.empty()) fleet_.loop().turn(*this, 10);
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.size < 2) return;
    const std::uint16_t id = read_u16(packet.body);
    if (packet.type() == PacketType::Pubcomp) {
      waiting_[connection.index].erase(id);
      return;
    }
    if (packet.type() != PacketType::Puback && packet.type() != PacketType::Pubrec) return;
    if (ack_code(packet) >= 0x80) {
      failure_ = "the broker refused a message with code " + std::to_string(ack_code(packet));
      return;
    }
    auto& waiting = waiting_[connection.index];
    const auto found = waiting.find(id);
    if (found == waiting.end()) return;
    promises_.acknowledged(found->second);
    if (packet.type() == PacketType::Puback) {
      waiting.erase(found);
    } else {
      append_ack(connection.out, PacketType::Pubrel, id);
      fleet_.loop().write_later(connection);
    }
  }
  void on_closed(Connection&) {
    ++closed_;
    if (!killed_) failure_ = "the broker closed a publisher";
  }
  void on_turn_end() {
    if (killed_) return;
    for (std::size_t i = 0; i < options_.publishers; ++i) refill(i);
  }

  const std::string& failure() const { return failure_; }

 private:
  void refill(std::size_t publisher) {
    Connection& connection = fleet_[publisher];
    auto& waiting = waiting_[publisher];
    const std::uint32_t window =
        std::min(options_.window, std::uint32_t{connection.receive_maximum});
    if (window - waiting.size() < std::max(1U, window / 2)) return;
    while (waiting.size() < window) {
      const std::uint64_t number = promises_.next_of(publisher);
      std::uint16_t id = connection.next_packet_id();
      while (waiting.count(id) > 0) id = connection.next_packet_id();
      waiting.emplace(id, number);
      publishes_[number % options_.subscribers].append_to(
          connection.out, id,
          {static_cast<std::uint32_t>(publisher), static_cast<std::uint32_t>(number), now_ns()});
      fleet_.loop().write_later(connection);
    }
  }

  Fleet& fleet_;
  const DurabilityOptions& options_;
  Promises& promises_;
  std::vector<PublishTemplate> publishes_;
  std::vector<std::unordered_map<std::uint16_t, std::uint64_t>>
      waiting_;  ///< per publisher, by identifier
  std::size_t closed_ = 0;
  bool killed_ = false;
  std::string failure_;
};

// The clients come back and take what is there, until nothing more comes.
class Collecting {
 public:
  Collecting(Fleet& fleet, const DurabilityOptions& options, Promises& promises)
      : fleet_(fleet), options_(options), promises_(promises) {}

  void run() {
    constexpr std::int64_t kQuietNs = 200'000'000;
    for (std::size_t i = 0; i < options_.subscribers; ++i) {
      if (const auto opened = fleet_.open(); !opened) {
        failure_ = opened.error().detail;
        return;
      }
    }
    Watchdog watchdog(fleet_.target().stall_seconds);
    std::int64_t last_ns = now_ns();
    std::uint64_t seen = promises_.received();
    while (failure_.empty() && !watchdog.stalled(promises_.received())) {
      fleet_.loop().turn(*this, 10);
      if (promises_.received() != seen) {
        seen = promises_.received();
        last_ns = now_ns();
      }
      const bool complete = promises_.missing() == 0 || sessions_lost_ > 0;
      if (complete && welcomed_ == options_.subscribers && unreleased_ == 0 &&
          now_ns() - last_ns > kQuietNs)
        break;
    }
    promises_.give_up();
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() == PacketType::Connack) {
      ++welcomed_;
      if (packet.size > 0 && (packet.body[0] & 1) == 0) ++sessions_lost_;
    } else if (packet.type() == PacketType::Pubrel) {
      if (unreleased_ > 0) --unreleased_;
      fleet_.answer(connection, PacketType::Pubcomp, read_u16(packet.body));
    } else if (packet.type() == PacketType::Publish) {
      on_publish(connection, packet);
    }
  }
  void on_closed(Connection&) { failure_ = "the broker closed a subscriber"; }
  void on_turn_end() {}

  const std::string& failure() const { return failure_; }

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
    promises_.received(stamp.sent_ns == 0 ? ~std::uint64_t{0} : stamp.sequence, connection.index,
                       publish.qos == 2);
  }
  Fleet& fleet_;
  const DurabilityOptions& options_;
  Promises& promises_;
  std::size_t welcomed_ = 0;
  std::size_t sessions_lost_ = 0;
  std::uint64_t unreleased_ = 0;
  std::string failure_;
};

// One life of the broker under load, its death, and the next one's account. Why it broke off;
// empty: it did not.
std::string round(const Target& target, const DurabilityOptions& options, BrokerProcess& broker,
                  Promises& promises, std::int64_t load_ns, Report& report) {
  if (const auto left = leave_sessions(target, kScenario, options.subscribers, options.qos); !left)
    return left.error().detail;
  {
    Fleet publishers(target, true, "-from");
    if (const auto done = publishers.connect(options.publishers); !done) return done.error().detail;
    Loading loading(publishers, options, promises);
    loading.run(load_ns, broker);
    if (!loading.failure().empty()) return loading.failure();
  }
  const std::int64_t killed_ns = now_ns();
  if (const auto started = broker.start(target.stall_seconds); !started)
    return started.error().detail;
  const double seconds = static_cast<double>(now_ns() - killed_ns) / 1e9;
  report.restart_seconds_max = std::max(report.restart_seconds_max.value_or(0), seconds);
  Fleet subscribers(target, false);
  Collecting collecting(subscribers, options, promises);
  collecting.run();
  if (!collecting.failure().empty()) return collecting.failure();
  if (const auto left = subscribers.disconnect(); !left) return left.error().detail;
  return {};
}

}  // namespace

Report run_durability(const Target& target, const DurabilityOptions& options) {
  Report report = begin_report(target, "durability", ProcessMeter(0));
  report.publishers = static_cast<std::int64_t>(options.publishers);
  report.subscribers = static_cast<std::int64_t>(options.subscribers);
  report.payload_bytes = static_cast<std::int64_t>(options.payload_size);
  report.window = options.window;
  report.qos = options.qos;
  report.rounds = static_cast<std::int64_t>(options.rounds);
  report.label = std::to_string(options.rounds) + " kills q" + std::to_string(options.qos);
  Result<BrokerProcess> broker = BrokerProcess::prepare(options.start, target.port);
  if (!broker) {
    report.failure = broker.error().detail;
    return report;
  }
  if (const auto started = broker->start(target.stall_seconds); !started) {
    report.failure = started.error().detail;
    return report;
  }
  Promises promises(options.publishers, options.subscribers);
  std::mt19937_64 random(options.seed);
  for (std::uint32_t i = 0; i < options.rounds && report.failure.empty(); ++i) {
    const auto load_ns =
        std::uniform_int_distribution<std::int64_t>(20'000'000, 500'000'000)(random);
    report.failure = round(target, options, *broker, promises, load_ns, report);
  }
  report.messages_in = static_cast<std::int64_t>(promises.acknowledged());
  report.messages_out = static_cast<std::int64_t>(promises.received());
  report.loss = static_cast<std::int64_t>(promises.loss());
  report.duplicates = static_cast<std::int64_t>(promises.duplicates());
  report.reorders = static_cast<std::int64_t>(promises.reorders());
  return report;
}

}  // namespace twinmq::load
