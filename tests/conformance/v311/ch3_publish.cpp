// MQTT 3.1.1, sections 3.3 to 3.14: everything after CONNECT.

#include "conformance/cases.hpp"
#include "conformance/forbidden_topic.hpp"

namespace twinmq::testing {
namespace {

const Version k4 = Version::V311;

void retain4(Broker& broker, const std::string& topic, const std::string& payload,
             unsigned qos = 1) {
  retain(broker, topic, payload, qos, {}, k4);
}

}  // namespace

TEST_CASE("[MQTT-3.3.1-1] redelivery has DUP 1 in 3.1.1", "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect({.client_id = "a", .clean = false});
  client.subscribe("t", 1);
  client.publish("t", "x", 1);
  const Publish first = client.expect_publish("t");
  CHECK_FALSE(first.dup);
  client.cut();
  Client again(broker, k4);
  again.connect({.client_id = "a", .clean = false});
  const Publish got = again.receive("t", "x");
  CHECK(got.dup);
  CHECK(got.id == first.id);
}

TEST_CASE("[MQTT-3.3.1-2] DUP with QoS 0 closes a 3.1.1 connection", "[v311-3]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = "t", .dup = true}, k4), {}, k4);
}

TEST_CASE("[MQTT-3.3.1-3] DUP is not passed on in 3.1.1", "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe("t", 1);
  client.publish({.topic = "t", .payload = "x", .qos = 1, .dup = true});
  CHECK_FALSE(client.receive("t", "x").dup);
}

TEST_CASE("[MQTT-3.3.1-4] QoS 3 closes a 3.1.1 connection", "[v311-3]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = "t", .qos = 3, .id = 1}, k4), {}, k4);
}

TEST_CASE(
    "[MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-8] a retained message is stored with its QoS and "
    "replayed with "
    "RETAIN 1",
    "[v311-3]") {
  Broker broker;
  for (unsigned qos = 0; qos < 3; ++qos) retain4(broker, "t/" + std::to_string(qos), "x", qos);
  Client client(broker, k4);
  client.connect();
  client.subscribe("t/+", 2);
  for (int i = 0; i < 3; ++i) {
    const Publish got = client.receive();
    CHECK(got.retain);
    CHECK(got.topic == "t/" + std::to_string(got.qos));
  }
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.1-7] a retained message of QoS 0 replaces the old one", "[v311-3]") {
  Broker broker;
  retain4(broker, "t", "old", 1);
  retain4(broker, "t", "new", 0);
  Client client(broker, k4);
  client.connect();
  client.subscribe("t", 1);
  client.receive("t", "new");
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.1-9] live messages have RETAIN 0 in 3.1.1", "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe("t", 1);
  client.publish({.topic = "t", .payload = "x", .qos = 1, .retain = true});
  CHECK_FALSE(client.receive("t", "x").retain);
}

TEST_CASE(
    "[MQTT-3.3.1-10] [MQTT-3.3.1-11] an empty retained payload removes, and is delivered, in 3.1.1",
    "[v311-3]") {
  Broker broker;
  retain4(broker, "t", "x");
  Client live(broker, k4);
  live.connect();
  live.subscribe("t", 1);
  live.receive("t", "x");
  retain4(broker, "t", "");
  CHECK_FALSE(live.receive("t", "").retain);
  Client client(broker, k4);
  client.connect();
  client.subscribe("t", 1);
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.1-12] RETAIN 0 does not touch the store in 3.1.1", "[v311-3]") {
  Broker broker;
  retain4(broker, "t", "kept");
  Client client(broker, k4);
  client.connect();
  client.publish("t", "passing", 1);
  client.publish("t", "", 1);
  client.subscribe("t", 1);
  client.receive("t", "kept");
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.2-1] [MQTT-3.3.2-2] a bad topic name closes a 3.1.1 connection", "[v311-3]") {
  Broker broker;
  for (const char* topic : {"", "#", "a/+", "+"}) {
    closes_after(broker, publish_packet({.topic = topic}, k4), {}, k4);
    closes_after(broker, publish_packet({.topic = topic, .qos = 1, .id = 1}, k4), {}, k4);
  }
  closes_after(broker, packet(0x30, ""), {}, k4);
  closes_after(broker, packet(0x30, "\0\5ab"s), {}, k4);
  closes_after(broker, packet(0x32, field("t")), {}, k4);
}

