#include "core/topic_alias.hpp"

#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using twinmq::core::OutgoingAliases;

TEST_CASE("a topic that comes again gets an alias, and then goes without its name", "[core]") {
  OutgoingAliases aliases(2);
  CHECK(aliases.choose("a").alias == 0);
  CHECK(aliases.choose("a").alias == 1);
  CHECK(aliases.choose("a").known);
  aliases.choose("b");
  CHECK(aliases.choose("b").alias == 2);
  CHECK(aliases.choose("b").known);
  // A busier topic takes the place of the one used least, and is named first.
  OutgoingAliases::Choice choice;
  for (int i = 0; i < 10 && choice.alias == 0; ++i) choice = aliases.choose("c");
  CHECK(choice.alias != 0);
  CHECK_FALSE(choice.known);
  CHECK(aliases.choose("c").known);
}

TEST_CASE("a client that allows aliases gets each topic's name only until it knows it", "[core]") {
  World world;
  mqtt::Connect packet;
  packet.client_id = "to";
  packet.topic_alias_maximum = 5;
  Peer& to = world.open().connect(packet);
  to.subscribe(1, "#");
  to.said();
  Peer& from = world.client("from");
  for (int i = 0; i < 3; ++i) from.publish("long/topic", "x");
  CHECK(to.said() ==
        Words{"PUBLISH long/topic=x q0", "PUBLISH long/topic=x q0 alias1", "PUBLISH =x q0 alias1"});
}
