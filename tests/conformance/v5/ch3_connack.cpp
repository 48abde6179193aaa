// MQTT 5.0, section 3.2: CONNACK.

#include "conformance/cases.hpp"

namespace twinmq::testing {

TEST_CASE("[MQTT-3.2.0-1] CONNACK comes before everything else", "[v5-3.2]") {
  Broker broker;
  {
    Client client(broker);
    client.connect({.client_id = "a", .properties = {lasting()}});
    client.subscribe("t", 1);
    client.disconnect();
  }
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 10; ++i) publisher.publish("t", "waiting", 1);
  Client client(broker);
  client.send(connect_packet({.client_id = "a", .clean = false}, Version::V5) +
              subscribe_packet(1, {{.filter = "u"}}, Version::V5) + pingreq_packet());
  CHECK(client.expect<Connack>().session_present);
  client.await<Suback>();
  client.await<Pingresp>();
  for (int i = 0; i < 10; ++i) client.receive("t", "waiting");
}

TEST_CASE("[MQTT-3.2.0-2] only one CONNACK is sent", "[v5-3.2]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.expect_nothing();
  client.send(connect_packet({.client_id = "x"}, Version::V5));
  client.expect_closed(kProtocolError);
}

TEST_CASE("[MQTT-3.2.2-1] [MQTT-3.2.2-2] Clean Start 1 is answered with Session Present 0",
          "[v5-3.2]") {
  Broker broker;
  for (int i = 0; i < 2; ++i) {
    Client client(broker);
    CHECK(client.connect({.client_id = "a", .properties = {lasting()}}).flags == 0);
    client.disconnect();
  }
}

TEST_CASE("[MQTT-3.2.2-1] [MQTT-3.2.2-3] Session Present tells whether there was a session",
          "[v5-3.2]") {
  Broker broker;
  for (const bool expected : {false, true, true}) {
    Client client(broker);
    const Connack ack =
        client.connect({.client_id = "a", .clean = false, .properties = {lasting()}});
    CHECK(ack.flags == (expected ? 1 : 0));
    client.disconnect();
  }
}

TEST_CASE("[MQTT-3.2.2-6] [MQTT-3.2.2-7] a refusal has Session Present 0 and closes", "[v5-3.2]") {
  Broker broker{{.settings = {{"mqtt.qos_max", "1"}}}};
  {
    Client client(broker);
    client.connect({.client_id = "a", .properties = {lasting()}});
    client.disconnect();
  }
  Client client(broker);
  client.connect_refused(
      {.client_id = "a", .clean = false, .will = WillOptions{.topic = "w", .qos = 2}},
      kQosNotSupported);
  Client again(broker);
  CHECK(again.connect({.client_id = "a", .clean = false}).session_present);
}

TEST_CASE("[MQTT-3.2.2-8] refusals use the connect reason codes", "[v5-3.2]") {
  Broker broker{{.settings = {{"mqtt.retain_available", "false"}, {"mqtt.qos_max", "0"}}}};
  // The reader of the client takes any other code for a fault.
  Client method(broker);
  method.connect_refused({.properties = {{Prop::AuthMethod, "unheard-of"}}}, kBadMethod);
  Client retain(broker);
  retain.connect_refused({.will = WillOptions{.topic = "w", .retain = true}}, kRetainNotSupported);
  Client qos(broker);
  qos.connect_refused({.will = WillOptions{.topic = "w", .qos = 1}}, kQosNotSupported);
}

TEST_CASE(
    "[MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-12] a lower Maximum QoS is announced and kept",
    "[v5-3.2]") {
  for (const unsigned most : {0U, 1U}) {
    Broker broker{{.settings = {{"mqtt.qos_max", std::to_string(most)}}}};
    Client client(broker);
    CHECK(client.connect().properties.number(Prop::MaximumQos) == most);
    const Suback ack = client.try_subscribe(
        {{.filter = "a", .qos = 0}, {.filter = "b", .qos = 1}, {.filter = "c", .qos = 2}});
    for (const std::uint8_t code : ack.codes) CHECK(code <= most);
    client.publish("c", "x", most);
    CHECK(client.receive("c", "x").qos == most);
    client.send_publish({.topic = "c", .qos = most + 1});
    client.expect_closed(kQosNotSupported);
    Client refused(broker);
    refused.connect_refused({.will = WillOptions{.topic = "w", .qos = most + 1}}, kQosNotSupported);
  }
}

TEST_CASE("Maximum QoS 2 is announced by its absence", "[v5-3.2]") {
  Broker broker;
  Client client(broker);
  CHECK_FALSE(client.connect().properties.has(Prop::MaximumQos));
}

TEST_CASE(
    "[MQTT-3.2.2-13] without retained messages CONNACK says so and a retained Will is refused",
    "[v5-3.2]") {
  Broker broker{{.settings = {{"mqtt.retain_available", "false"}}}};
  Client client(broker);
  CHECK(client.connect().properties.number(Prop::RetainAvailable) == 0U);
  Client refused(broker);
  refused.connect_refused({.will = WillOptions{.topic = "w", .retain = true}}, kRetainNotSupported);
  client.send_publish({.topic = "t", .payload = "x", .retain = true});
  client.expect_closed(kRetainNotSupported);
}

