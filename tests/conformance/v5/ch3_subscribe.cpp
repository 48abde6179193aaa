// MQTT 5.0, sections 3.8 to 3.11: SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK.

#include "conformance/cases.hpp"

namespace twinmq::testing {

TEST_CASE("[MQTT-3.8.1-1] [MQTT-3.10.1-1] SUBSCRIBE and UNSUBSCRIBE need the flags 0010",
          "[v5-3.4]") {
  Broker broker;
  for (const unsigned flags : {0U, 1U, 3U, 6U, 10U}) {
    closes_after(broker,
                 packet(0x80 | flags, body_of(subscribe_packet(1, {{.filter = "t"}}, Version::V5))),
                 {kMalformed});
    closes_after(broker, packet(0xA0 | flags, body_of(unsubscribe_packet(1, {"t"}, Version::V5))),
                 {kMalformed});
  }
}

TEST_CASE("[MQTT-3.8.3-1] [MQTT-3.10.3-1] filters must be UTF-8", "[v5-3.4]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    closes_after(broker, subscribe_packet(1, {{.filter = text}}, Version::V5),
                 {kMalformed, kFilterInvalid});
    closes_after(broker, unsubscribe_packet(1, {text}, Version::V5), {kMalformed, kFilterInvalid});
  }
}

TEST_CASE("[MQTT-3.8.3-2] [MQTT-3.10.3-2] at least one filter is needed", "[v5-3.4]") {
  Broker broker;
  closes_after(broker, subscribe_packet(1, {}, Version::V5), {kProtocolError, kMalformed});
  closes_after(broker, unsubscribe_packet(1, {}, Version::V5), {kProtocolError, kMalformed});
}

TEST_CASE("[MQTT-3.8.3-3] No Local keeps a client's own messages from it", "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe({.filter = "t", .qos = 1, .no_local = true});
  Client other(broker);
  other.connect();
  other.subscribe({.filter = "t", .qos = 1, .no_local = true});
  client.publish("t", "mine", 1);
  other.receive("t", "mine");
  client.expect_nothing();
  other.publish("t", "yours", 1);
  client.receive("t", "yours");
  other.expect_nothing();
}

TEST_CASE("[MQTT-3.8.3-3] No Local of one subscription does not silence another of the same client",
          "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe({.filter = "t", .qos = 1, .no_local = true}, {{Prop::SubscriptionId, 1}});
  client.subscribe({.filter = "+", .qos = 0}, {{Prop::SubscriptionId, 2}});
  client.publish("t", "x", 1);
  const Publish got = client.receive("t", "x");
  CHECK(got.qos == 0);
  CHECK(got.properties.numbers(Prop::SubscriptionId) == std::vector<std::uint32_t>{2});
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.8.3-4] No Local on a shared subscription is a protocol error", "[v5-3.4]") {
  Broker broker;
  closes_after(broker,
               subscribe_packet(1, {{.filter = "$share/g/t", .no_local = true}}, Version::V5),
               {kProtocolError});
}

TEST_CASE("[MQTT-3.8.3-5] reserved subscription option bits and QoS 3 are malformed", "[v5-3.4]") {
  Broker broker;
  for (const unsigned options : {0x40U, 0x80U, 0xC0U, 0x03U, 0x43U}) {
    closes_after(broker, packet(0x82, u16(1) + u8(0) + field("t") + u8(options)),
                 {kMalformed, kProtocolError});
  }
}

TEST_CASE(
    "[MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.9.3-1] several filters "
    "are answered "
    "by one SUBACK with a code for each, in order",
    "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.send(subscribe_packet(99,
                               {{.filter = "a", .qos = 2},
                                {.filter = "b", .qos = 0},
                                {.filter = "bad/#/filter", .qos = 1},
                                {.filter = "c", .qos = 1},
                                {.filter = "$share//x", .qos = 1}},
                               Version::V5));
  const Suback ack = client.expect<Suback>();
  CHECK(ack.id == 99);
  CHECK(ack.codes == std::vector<std::uint8_t>{2, 0, kFilterInvalid, 1, kFilterInvalid});
  client.expect_nothing();
  for (const char* topic : {"a", "b", "c"}) {
    client.publish(topic, "x", 2);
    client.receive(topic, "x");
  }
}

TEST_CASE("[MQTT-3.8.4-3] the same filter replaces the subscription", "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("t", 0);
  client.subscribe("t", 2);
  client.publish("t", "x", 2);
  CHECK(client.receive("t", "x").qos == 2);
  client.subscribe("t", 1);
  client.publish("t", "y", 2);
  CHECK(client.receive("t", "y").qos == 1);
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.8.4-4] replacing a subscription re-sends retained messages and loses nothing",
          "[v5-3.4]") {
  Broker broker;
  Client publisher(broker);
  publisher.connect();
  publisher.publish({.topic = "t", .payload = "kept", .qos = 1, .retain = true});
  Client client(broker);
  client.connect({.properties = {{Prop::ReceiveMaximum, 1}}});
  client.subscribe("t", 1);
  for (int i = 0; i < 5; ++i) publisher.publish("t", std::to_string(i), 1);
  client.subscribe("t", 1);
  std::vector<std::string> live;
  unsigned retained = 0;
  for (int i = 0; i < 7; ++i) {
    const Publish got = client.receive();
    if (got.retain) {
      CHECK(got.payload == "kept");
      ++retained;
    } else {
      live.push_back(got.payload);
    }
  }
  CHECK(retained == 2);
  CHECK(live == std::vector<std::string>{"0", "1", "2", "3", "4"});
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.8.4-7] [MQTT-3.9.3-2] an illegal filter is refused with 0x8F, alone",
          "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  for (const char* filter : {"a#", "#/a", "a/#/b", "a+", "+a", "a/+b/c", "##", "$share/g",
                             "$share/g/", "$share//t", "$share/+/t", "$share/#/t", "$share/g/a#"}) {
    INFO(filter);
    CHECK(client.try_subscribe({{.filter = filter, .qos = 1}}).codes[0] == kFilterInvalid);
  }
  client.subscribe("fine/#", 2);
}

