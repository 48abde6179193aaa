#pragma once
// What can be run, and with which parameters. Each run fills a Report; what breaks a run off is in
// its `failure`.

#include <cstddef>
#include <cstdint>
#include <string>

#include "fleet.hpp"
#include "report.hpp"

namespace twinmq::load {

enum class TopicPlan {
  Pairs,   ///< publisher i to subscriber i on topic i
  FanIn,   ///< each publisher on its topic, all to every wildcard subscriber
  FanOut,  ///< one topic, every subscriber has it
  Shared,  ///< one topic, the subscribers are one share group
};

struct PubsubOptions {
  TopicPlan plan = TopicPlan::Pairs;
  std::size_t publishers = 50;
  std::size_t subscribers = 50;
  std::uint8_t qos = 0;
  std::size_t payload_size = 16;
  std::uint64_t messages = 1'000'000;  ///< published, all publishers together
  std::uint32_t window = 0;            ///< outstanding per publisher; 0: 5,000 copies over all
  bool unbatched = false;
  bool persistent =
      false;  ///< the subscribers' sessions outlive their connections, until the end of the run
  std::uint64_t rate = 0;  ///< messages per second, open loop; 0: as fast as the window allows
};

Report run_pubsub(const Target& target, const PubsubOptions& options);

struct ConnectOptions {
  std::size_t connections = 10'000;
  bool subscribe = false;
  bool churn = false;
};

Report run_connect(const Target& target, const ConnectOptions& options);

struct SubscriptionsOptions {
  std::size_t filters = 100'000;
  std::size_t connections = 100;
  std::size_t publishers = 10;
  std::uint64_t messages = 100'000;
  std::uint32_t window = 500;
};

Report run_subscriptions(const Target& target, const SubscriptionsOptions& options);

struct RetainedOptions {
  std::uint64_t messages = 100'000;
  std::size_t payload_size = 64;
  std::size_t publishers = 4;
  std::uint32_t window = 100;
  bool keep = false;  ///< leave the messages in the broker
};

Report run_retained(const Target& target, const RetainedOptions& options);

struct ShadowOptions {
  std::size_t things = 1'000;
  std::size_t publishers = 10;
  std::uint64_t updates = 200'000;
  std::size_t document_size = 256;  ///< bytes of the state
  std::uint32_t window = 50;        ///< updates without an answer, per publisher
  std::uint64_t rate = 0;  ///< updates per second, open loop; 0: as fast as the window allows
  std::uint64_t gets = 0;  ///< after the updates
  bool queries = false;    ///< after those
};

Report run_shadow(const Target& target, const ShadowOptions& options);

struct RulesOptions {
  std::string start;  ///< command that starts the broker; {port} and {dir} are filled in
  std::size_t rules = 1;
  bool distinct = false;     ///< each rule has a filter of its own, and each message one rule
  bool matching = false;     ///< WHERE is true, and the rule republishes
  std::uint64_t groups = 0;  ///< of a window, in the place of --messages
  std::uint64_t messages = 300'000;
  std::size_t payload_size = 200;
  std::size_t publishers = 10;
  std::uint32_t window = 100;
  std::uint32_t rounds = 5;  ///< each without rules and with them
};

/// Starts the broker itself: the target's pid is not looked at. Its rules lie in {dir}/rules.toml.
Report run_rules(const Target& target, const RulesOptions& options);

struct OfflineOptions {
  std::uint64_t messages = 100'000;
  std::size_t payload_size = 64;
  std::size_t publishers = 10;
  std::size_t subscribers = 10;
  std::uint8_t qos = 1;
  std::uint32_t window = 100;
};

Report run_offline(const Target& target, const OfflineOptions& options);

struct DurabilityOptions {
  std::string start;  ///< command that starts the broker; {port} and {dir} are filled in
  std::uint32_t rounds = 10;
  std::size_t payload_size = 64;
  std::size_t publishers = 4;
  std::size_t subscribers = 4;
  std::uint8_t qos = 1;
  std::uint32_t window = 100;
  std::uint64_t seed = 1;  ///< of the moments of the kills
};

/// Starts the broker itself: the target's pid is not looked at.
Report run_durability(const Target& target, const DurabilityOptions& options);

/// Fills what every report carries.
Report begin_report(const Target& target, std::string scenario, const ProcessMeter& meter);

}  // namespace twinmq::load
