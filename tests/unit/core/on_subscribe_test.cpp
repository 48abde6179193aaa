#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;

TEST_CASE("a client at its limit of subscriptions may still change those it has", "[core]") {
  WorldOptions options;
  options.limits.subscriptions_max = 2;
  World world(options);
  Peer& client = world.client("c");
  client.subscribe(1, "a");
  client.subscribe(2, "$share/g/a");
  client.subscribe(3, "b");
  client.subscribe(4, "$share/h/a");
  client.subscribe(5, "a", 1);
  client.subscribe(6, "$share/g/a", 1);
  CHECK(client.said() == Words{"CONNACK 0x00", "SUBACK 1 0x00", "SUBACK 2 0x00", "SUBACK 3 0x97",
                               "SUBACK 4 0x97", "SUBACK 5 0x01", "SUBACK 6 0x01"});
  CHECK(world.metric(Metric::Subscriptions) == 2);
  CHECK(world.metric(Metric::SharedSubscriptions) == 1);
}
