// MQTT 5.0, chapter 2: the form of control packets.

#include <deque>
#include <set>

#include "conformance/cases.hpp"

namespace twinmq::testing {

TEST_CASE("[MQTT-2.1.3-1] reserved fixed header flags close the connection", "[v5-2]") {
  Broker broker;
  // Type and the only flags it may have, with a sound body.
  const std::vector<std::pair<unsigned, std::string>> packets = {
      {0x40, u16(1)},
      {0x50, u16(1)},
      {0x62, u16(1)},
      {0x70, u16(1)},
      {0x82, body_of(subscribe_packet(1, {{.filter = "t"}}, Version::V5))},
      {0xA2, body_of(unsubscribe_packet(1, {"t"}, Version::V5))},
      {0xC0, ""},
      {0xE0, ""},
      {0xF0, ""}};
  for (const auto& [first, body] : packets) {
    for (unsigned flags = 0; flags < 16; ++flags) {
      if ((first & 15) == flags) continue;
      INFO("first byte " << ((first & 0xF0) | flags));
      closes_after(broker, packet((first & 0xF0) | flags, body), {kMalformed});
    }
  }
}

TEST_CASE("[MQTT-2.1.3-1] a CONNECT with reserved flags is refused", "[v5-2]") {
  Broker broker;
  for (unsigned flags = 1; flags < 16; ++flags) {
    refuses(broker, packet(0x10 | flags, body_of(connect_packet({.client_id = "a"}, Version::V5))),
            {kMalformed});
  }
}

TEST_CASE("a packet of the reserved type 0 closes the connection", "[v5-2]") {
  Broker broker;
  closes_after(broker, packet(0x00), {kMalformed, kProtocolError});
  refuses(broker, packet(0x00), {kMalformed, kProtocolError});
}

TEST_CASE("[MQTT-2.2.1-2] a QoS 0 PUBLISH has no packet identifier, in either direction",
          "[v5-2]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("t", 2);
  // What looks like an identifier is the property length 0 and a payload that begins with 1.
  client.send(packet(0x30, field("t") + "\x00\x01"s + "x"));
  const Publish got = client.receive("t", "\x01x"s);
  CHECK(got.qos == 0);
  CHECK(got.size == std::size_t{2 + 3 + 1 + 2});
}

TEST_CASE("[MQTT-2.2.1-3] packet identifier 0 closes the connection", "[v5-2]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = "t", .qos = 1, .id = 0}, Version::V5),
               {kMalformed, kProtocolError});
  closes_after(broker, publish_packet({.topic = "t", .qos = 2, .id = 0}, Version::V5),
               {kMalformed, kProtocolError});
  closes_after(broker, subscribe_packet(0, {{.filter = "t"}}, Version::V5),
               {kMalformed, kProtocolError});
  closes_after(broker, unsubscribe_packet(0, {"t"}, Version::V5), {kMalformed, kProtocolError});
  closes_after(broker, ack_packet(AckType::Pubrel, 0), {kMalformed, kProtocolError});
}

TEST_CASE("[MQTT-2.2.1-4] every unacknowledged PUBLISH of the server has an identifier of its own",
          "[v5-2]") {
  Broker broker;
  Client receiver(broker);
  receiver.connect();
  receiver.subscribe("t", 2);
  Client publisher(broker);
  publisher.connect();
  for (unsigned i = 0; i < 50; ++i) publisher.publish("t", "x", 1 + i % 2);
  std::set<std::uint16_t> ids;
  for (unsigned i = 0; i < 50; ++i) ids.insert(receiver.expect_publish("t").id);
  CHECK(ids.size() == 50);
  CHECK(ids.count(0) == 0);
}

TEST_CASE("[MQTT-2.2.1-4] identifiers stay unique when they wrap around", "[v5-2][memory]") {
  Broker broker;
  Client receiver(broker);
  receiver.connect();
  receiver.subscribe("t", 1);
  Client publisher(broker);
  publisher.connect();
  // Three are always unacknowledged.
  std::deque<std::uint16_t> open;
  for (unsigned i = 0; i < 66'000; ++i) {
    publisher.send_publish({.topic = "t", .payload = "x", .qos = 1, .id = 1});
    const std::uint16_t id = receiver.expect_publish("t").id;
    if (std::find(open.begin(), open.end(), id) != open.end() || id == 0)
      FAIL("identifier " << id << " is in use");
    open.push_back(id);
    publisher.expect<Puback>();
    if (open.size() < 3) continue;
    receiver.send_ack(AckType::Puback, open.front());
    open.pop_front();
  }
}

