#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using twinmq::core::ShardId;

namespace {

// A persistent session that has subscribed to "a" with QoS 1 and whose records are written.
Peer& receiver(World& world, const std::string& id, int qos = 1) {
  Peer& peer = world.client(id, false, 100);
  world.answer_commits();
  peer.subscribe(1, "a", qos);
  world.answer_commits();
  peer.said();
  return peer;
}

}  // namespace

TEST_CASE("a publisher is answered when its message is safe, not before", "[core]") {
  World world({.hold_commits = true});
  Peer& to = receiver(world, "to");
  Peer& from = world.client("from");
  from.said();

  from.publish("a", "1", 1, 7);
  CHECK(from.said().empty());
  CHECK(to.said() == Words{"PUBLISH a=1 q1 id1"});
  CHECK(world.store().count("to/2/") == 0);
  world.answer_commits();
  CHECK(from.said() == Words{"PUBACK 7"});
  CHECK(world.store().count("to/2/") == 1);
  to.puback(1);
  world.answer_commits();
  CHECK(world.store().count("to/2/") == 0);
}

TEST_CASE("acknowledgements leave in the order of the messages, whatever each waits for",
          "[core]") {
  World world({.hold_commits = true});
  receiver(world, "to");
  Peer& from = world.client("from");
  from.said();
  from.publish("a", "1", 1, 1);
  from.publish("nobody", "2", 1, 2);
  from.publish("nobody", "3", 2, 3);
  CHECK(from.said().empty());
  world.answer_commits();
  CHECK(from.said() == Words{"PUBACK 1", "PUBACK 2 0x10", "PUBREC 3 0x10"});
}

TEST_CASE("what its receiver acknowledged before it could be written is never written", "[core]") {
  World world({.hold_commits = true});
  Peer& to = receiver(world, "to");
  Peer& from = world.client("from");
  from.publish("a", "1", 1, 1);  // keeps the store busy
  world.run();
  from.publish("a", "2", 1, 2);
  world.run();
  to.puback(1);
  to.puback(2);
  world.answer_commits();
  from.said();
  world.store().written.clear();
  world.answer_commits();
  CHECK(world.store().count("to/2/") == 0);
  CHECK_FALSE(world.store().ever_wrote("to/2/"));
  CHECK(world.metric(Metric::QueueElided) == 1);
  CHECK(world.metric(Metric::QueueStored) == 1);
}

TEST_CASE("a failed commit answers nothing, and nothing is answered or written after it",
          "[core]") {
  World world({.hold_commits = true});
  Peer& to = receiver(world, "to");
  Peer& from = world.client("from");
  from.said();
  from.publish("a", "1", 1, 1);
  world.run();
  from.publish("a", "2", 1, 2);
  world.run();
  world.answer_one(false);
  world.run();
  CHECK(world.wants_reload);
  CHECK(world.held.empty());
  from.publish("a", "3", 1, 3);
  world.answer_commits();
  CHECK(from.said().empty());
  CHECK(world.metric(Metric::CommitsFailed) == 1);
  CHECK(world.store().count("to/2/") == 0);
  (void)to;
}

TEST_CASE("what a message writes on several shards is written at once", "[core]") {
  World world({.shards = 2, .hold_commits = true});
  const std::string here = world.named("here", 0);
  const std::string there = world.named("there", 1);
  receiver(world, here);
  receiver(world, there);
  Peer& from = world.client(world.named("from", 0));
  from.said();
  from.publish("a", "1", 1, 1);
  world.run();
  REQUIRE(world.held.size() == 1);
  CHECK(from.said().empty());
  world.answer_one();
  CHECK(world.store().count(here + "/2/") == 1);
  CHECK(world.store().count(there + "/2/") == 1);
  CHECK(from.said() == Words{"PUBACK 1"});
}

TEST_CASE("nothing of a session that ended is written behind it by another shard", "[core]") {
  World world({.shards = 2, .hold_commits = true});
  const std::string there = world.named("there", 1);
  Peer& to = receiver(world, there);
  Peer& from = world.client(world.named("from", 0));
  from.said();
  from.publish("a", "1", 1, 1);
  world.run();  // the record is under way with shard 0's batch
  REQUIRE(world.held.size() == 1);
  auto late = std::move(world.held.front());
  world.held.pop_front();
  to.disconnect(0);
  world.answer_commits();  // the session's end overtakes it
  world.held.push_back(std::move(late));
  world.answer_commits();
  CHECK(world.store().count(there) == 0);
}

TEST_CASE("a QoS 2 identifier of a session that ended is not written behind it", "[core]") {
  World world({.shards = 2, .hold_commits = true});
  const std::string there = world.named("there", 1);
  receiver(world, there);
  const std::string id = world.named("from", 0);
  Peer& from = world.client(id, false, 100);
  world.answer_commits();
  from.publish("a", "1", 2, 5);
  world.turn(0);  // its part on shard 1 is open
  from.to_broker.clear();
  from.disconnect(0);
  world.answer_commits();
  CHECK(world.store().count(id) == 0);
}

