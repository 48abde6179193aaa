#include "sim/world.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "mqtt/topic.hpp"
#include "sim/checkers.hpp"
#include "sim/plants.hpp"

namespace twinmq::sim {

namespace {

constexpr std::uint64_t kStepsMax = 4'000'000;
constexpr int kDrainRoundsMax = 30'000;

// Folds what the clients receive into one number.
class Fingerprint final : public Checker {
 public:
  Fingerprint(Ledger& ledger, RunResult& result) : Checker(ledger), result_(result) {}
  void on_received(const SimSession& session, const Received& received) override {
    ++result_.deliveries;
    fold(session.number);
    fold(received.message.number);
    fold(static_cast<std::uint64_t>(received.qos));
  }

 private:
  void fold(std::uint64_t value) {
    result_.fingerprint = (result_.fingerprint ^ value) * 0x100000001b3 + 0x9e3779b9;
  }
  RunResult& result_;
};

QoS any_qos(base::Prng& random) {
  return static_cast<QoS>(random.below(3));
}

}  // namespace

World::World(const RunOptions& options)
    : options_(options), random_(options.seed), broker_(store_, network_, clock_, random_) {
  clock_.truth = Milliseconds(random_.below(100'000));
  clock_.steady_start = Milliseconds(random_.below(1'000'000'000));
  shards_ = options.shards != 0 ? options.shards : static_cast<unsigned>(random_.between(1, 4));
  network_.room_to_client =
      random_.chance(0.3) ? random_.between(1, 200) : random_.between(500, 64'000);
  if (random_.chance(0.3))
    broker_.mqtt.receive_maximum = static_cast<std::uint16_t>(random_.between(1, 20));
  if (random_.chance(0.3))
    broker_.mqtt.inflight_max = static_cast<std::uint16_t>(random_.between(1, 20));
  if (random_.chance(0.2))
    broker_.limits.turn_packets_max = static_cast<std::uint32_t>(random_.between(1, 5));
  // Queues that live on disk nearly all the time, now and then, or never.
  if (random_.chance(0.7))
    broker_.limits.queue_memory_bytes = random_.below(random_.chance(0.5) ? 2000 : 50'000);
  long_messages_ = random_.chance(0.3) ? 0.3 : 0.02;
  if (options_.trace) broker_.trace = [this](const std::string& text) { trace(text); };
  draw_weather();
  draw_topics();
  if (options_.shadows) {
    draw_shadows();
  } else {
    draw_clients();
  }
  add_checkers(ledger_);
  plant(options_.planted, broker_, store_, random_);
}

// Some runs are calm, some have one trouble, some have all.
void World::draw_weather() {
  const auto often = [&](double most) {
    return random_.chance(0.5) ? 0 : most * random_.fraction();
  };
  weather_.store_speed = random_.chance(0.5) ? 1 : 0.02 + random_.fraction() / 2;
  if (random_.chance(0.1)) return;
  weather_.cut = often(0.004);
  weather_.takeover = often(0.003);
  weather_.half_close = often(0.002);
  weather_.slow_reader = often(0.003);
  weather_.slow_link = often(0.003);
  weather_.crash = often(0.0003);
  weather_.store_failure = often(0.0002);
  weather_.idle = often(0.0005);
  weather_.wall_jump = often(0.0003);
}

void World::draw_topics() {
  for (const char* topic : {"t/0/a", "t/0/b", "t/1/a", "t/1/b", "t/2/a", "t/2/b", "t/3/a", "t/3/b"})
    ledger_.topics.emplace_back(topic);
  plain_topics_ = static_cast<std::uint32_t>(ledger_.topics.size());
  for (const char* topic : {"r/0", "r/1", "r/2", "r/3", "m/0", "m/1"})
    ledger_.topics.emplace_back(topic);
  for (std::size_t i = 0; i < ledger_.topics.size(); ++i) topic_qos_.push_back(any_qos(random_));
  for (const char* filter : {"t/0/a", "t/0/b", "t/1/a", "t/1/b", "t/2/a", "t/+/a", "t/+/b", "t/1/#",
                             "t/2/+", "t/#", "+/3/b", "r/0", "r/+", "r/#", "m/#", "m/0", "#"})
    filters_.emplace_back(filter);
}

void World::add_client(ClientTraits traits) {
  traits.number = static_cast<std::uint32_t>(clients_.size());
  traits.id = "c" + std::to_string(traits.number);
  clients_.push_back(
      std::make_unique<SimClient>(std::move(traits), ledger_, network_, clock_, random_));
  clients_.back()->trace = broker_.trace;
}

void World::draw_clients() {
  const std::uint64_t count = random_.between(5, 10);
  for (std::uint64_t i = 0; i < count; ++i) {
    ClientTraits traits;
    traits.version = random_.chance(0.6) ? mqtt::Version::V5 : mqtt::Version::V311;
    traits.persistent = random_.chance(0.7);
    traits.expiry_seconds = traits.version == mqtt::Version::V311 ? broker_.mqtt.session_expiry_v3
                            : random_.chance(0.2)
                                ? static_cast<std::uint32_t>(random_.between(1, 30))
                                : 100'000;
    traits.receive_maximum =
        static_cast<std::uint16_t>(random_.chance(0.2) ? 1 : random_.between(2, 60));
    traits.window = static_cast<std::uint16_t>(random_.between(1, 30));
    traits.alias_maximum =
        static_cast<std::uint16_t>(random_.chance(0.4) ? random_.between(1, 8) : 0);
    traits.keep_alive_seconds =
        static_cast<std::uint16_t>(random_.chance(0.2) ? random_.between(1, 20) : 0);
    add_client(traits);
  }
  const std::uint64_t members = random_.chance(0.7) ? random_.between(1, 5) : 0;
  for (std::uint64_t i = 0; i < members; ++i) {
    ClientTraits traits;
    traits.version = random_.chance(0.6) ? mqtt::Version::V5 : mqtt::Version::V311;
    traits.persistent = random_.chance(0.6);
    traits.receive_maximum = static_cast<std::uint16_t>(random_.between(1, 30));
    if (traits.version == mqtt::Version::V311)
      traits.expiry_seconds = broker_.mqtt.session_expiry_v3;
    traits.share = random_.chance(0.6) ? "$share/g/t/#" : "$share/h/t/+/a";
    add_client(traits);
  }
}

// One who is told everything, and writers who are told some of it. The documents hardly ever fit
// into memory.
void World::draw_shadows() {
  broker_.shadow.emplace();
  broker_.shadow->cache_bytes = random_.chance(0.3) ? 1'000'000 : random_.below(1500);
  broker_.shadow->tombstone_hours = 87'600;
  ClientTraits auditor;
  auditor.auditor = true;
  auditor.expiry_seconds = UINT32_MAX;
  auditor.receive_maximum = static_cast<std::uint16_t>(random_.between(1, 60));
  add_client(auditor);
  for (std::uint64_t writers = random_.between(2, 6); writers > 0; --writers) {
    ClientTraits traits;
    traits.version = random_.chance(0.6) ? mqtt::Version::V5 : mqtt::Version::V311;
    traits.persistent = random_.chance(0.7);
    if (traits.version == mqtt::Version::V311)
      traits.expiry_seconds = broker_.mqtt.session_expiry_v3;
    traits.receive_maximum = static_cast<std::uint16_t>(random_.between(1, 60));
    traits.window = static_cast<std::uint16_t>(random_.between(1, 30));
    traits.alias_maximum =
        static_cast<std::uint16_t>(random_.chance(0.4) ? random_.between(1, 8) : 0);
    add_client(traits);
  }
  filters_ = {"t/+/a", "t/0/b", "$aws/things/+/shadow/update/accepted",
              "$aws/things/+/shadow/name/other/+/accepted", "$aws/things/thing1/shadow/update/+"};
  ledger_.checkers.push_back(std::make_unique<ShadowChecker>(ledger_));
  shadow_checker_ = static_cast<ShadowChecker*>(ledger_.checkers.back().get());
}

RunResult World::run() {
  RunResult result;
  ledger_.checkers.push_back(std::make_unique<Fingerprint>(ledger_, result));
  broker_.start(shards_);
  while (operations_ < options_.operations && !ledger_.complaint() && network_.steps < kStepsMax)
    step();
  if (!ledger_.complaint()) calm_down();
  result.complaint = ledger_.complaint();
  result.operations = operations_;
  result.restarts = restarts_;
  result.shards = shards_;
  return result;
}

void World::step() {
  ++network_.steps;
  if (random_.chance(0.3)) clock_.truth += Milliseconds(random_.below(5));
  const double what = random_.fraction();
  if (what < 0.35) {
    act(any_client());
  } else if (what < 0.6) {
    any_client().step(false);
  } else if (what < 0.88) {
    broker_.turn(static_cast<core::ShardId>(random_.below(shards_)), false);
  } else if (random_.chance(weather_.store_speed)) {
    broker_.store_some(false);
  }
  if (broker_.wants_reload() && random_.chance(0.1)) restart(false);
  troubles();
}

void World::troubles() {
  if (random_.chance(weather_.cut)) {
    SimClient& client = any_client();
    if (!client.offline()) {
      trace(client.traits().id + " is cut");
      client.cut();
      ++operations_;
    }
  }
  if (random_.chance(weather_.takeover)) {
    SimClient& client = any_client();
    if (!client.offline()) {
      trace(client.traits().id + " takes over");
      connect(client, random_.chance(0.1));
    }
  }
  if (random_.chance(weather_.half_close)) {
    SimClient& client = any_client();
    if (client.connected()) client.half_close();
  }
  if (random_.chance(weather_.slow_reader))
    any_client().stall(network_.steps + random_.between(10, 3000));
  if (random_.chance(weather_.slow_link))
    any_client().delay(network_.steps + random_.between(10, 1000));
  if (random_.chance(weather_.crash)) restart(true);
  if (random_.chance(weather_.store_failure)) broker_.store_fails();
  if (random_.chance(weather_.idle)) clock_.truth += Milliseconds(random_.below(20'000));
  if (random_.chance(weather_.wall_jump)) {
    clock_.wall_error += Seconds(random_.below(20'000)) - Seconds(10'000);
    clock_.last_jump = clock_.truth;
  }
}

void World::restart(bool by_crash) {
  ++restarts_;
  ++operations_;
  if (by_crash) {
    broker_.crash();
    clock_.truth += Milliseconds(random_.below(3000));
    clock_.steady_start = Milliseconds(random_.below(1'000'000'000));
    if (options_.shards == 0 && random_.chance(0.5))
      shards_ = static_cast<unsigned>(random_.between(1, 4));
    trace("starts with " + std::to_string(shards_) + " shards");
    broker_.start(shards_);
  } else {
    broker_.reload();
  }
  ledger_.restarted();
}

// --- What clients do

void World::act(SimClient& client) {
  if (client.offline()) {
    if (random_.chance(0.1)) connect(client, random_.chance(0.05));
    return;
  }
  if (!client.connected()) return;
  const double what = random_.fraction();
  if (client.traits().auditor) {
    if (witnessed() || client.asks(ShadowTopics::all_answers().front())) return;
    client.subscribe(ShadowTopics::all_answers(), QoS::AtLeastOnce, mqtt::RetainHandling::Send);
    return;
  }
  if (!client.traits().share.empty()) {
    if (!client.holds(client.traits().share)) return subscribe(client);
    if (what < 0.01) client.disconnect(random_.chance(0.3), false);
    if (what > 0.995) unsubscribe(client);
    return;
  }
  if (options_.shadows && what < 0.8) return ask_shadow(client);
  if (what < 0.9) return publish(client);
  if (what < 0.95) return subscribe(client);
  if (what < 0.98) return unsubscribe(client);
  if (what < 0.99) return client.ping();
  if (random_.chance(0.3)) {
    ++operations_;
    trace(client.traits().id + " disconnects");
    client.disconnect(random_.chance(0.3), false);
  }
}

void World::connect(SimClient& client, bool clean) {
  ++operations_;
  const ClientTraits& traits = client.traits();
  std::uint32_t expiry = traits.persistent ? traits.expiry_seconds : 0;
  clean &= !traits.auditor;
  if (traits.persistent && !traits.auditor && random_.chance(0.03))
    expiry = 0;  // its session ends with this connection
  trace(traits.id + (clean ? " connects clean" : " connects"));
  client.connect(clean, expiry, {}, static_cast<core::ShardId>(random_.below(64)));
}

void World::publish(SimClient& client) {
  if (!client.may_publish() || client.wire()->to_server.size() > 20'000) return;
  ++operations_;
  std::uint32_t topic = static_cast<std::uint32_t>(random_.below(topic_qos_.size()));
  QoS qos = any_qos(random_);
  bool retain = false;
  if (topic >= plain_topics_) {
    qos = topic_qos_[topic];
    retain = ledger_.topics[topic][0] == 'r' || random_.chance(0.2);
  }
  const std::size_t size = random_.chance(long_messages_) ? random_.below(6000) : random_.below(40);
  Sent& message = ledger_.make(client.traits().number, topic, qos, retain, size);
  if (options_.trace) trace(client.traits().id + " publishes " + describe(ledger_, message));
  client.publish(message);
}

// Whether somebody is told of everything.
bool World::witnessed() const {
  const SimSession* const session = clients_.front()->session();
  const std::size_t filters = ShadowTopics::all_answers().size();
  if (session == nullptr || session->interests.size() < filters) return false;
  return std::all_of(session->interests.end() - static_cast<std::ptrdiff_t>(filters),
                     session->interests.end(),
                     [](const Interest& interest) { return interest.granted != kNotYet; });
}

void World::ask_shadow(SimClient& client) {
  if (!client.may_publish() || client.wire()->to_server.size() > 20'000) return;
  if (!witnessed()) return;
  ++operations_;
  const auto shadow = static_cast<std::uint32_t>(random_.below(ShadowTopics::kShadows));
  Sent& message = ledger_.make(client.traits().number, any_qos(random_),
                               shadow_checker_->draw(shadow, random_));
  if (options_.trace)
    trace(client.traits().id + " publishes " + describe(ledger_, message) + ": " +
          Ledger::payload_of(message));
  client.publish(message);
}

void World::subscribe(SimClient& client) {
  std::vector<std::string> wanted;
  if (!client.traits().share.empty()) {
    wanted.push_back(client.traits().share);
  } else {
    for (std::uint64_t n = random_.between(1, 2); n > 0; --n) {
      const std::string& filter = filters_[random_.below(filters_.size())];
      if (std::find(wanted.begin(), wanted.end(), filter) == wanted.end()) wanted.push_back(filter);
    }
  }
  for (const std::string& filter : wanted)
    if (client.asks(filter)) return;
  // What matches topics with retained messages is asked for at QoS 2, for their order's sake.
  const bool plain = std::all_of(wanted.begin(), wanted.end(),
                                 [](const std::string& filter) { return filter[0] == 't'; });
  QoS qos = plain ? any_qos(random_) : QoS::ExactlyOnce;
  if (!client.traits().share.empty())
    qos = random_.chance(0.5) ? QoS::AtLeastOnce : QoS::ExactlyOnce;
  ++operations_;
  if (options_.trace)
    trace(client.traits().id + " subscribes " + wanted.front() + " at " +
          std::to_string(static_cast<int>(qos)));
  client.subscribe(wanted, qos, static_cast<mqtt::RetainHandling>(random_.below(3)));
}

void World::unsubscribe(SimClient& client) {
  const std::vector<std::string> filters = client.filters();
  if (filters.empty()) return;
  const std::string& filter = filters[random_.below(filters.size())];
  if (client.asks(filter)) return;
  ++operations_;
  if (options_.trace) trace(client.traits().id + " unsubscribes " + filter);
  client.unsubscribe(filter);
}

// --- The end

// After the troubles end, everybody is connected again and everything must drain.
void World::calm_down() {
  trace("calm");
  weather_ = {};
  network_.room_to_client = 64'000;
  for (const auto& client : clients_) client->hasten();
  ledger_.calm();
  if (broker_.wants_reload()) restart(false);
  if (!drain("after the troubles")) return;
  publish_last_values();
  if (!drain("after the last values")) return;
  ledger_.finish();
  if (ledger_.complaint()) return;
  audit_store();
  if (!ledger_.complaint() && options_.shadows) audit_shadows();
  if (!ledger_.complaint()) say_goodbye();
}

bool World::drain(const char* what) {
  int quiet = 0;
  for (int round = 0; round < kDrainRoundsMax && quiet < 5; ++round) {
    const std::uint64_t before = activity();
    ++network_.steps;
    clock_.truth += Milliseconds(1);
    for (const auto& client : clients_)
      if (client->offline() && !leaving_) connect(*client, false);
    for (core::ShardId shard = 0; shard < shards_; ++shard) broker_.turn(shard, true);
    broker_.store_some(true);
    for (const auto& client : clients_) client->step(true);
    quiet = activity() == before ? quiet + 1 : 0;
    if (ledger_.complaint()) return false;
    if (broker_.wants_reload()) restart(false);
  }
  const std::string rest = unrest();
  if (!rest.empty()) ledger_.complain("liveness", std::string(what) + ": " + rest);
  return rest.empty();
}

std::string World::unrest() const {
  for (const auto& client : clients_)
    if (std::string rest = client->unrest(); !rest.empty()) return rest;
  return broker_.unrest();
}

std::uint64_t World::activity() const {
  std::uint64_t sum = broker_.activity();
  for (const auto& client : clients_) sum += client->activity;
  return sum;
}

// One more retained value per topic and client, all at once: then everybody must agree which was
// last.
void World::publish_last_values() {
  for (std::uint32_t topic = plain_topics_; topic < topic_qos_.size(); ++topic) {
    for (const auto& client : clients_) {
      if (!client->may_publish() || !client->traits().share.empty() || random_.chance(0.5))
        continue;
      client->publish(ledger_.make(client->traits().number, topic, topic_qos_[topic], true, 0));
    }
  }
}

// What the store holds is what memory holds, no more and no less.
void World::audit_store() {
  if (broker_.sum(Metric::QueuedMessages) != 0)
    return ledger_.complain("liveness", std::to_string(broker_.sum(Metric::QueuedMessages)) +
                                            " messages stay in queues");
  const auto picture = [&] {
    std::vector<std::string> lines;
    for (core::ShardId shard = 0; shard < shards_; ++shard) {
      for (const SessionInfo& session : broker_.core(shard).sessions()) {
        if (session.expiry_seconds == 0) continue;
        std::string line = session.client_id + " expiry " + std::to_string(session.expiry_seconds) +
                           " queue " + std::to_string(session.queued_messages) + " filters";
        std::vector<std::string> filters;
        for (const SubscriptionInfo& each : broker_.core(shard).subscriptions(session.client_id))
          filters.push_back(' ' + each.filter + '@' + std::to_string(static_cast<int>(each.qos)));
        std::sort(filters.begin(), filters.end());
        for (const std::string& filter : filters) line += filter;
        lines.push_back(line);
      }
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  const std::vector<std::string> before = picture();
  trace("restart to compare");
  restart(true);
  const std::vector<std::string> after = picture();
  for (std::size_t i = 0; i < std::max(before.size(), after.size()); ++i) {
    const std::string was = i < before.size() ? before[i] : "nothing";
    const std::string is = i < after.size() ? after[i] : "nothing";
    if (was != is)
      return ledger_.complain("store",
                              "memory had \"" + was + "\", the store gave back \"" + is + '"');
  }
}

// What a new process reads is the outcome of the last accepted request.
void World::audit_shadows() {
  if (!drain("after the restart, before the shadows are read") || !witnessed()) return;
  std::vector<const Sent*> gets;
  for (std::uint32_t shadow = 0; shadow < ShadowTopics::kShadows; ++shadow) {
    SimClient& client = *clients_.front();
    gets.push_back(&ledger_.make(client.traits().number, QoS::AtMostOnce, {.shadow = shadow}));
    client.publish(ledger_.messages.back());
    if (!drain("when the shadows were read")) return;
  }
  for (const Sent* get : gets) shadow_checker_->demand_last(*get);
}

// When every session has ended nothing of them is left.
void World::say_goodbye() {
  drain("after the restart");
  leaving_ = true;
  for (int round = 0; round < 2 && !ledger_.complaint(); ++round) {
    for (const auto& client : clients_) {
      if (round == 0) client->connect(true, 0, {}, 0);
    }
    if (!drain("at the end")) return;
    for (const auto& client : clients_)
      if (client->connected()) client->disconnect(true, false);
    if (!drain("at the very end")) return;
  }
  // What nobody counted is found by looking through the store now and then.
  for (int looks = 0; looks < 4; ++looks) {
    clock_.truth += Seconds(15);
    if (!drain("while the store is looked through")) return;
  }
  for (const auto& [key, value] : store_.synced())
    if (key[0] == 's' || key[0] == 'm')
      return ledger_.complain("store", "something of a session that ended stays: key of " +
                                           std::to_string(key.size()) + " bytes, \"" +
                                           key.substr(3) + '"');
  if (broker_.sum(Metric::Sessions) != 0 || broker_.sum(Metric::Subscriptions) != 0)
    ledger_.complain("store", "sessions or subscriptions stay in memory");
}

void World::trace(const std::string& text) const {
  if (options_.trace)
    std::fprintf(stderr, "%8llu %6lld ms  %s\n", static_cast<unsigned long long>(ledger_.now()),
                 static_cast<long long>(clock_.truth.count()), text.c_str());
}

}  // namespace twinmq::sim
