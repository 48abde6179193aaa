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
}

TEST_CASE("a topic that gets busier takes the alias of the one used least", "[core]") {
  OutgoingAliases aliases(2);
  const auto use = [&](const char* topic, int times) {
    OutgoingAliases::Choice last;
    for (int i = 0; i < times; ++i) last = aliases.choose(topic);
    return last;
  };
  CHECK(use("busy", 20).alias == 1);
  CHECK(use("idle", 5).alias == 2);
  // As long as it is used less than either, it goes without.
  CHECK(use("new", 5).alias == 0);
  const OutgoingAliases::Choice choice = use("new", 1);
  CHECK(choice.alias == 2);
  CHECK_FALSE(choice.known);
  CHECK(use("new", 1).alias == 2);
  CHECK(use("new", 1).known);
  CHECK(use("busy", 1).alias == 1);
  CHECK(use("busy", 1).known);
  // The one that gave way has no alias any more.
  CHECK(use("idle", 1).alias == 0);
}

TEST_CASE("a topic that was busy once gives way to one that is busy now", "[core]") {
  OutgoingAliases aliases(2);
  for (int i = 0; i < 3000; ++i) aliases.choose("yesterday");
  for (int i = 0; i < 10; ++i) aliases.choose("sometimes");
  OutgoingAliases::Choice choice;
  for (int i = 0; i < 20'000 && choice.alias != 1; ++i) {
    aliases.choose("sometimes");
    choice = aliases.choose(i % 2 == 0 ? "today" : "tonight");
  }
  CHECK(choice.alias == 1);
  CHECK_FALSE(choice.known);
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
