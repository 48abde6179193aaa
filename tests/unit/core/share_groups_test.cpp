#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using twinmq::core::ShardId;

TEST_CASE("the members of a group on four shards get equal shares, wherever publishers are",
          "[core]") {
  World world({.shards = 4});
  std::vector<Peer*> members;
  for (ShardId shard = 0; shard < 4; ++shard) {
    members.push_back(&world.client(world.named("member", shard)));
    members.back()->subscribe(1, "$share/g/a", 1);
    members.back()->said();
  }
  for (ShardId shard = 0; shard < 4; ++shard) {
    Peer& from = world.client(world.named("from", shard));
    for (std::uint16_t i = 1; i <= 20; ++i) from.publish("a", std::to_string(i), 1, i);
    const Words words = from.said();
    REQUIRE(words.size() == 21);
    for (std::uint16_t i = 1; i <= 20; ++i) CHECK(words[i] == "PUBACK " + std::to_string(i));
  }
  for (Peer* member : members) CHECK(member->said().size() == 20);
}

TEST_CASE("what a member never acknowledged goes to another when its session ends", "[core]") {
  World world({.shards = 2});
  Peer& first = world.client(world.named("first", 0));
  first.subscribe(1, "$share/g/a", 1);
  first.said();
  Peer& from = world.client(world.named("from", 1));
  from.publish("a", "1", 1, 1);
  from.publish("a", "2", 1, 2);
  CHECK(first.said().size() == 2);
  Peer& second = world.client(world.named("second", 1));
  second.subscribe(1, "$share/g/a", 1);
  second.said();
  first.cut();
  CHECK(second.said() == Words{"PUBLISH a=1 q1 id1", "PUBLISH a=2 q1 id2"});
  second.cut();
  from.publish("a", "3", 1, 3);
  CHECK(from.said().back() == "PUBACK 3 0x10");
  CHECK(world.metric(Metric::SharedSubscriptions) == 0);
}

TEST_CASE("a group keeps its messages for members that are away, and prefers those that are there",
          "[core]") {
  World world({.shards = 2});
  Peer& away = world.client(world.named("away", 0), false, 100);
  away.subscribe(1, "$share/g/a", 1);
  away.said();
  away.cut();
  Peer& from = world.client(world.named("from", 1));
  from.publish("a", "1", 1, 1);
  from.publish("a", "lost", 0);
  CHECK(from.said().back() == "PUBACK 1");
  Peer& there = world.client(world.named("there", 1));
  there.subscribe(1, "$share/g/a", 1);
  there.said();
  for (std::uint16_t i = 2; i < 6; ++i) from.publish("a", std::to_string(i), 1, i);
  from.said();
  CHECK(there.said().size() == 4);
  Peer& back = world.client(world.named("away", 0), false, 100);
  CHECK(back.said() == Words{"CONNACK 0x00 present", "PUBLISH a=1 q1 id1"});
}
