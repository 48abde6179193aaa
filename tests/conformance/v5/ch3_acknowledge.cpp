// MQTT 5.0, sections 3.4 to 3.7: PUBACK, PUBREC, PUBREL, PUBCOMP. Which codes are defined is
// checked by the reader of the client in every case of the suite.

#include "conformance/cases.hpp"
#include "conformance/forbidden_topic.hpp"

namespace twinmq::testing {

TEST_CASE("[MQTT-3.4.2-1] [MQTT-3.5.2-1] a refused PUBLISH is answered by its QoS with 0x87",
          "[v5-3.4][memory]") {
  ForbiddenByDoor forbidden;
  forbidden_is_answered_by_its_qos(forbidden.broker);
}

TEST_CASE(
    "[MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] reason strings of PUBACK and "
    "PUBREC keep to the packet limit",
    "[v5-3.4][memory]") {
  ForbiddenByDoor forbidden;
  reasons_keep_to_the_packet_limit(forbidden.broker);
}

TEST_CASE("[MQTT-3.6.1-1] PUBREL needs the flags 0010", "[v5-3.4]") {
  Broker broker;
  for (const unsigned first : {0x60U, 0x61U, 0x63U, 0x6AU}) {
    closes_after(broker, packet(first, u16(1)), {kMalformed});
  }
}

TEST_CASE(
    "[MQTT-3.6.2-1] [MQTT-3.7.2-1] a PUBREL for an unknown identifier is answered by PUBCOMP 0x92",
    "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.send_ack(AckType::Pubrel, 1234);
  const Pubcomp ack = client.expect<Pubcomp>();
  CHECK(ack.id == 1234);
  CHECK(ack.code == kIdNotFound);
}

TEST_CASE("[MQTT-3.6.2-1] a PUBREC for an unknown identifier is answered by PUBREL 0x92",
          "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.send_ack(AckType::Pubrec, 1234);
  const Pubrel ack = client.expect<Pubrel>();
  CHECK(ack.id == 1234);
  CHECK(ack.code == kIdNotFound);
}

TEST_CASE(
    "[MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] reason strings of PUBREL and "
    "PUBCOMP keep to "
    "the packet limit",
    "[v5-3.4]") {
  Broker broker;
  for (const std::uint32_t limit : {16U, 20U, 24U, 32U, 64U}) {
    Client client(broker);
    client.send(connect_packet({.client_id = "a", .properties = {{Prop::MaximumPacketSize, limit}}},
                               Version::V5));
    const std::vector<Packet> first = client.everything();
    if (first.empty() || !std::holds_alternative<Connack>(first[0]) ||
        std::get<Connack>(first[0]).code)
      continue;
    client.send_ack(AckType::Pubrec, 1234);
    const Properties released = client.expect<Pubrel>().properties;
    CHECK(5 + (released.empty() ? 0 : property_block(released).size()) <= limit);
    client.send_ack(AckType::Pubrel, 1234);
    const Properties completed = client.expect<Pubcomp>().properties;
    CHECK(5 + (completed.empty() ? 0 : property_block(completed).size()) <= limit);
  }
}

TEST_CASE("acknowledgements are understood in each of their forms", "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("t", 2);
  const Properties words = {{Prop::Reason, "fine"}, {Prop::User, "k", "v"}, {Prop::User, "k", "v"}};
  for (unsigned form = 0; form < 3; ++form) {
    const auto ack = [&](AckType type, std::uint16_t id) {
      const unsigned first =
          (static_cast<unsigned>(type) << 4) | (type == AckType::Pubrel ? 2U : 0U);
      if (form == 0) return packet(first, u16(id));
      if (form == 1) return packet(first, u16(id) + u8(0));
      return packet(first, u16(id) + u8(0) + property_block(words));
    };
    client.publish("t", "1", 1);
    client.send(ack(AckType::Puback, client.expect_publish("t").id));
    const std::uint16_t own = client.send_publish({.topic = "t", .payload = "2", .qos = 2});
    client.await<Pubrec>();
    client.send(ack(AckType::Pubrel, own));
    client.await<Pubcomp>();
    const std::uint16_t id = client.expect_publish("t").id;
    client.send(ack(AckType::Pubrec, id));
    client.expect<Pubrel>();
    client.send(ack(AckType::Pubcomp, id));
  }
  client.expect_nothing();
}

TEST_CASE("an acknowledgement with an undefined reason code is refused", "[v5-3.4]") {
  Broker broker;
  for (const AckType type : {AckType::Puback, AckType::Pubrec, AckType::Pubrel, AckType::Pubcomp}) {
    closes_after(broker, ack_packet(type, 1, 0x55), {kMalformed, kProtocolError});
    closes_after(broker, ack_packet(type, 1, 0x01), {kMalformed, kProtocolError});
  }
}

TEST_CASE("stray acknowledgements change nothing", "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect({.properties = {{Prop::ReceiveMaximum, 1}}});
  client.subscribe("t", 1);
  for (std::uint16_t id = 100; id < 150; ++id) {
    client.send_ack(AckType::Puback, id);
    client.send_ack(AckType::Pubcomp, id);
  }
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "1", 1);
  publisher.publish("t", "2", 1);
  const Publish first = client.expect_publish("t");
  // The quota did not grow.
  client.expect_nothing();
  client.send_ack(AckType::Puback, static_cast<std::uint16_t>(first.id + 1000));
  client.expect_nothing();
  client.send_ack(AckType::Puback, first.id);
  client.receive("t", "2");
}

}  // namespace twinmq::testing
