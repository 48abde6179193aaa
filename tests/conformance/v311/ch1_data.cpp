// MQTT 3.1.1, chapters 1 and 2: data and the form of control packets.

#include <set>

#include "conformance/cases.hpp"

namespace twinmq::testing {
namespace {
const Version k4 = Version::V311;
}

TEST_CASE("[MQTT-1.5.3-1] [MQTT-1.5.3-2] text that is not UTF-8 closes a 3.1.1 connection",
          "[v311-1]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    closes_after(broker, publish_packet({.topic = text}, k4), {}, k4);
    closes_after(broker, subscribe_packet(1, {{.filter = text}}, k4), {}, k4);
    closes_after(broker, unsubscribe_packet(1, {text}, k4), {}, k4);
    refuses(broker, connect_packet({.client_id = text}, k4), {2}, k4);
  }
}

TEST_CASE("[MQTT-1.5.3-3] EF BB BF is kept in 3.1.1", "[v311-1]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe(kByteOrderMark + "a", 0);
  client.subscribe("a", 0);
  client.publish(kByteOrderMark + "a", "x");
  client.receive(kByteOrderMark + "a", "x");
  client.expect_nothing();
}

TEST_CASE("[MQTT-2.2.2-1] [MQTT-2.2.2-2] reserved fixed header flags close a 3.1.1 connection",
          "[v311-2]") {
  Broker broker;
  const std::vector<std::pair<unsigned, std::string>> packets = {
      {0x40, u16(1)},
      {0x50, u16(1)},
      {0x62, u16(1)},
      {0x70, u16(1)},
      {0x82, body_of(subscribe_packet(1, {{.filter = "t"}}, k4))},
      {0xA2, body_of(unsubscribe_packet(1, {"t"}, k4))},
      {0xC0, ""},
      {0xE0, ""}};
  for (const auto& [first, body] : packets) {
    for (unsigned flags = 0; flags < 16; ++flags) {
      if ((first & 15) == flags) continue;
      closes_after(broker, packet((first & 0xF0) | flags, body), {}, k4);
    }
  }
}

TEST_CASE("[MQTT-2.3.1-1] packet identifier 0 closes a 3.1.1 connection", "[v311-2]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = "t", .qos = 1, .id = 0}, k4), {}, k4);
  closes_after(broker, publish_packet({.topic = "t", .qos = 2, .id = 0}, k4), {}, k4);
  closes_after(broker, subscribe_packet(0, {{.filter = "t"}}, k4), {}, k4);
  closes_after(broker, unsubscribe_packet(0, {"t"}, k4), {}, k4);
}

TEST_CASE("[MQTT-2.3.1-4] the server gives 3.1.1 clients unused non-zero identifiers", "[v311-2]") {
  Broker broker;
  Client receiver(broker, k4);
  receiver.connect();
  receiver.subscribe("t", 2);
  Client publisher(broker, k4);
  publisher.connect();
  for (unsigned i = 0; i < 15; ++i) publisher.publish("t", "x", 1 + i % 2);
  std::set<std::uint16_t> ids;
  for (unsigned i = 0; i < 15; ++i) ids.insert(receiver.expect_publish("t").id);
  CHECK(ids.size() == 15);
}

TEST_CASE("[MQTT-2.3.1-5] a QoS 0 PUBLISH of 3.1.1 has no identifier", "[v311-2]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe("t", 0);
  client.send(packet(0x30, field("t") + "\0\1x"s));
  CHECK(client.receive("t", "\0\1x"s).size == std::size_t{2 + 3 + 3});
}

TEST_CASE("[MQTT-2.3.1-6] [MQTT-2.3.1-7] 3.1.1 acknowledgements repeat the identifier",
          "[v311-2]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  for (const std::uint16_t id : {std::uint16_t{1}, std::uint16_t{65'535}}) {
    client.send_publish({.topic = "t", .qos = 1, .id = id});
    CHECK(client.expect<Puback>().id == id);
    client.send_publish({.topic = "t", .qos = 2, .id = id});
    CHECK(client.expect<Pubrec>().id == id);
    client.send_ack(AckType::Pubrel, id);
    CHECK(client.expect<Pubcomp>().id == id);
    client.send(subscribe_packet(id, {{.filter = "s"}}, k4));
    CHECK(client.expect<Suback>().id == id);
    client.send(unsubscribe_packet(id, {"s"}, k4));
    CHECK(client.expect<Unsuback>().id == id);
  }
}

}  // namespace twinmq::testing