TEST_CASE("[MQTT-3.3.2-3] the delivered topic is the published one and matches, in 3.1.1",
          "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe("a/+/c", 0);
  client.publish("a/b/c", "x");
  client.receive("a/b/c", "x");
  client.publish("a/b", "x");
  client.publish("a/b/d", "x");
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.4-1] each QoS has its answer in 3.1.1", "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.send_publish({.topic = "t"});
  client.expect_nothing();
  client.send_publish({.topic = "t", .qos = 1, .id = 5});
  client.expect<Puback>();
  client.send_publish({.topic = "t", .qos = 2, .id = 6});
  client.expect<Pubrec>();
}

TEST_CASE("[MQTT-3.3.5-1] overlapping subscriptions of 3.1.1 get the highest QoS", "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe("a/#", 0);
  client.subscribe("a/+", 2);
  client.subscribe("a/b", 1);
  client.publish("a/b", "x", 2);
  CHECK(client.receive("a/b", "x").qos == 2);
  client.expect_nothing();
}

TEST_CASE(
    "[MQTT-3.3.5-2] a PUBLISH without the right is acknowledged or closed in 3.1.1, and not "
    "delivered",
    "[v311-3][memory]") {
  ForbiddenByDoor forbidden;
  forbidden_is_acknowledged_or_closed_and_not_delivered(forbidden.broker);
}

TEST_CASE(
    "[MQTT-3.3.5-2] what the rules forbid is acknowledged or closed in 3.1.1, and not delivered",
    "[v311-3][daemon]") {
  ForbiddenByFile forbidden;
  forbidden_is_acknowledged_or_closed_and_not_delivered(forbidden.broker);
}

TEST_CASE(
    "[MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1] [MQTT-3.14.1-1] flags of PUBREL, SUBSCRIBE, "
    "UNSUBSCRIBE and "
    "DISCONNECT are as prescribed in 3.1.1",
    "[v311-3]") {
  Broker broker;
  for (const unsigned first : {0x60U, 0x63U, 0x80U, 0x83U, 0xA0U, 0xA6U, 0xE1U, 0xE2U}) {
    const std::string body = (first >> 4) == 6 ? u16(1)
                             : (first >> 4) == 8
                                 ? body_of(subscribe_packet(1, {{.filter = "t"}}, k4))
                             : (first >> 4) == 10 ? body_of(unsubscribe_packet(1, {"t"}, k4))
                                                  : "";
    closes_after(broker, packet(first, body), {}, k4);
  }
  Client watcher(broker, k4);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker, k4);
  client.connect({.will = WillOptions{.topic = "will", .payload = "gone"}});
  client.send(packet(0xE1));
  client.expect_closed();
  watcher.receive("will", "gone");
}

TEST_CASE("[MQTT-3.8.3-1] [MQTT-3.10.3-1] filters of 3.1.1 must be UTF-8", "[v311-3]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    closes_after(broker, subscribe_packet(1, {{.filter = text}}, k4), {}, k4);
    closes_after(broker, unsubscribe_packet(1, {text}, k4), {}, k4);
  }
}

TEST_CASE("[MQTT-3.8.3-2] a server without wildcards rejects them in 3.1.1", "[v311-3]") {
  Broker broker{{.settings = {{"mqtt.wildcard_available", "false"}}}};
  Client client(broker, k4);
  client.connect();
  CHECK(client.try_subscribe({{.filter = "a/+"}, {.filter = "a"}}).codes ==
        std::vector<std::uint8_t>{0x80, 0});
}

TEST_CASE("[MQTT-3.8.3-3] [MQTT-3.10.3-2] at least one filter in 3.1.1", "[v311-3]") {
  Broker broker;
  closes_after(broker, subscribe_packet(1, {}, k4), {}, k4);
  closes_after(broker, unsubscribe_packet(1, {}, k4), {}, k4);
}

TEST_CASE("[MQTT-3.8.3-4] reserved bits and QoS 3 in SUBSCRIBE close a 3.1.1 connection",
          "[v311-3]") {
  Broker broker;
  for (const unsigned options : {0x03U, 0x04U, 0x08U, 0x10U, 0x40U, 0x80U}) {
    closes_after(broker, packet(0x82, u16(1) + field("t") + u8(options)), {}, k4);
  }
}

