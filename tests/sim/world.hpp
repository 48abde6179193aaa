#pragma once
// One run: a broker, its clients, its troubles, all drawn from one seed. The same seed gives the
// same run.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "sim/ledger.hpp"
#include "sim/shadow_checker.hpp"
#include "sim/sim_broker.hpp"
#include "sim/sim_client.hpp"
#include "sim/sim_network.hpp"
#include "sim/sim_store.hpp"

namespace twinmq::sim {

struct RunOptions {
  std::uint64_t seed = 1;
  unsigned shards = 0;  ///< 0: the seed decides, and restarts may change it
  std::uint64_t operations = 10'000;
  bool trace = false;
  bool shadows = false;  ///< writers of device shadows instead of publishers
  std::string planted;   ///< the name of a fault; empty: none
};

struct RunResult {
  std::optional<std::string> complaint;
  std::uint64_t operations = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t restarts = 0;
  unsigned shards = 0;
  std::uint64_t fingerprint = 0;  ///< of everything clients saw: equal for equal runs
};

/// How often what goes wrong, per step.
struct Weather {
  double cut = 0;
  double takeover = 0;
  double half_close = 0;
  double slow_reader = 0;
  double slow_link = 0;
  double crash = 0;
  double store_failure = 0;
  double idle = 0;  ///< seconds in which nothing happens
  double wall_jump = 0;
  double store_speed = 1;  ///< how readily the storage thread writes
};

class World {
 public:
  explicit World(const RunOptions& options);

  RunResult run();

 private:
  void draw_weather();
  void draw_topics();
  void draw_clients();
  void draw_shadows();
  void add_client(ClientTraits traits);
  void step();
  void troubles();
  void restart(bool by_crash);
  SimClient& any_client() { return *clients_[random_.below(clients_.size())]; }

  // What clients do
  void act(SimClient& client);
  void connect(SimClient& client, bool clean);
  void publish(SimClient& client);
  void ask_shadow(SimClient& client);
  bool witnessed() const;
  void subscribe(SimClient& client);
  void unsubscribe(SimClient& client);

  // The end
  void calm_down();
  bool drain(const char* what);
  std::string unrest() const;
  void publish_last_values();
  void audit_store();
  void audit_shadows();
  void say_goodbye();

  void trace(const std::string& text) const;
  std::uint64_t activity() const;

  RunOptions options_;
  base::Prng random_;
  Ledger ledger_;
  SimClock clock_;
  SimStore store_;
  SimNetwork network_;
  SimBroker broker_;
  Weather weather_;
  std::vector<std::unique_ptr<SimClient>> clients_;
  std::vector<std::string> filters_;
  std::vector<QoS>
      topic_qos_;  ///< of topics with retained messages: one for all, so that order is defined
  std::uint32_t plain_topics_ = 0;
  double long_messages_ = 0;  ///< the part of publishes that are beyond some bytes
  unsigned shards_ = 1;
  std::uint64_t operations_ = 0;
  std::uint64_t restarts_ = 0;
  ShadowChecker* shadow_checker_ = nullptr;
  bool leaving_ = false;  ///< nobody connects again
};

}  // namespace twinmq::sim
