#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using mqtt::PacketType;

TEST_CASE("a QoS 2 message is sent to a persistent session when it is safe, and so is its PUBREL",
          "[core]") {
  World world({.hold_commits = true});
  Peer& to = world.client("to", false, 100);
  world.answer_commits();
  to.subscribe(1, "a", 2);
  world.answer_commits();
  to.said();
  Peer& from = world.client("from");
  from.publish("a", "1", 2, 1);
  CHECK(to.said().empty());
  world.answer_commits();
  CHECK(to.said() == Words{"PUBLISH a=1 q2 id1"});
  to.ack(PacketType::Pubrec, 1);
  CHECK(to.said().empty());
  world.answer_commits();
  CHECK(to.said() == Words{"PUBREL 1"});
  to.ack(PacketType::Pubcomp, 1);
  world.answer_commits();
  CHECK(world.store().count("to/2/") == 0);
  CHECK(world.metric(Metric::QueuedMessages) == 0);
  CHECK(world.metric(Metric::QueuedBytes) == 0);
}

TEST_CASE("a connection that ends between PUBREC and PUBREL resumes with PUBREL", "[core]") {
  World world({.hold_commits = true});
  Peer& to = world.client("to", false, 100);
  world.answer_commits();
  to.subscribe(1, "a", 2);
  world.answer_commits();
  Peer& from = world.client("from");
  from.publish("a", "1", 2, 1);
  world.answer_commits();
  to.ack(PacketType::Pubrec, 1);
  world.run();
  to.cut();
  Peer& again = world.client("to", false, 100);
  CHECK(again.said().empty());
  world.answer_commits();
  CHECK(again.said() == Words{"CONNACK 0x00 present", "PUBREL 1"});
}

TEST_CASE("what was not acknowledged comes again in order with DUP, then what waited", "[core]") {
  World world;
  mqtt::Connect two;
  two.client_id = "to";
  two.clean_start = false;
  two.session_expiry_seconds = 100;
  two.receive_maximum = 2;
  Peer& to = world.open().connect(two);
  to.subscribe(1, "a", 1);
  Peer& from = world.client("from");
  for (const char* text : {"1", "2", "3"}) from.publish("a", text, 1, 1);
  CHECK(to.said() ==
        Words{"CONNACK 0x00", "SUBACK 1 0x01", "PUBLISH a=1 q1 id1", "PUBLISH a=2 q1 id2"});
  to.cut();
  Peer& again = world.open().connect(two);
  CHECK(again.said() ==
        Words{"CONNACK 0x00 present", "PUBLISH a=1 q1 id1 dup", "PUBLISH a=2 q1 id2 dup"});
  again.puback(2);
  CHECK(again.said() == Words{"PUBLISH a=3 q1 id3"});
}

TEST_CASE("no more is sent unacknowledged than the broker allows itself, in any version",
          "[core]") {
  WorldOptions options;
  options.mqtt.inflight_max = 2;
  World world(options);
  mqtt::Connect packet;
  packet.version = GENERATE(mqtt::Version::V31, mqtt::Version::V311, mqtt::Version::V5);
  packet.client_id = "to";
  Peer& to = world.open().connect(packet);
  to.subscribe(1, "a", 1);
  CHECK(to.said() == Words{"CONNACK 0x00", "SUBACK 1 0x01"});
  Peer& from = world.client("from");
  for (std::uint16_t i = 1; i <= 4; ++i) from.publish("a", std::to_string(i), 1, i);
  CHECK(to.said() == Words{"PUBLISH a=1 q1 id1", "PUBLISH a=2 q1 id2"});
  to.puback(1);
  CHECK(to.said() == Words{"PUBLISH a=3 q1 id3"});
}

TEST_CASE("a queue is full by its bytes, too: one session's, and all together", "[core]") {
  WorldOptions options;
  const bool together = GENERATE(true, false);
  (together ? options.limits.queue_bytes_total_max : options.limits.queue_bytes_max) = 5000;
  World world(options);
  for (const char* name : {"one", "two"}) {
    Peer& to = world.client(name, false, 100);
    to.subscribe(1, std::string("to/") + name, 1);
    to.said();
    to.cut();
  }
  Peer& from = world.client("from");
  from.said();
  const std::string large(2000, 'x');
  from.publish("to/one", large, 1, 1);
  from.publish("to/one", large, 1, 2);
  from.publish("to/one", large, 1, 3);
  from.publish("to/two", large, 1, 4);
  CHECK(from.said() ==
        Words{"PUBACK 1", "PUBACK 2", "PUBACK 3 0x97", together ? "PUBACK 4 0x97" : "PUBACK 4"});
}

