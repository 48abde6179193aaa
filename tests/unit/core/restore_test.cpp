#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using mqtt::PacketType;

TEST_CASE("sessions come back on another number of shards", "[core]") {
  auto store = std::make_shared<PlainStore>();
  const unsigned before = GENERATE(1u, 2u, 3u);
  const unsigned after = GENERATE(1u, 2u, 4u);
  {
    World world({.shards = before}, store);
    for (const char* id : {"c1", "c2", "c3", "c4"}) {
      Peer& client = world.client(id, false, 100);
      client.subscribe(1, "a/+", 1);
      client.subscribe(2, "$share/g/s", 1);
      world.run();
    }
    Peer& from = world.client("from", false, 100);
    from.publish("a/1", "kept", 1, 1, true);
    from.publish("a/2", "live", 2, 9);
    world.run();
  }
  World world({.shards = after}, store);
  world.restore();
  CHECK(world.metric(Metric::Sessions) == 5);
  CHECK(world.metric(Metric::Subscriptions) == 8);
  CHECK(world.metric(Metric::RetainedMessages) == 1);
  for (const char* id : {"c1", "c2", "c3", "c4"}) {
    Peer& client = world.client(id, false, 100);
    Words words = client.said();
    REQUIRE(words.size() == 3);
    CHECK(words[0] == "CONNACK 0x00 present");
    // Of different topics, in whatever order they arrived.
    std::sort(words.begin() + 1, words.end(),
              [](const auto& a, const auto& b) { return a.substr(0, 12) < b.substr(0, 12); });
    CHECK_THAT(words[1], Catch::StartsWith("PUBLISH a/1=kept q1 id"));
    CHECK_THAT(words[2], Catch::StartsWith("PUBLISH a/2=live q1 id"));
  }
  Peer& from = world.client("from", false, 100);
  from.publish("a/2", "live", 2, 9);
  from.publish("s", "shared", 1, 10);
  CHECK(from.said() == Words{"CONNACK 0x00 present", "PUBREC 9", "PUBACK 10"});
  Peer& late = world.client("late");
  late.subscribe(1, "#");
  CHECK(late.said() == Words{"CONNACK 0x00", "SUBACK 1 0x00", "PUBLISH a/1=kept q0 retain"});
}

TEST_CASE("PUBREL comes back with its identifier, and the session ends complete", "[core]") {
  auto store = std::make_shared<PlainStore>();
  {
    World world({}, store);
    Peer& to = world.client("to", false, 100);
    to.subscribe(1, "a", 2);
    Peer& from = world.client("from");
    from.publish("a", "1", 2, 1);
    world.run();
    to.ack(PacketType::Pubrec, 1);
    CHECK(to.said().back() == "PUBREL 1");
  }
  World world({}, store);
  world.restore();
  Peer& to = world.client("to", false, 100);
  CHECK(to.said() == Words{"CONNACK 0x00 present", "PUBREL 1"});
  to.ack(PacketType::Pubcomp, 1);
  to.said();
  CHECK(store->count("to/2/") == 0);
}

TEST_CASE("the time of a session goes on over restarts, however often", "[core]") {
  auto store = std::make_shared<PlainStore>();
  WallTime wall;
  {
    World world({}, store);
    world.client("c", false, 100);
    wall = world.now.wall;
  }
  for (int restart = 0; restart < 3; ++restart) {
    World world({}, store);
    world.restore(wall + Seconds(40 * restart));
    CHECK(world.core().sessions().size() == 1);
  }
  World world({}, store);
  world.restore(wall + Seconds(120));
  CHECK(world.core().sessions().empty());
  CHECK(store->entries.empty());
}

TEST_CASE("a will of a session that was connected is published after a restart, once", "[core]") {
  auto store = std::make_shared<PlainStore>();
  WallTime wall;
  {
    World world({}, store);
    mqtt::Connect packet;
    packet.client_id = "c";
    packet.session_expiry_seconds = 100;
    packet.will.emplace();
    packet.will->topic = "will";
    packet.will->payload = "bye";
    packet.will->qos = QoS::AtLeastOnce;
    packet.will->delay_seconds = 10;
    world.open().connect(packet);
    world.client("watcher", false, 1000).subscribe(1, "will", 1);
    world.run();
    wall = world.now.wall;
  }
  {
    World world({}, store);
    world.restore(wall);
    Peer& watcher = world.client("watcher", false, 1000);
    world.pass(Milliseconds(11'000));
    CHECK(watcher.said() == Words{"CONNACK 0x00 present", "PUBLISH will=bye q1 id1"});
    watcher.puback(1);
    watcher.said();
  }
  World world({}, store);
  world.restore(wall + Seconds(20));
  world.pass(Milliseconds(20'000));
  CHECK(world.client("watcher", false, 1000).said() == Words{"CONNACK 0x00 present"});
  CHECK(world.core().sessions().size() == 2);
  world.pass(Milliseconds(70'000));  // 110 seconds since the client was last heard of
  CHECK(world.core().sessions().size() == 1);
}

TEST_CASE("a delivery that is far out of sequence is left out and told", "[core]") {
  auto store = std::make_shared<PlainStore>();
  {
    World world({}, store);
    Peer& to = world.client("to", false, 100);
    to.subscribe(1, "a", 1);
    to.said();
    to.cut();
    Peer& from = world.client("from");
    from.publish("a", "1", 1, 1);
    world.run();
  }
  std::string record;
  for (const auto& [key, value] : store->entries)
    if (key.find("to/2/") == 0) record = value;
  store->entries["to/2/09223372036854775807"] = record;
  World world({}, store);
  world.restore();
  CHECK(world.log.find("out of sequence") != std::string::npos);
  CHECK(world.client("to", false, 100).said() ==
        Words{"CONNACK 0x00 present", "PUBLISH a=1 q1 id1 dup"});
}

TEST_CASE("a QoS 1 message that waited through a restart still expires", "[core]") {
  auto store = std::make_shared<PlainStore>();
  {
    World world({}, store);
    Peer& to = world.client("to", false, 1000);
    to.subscribe(1, "a", 1);
    to.said();
    to.cut();
    world.client("from").publish("a", "old", 1, 1, false, 5);
    world.run();
  }
  World world({}, store);
  world.restore();
  world.pass(Milliseconds(6000));
  CHECK(world.client("to", false, 1000).said() == Words{"CONNACK 0x00 present"});
  CHECK(world.metric(Metric::DroppedExpired) == 1);
}