TEST_CASE("[MQTT-3.2.2-19] [MQTT-3.2.2-20] CONNACK keeps to the client's Maximum Packet Size",
          "[v5-3.2]") {
  Broker broker{{.settings = {{"mqtt.qos_max", "1"}}}};
  for (const std::uint32_t size : {30U, 60U, 200U}) {
    const auto stream = broker.open();
    stream->write(connect_packet({.client_id = "a",
                                  .properties = {{Prop::MaximumPacketSize, size}},
                                  .will = WillOptions{.topic = "w", .qos = 2}},
                                 Version::V5));
    std::string answer;
    while (stream->read(answer)) {
    }
    CHECK(stream->ended());
    CHECK(answer.size() <= size);
  }
}

TEST_CASE("[MQTT-3.2.2-21] Server Keep Alive counts instead of the client's", "[v5-3.2][memory]") {
  Broker broker{{.settings = {{"mqtt.keep_alive_max", "20"}}}};
  Client client(broker);
  CHECK(client.connect({.keep_alive = 100}).properties.number(Prop::ServerKeepAlive) == 20U);
  Client none(broker);
  CHECK(none.connect({.keep_alive = 0}).properties.number(Prop::ServerKeepAlive) == 20U);
  broker.advance(Seconds(29));
  none.ping();
  client.expect_nothing();
  broker.advance(Seconds(31));
  client.expect_closed(kKeepAliveTimeout);
  none.expect_closed(kKeepAliveTimeout);
}

TEST_CASE("[MQTT-3.2.2-22] without Server Keep Alive the client's counts", "[v5-3.2][memory]") {
  Broker broker{{.settings = {{"mqtt.keep_alive_max", "20"}}}};
  Client client(broker);
  CHECK_FALSE(client.connect({.keep_alive = 10}).properties.has(Prop::ServerKeepAlive));
  broker.advance(Seconds(16));
  client.expect_closed(kKeepAliveTimeout);
}

TEST_CASE("[MQTT-3.2.2-21] Server Keep Alive counts instead of the client's, in real time",
          "[v5-3.2][slow]") {
  Broker broker{{.settings = {{"mqtt.keep_alive_max", "1"}}}};
  Client client(broker);
  CHECK(client.connect({.keep_alive = 100}).properties.number(Prop::ServerKeepAlive) == 1U);
  broker.advance(Milliseconds(1600));
  client.expect_closed(kKeepAliveTimeout);
}

TEST_CASE("[MQTT-3.2.2-22] without Server Keep Alive the client's counts, in real time",
          "[v5-3.2][slow]") {
  Broker broker{{.settings = {{"mqtt.keep_alive_max", "20"}}}};
  Client client(broker);
  CHECK_FALSE(client.connect({.keep_alive = 1}).properties.has(Prop::ServerKeepAlive));
  broker.advance(Milliseconds(1600));
  client.expect_closed(kKeepAliveTimeout);
}

TEST_CASE("CONNACK announces the server's limits", "[v5-3.2]") {
  Broker broker{{.settings = {{"mqtt.receive_maximum", "7"},
                              {"mqtt.topic_alias_maximum", "5"},
                              {"mqtt.packet_size_max", "2048"},
                              {"mqtt.session_expiry_max", "1000"}}}};
  Client client(broker);
  const Properties announced = client.connect({.properties = {lasting(5000)}}).properties;
  CHECK(announced.number(Prop::ReceiveMaximum) == 7U);
  CHECK(announced.number(Prop::TopicAliasMaximum) == 5U);
  CHECK(announced.number(Prop::MaximumPacketSize) == 2048U);
  CHECK(announced.number(Prop::SessionExpiry) == 1000U);
  Client modest(broker);
  const Connack ack = modest.connect({.properties = {lasting(10)}});
  CHECK(ack.properties.number(Prop::SessionExpiry).value_or(10) == 10U);
}

TEST_CASE("a packet above the server's Maximum Packet Size is refused on its header", "[v5-3.2]") {
  Broker broker{{.settings = {{"mqtt.packet_size_max", "2048"}}}};
  Client fits(broker);
  fits.connect();
  fits.publish("t", std::string(2048 - 3 - 3 - 1 - 2, 'x'), 1);
  Client client(broker);
  client.connect();
  client.send("\x30" + varint(2046));
  client.expect_closed(kTooLarge);
}

TEST_CASE(
    "[MQTT-3.2.2-8] wildcards, shared subscriptions and identifiers are announced when they are "
    "off",
    "[v5-3.2]") {
  Broker broker{
      {.settings = {{"mqtt.wildcard_available", "false"}, {"mqtt.shared_available", "false"}}}};
  Client client(broker);
  const Properties announced = client.connect().properties;
  CHECK(announced.number(Prop::WildcardAvailable) == 0U);
  CHECK(announced.number(Prop::SharedAvailable) == 0U);
  CHECK(client.try_subscribe({{.filter = "a/+"}}).codes[0] == kWildcardNotSupported);
  CHECK(client.try_subscribe({{.filter = "$share/g/a"}}).codes[0] == kSharedNotSupported);
  client.subscribe("a", 0);
}

}  // namespace twinmq::testing