TEST_CASE("more share groups than a sum of weights could hold take part in one message", "[core]") {
  World world({.shards = 2});
  Peer& member = world.client(world.named("member", 1));
  for (int i = 0; i < 10'000; ++i) member.subscribe(1, "$share/g" + std::to_string(i) + "/a", 1);
  member.said();
  Peer& from = world.client(world.named("from", 0));
  from.said();
  from.publish("a", "1", 1, 1);
  CHECK(from.said() == Words{"PUBACK 1"});
  std::size_t received = 0;
  for (Words words = member.said(); !words.empty(); words = member.said()) {
    for (std::size_t i = 0; i < words.size(); ++i)
      member.puback(static_cast<std::uint16_t>(++received));
  }
  CHECK(received == 10'000);
}

TEST_CASE("a message refused after its publisher went may be sent again and is not taken for known",
          "[core]") {
  WorldOptions options{.shards = 2, .hold_commits = true};
  options.limits.queue_messages_max = 1;
  World world(options);
  const std::string there = world.named("there", 1);
  Peer& to = receiver(world, there);
  to.cut();
  world.answer_commits();
  const std::string id = world.named("from", 0);
  Peer& from = world.client(id, false, 100);
  world.answer_commits();
  from.publish("a", "fills", 1, 1);
  world.answer_commits();
  from.said();
  from.publish("a", "refused", 2, 5);
  world.turn(0);
  world.core(0).begin_turn(world.now);
  world.core(0).on_closed(from.link);
  world.forget(from);
  world.core(0).end_turn();
  world.answer_commits();
  CHECK(world.store().count(id + "/3/") == 0);

  Peer& again = world.client(id, false, 100);
  world.answer_commits();
  again.said();
  again.publish("a", "refused", 2, 5);
  world.answer_commits();
  CHECK(again.said() == Words{"PUBREC 5 0x97"});
}

TEST_CASE("a repeated QoS 2 message is acknowledged only when the first is safe", "[core]") {
  World world({.hold_commits = true});
  receiver(world, "to");
  Peer& from = world.client("from", false, 100);
  world.answer_commits();
  from.publish("a", "1", 2, 5);
  world.run();
  Peer& again = world.client("from", false, 100);
  again.publish("a", "1", 2, 5);
  REQUIRE(world.held.size() == 1);
  CHECK(again.said().empty());
  world.answer_commits();
  CHECK(again.said() == Words{"CONNACK 0x00 present", "PUBREC 5"});
}

TEST_CASE("a commit has the strongest level that anything in it was promised", "[core]") {
  WorldOptions options;
  options.hold_commits = true;
  options.durability.os_filters = {"telemetry/#"};
  options.durability.fsync_filters = {"telemetry/+/alarm"};
  World world(options);
  Peer& to = world.client("to", false, 100);
  to.subscribe(1, "#", 1);
  world.answer_commits();
  to.said();
  to.cut();
  world.answer_commits();
  Peer& from = world.client("from");
  const auto level_of = [&](std::string_view topic) {
    from.publish(topic, "x", 1, 1);
    world.run();
    REQUIRE(world.held.size() == 1);
    const Durability level = world.held.front().second.durability;
    world.answer_commits();
    return level;
  };
  CHECK(level_of("commands/a") == Durability::Fsync);
  CHECK(level_of("telemetry/a") == Durability::OperatingSystem);
  CHECK(level_of("telemetry/a/alarm") == Durability::Fsync);
  // Together with a session's state the broker's own level holds.
  from.publish("telemetry/a", "x", 1, 2);
  world.client("other", false, 100);
  REQUIRE(world.held.size() == 1);
  CHECK(world.held.front().second.durability == Durability::Fsync);
}

TEST_CASE("a listener's level holds for what is published over it, unless a topic's is stronger",
          "[core]") {
  WorldOptions options;
  options.hold_commits = true;
  options.shards = GENERATE(1u, 2u);
  options.listener_durability = Durability::OperatingSystem;
  options.durability.none_filters = {"weaker"};
  options.durability.fsync_filters = {"stronger"};
  World world(options);
  Peer& to = world.client("to", false, 100);
  to.subscribe(1, "#", 1);
  world.answer_commits();
  to.said();
  to.cut();
  world.answer_commits();
  Peer& from = world.client("from");
  for (const auto& [topic, expected] : {std::pair("plain", Durability::OperatingSystem),
                                        std::pair("weaker", Durability::OperatingSystem),
                                        std::pair("stronger", Durability::Fsync)}) {
    from.publish(topic, "x", 1, 1, true);
    world.run();
    REQUIRE(world.held.size() == 1);
    CHECK(world.held.front().second.durability == expected);
    world.answer_commits();
  }
}

TEST_CASE("with no promise QoS 1 is answered at once and stored all the same, QoS 2 waits",
          "[core]") {
  WorldOptions options;
  options.hold_commits = true;
  options.shards = GENERATE(1u, 2u);
  options.durability.none_filters = {"t"};
  World world(options);
  Peer& to = world.client("to", false, 100);
  to.subscribe(1, "t", 2);
  world.answer_commits();
  to.said();
  to.cut();
  world.answer_commits();
  Peer& from = world.client(world.named("from", options.shards - 1));
  from.said();
  from.publish("t", "1", 1, 1);
  CHECK(from.said() == Words{"PUBACK 1"});
  from.publish("t", "2", 2, 2);
  CHECK(from.said().empty());
  world.answer_commits();
  CHECK(from.said() == Words{"PUBREC 2"});
  CHECK(world.store().count("to/2/") == 2);
}
