// Rules: what they add to the cost of a message, against the same messages through a broker without
// any.

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "broker_process.hpp"
#include "scenarios.hpp"

namespace twinmq::load {
namespace {

constexpr std::size_t kSensors = 1'000;           // topics, unless each rule has its own
constexpr std::uint64_t kUndeliveredMax = 2'000;  // results on their way to the subscriber
constexpr std::string_view kSelected = "SELECT temperature, topic(2) AS device FROM '";

std::string topic_of(std::uint64_t sensor) {
  return "sensors/s" + std::to_string(sensor) + "/data";
}

std::string statement_of(const RulesOptions& options, std::size_t rule) {
  const std::string filter = options.distinct ? topic_of(rule) : "sensors/+/data";
  if (options.groups > 0)
    return "SELECT device, count(*) AS n, sum(temperature) AS total, avg(temperature) AS mean, "
           "min(temperature) AS low, max(temperature) AS high FROM '" +
           filter + "' GROUP BY device, TUMBLING('1h') EVENT TIME at HAVING count(*) > 1";
  const std::size_t above = options.distinct ? 50 : 50 + rule % 40;
  return std::string(kSelected) + filter + "' WHERE temperature > " + std::to_string(above) +
         " AND location.site = 'a'";
}

bool write_rules(const std::string& path, const RulesOptions& options, std::size_t count) {
  std::ofstream file(path, std::ios::trunc);
  for (std::size_t rule = 0; rule < count; ++rule)
    file << "[[rule]]\nname = \"r" << rule << "\"\nsql = \"" << statement_of(options, rule)
         << "\"\n[[rule.action]]\ntype = \"republish\"\ntopic = \"alerts/${coalesce(topic(2), "
            "'window')}\"\n\n";
  return file.good();
}

// One pass of the messages through one broker.
class Readings {
 public:
  Readings(Fleet& fleet, const RulesOptions& options, std::uint64_t results_each, bool ruled)
      : fleet_(fleet),
        options_(options),
        results_each_(options.matching ? results_each : 0),
        probe_results_(ruled ? (options.groups > 0 ? 1 : results_each) : 0),
        unanswered_(options.publishers) {}

  /// Publishes from the first message on up to so many in all.
  void run(std::uint64_t messages) {
    messages_ = messages;
    work([this] { return answered_ >= messages_ && results_ >= sent_ * results_each_; });
  }

  /// One message that every rule for its topic selects: were they there at all?
  void probe() {
    const std::uint64_t before = results_;
    ++unanswered_[0];
    publish(0, topic_of(0), payload_of(0, 'a', 4'000'000'000'000));
    ++sent_;
    work([&] { return results_ >= before + probe_results_ && answered_ >= sent_; });
    if (failure_.empty() && results_ != before + probe_results_)
      failure_ = "the rules are not those of this run";
  }

  void on_packet(Connection& connection, const Packet& packet) {
    if (packet.type() == PacketType::Puback) {
      if (ack_code(packet) >= 0x80) failure_ = "the broker refused a message";
      --unanswered_[connection.index];
      ++answered_;
    } else if (packet.type() == PacketType::Publish) {
      ++results_;
    }
  }
  void on_closed(Connection&) { failure_ = "the broker closed a connection"; }
  void on_turn_end() {
    for (std::size_t i = 0; i < options_.publishers; ++i) {
      const std::uint32_t window =
          std::min(options_.window, std::uint32_t{fleet_[i].receive_maximum});
      if (window - unanswered_[i] < std::max(1U, window / 2)) continue;
      while (unanswered_[i] < window && sent_ < messages_ &&
             sent_ * results_each_ < results_ + kUndeliveredMax)
        send(i);
    }
  }

  std::uint64_t sent() const { return sent_; }
  std::uint64_t results() const { return results_; }
  std::uint64_t expected() const { return sent_ * results_each_; }
  const std::string& failure() const { return failure_; }

 private:
  template <typename Done>
  void work(Done done) {
    Watchdog watchdog(fleet_.target().stall_seconds);
    on_turn_end();
    fleet_.loop().write_dirty();
    while (!done() && failure_.empty()) {
      fleet_.loop().turn(*this, 100);
      if (watchdog.stalled(answered_ + results_)) failure_ = "stalled";
    }
  }