TEST_CASE(
    "[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-4] [MQTT-3.8.4-5] [MQTT-3.9.3-1] [MQTT-3.9.3-2] one "
    "SUBACK "
    "answers all filters in order",
    "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.send(subscribe_packet(42,
                               {{.filter = "a", .qos = 2},
                                {.filter = "b#", .qos = 1},
                                {.filter = "c", .qos = 0},
                                {.filter = "d", .qos = 1}},
                               k4));
  const Suback ack = client.expect<Suback>();
  CHECK(ack.id == 42);
  CHECK(ack.codes == std::vector<std::uint8_t>{2, 0x80, 0, 1});
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.8.4-3] the same filter replaces in 3.1.1 and retained messages come again",
          "[v311-3]") {
  Broker broker;
  retain4(broker, "t", "kept");
  Client client(broker, k4);
  client.connect();
  client.subscribe("t", 0);
  CHECK(client.receive("t", "kept").qos == 0);
  client.subscribe("t", 1);
  CHECK(client.receive("t", "kept").qos == 1);
  client.publish("t", "x", 2);
  CHECK(client.receive("t", "x").qos == 1);
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.8.4-6] the lower of published and granted QoS counts in 3.1.1", "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  for (unsigned granted = 0; granted < 3; ++granted) {
    client.subscribe("t", granted);
    for (unsigned published = 0; published < 3; ++published) {
      client.publish("t", "x", published);
      CHECK(client.receive("t", "x").qos == std::min(granted, published));
    }
  }
}

TEST_CASE(
    "[MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] UNSUBSCRIBE "
    "removes "
    "exactly its filters and is always answered, in 3.1.1",
    "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe("a/+", 0);
  client.subscribe("a/b", 0);
  client.send(unsubscribe_packet(7, {"a/b", "never", "a/#"}, k4));
  CHECK(client.expect<Unsuback>().id == 7);
  client.publish("a/b", "x");
  client.receive("a/b", "x");
  client.expect_nothing();
  client.send(unsubscribe_packet(8, {"a/+"}, k4));
  CHECK(client.expect<Unsuback>().id == 8);
  client.publish("a/b", "x");
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.10.4-3] started deliveries are completed after UNSUBACK in 3.1.1", "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe("t", 2);
  client.publish("t", "x", 2);
  const std::uint16_t id = client.expect_publish("t").id;
  client.unsubscribe("t");
  client.send_ack(AckType::Pubrec, id);
  CHECK(client.expect<Pubrel>().id == id);
  client.send_ack(AckType::Pubcomp, id);
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.12.4-1] PINGREQ is answered in 3.1.1", "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.send(pingreq_packet());
  client.expect<Pingresp>();
}

TEST_CASE("shared subscriptions serve 3.1.1 clients", "[v311-3]") {
  Broker broker;
  Client one(broker, k4);
  one.connect();
  one.subscribe("$share/g/t", 1);
  Client two(broker, k4);
  two.connect();
  two.subscribe("$share/g/t", 1);
  Client publisher(broker, k4);
  publisher.connect();
  for (int i = 0; i < 10; ++i) publisher.publish("t", "x", 1);
  CHECK(one.everything().size() + two.everything().size() == 10);
}

TEST_CASE("3.1.1 and 5.0 clients reach each other", "[v311-3]") {
  Broker broker;
  Client four(broker, k4);
  four.connect();
  four.subscribe("t", 2);
  Client five(broker);
  five.connect();
  five.subscribe("t", 2);
  for (unsigned qos = 0; qos < 3; ++qos) {
    four.publish("t", "4", qos);
    four.receive("t", "4");
    CHECK(five.receive("t", "4").properties.empty());
    five.publish({.topic = "t",
                  .payload = "5",
                  .qos = qos,
                  .properties = {{Prop::User, "k", "v"}, {Prop::MessageExpiry, 99}}});
    CHECK(four.receive("t", "5").qos == qos);
    CHECK(five.receive("t", "5").properties.user().size() == 1);
  }
}

}  // namespace twinmq::testing
