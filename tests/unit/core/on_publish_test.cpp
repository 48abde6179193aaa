#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;

TEST_CASE("while the disk is full, what would have to be stored is refused and the rest goes on", "[core]") {
  World world;
  Peer& to = world.client("to");
  to.subscribe(1, "a");
  Peer& from = world.client("from");
  to.said();
  from.said();
  world.core().set_store_full(true);
  from.publish("a", "refused", 1, 1);
  from.publish("a", "refused", 2, 2);
  from.publish("a", "live", 0);
  CHECK(from.said() == Words{"PUBACK 1 0x97", "PUBREC 2 0x97"});
  CHECK(to.said() == Words{"PUBLISH a=live q0"});

  world.core().set_store_full(false);
  from.publish("a", "taken", 2, 2);
  CHECK(from.said() == Words{"PUBREC 2"});
}