  void send(std::size_t publisher) {
    const std::uint64_t sensors = options_.distinct ? options_.rules : kSensors;
    // With windows each message opens a group, but the last, which is the second of the first
    // group.
    const std::uint64_t device = options_.groups > 0 ? sent_ % options_.groups : sent_ % sensors;
    publish(publisher, topic_of(sent_ % sensors),
            payload_of(device, options_.matching ? 'a' : 'b', 1'000));
    ++sent_;
    ++unanswered_[publisher];
  }

  void publish(std::size_t publisher, const std::string& topic, const std::string& payload) {
    Connection& connection = fleet_[publisher];
    append_publish(connection.out, topic, connection.next_packet_id(), payload,
                   fleet_.target().version);
    fleet_.loop().write_later(connection);
  }

  std::string payload_of(std::uint64_t device, char site, std::int64_t at) const {
    std::string text = "{\"device\":\"d" + std::to_string(device) +
                       "\",\"temperature\":99.5,\"location\":{\"site\":\"";
    text += site;
    text += "\",\"floor\":2,\"room\":\"201\"},\"at\":" + std::to_string(at) +
            R"(,"humidity":32.43,"battery":87,"tags":["x","y"],"note":")";
    if (text.size() + 2 < options_.payload_size)
      text.append(options_.payload_size - text.size() - 2, '.');
    return text + "\"}";
  }

  Fleet& fleet_;
  const RulesOptions& options_;
  std::uint64_t results_each_;
  std::uint64_t probe_results_;
  std::vector<std::uint32_t> unanswered_;
  std::uint64_t messages_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t results_ = 0;
  std::string failure_;
};

struct Pass {
  double cpu_us = 0;  // per message
  double rss_growth = 0;
};

// Starts a broker with the first `rules` of the rules, measures, and kills it.
Result<Pass> measure(const Target& target, const RulesOptions& options, std::size_t rules,
                     Report& report) {
  auto broker = BrokerProcess::prepare(options.start, target.port);
  if (!broker) return broker.error();
  if (!write_rules(broker->directory() + "/rules.toml", options, rules))
    return Error{ErrorCode::Internal, "cannot write the rules into " + broker->directory()};
  if (auto started = broker->start(target.stall_seconds); !started) return started.error();
  const ProcessMeter meter(broker->pid());
  report.broker = meter.name();
  Fleet fleet(target);
  std::vector<std::vector<std::string>> filters(options.publishers + 1);
  filters.back() = {"alerts/#"};
  auto ready = fleet.connect(options.publishers + 1);
  if (ready) ready = fleet.subscribe(filters, 0);
  if (!ready) return ready.error();
  const std::size_t each = rules == 0 ? 0 : options.distinct ? 1 : rules;
  Readings readings(fleet, options, each, rules > 0);
  const std::uint64_t messages = options.groups > 0 ? options.groups + 1 : options.messages;
  const std::uint64_t warm_up = options.groups > 0 ? 0 : messages / 10;
  readings.run(warm_up);
  settle(meter);
  const auto rss = meter.rss_bytes();
  const auto before = meter.cpu();
  readings.run(warm_up + messages);
  const auto used_ns = cpu_ns_between(before, meter.cpu());
  settle(meter);
  Pass pass;
  pass.cpu_us = us_per(used_ns, static_cast<double>(messages)).value_or(0);
  pass.rss_growth = static_cast<double>(meter.rss_bytes().value_or(0) - rss.value_or(0));
  report.messages_in = report.messages_in.value_or(0) + static_cast<std::int64_t>(readings.sent());
  report.messages_out =
      report.messages_out.value_or(0) + static_cast<std::int64_t>(readings.results());
  report.broker_rss_bytes = meter.rss_bytes();
  const std::uint64_t lost =
      readings.expected() - std::min(readings.expected(), readings.results());
  report.loss += static_cast<std::int64_t>(lost);
  report.duplicates += static_cast<std::int64_t>(readings.results() -
                                                 std::min(readings.expected(), readings.results()));
  if (readings.failure().empty()) readings.probe();
  if (!readings.failure().empty()) return Error{ErrorCode::Internal, readings.failure()};
  return pass;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

void describe(Report& report, const RulesOptions& options) {
  report.publishers = static_cast<std::int64_t>(options.publishers);
  report.payload_bytes = static_cast<std::int64_t>(options.payload_size);
  report.window = options.window;
  report.qos = 1;
  report.rounds = options.rounds;
  report.rules = static_cast<std::int64_t>(options.rules);
  report.distinct = options.distinct;
  report.matching = options.matching;
  if (options.groups > 0) report.groups = static_cast<std::int64_t>(options.groups);
  report.label = std::to_string(options.rules) + (options.rules == 1 ? " rule" : " rules");
  if (options.distinct) report.label += ", a filter each";
  if (options.groups > 0)
    report.label += ", " + std::to_string(options.groups) + " groups";
  else
    report.label += options.matching ? ", republish" : ", no match";
}

}  // namespace

Report run_rules(const Target& target, const RulesOptions& options) {
  Report report = begin_report(target, "rules", ProcessMeter(0));
  describe(report, options);
  std::vector<double> without, with, added, growth;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    std::array<Pass, 2> passes;
    for (const std::size_t ruled : {std::size_t{0}, std::size_t{1}}) {
      const auto pass = measure(target, options, ruled * options.rules, report);
      if (!pass) {
        report.failure = pass.error().detail;
        return report;
      }
      passes[ruled] = *pass;
    }
    without.push_back(passes[0].cpu_us);
    with.push_back(passes[1].cpu_us);
    added.push_back(passes[1].cpu_us - passes[0].cpu_us);
    growth.push_back(passes[1].rss_growth);
  }
  report.cpu_us_without_rules = median(without);
  report.cpu_us_with_rules = median(with);
  report.cpu_us_added = median(added);
  if (options.groups > 0)
    report.rss_bytes_per_group = median(growth) / static_cast<double>(options.groups);
  return report;
}

}  // namespace twinmq::load
