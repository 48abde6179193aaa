#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;

TEST_CASE("a client that cannot take the CONNACK is not welcomed", "[core]") {
  World world;
  mqtt::Connect packet;
  packet.client_id = "c";
  packet.packet_size_max = 8;
  Peer& client = world.open().connect(packet);
  CHECK(client.said() == Words{"CONNACK 0x95", "closed"});
  packet.packet_size_max = 4;
  Peer& smaller = world.open().connect(packet);
  CHECK(smaller.said() == Words{"closed"});
  CHECK(world.metric(Metric::Sessions) == 0);
}

TEST_CASE("a client identifier belongs to whoever used it first", "[core]") {
  World world;
  World open;  // without an authenticator everybody is nobody
  CHECK(open.client("c").said() == Words{"CONNACK 0x00"});
  mqtt::Connect packet;
  Peer& nameless = world.open().connect(packet);
  CHECK(nameless.said() == Words{"CONNACK 0x00"});
  REQUIRE(world.core().sessions().size() == 1);
  CHECK(world.core().sessions()[0].client_id.starts_with("twinmq-"));
}