TEST_CASE("[MQTT-2.2.1-5] acknowledgements repeat the packet identifier", "[v5-2]") {
  Broker broker;
  Client client(broker);
  client.connect();
  for (const std::uint16_t id : {std::uint16_t{1}, std::uint16_t{777}, std::uint16_t{65'535}}) {
    client.send_publish({.topic = "t", .qos = 1, .id = id});
    CHECK(client.expect<Puback>().id == id);
    client.send_publish({.topic = "t", .qos = 2, .id = id});
    CHECK(client.expect<Pubrec>().id == id);
    client.send_ack(AckType::Pubrel, id);
    CHECK(client.expect<Pubcomp>().id == id);
  }
  client.subscribe("t", 2);
  client.publish("t", "x", 2);
  const std::uint16_t id = client.expect_publish("t").id;
  client.send_ack(AckType::Pubrec, id);
  CHECK(client.expect<Pubrel>().id == id);
}

TEST_CASE("[MQTT-2.2.1-6] SUBACK and UNSUBACK repeat the packet identifier", "[v5-2]") {
  Broker broker;
  Client client(broker);
  client.connect();
  for (const std::uint16_t id : {std::uint16_t{1}, std::uint16_t{4711}, std::uint16_t{65'535}}) {
    client.send(subscribe_packet(id, {{.filter = "t"}}, Version::V5));
    CHECK(client.expect<Suback>().id == id);
    client.send(unsubscribe_packet(id, {"t"}, Version::V5));
    CHECK(client.expect<Unsuback>().id == id);
  }
}

TEST_CASE("[MQTT-2.2.2-1] packets without properties carry property length 0", "[v5-2]") {
  Broker broker;
  Client client(broker);
  client.connect();
  // The reader of the client takes a missing property length in SUBACK, UNSUBACK and PUBLISH for a
  // fault.
  CHECK(client.subscribe("t", 0).properties.empty());
  client.publish("t", "");
  CHECK(client.expect_publish("t").size == 2 + 3 + 1);
  CHECK(client.unsubscribe("t").properties.empty());
}

TEST_CASE("a property that does not belong to the packet closes the connection", "[v5-2]") {
  Broker broker;
  const Property wrong[] = {{Prop::SessionExpiry, 1},      {Prop::ReceiveMaximum, 1},
                            {Prop::AssignedClientId, "a"}, {Prop::WillDelay, 1},
                            {Prop::Reason, "r"},           {Prop::AuthMethod, "m"},
                            {Prop::MaximumQos, 1},         {Prop::ServerKeepAlive, 1}};
  for (const Property& property : wrong) {
    closes_after(broker, publish_packet({.topic = "t", .properties = {property}}, Version::V5),
                 {kMalformed, kProtocolError});
    closes_after(broker, subscribe_packet(1, {{.filter = "t"}}, Version::V5, {property}),
                 {kMalformed, kProtocolError});
    if (property.id != Prop::Reason) {
      closes_after(broker, ack_packet(AckType::Pubrel, 1, 0, Version::V5, {property}),
                   {kMalformed, kProtocolError});
    }
  }
}

TEST_CASE("a property that may stand once and stands twice is a protocol error", "[v5-2]") {
  Broker broker;
  const Property once[] = {{Prop::PayloadFormat, 0}, {Prop::MessageExpiry, 9},
                           {Prop::ContentType, "c"}, {Prop::ResponseTopic, "r"},
                           {Prop::TopicAlias, 1},    {Prop::CorrelationData, "d"}};
  for (const Property& property : once) {
    closes_after(broker,
                 publish_packet({.topic = "t", .properties = {property, property}}, Version::V5),
                 {kProtocolError});
  }
  refuses(broker,
          connect_packet({.client_id = "a", .properties = {lasting(), lasting()}}, Version::V5),
          {kProtocolError});
  refuses(
      broker,
      connect_packet({.client_id = "a", .properties = {{Prop::ReceiveMaximum, 0}}}, Version::V5),
      {kProtocolError});
  refuses(
      broker,
      connect_packet({.client_id = "a", .properties = {{Prop::MaximumPacketSize, 0}}}, Version::V5),
      {kProtocolError});
  refuses(
      broker,
      connect_packet({.client_id = "a", .properties = {{Prop::RequestProblem, 2}}}, Version::V5),
      {kProtocolError});
}

TEST_CASE("a packet split at every byte is understood", "[v5-2]") {
  Broker broker;
  Client client(broker);
  for (const char byte : connect_packet({.client_id = "split"}, Version::V5))
    client.send({&byte, 1});
  CHECK(client.expect<Connack>().code == kSuccess);
  client.subscribe("t", 1);
  const std::string bytes =
      publish_packet({.topic = "t", .payload = "hello", .qos = 1, .id = 9}, Version::V5);
  for (const char byte : bytes) client.send({&byte, 1});
  CHECK(client.await<Puback>().id == 9);
  client.receive("t", "hello");
  // Many packets in one piece, with the first half of another.
  client.send(bytes + bytes + bytes.substr(0, 4));
  client.send(bytes.substr(4));
  for (int i = 0; i < 3; ++i) client.await<Puback>();
}

}  // namespace twinmq::testing
