#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using twinmq::core::ShardId;

TEST_CASE("a topic keeps its order when its messages begin to be retained and cease to", "[core]") {
  World world({.shards = 3});
  // Shard 2 reads the home's mail (0) before the publisher's (1).
  const std::string topic = world.named("t", 0);
  Peer& to = world.client(world.named("to", 2));
  to.subscribe(1, topic, 1);
  Peer& from = world.client(world.named("from", 1));
  to.said();
  from.said();
  from.publish(topic, "1", 1, 1);
  from.publish(topic, "2", 1, 2, true);
  from.publish(topic, "3", 1, 3);
  from.publish(topic, "4", 1, 4, true);
  for (int i = 0; i < 20; ++i) {
    world.turn(1);
    world.turn(0);
  }
  CHECK(to.said() == Words{"PUBLISH " + topic + "=1 q1 id1", "PUBLISH " + topic + "=2 q1 id2",
                           "PUBLISH " + topic + "=3 q1 id3", "PUBLISH " + topic + "=4 q1 id4"});
  CHECK(from.said() == Words{"PUBACK 1", "PUBACK 2", "PUBACK 3", "PUBACK 4"});
  CHECK(world.metric(Metric::PublishReceived) == 4);
}

TEST_CASE("a retained message is stored by the home of its topic and answered from there",
          "[core]") {
  World world({.shards = 2, .hold_commits = true});
  const std::string topic = world.named("t", 1);
  Peer& from = world.client(world.named("from", 0));
  from.said();
  from.publish(topic, "1", 1, 1, true);
  CHECK(from.said().empty());
  REQUIRE(world.held.size() == 1);
  CHECK(world.held.front().first == 1);
  world.answer_commits();
  CHECK(from.said() == Words{"PUBACK 1 0x10"});
  CHECK(world.store().count("retained/") == 1);
}

TEST_CASE("publishers wait while another shard does not read its mail, and nothing is lost",
          "[core]") {
  WorldOptions options{.shards = 2};
  options.limits.turn_packets_max = 10;
  World world(options);
  Peer& to = world.client(world.named("to", 1));
  to.subscribe(1, "a");
  to.said();
  Peer& from = world.client(world.named("from", 0));
  from.said();
  for (int i = 0; i < 1000; ++i) from.publish("a", std::to_string(i));
  for (int i = 0; i < 200; ++i) world.turn(0);
  // Two batches at most: the one in the place, and what the turn that noticed had begun.
  CHECK(world.mail().backlog(0, 1) <= 20);
  CHECK_FALSE(world.core(0).reading(from.link));
  CHECK_FALSE(world.core(0).wants_turn());
  const Words words = to.said();
  REQUIRE(words.size() == 1000);
  for (int i = 0; i < 1000; ++i)
    CHECK(words[static_cast<std::size_t>(i)] == "PUBLISH a=" + std::to_string(i) + " q0");
}

TEST_CASE("the host's own publishes are answered like a client's", "[core]") {
  World world({.hold_commits = true});
  Peer& to = world.client("to", false, 100);
  world.answer_commits();
  to.subscribe(1, "a", 1);
  world.answer_commits();
  MessageParts parts;
  parts.topic = "a";
  parts.payload = "1";
  parts.qos = QoS::AtLeastOnce;
  world.core().begin_turn(world.now);
  world.core().publish(parts, 42);
  world.core().end_turn();
  world.turn(0);
  CHECK(world.published.empty());
  world.answer_commits();
  REQUIRE(world.published.size() == 1);
  CHECK(world.published[0].token == 42);
  CHECK(world.published[0].matched == 1);
}
