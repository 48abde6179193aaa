#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;

TEST_CASE("SUBACK waits until every shard knows of the subscription", "[core]") {
  World world({.shards = 3});
  Peer& client = world.client(world.named("c", 0));
  client.said();
  const bool shared = GENERATE(false, true);
  client.subscribe(1, shared ? "$share/g/a" : "a", 1);
  world.turn(0);
  for (int i = 0; i < 10; ++i) {
    world.turn(1);
    world.turn(0);
    CHECK(client.came().empty());  // shard 2 has not read its mail
  }
  CHECK(client.said() == Words{"SUBACK 1 0x01"});
}

TEST_CASE("SUBACK of a persistent session waits for the store too", "[core]") {
  World world({.hold_commits = true});
  Peer& client = world.client("c", false, 100);
  world.answer_commits();
  client.said();
  client.subscribe(1, "a", 1);
  CHECK(client.said().empty());
  client.unsubscribe(2, "a");
  CHECK(client.said().empty());
  world.answer_commits();
  CHECK(client.said() == Words{"SUBACK 1 0x01", "UNSUBACK 2"});
  CHECK(world.store().count("c/1/") == 0);
}

TEST_CASE("nothing is sent between shards for a filter nobody wants any more", "[core]") {
  World world({.shards = 2});
  Peer& one = world.client(world.named("one", 1));
  Peer& two = world.client(world.named("two", 1));
  one.subscribe(1, "a");
  two.subscribe(1, "a");
  one.said();
  Peer& from = world.client(world.named("from", 0));
  from.said();
  one.unsubscribe(2, "a");
  one.said();
  from.publish("a", "1");
  world.run();
  CHECK(two.said() == Words{"CONNACK 0x00", "SUBACK 1 0x00", "PUBLISH a=1 q0"});
  two.cut();
  const std::uint64_t sent = world.metric(Metric::MailSent);
  from.publish("a", "2");
  world.run();
  CHECK(world.metric(Metric::MailSent) == sent);
}
