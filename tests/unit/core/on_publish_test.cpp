#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;

TEST_CASE("while the disk is full, what would have to be stored is refused and the rest goes on",
          "[core]") {
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

namespace {

class FirstWord final : public PublishFilter {
 public:
  Verdict on_publish(const PublishedMessage& message, std::string& payload) override {
    if (message.payload == "drop") return Verdict::Drop;
    if (message.payload == "refuse") return Verdict::Refuse;
    if (message.payload == "keep") return Verdict::Keep;
    payload = std::string(message.client_id) + " says " + std::string(message.payload);
    return Verdict::Modify;
  }
};

}  // namespace

TEST_CASE("more messages than Receive Maximum close the client, or are told and served", "[core]") {
  WorldOptions options;
  options.mqtt.receive_maximum = 2;
  options.mqtt.receive_maximum_enforced = GENERATE(true, false);
  World world(options);
  Peer& from = world.client("from");
  for (std::uint16_t id = 1; id <= 3; ++id) from.publish("a", "x", 2, id);
  const Words words = from.said();
  REQUIRE(words.size() >= 4);
  CHECK(Words(words.begin(), words.begin() + 3) ==
        Words{"CONNACK 0x00", "PUBREC 1 0x10", "PUBREC 2 0x10"});
  if (options.mqtt.receive_maximum_enforced) {
    CHECK(Words(words.begin() + 3, words.end()) == Words{"DISCONNECT 0x93", "closed"});
  } else {
    CHECK(Words(words.begin() + 3, words.end()) == Words{"PUBREC 3 0x10"});
    CHECK(world.log.find("receive maximum exceeded") != std::string::npos);
  }
}

TEST_CASE("the host's filter has the first word on what a client publishes", "[core]") {
  FirstWord filter;
  World world({.publish_filter = &filter});
  Peer& to = world.client("to");
  to.subscribe(1, "a", 1);
  Peer& from = world.client("from");
  to.said();
  from.said();
  from.publish("a", "keep", 0);
  from.publish("a", "drop", 1, 1);
  from.publish("a", "refuse", 1, 2);
  from.publish("a", "refuse", 2, 3);
  from.publish("a", "x", 1, 4);
  CHECK(from.said() == Words{"PUBACK 1", "PUBACK 2 0x83", "PUBREC 3 0x83", "PUBACK 4"});
  CHECK(to.said() == Words{"PUBLISH a=keep q0", "PUBLISH a=from says x q1 id1"});
}
