// MQTT 5.0, section 3.3.4: what is done with a PUBLISH.

#include "conformance/cases.hpp"

namespace twinmq::testing {

TEST_CASE("[MQTT-3.3.4-1] the answer follows the QoS of the PUBLISH", "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.send_publish({.topic = "t"});
  client.expect_nothing();
  client.send_publish({.topic = "t", .qos = 1, .id = 5});
  client.expect<Puback>();
  client.send_publish({.topic = "t", .qos = 2, .id = 6});
  client.expect<Pubrec>();
  client.send_ack(AckType::Pubrel, 6);
  client.expect<Pubcomp>();
  client.expect_nothing();
}

TEST_CASE(
    "[MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] overlapping subscriptions get one copy at the "
    "highest QoS "
    "with all identifiers",
    "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect();
  subscribe_with(client, "a/#", 1, 0);
  subscribe_with(client, "a/+", 2, 2);
  subscribe_with(client, "a/b", 3, 1);
  client.subscribe("#", 1);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("a/b", "x", 2);
  const Publish got = client.receive("a/b", "x");
  CHECK(got.qos == 2);
  std::vector<std::uint32_t> ids = got.properties.numbers(Prop::SubscriptionId);
  std::sort(ids.begin(), ids.end());
  CHECK(ids == std::vector<std::uint32_t>{1, 2, 3});
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.4-5] normal and shared subscriptions of one client get copies of their own",
          "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect();
  subscribe_with(client, "t", 1, 1);
  subscribe_with(client, "$share/g/t", 2, 1);
  client.publish("t", "x", 1);
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 2; ++i) {
    const std::vector<std::uint32_t> own =
        client.receive("t", "x").properties.numbers(Prop::SubscriptionId);
    REQUIRE(own.size() == 1);
    ids.push_back(own[0]);
  }
  std::sort(ids.begin(), ids.end());
  CHECK(ids == std::vector<std::uint32_t>{1, 2});
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.4-3] a replaced subscription has the new identifier, or none", "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect();
  for (const std::uint32_t id : {5U, 268'435'455U}) {
    subscribe_with(client, "t", id);
    client.publish("t", "x");
    CHECK(client.receive("t", "x").properties.numbers(Prop::SubscriptionId) ==
          std::vector<std::uint32_t>{id});
  }
  client.subscribe("t", 0);
  client.publish("t", "x");
  CHECK_FALSE(client.receive("t", "x").properties.has(Prop::SubscriptionId));
}

TEST_CASE("[MQTT-3.3.4-6] a PUBLISH of a client with a Subscription Identifier is a protocol error",
          "[v5-3.3]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("t", 0);
  closes_after(
      broker,
      publish_packet({.topic = "t", .properties = {{Prop::SubscriptionId, 1}}}, Version::V5),
      {kProtocolError, kMalformed});
  watcher.expect_nothing();
}

TEST_CASE("[MQTT-3.3.4-7] more than the server's Receive Maximum ends the connection with 0x93",
          "[v5-3.3]") {
  Broker broker{{.settings = {{"mqtt.receive_maximum", "3"}}}};
  Client client(broker);
  client.connect();
  std::string burst;
  for (std::uint16_t id = 1; id <= 3; ++id)
    burst += publish_packet({.topic = "t", .qos = 2, .id = id}, Version::V5);
  client.send(burst);
  for (int i = 0; i < 3; ++i) client.expect<Pubrec>();
  client.expect_nothing();
  // Released and completed: room for one more, and then for none.
  client.send_ack(AckType::Pubrel, 1);
  client.expect<Pubcomp>();
  client.send_publish({.topic = "t", .qos = 2, .id = 4});
  client.expect<Pubrec>();
  client.send_publish({.topic = "t", .qos = 0});
  client.expect_nothing();
  client.send_publish({.topic = "t", .qos = 2, .id = 5});
  client.expect_closed(kReceiveMaximumExceeded);
}

TEST_CASE(
    "[MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.9.0-3] the server keeps "
    "to the "
    "client's Receive Maximum and does not hold back the rest",
    "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect({.properties = {{Prop::ReceiveMaximum, 3}}});
  client.subscribe("t", 2);
  client.subscribe("zero", 0);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 8; ++i)
    publisher.publish("t", std::to_string(i), 1 + static_cast<unsigned>(i) % 2);
  std::vector<Publish> open;
  for (int i = 0; i < 3; ++i) open.push_back(client.expect_publish("t"));
  client.expect_nothing();
  publisher.publish("zero", "free", 1);
  client.receive("zero", "free");
  client.subscribe("other", 0);
  // PUBREC alone makes no room, PUBACK and PUBCOMP do.
  client.send_ack(AckType::Pubrec, open[1].id);
  client.expect<Pubrel>();
  client.expect_nothing();
  client.send_ack(AckType::Pubcomp, open[1].id);
  CHECK(client.expect_publish("t").payload == "3");
  client.expect_nothing();
  client.send_ack(AckType::Puback, open[0].id);
  CHECK(client.expect_publish("t").payload == "4");
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.4-9] a PUBREC with an error makes room at once", "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect({.properties = {{Prop::ReceiveMaximum, 1}}});
  client.subscribe("t", 2);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "1", 2);
  publisher.publish("t", "2", 2);
  client.send_ack(AckType::Pubrec, client.expect_publish("t").id, kUnspecified);
  CHECK(client.expect_publish("t").payload == "2");
}

TEST_CASE("[MQTT-3.3.4-9] without the property the Receive Maximum is 65535", "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("t", 1);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 100; ++i) publisher.publish("t", "x", 1);
  for (int i = 0; i < 100; ++i) client.expect_publish("t");
}

TEST_CASE("[MQTT-3.3.4-1] a publisher is told when nobody matched", "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.send_publish({.topic = "nobody", .qos = 1, .id = 1});
  const std::uint8_t code = client.expect<Puback>().code;
  CHECK((code == kNoMatchingSubscribers || code == kSuccess));
  client.subscribe("somebody", 0);
  client.send_publish({.topic = "somebody", .qos = 1, .id = 2});
  CHECK(client.await<Puback>().code == kSuccess);
}

}  // namespace twinmq::testing