TEST_CASE("[MQTT-3.8.4-8] messages go out at the lower of published and granted QoS", "[v5-3.4]") {
  Broker broker;
  Client client(broker);
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
    "[MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] SUBACK and UNSUBACK keep to the "
    "packet limit",
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
    const Suback ack = client.try_subscribe({{.filter = "a/#/b"}});
    CHECK(2 + 2 + property_block(ack.properties).size() + 1 <= limit);
    const Unsuback gone = client.unsubscribe("never");
    CHECK(2 + 2 + property_block(gone.properties).size() + 1 <= limit);
  }
}

TEST_CASE("a Subscription Identifier of 0, or two of them, are protocol errors", "[v5-3.4]") {
  Broker broker;
  closes_after(broker,
               subscribe_packet(1, {{.filter = "t"}}, Version::V5, {{Prop::SubscriptionId, 0}}),
               {kProtocolError});
  closes_after(broker,
               subscribe_packet(1, {{.filter = "t"}}, Version::V5,
                                {{Prop::SubscriptionId, 1}, {Prop::SubscriptionId, 2}}),
               {kProtocolError});
}

TEST_CASE("[MQTT-3.10.4-1] filters are compared character by character when unsubscribing",
          "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("a/+", 0);
  for (const char* other : {"a/b", "a/#", "A/+", "a/+/", "+/+", "$share/g/a/+"}) {
    CHECK(client.unsubscribe(other).codes == std::vector<std::uint8_t>{kNoSubscriptionExisted});
  }
  client.publish("a/b", "x");
  client.receive("a/b", "x");
  CHECK(client.unsubscribe("a/+").codes == std::vector<std::uint8_t>{kSuccess});
  client.publish("a/b", "x");
  client.expect_nothing();
}

TEST_CASE(
    "[MQTT-3.10.4-2] [MQTT-3.10.4-3] after UNSUBACK nothing new comes, started deliveries are "
    "completed",
    "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect({.properties = {{Prop::ReceiveMaximum, 2}}});
  client.subscribe("t", 2);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "one", 1);
  publisher.publish("t", "two", 2);
  const Publish one = client.expect_publish("t");
  const Publish two = client.expect_publish("t");
  client.unsubscribe("t");
  publisher.publish("t", "three", 1);
  client.send_ack(AckType::Puback, one.id);
  client.send_ack(AckType::Pubrec, two.id);
  CHECK(client.expect<Pubrel>().id == two.id);
  client.send_ack(AckType::Pubcomp, two.id);
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.10.4-3] an unfinished delivery of a removed subscription is repeated on resume",
          "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect({.client_id = "a", .properties = {lasting()}});
  client.subscribe("t", 1);
  client.publish("t", "x", 1);
  const std::uint16_t id = client.expect_publish("t").id;
  client.unsubscribe("t");
  client.cut();
  Client again(broker);
  again.connect({.client_id = "a", .clean = false});
  const Publish got = again.receive("t", "x");
  CHECK(got.dup);
  CHECK(got.id == id);
}

TEST_CASE(
    "[MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6] [MQTT-3.11.3-1] [MQTT-3.11.3-2] UNSUBSCRIBE "
    "is answered "
    "by one UNSUBACK with a code per filter",
    "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("a", 0);
  client.subscribe("c", 0);
  client.send(unsubscribe_packet(321, {"a", "b", "c", "a"}, Version::V5));
  const Unsuback ack = client.expect<Unsuback>();
  CHECK(ack.id == 321);
  CHECK(ack.codes == std::vector<std::uint8_t>{kSuccess, kNoSubscriptionExisted, kSuccess,
                                               kNoSubscriptionExisted});
  client.expect_nothing();
}

TEST_CASE("after SUBACK no message is missed, wherever it is published", "[v5-3.4]") {
  Broker broker;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(broker));
    clients.back()->connect();
  }
  for (int round = 0; round < 4; ++round) {
    for (auto& subscriber : clients) {
      const std::string topic = "round" + std::to_string(round) + "/" + subscriber->id();
      subscriber->subscribe(topic, 1);
      for (auto& publisher : clients) publisher->send_publish({.topic = topic, .payload = "x"});
      for (std::size_t i = 0; i < clients.size(); ++i) subscriber->receive(topic, "x");
    }
  }
}

}  // namespace twinmq::testing
