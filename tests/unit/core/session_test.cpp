#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;

namespace {

mqtt::Connect with_will(std::string_view id, std::uint32_t delay, std::uint32_t expiry) {
  mqtt::Connect packet;
  packet.client_id = id;
  packet.clean_start = false;
  if (expiry != 0) packet.session_expiry_seconds = expiry;
  packet.will.emplace();
  packet.will->topic = "will";
  packet.will->payload = id;
  packet.will->delay_seconds = delay;
  return packet;
}

}  // namespace

TEST_CASE("an expiry of 0 at DISCONNECT erases what the store holds of the session", "[core]") {
  World world;
  Peer& client = world.client("c", false, 100);
  client.subscribe(1, "a", 1);
  world.run();
  client.publish("a", "1", 1, 1);
  client.publish("a", "2", 2, 2);
  client.said();
  CHECK(world.store().count("c/") == 5);
  client.disconnect(0);
  CHECK(client.said() == Words{"closed"});
  CHECK(world.store().entries.empty());
  CHECK(world.core().sessions().empty());
  for (const Metric gauge : {Metric::Sessions, Metric::Subscriptions, Metric::QueuedMessages,
                             Metric::QueuedBytes, Metric::ClientsConnected, Metric::Connections})
    CHECK(world.metric(gauge) == 0);
}

TEST_CASE("a session without expiry cannot be given one at its end", "[core]") {
  World world;
  Peer& client = world.client("c");
  client.said();
  client.disconnect(100);
  CHECK(client.said() == Words{"DISCONNECT 0x82", "closed"});
}

TEST_CASE("a takeover tells the old connection, before and after its CONNACK", "[core]") {
  World world({.hold_commits = true});
  Peer& first = world.client("c", false, 100);
  CHECK(first.said().empty());  // its session is not stored yet
  Peer& second = world.client("c", false, 100);
  CHECK(first.said() == Words{"CONNACK 0x80", "closed"});  // CONNACK has no 0x8E
  world.answer_commits();
  CHECK(second.said() == Words{"CONNACK 0x00 present"});
  Peer& third = world.client("c", true, 0);
  CHECK(second.said() == Words{"DISCONNECT 0x8E", "closed"});
  world.answer_commits();
  CHECK(third.said() == Words{"CONNACK 0x00"});
  Peer& fourth = world.client("c", false, 0);  // the third had no state to leave
  CHECK(third.said() == Words{"DISCONNECT 0x8E", "closed"});
  CHECK(fourth.said() == Words{"CONNACK 0x00"});
  CHECK(world.metric(Metric::Takeovers) == 3);
  CHECK(world.metric(Metric::ClientsConnected) == 1);
  CHECK(world.metric(Metric::Sessions) == 1);
  CHECK(world.store().entries.empty());
}

TEST_CASE("a will waits for its delay, and a client that returns in time takes it back", "[core]") {
  World world;
  Peer& watcher = world.client("watcher");
  watcher.subscribe(1, "will");
  watcher.said();
  world.open().connect(with_will("c", 10, 100)).cut();
  world.pass(Milliseconds(9000));
  Peer& back = world.open().connect(with_will("c", 10, 100));
  world.pass(Milliseconds(9000));
  CHECK(watcher.said().empty());
  back.cut();
  world.pass(Milliseconds(11'000));
  CHECK(watcher.said() == Words{"PUBLISH will=c q0"});
  world.pass(Milliseconds(100'000));
  CHECK(watcher.said().empty());
  CHECK(world.store().entries.empty());
  CHECK(world.metric(Metric::SessionsExpired) == 1);
}

TEST_CASE("a will of a session that ends is published at once, whatever its delay", "[core]") {
  World world;
  Peer& watcher = world.client("watcher");
  watcher.subscribe(1, "will");
  watcher.said();
  world.open().connect(with_will("gone", 10, 0)).cut();
  CHECK(watcher.said() == Words{"PUBLISH will=gone q0"});
  world.open().connect(with_will("c", 10, 100)).cut();
  world.client("c", true);
  CHECK(watcher.said() == Words{"PUBLISH will=c q0"});
  Peer& polite = world.open().connect(with_will("polite", 0, 0));
  polite.disconnect();
  CHECK(watcher.said().empty());
  Peer& loud = world.open().connect(with_will("loud", 0, 0));
  loud.disconnect({}, ReasonCode::DisconnectWithWill);
  CHECK(watcher.said() == Words{"PUBLISH will=loud q0"});
}

namespace {

class Rights final : public Authorizer {
 public:
  bool may(const Identity&, Action action, std::string_view, QoS, bool) override {
    if (action == Action::Publish) return publish;
    return action != Action::Receive || receive;
  }
  std::uint64_t epoch() const override { return epoch_now; }
  bool publish = true;
  bool receive = true;
  std::uint64_t epoch_now = 1;
};

}  // namespace

TEST_CASE("what waited for a client is judged by the rights it has when it returns", "[core]") {
  Rights rights;
  World world({.authorizer = &rights});
  Peer& to = world.client("to", false, 100);
  to.subscribe(1, "a", 1);
  to.said();
  to.cut();
  Peer& from = world.client("from");
  from.publish("a", "secret", 1, 1);
  from.said();
  rights.receive = false;
  rights.epoch_now = 2;
  Peer& again = world.client("to", false, 100);
  CHECK(again.said() == Words{"CONNACK 0x00 present"});
  CHECK(world.metric(Metric::DroppedNotAuthorized) == 1);
  CHECK(world.metric(Metric::QueuedMessages) == 0);
}

TEST_CASE("a will is judged again by the rights there are when it is published", "[core]") {
  Rights rights;
  World world({.authorizer = &rights});
  Peer& watcher = world.client("watcher");
  watcher.subscribe(1, "will");
  watcher.said();
  rights.publish = GENERATE(true, false);
  const bool allowed = std::exchange(rights.publish, true);
  Peer& c = world.open().connect(with_will("c", 10, 100));
  CHECK(c.said() == Words{"CONNACK 0x00"});
  rights.publish = allowed;
  rights.epoch_now = 2;
  c.cut();
  world.pass(Milliseconds(11'000));
  CHECK(watcher.said() == (allowed ? Words{"PUBLISH will=c q0"} : Words{}));
  CHECK(world.metric(Metric::WillsPublished) == (allowed ? 1 : 0));
  CHECK(world.metric(Metric::RefusedNotAuthorized) == (allowed ? 0 : 1));
}

TEST_CASE("what an earlier connection left unreleased does not count against Receive Maximum",
          "[core]") {
  WorldOptions options;
  options.mqtt.receive_maximum = 2;
  World world(options);
  Peer& before = world.client("c", false, 100);
  before.publish("a", "1", 2, 1);
  before.publish("a", "2", 2, 2);
  world.run();
  before.cut();
  Peer& now = world.client("c", false, 100);
  now.publish("a", "3", 2, 3);
  now.publish("a", "4", 2, 4);
  CHECK(now.said() == Words{"CONNACK 0x00 present", "PUBREC 3 0x10", "PUBREC 4 0x10"});
  now.ack(mqtt::PacketType::Pubrel, 1);
  CHECK(now.said() == Words{"PUBCOMP 1"});
  now.publish("a", "5", 2, 5);
  CHECK(now.said().front() == "DISCONNECT 0x93");
}
