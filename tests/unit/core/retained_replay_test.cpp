#include <algorithm>

#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;

namespace {

mqtt::Connect narrow(std::string_view id) {
  mqtt::Connect packet;
  packet.client_id = id;
  packet.receive_maximum = 1;
  return packet;
}

}  // namespace

TEST_CASE("a replay from another shard never shows an older value after a newer live one",
          "[core]") {
  World world({.shards = 2});
  const std::string first = world.named("a/", 1);
  const std::string second = world.named("b/", 1);
  Peer& from = world.client(world.named("from", 1));
  from.publish(first, "1", 1, 1, true);
  from.publish(second, "old", 1, 2, true);
  world.run();
  Peer& to = world.open(0).connect(narrow(world.named("to", 0)));
  to.subscribe(1, "#", 1);
  const Words words = to.said();
  CHECK(words == Words{"CONNACK 0x00", "SUBACK 1 0x01", "PUBLISH " + first + "=1 q1 id1 retain"});
  from.publish(second, "new", 1, 3, true);  // while "old" waits on this side
  world.run();
  to.puback(1);
  CHECK(to.said() == Words{"PUBLISH " + second + "=new q1 id2"});
  to.puback(2);
  CHECK(to.said().empty());
}

TEST_CASE("a message published while a replay goes on comes live and not once more in the replay",
          "[core]") {
  World world;
  Peer& from = world.client("from");
  from.publish("t/1", "v", 1, 1, true);
  world.run();
  Peer& to = world.open().connect(narrow("to"));
  to.subscribe(1, "t/#", 1);
  CHECK(to.said() == Words{"CONNACK 0x00", "SUBACK 1 0x01", "PUBLISH t/1=v q1 id1 retain"});
  from.publish("t/2", "v", 1, 2, true);
  world.run();
  to.puback(1);
  CHECK(to.said() == Words{"PUBLISH t/2=v q1 id2"});
  to.puback(2);
  CHECK(to.said().empty());
}

TEST_CASE("a retained message published beside a SUBSCRIBE comes once, whoever is heard first",
          "[core]") {
  // Every order in which two shards can take their next turns.
  for (unsigned order = 0; order < 256; ++order) {
    for (const bool subscribed_already : {false, true}) {
      World world({.shards = 2});
      Peer& from = world.client(world.named("from", 1));
      Peer& other = world.client(world.named("other", 0));
      if (subscribed_already) other.subscribe(1, "#");
      Peer& to = world.client(world.named("to", 0));
      world.run();
      to.came();
      from.publish(world.named("t/", 1), "v", 0, 0, true);
      to.subscribe(1, "#");
      for (unsigned turn = 0; turn < 8; ++turn) world.turn((order >> turn) & 1);
      const Words words = to.said();
      INFO("order " << order);
      CHECK(std::count_if(words.begin(), words.end(), [](const std::string& word) {
              return word.starts_with("PUBLISH");
            }) == 1);
    }
  }
}

TEST_CASE("after UNSUBSCRIBE a replay goes on no further", "[core]") {
  World world({.shards = 2});
  Peer& from = world.client(world.named("from", 1));
  for (int i = 0; i < 300; ++i) from.publish("t/" + std::to_string(i), "v", 0, 0, true);
  world.run();
  Peer& to = world.open(0).connect(narrow(world.named("to", 0)));
  to.subscribe(1, "t/#", 1);
  CHECK(to.said().size() == 2 + 300);  // all are QoS 0
  from.publish("t/0", "v", 1, 1, true);
  from.publish("t/1", "v", 1, 1, true);
  world.run();
  CHECK(to.said().size() == 1);
  to.puback(1);
  CHECK(to.said().size() == 1);
  to.puback(2);
  to.subscribe(2, "t/#", 1);
  world.run();
  to.said();
  to.unsubscribe(3, "t/#");
  to.said();
  to.puback(3);
  to.puback(4);
  CHECK(to.said().empty());
}

TEST_CASE("a client that subscribes again and again begins its replay anew, and gets it once more",
          "[core]") {
  World world({.shards = 2});
  Peer& from = world.client(world.named("from", 1));
  for (std::uint16_t i = 0; i < 5; ++i) from.publish("t/" + std::to_string(i), "v", 1, 1, true);
  world.run();
  Peer& to = world.open(0).connect(narrow(world.named("to", 0)));
  for (std::uint16_t i = 1; i <= 50; ++i) to.subscribe(i, "t/#", 1);
  to.said();
  int received = 1;  // one waits for its PUBACK
  for (std::uint16_t id = 1; id < 100; ++id) {
    to.puback(id);
    if (to.said().empty()) break;
    ++received;
  }
  CHECK(received >= 5);
  CHECK(received <= 50);
}

TEST_CASE("a retained message for a topic without room is refused but delivered", "[core]") {
  World world;
  Peer& to = world.client("to");
  to.subscribe(1, "a");
  Peer& from = world.client("from");
  from.publish("a", "1", 1, 1, true);
  CHECK(from.said() == Words{"CONNACK 0x00", "PUBACK 1"});
  from.publish("a", "", 1, 2, true);
  CHECK(from.said() == Words{"PUBACK 2"});
  CHECK(world.metric(Metric::RetainedMessages) == 0);
  CHECK(world.store().count("retained/") == 0);
}