TEST_CASE("a full queue is told to the publisher", "[core]") {
  WorldOptions options;
  options.limits.queue_messages_max = 1;
  const bool close = GENERATE(true, false);
  options.limits.queue_full_v3 = close ? QueueFullV3::Close : QueueFullV3::Accept;
  World world(options);
  Peer& to = world.client("to", false, 100);
  to.subscribe(1, "a", 2);
  world.run();
  to.cut();

  Peer& v5 = world.client("v5");
  v5.publish("a", "1", 1, 1);
  v5.publish("a", "2", 1, 2);
  v5.publish("a", "3", 2, 3);
  CHECK(v5.said() == Words{"CONNACK 0x00", "PUBACK 1", "PUBACK 2 0x97", "PUBREC 3 0x97"});
  CHECK(world.metric(Metric::RefusedQueueFull) == 2);

  mqtt::Connect packet;
  packet.version = mqtt::Version::V311;
  packet.client_id = "v3";
  packet.clean_start = false;
  Peer& v3 = world.open().connect(packet);
  v3.publish("a", "4", 2, 4);
  CHECK(v3.said() == (close ? Words{"CONNACK 0x00", "closed"} : Words{"CONNACK 0x00", "PUBREC 4"}));
  // What was refused is not known as received; what was accepted is.
  CHECK(world.store().count("v3/3/") == (close ? 0u : 1u));
}

TEST_CASE("a full queue makes room for messages whose topic says so, or drops them", "[core]") {
  WorldOptions options;
  options.limits.queue_messages_max = 3;
  options.limits.queue_drop_oldest = {"old/#"};
  options.limits.queue_drop_newest = {"new/+"};
  options.limits.queue_memory_bytes = GENERATE(0u, 1u << 20);  // the queue on disk, and in memory
  World world(options);
  Peer& to = world.client("to", false, 100);
  to.subscribe(1, "#", 1);
  to.said();
  to.cut();
  Peer& from = world.client("from");
  for (std::uint16_t i = 1; i <= 3; ++i) from.publish("old/a", std::to_string(i), 1, i);
  from.publish("new/a", "4", 1, 4);
  from.publish("old/a", "5", 1, 5);
  from.publish("strict", "6", 1, 6);
  from.publish("old/a", "7", 1, 7);
  CHECK(from.said() == Words{"CONNACK 0x00", "PUBACK 1", "PUBACK 2", "PUBACK 3", "PUBACK 4",
                             "PUBACK 5", "PUBACK 6 0x97", "PUBACK 7"});
  CHECK(world.metric(Metric::DroppedQueueFull) == 3);
  CHECK(world.metric(Metric::QueuedMessages) == 3);
  CHECK(world.log.find("queue full client=to dropped=newest\n") != std::string::npos);
  CHECK(world.log.find("queue full client=to dropped=oldest\n") != std::string::npos);
  Peer& back = world.client("to", false, 100);
  const Words words = back.said();
  REQUIRE(words.size() == 4);
  CHECK(words[1].starts_with("PUBLISH old/a=3 q1"));
  CHECK(words[2].starts_with("PUBLISH old/a=5 q1"));
  CHECK(words[3].starts_with("PUBLISH old/a=7 q1"));
}

TEST_CASE("dropped messages are logged so often and no more, and what was left out is counted",
          "[core]") {
  WorldOptions options;
  options.limits.queue_messages_max = 1;
  options.limits.queue_drop_newest = {"#"};
  options.limits.log_repeats_max = 2;
  World world(options);
  Peer& to = world.client("to", false, 100);
  to.subscribe(1, "#", 1);
  to.said();
  to.cut();
  Peer& from = world.client("from");
  for (std::uint16_t i = 1; i <= 6; ++i) from.publish("a", "x", 1, i);
  from.said();
  const std::string line = "queue full client=to dropped=newest";
  CHECK(world.log.find(line + "\n" + line + "\n") != std::string::npos);
  CHECK(world.log.find(line) + 2 * (line.size() + 1) == world.log.size());
  world.pass(std::chrono::seconds(11));
  from.publish("a", "x", 1, 7);
  from.said();
  CHECK(world.log.ends_with(line + " left_out=3\n"));
}

TEST_CASE("a publisher under back pressure is answered when the full queue has room again",
          "[core]") {
  WorldOptions options;
  options.shards = GENERATE(1u, 2u);
  options.limits.queue_messages_max = 2;
  options.limits.queue_back_pressure = {"#"};
  options.limits.queue_memory_bytes = GENERATE(0u, 1u << 20);  // the queue on disk, and in memory
  World world(options);
  Peer& to = world.client("to", false, 100);
  to.subscribe(1, "a", 1);
  to.said();
  to.cut();
  Peer& from = world.client(world.named("from", options.shards - 1));
  from.said();
  for (std::uint16_t i = 1; i <= 4; ++i) from.publish("a", std::to_string(i), i == 4 ? 2 : 1, i);
  CHECK(from.said() == Words{"PUBACK 1", "PUBACK 2"});
  CHECK(world.metric(Metric::HeldBackMessages) == 2);
  CHECK(world.metric(Metric::QueuedMessages) == 4);  // nothing is lost meanwhile

  Peer& back = world.client("to", false, 100);
  CHECK(back.said().size() == 5);
  back.puback(1);
  back.puback(2);
  CHECK(from.said().empty());
  back.puback(3);
  CHECK(from.said() == Words{"PUBACK 3", "PUBREC 4"});
  CHECK(world.metric(Metric::HeldBackMessages) == 0);
}

TEST_CASE("a session that ends lets those go on who waited for its queue", "[core]") {
  WorldOptions options;
  options.shards = GENERATE(1u, 2u);
  options.limits.queue_messages_max = 1;
  options.limits.queue_back_pressure = {"#"};
  World world(options);
  Peer& to = world.client("to", false, 100);
  to.subscribe(1, "a", 1);
  to.said();
  to.cut();
  Peer& from = world.client(world.named("from", options.shards - 1));
  from.said();
  for (std::uint16_t i = 1; i <= 2; ++i) from.publish("a", std::to_string(i), 1, i);
  CHECK(from.said() == Words{"PUBACK 1"});
  world.pass(std::chrono::seconds(101));
  CHECK(from.said() == Words{"PUBACK 2"});
}

TEST_CASE("all queues together are held within their limits", "[core]") {
  WorldOptions options;
  options.limits.queue_messages_total_max = 3;
  options.limits.queue_back_pressure = {
      "#"};  // is meant for one full queue, which there is none of
  World world(options);
  for (const char* name : {"one", "two"}) {
    Peer& to = world.client(name, false, 100);
    to.subscribe(1, std::string("to/") + name, 1);
    to.said();
    to.cut();
  }
  Peer& from = world.client("from");
  from.said();
  for (std::uint16_t i = 1; i <= 4; ++i) from.publish(i % 2 ? "to/one" : "to/two", "x", 1, i);
  CHECK(from.said() == Words{"PUBACK 1", "PUBACK 2", "PUBACK 3", "PUBACK 4 0x97"});
  CHECK(world.metric(Metric::RefusedQueueFull) == 1);
}

TEST_CASE("what is on its way to a slow client is not dropped for newer messages", "[core]") {
  WorldOptions options;
  options.limits.queue_messages_max = 3;
  options.limits.queue_drop_oldest = {"#"};
  World world(options);
  mqtt::Connect packet;
  packet.client_id = "to";
  packet.receive_maximum = 1;
  Peer& to = world.open().connect(packet);
  to.subscribe(1, "a", 1);
  to.said();
  Peer& from = world.client("from");
  for (std::uint16_t i = 1; i <= 9; ++i) from.publish("a", std::to_string(i), 1, i);
  CHECK(to.said() == Words{"PUBLISH a=1 q1 id1"});
  to.puback(1);
  CHECK(to.said() == Words{"PUBLISH a=8 q1 id8"});
  to.puback(8);
  CHECK(to.said() == Words{"PUBLISH a=9 q1 id9"});
}

namespace {

class ScriptedFilter final : public DeliveryFilter {
 public:
  Verdict on_deliver(std::string_view receiver, const Message& message,
                     std::string& payload) override {
    if (receiver == "drop") return Verdict::Drop;
    if (receiver != "modify") return Verdict::Deliver;
    payload = std::string(message.payload()) + " for modify";
    return Verdict::Modify;
  }
};

}  // namespace

TEST_CASE("the host's filter has the last word on each delivery", "[core]") {
  ScriptedFilter filter;
  World world({.delivery_filter = &filter});
  Peer& plain = world.client("plain");
  Peer& modify = world.client("modify");
  Peer& drop = world.client("drop");
  for (Peer* peer : {&plain, &modify, &drop}) {
    peer->subscribe(1, "a", 1);
    peer->said();
  }
  Peer& from = world.client("from");
  from.publish("a", "text", 1, 1);
  CHECK(from.said() == Words{"CONNACK 0x00", "PUBACK 1"});
  CHECK(plain.said() == Words{"PUBLISH a=text q1 id1"});
  CHECK(modify.said() == Words{"PUBLISH a=text for modify q1 id1"});
  CHECK(drop.said().empty());
  CHECK(world.metric(Metric::DroppedByHost) == 1);
}

TEST_CASE("an expired message is dropped instead of sent, but not once it was sent", "[core]") {
  World world;
  Peer& to = world.client("to", false, 1000);
  to.subscribe(1, "a", 1);
  Peer& from = world.client("from");
  from.publish("a", "sent", 1, 1, false, 5);
  to.said();
  to.cut();
  from.publish("a", "waits", 1, 2, false, 5);
  world.run();
  world.pass(Milliseconds(6000));
  Peer& again = world.client("to", false, 1000);
  CHECK(again.said() == Words{"CONNACK 0x00 present", "PUBLISH a=sent q1 id1 dup"});
  CHECK(world.metric(Metric::DroppedExpired) == 1);
}

TEST_CASE("a packet too large for its receiver is as good as delivered", "[core]") {
  World world;
  mqtt::Connect small;
  small.client_id = "small";
  small.packet_size_max = 60;
  Peer& to = world.open().connect(small);
  to.subscribe(1, "a", 1);
  to.said();
  Peer& from = world.client("from");
  from.publish("a", std::string(100, 'x'), 1, 1);
  from.publish("a", "fits", 1, 2);
  CHECK(from.said() == Words{"CONNACK 0x00", "PUBACK 1", "PUBACK 2"});
  CHECK(to.said() == Words{"PUBLISH a=fits q1 id2"});
  CHECK(world.metric(Metric::DroppedTooLarge) == 1);
}
