// MQTT 5.0, sections 4.1 to 4.6 and 4.13: sessions, QoS, redelivery, order, errors.

#include "conformance/cases.hpp"

namespace twinmq::testing {
namespace {

const Version k5 = Version::V5;

/// Connects "receiver" with a lasting session; the first time subscribed to "t".
std::unique_ptr<Client> receiver(Broker& broker, bool first, Properties more = {}) {
  auto client = std::make_unique<Client>(broker);
  more.add(lasting());
  const Connack ack =
      client->connect({.client_id = "receiver", .clean = first, .properties = std::move(more)});
  CHECK(ack.session_present != first);
  if (first) client->subscribe("t", 2);
  return client;
}

}  // namespace

TEST_CASE("[MQTT-4.1.0-1] session state lives as long as the connection", "[v5-4][memory]") {
  Broker broker;
  Client client(broker);
  client.connect({.properties = {lasting(1)}});
  client.subscribe("t", 1);
  broker.advance(Seconds(1000));
  client.publish("t", "x", 1);
  client.receive("t", "x");
}

TEST_CASE(
    "[MQTT-4.1.0-2] session state is discarded after close and expiry, subscriptions and messages "
    "included",
    "[v5-4][memory]") {
  Broker broker;
  {
    Client client(broker);
    client.connect({.client_id = "a", .properties = {lasting(10)}});
    client.subscribe("t", 1);
    client.disconnect();
  }
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "x", 1);
  broker.advance(Seconds(11));
  publisher.send_publish({.topic = "t", .qos = 1, .id = 9});
  CHECK(publisher.expect<Puback>().code == kNoMatchingSubscribers);
  Client client(broker);
  CHECK_FALSE(client.connect({.client_id = "a", .clean = false}).session_present);
  client.expect_nothing();
}

TEST_CASE("[MQTT-4.1.0-2] expiry 0xFFFFFFFF never comes", "[v5-4][memory]") {
  Broker broker{{.settings = {{"mqtt.session_expiry_max", "4294967295"}}}};
  {
    Client client(broker);
    client.connect({.client_id = "a", .properties = {lasting(0xFFFFFFFF)}});
    client.disconnect();
  }
  broker.advance(std::chrono::hours(24 * 365 * 10));
  Client client(broker);
  CHECK(client.connect({.client_id = "a", .clean = false}).session_present);
}

TEST_CASE(
    "[MQTT-4.1.0-1] [MQTT-4.1.0-2] sessions live as long as their connection and their expiry, in "
    "real time",
    "[v5-4][slow]") {
  Broker broker{{.settings = {{"mqtt.session_expiry_max", "4294967295"}}}};
  for (const auto& [id, expiry] : {std::pair{"short", 1U}, std::pair{"long", 0xFFFFFFFFU}}) {
    Client client(broker);
    client.connect({.client_id = id, .properties = {lasting(expiry)}});
    client.subscribe("t/"s + id, 1);
    broker.advance(Milliseconds(1600));
    client.publish("t/"s + id, "x", 1);
    client.receive("t/"s + id, "x");
    client.disconnect();
  }
  broker.advance(Milliseconds(2100));
  Client kept(broker);
  CHECK(kept.connect({.client_id = "long", .clean = false}).session_present);
  kept.send_publish({.topic = "t/short", .qos = 1, .id = 9});
  CHECK(kept.expect<Puback>().code == kNoMatchingSubscribers);
  Client client(broker);
  CHECK_FALSE(client.connect({.client_id = "short", .clean = false}).session_present);
}

TEST_CASE("[MQTT-4.2.0-1] a large stream arrives whole and in order", "[v5-4]") {
  Broker broker;
  Client subscriber(broker);
  subscriber.connect();
  subscriber.subscribe("t", 1);
  Client publisher(broker);
  publisher.connect();
  const std::string block(100'000, 'p');
  for (int i = 0; i < 20; ++i) {
    publisher.publish("t", block + std::to_string(i), 1);
    CHECK(subscriber.receive().payload == block + std::to_string(i));
  }
}

TEST_CASE("[MQTT-4.3.1-1] QoS 0 is sent once with DUP 0 and not repeated", "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "x", 0);
  const Publish got = client->expect_publish("t");
  CHECK_FALSE(got.dup);
  CHECK(got.id == 0);
  client->cut();
  receiver(broker, false)->expect_nothing();
}

TEST_CASE(
    "[MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3] a QoS 1 message stays unacknowledged until "
    "PUBACK",
    "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "x", 1);
  const Publish first = client->expect_publish("t");
  CHECK_FALSE(first.dup);
  CHECK(first.id != 0);
  // Not repeated while connected [MQTT-4.4.0-1].
  client->expect_nothing();
  client->cut();
  client = receiver(broker, false);
  const Publish again = client->expect_publish("t");
  CHECK(again.dup);
  CHECK(again.id == first.id);
  client->send_ack(AckType::Puback, again.id);
  client->ping();
  client->cut();
  receiver(broker, false)->expect_nothing();
}

TEST_CASE("[MQTT-4.3.2-4] PUBACK comes when the broker has taken the message over", "[v5-4]") {
  Broker broker;
  receiver(broker, true)->disconnect();
  {
    Client publisher(broker);
    publisher.connect();
    publisher.publish("t", "x", 1);
    publisher.cut();
  }
  receiver(broker, false)->receive("t", "x");
}

TEST_CASE("[MQTT-4.3.2-5] after PUBACK the identifier means a new message, even with DUP",
          "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  for (const bool dup : {false, true}) {
    publisher.publish({.topic = "t", .payload = "x", .qos = 1, .dup = dup, .id = 5});
    client->receive("t", "x");
  }
}

TEST_CASE(
    "[MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3] a QoS 2 message stays unacknowledged until "
    "PUBREC",
    "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "x", 2);
  const Publish first = client->expect_publish("t");
  CHECK_FALSE(first.dup);
  CHECK(first.qos == 2);
  client->cut();
  client = receiver(broker, false);
  const Publish again = client->expect_publish("t");
  CHECK(again.dup);
  CHECK(again.id == first.id);
}

TEST_CASE(
    "[MQTT-4.3.3-4] [MQTT-4.3.3-5] [MQTT-4.3.3-6] after PUBREC only PUBREL is repeated, until "
    "PUBCOMP",
    "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "x", 2);
  const std::uint16_t id = client->expect_publish("t").id;
  client->send_ack(AckType::Pubrec, id);
  CHECK(client->expect<Pubrel>().id == id);
  for (int i = 0; i < 2; ++i) {
    client->cut();
    client = receiver(broker, false);
    CHECK(client->expect<Pubrel>().id == id);
    client->expect_nothing();
  }
  // A repeated PUBREC is answered again.
  client->send_ack(AckType::Pubrec, id);
  CHECK(client->expect<Pubrel>().id == id);
  client->send_ack(AckType::Pubcomp, id);
  client->ping();
  client->cut();
  receiver(broker, false)->expect_nothing();
}

TEST_CASE("[MQTT-4.3.3-7] [MQTT-4.3.3-13] a message that was sent does not expire",
          "[v5-4][memory]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  publisher.publish(
      {.topic = "t", .payload = "x", .qos = 2, .properties = {{Prop::MessageExpiry, 5}}});
  const std::uint16_t id = client->expect_publish("t").id;
  broker.advance(Seconds(60));
  client->cut();
  client = receiver(broker, false);
  CHECK(client->expect_publish("t").id == id);
  broker.advance(Seconds(60));
  client->send_ack(AckType::Pubrec, id);
  CHECK(client->expect<Pubrel>().id == id);
  client->send_ack(AckType::Pubcomp, id);
  client->expect_nothing();
}

TEST_CASE("[MQTT-4.3.3-7] [MQTT-4.3.3-13] a message that was sent does not expire, in real time",
          "[v5-4][slow]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  publisher.publish(
      {.topic = "t", .payload = "x", .qos = 2, .properties = {{Prop::MessageExpiry, 1}}});
  const std::uint16_t id = client->expect_publish("t").id;
  broker.advance(Milliseconds(2100));
  client->cut();
  client = receiver(broker, false);
  CHECK(client->expect_publish("t").id == id);
  client->send_ack(AckType::Pubrec, id);
  CHECK(client->expect<Pubrel>().id == id);
  client->send_ack(AckType::Pubcomp, id);
  client->expect_nothing();
}

TEST_CASE(
    "[MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] a repeat before PUBREL is acknowledged and not "
    "delivered "
    "twice",
    "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 3; ++i) {
    publisher.send_publish({.topic = "t", .payload = "x", .qos = 2, .dup = i > 0, .id = 7});
    const Pubrec ack = publisher.expect<Pubrec>();
    CHECK(ack.id == 7);
    CHECK(ack.code < 0x80);
  }
  client->receive("t", "x");
  for (const unsigned expected : {unsigned{kSuccess}, unsigned{kIdNotFound}}) {
    publisher.send_ack(AckType::Pubrel, 7);
    const Pubcomp done = publisher.expect<Pubcomp>();
    CHECK(done.id == 7);
    CHECK(done.code == expected);
  }
  client->expect_nothing();
}

TEST_CASE("[MQTT-4.3.3-10] a repeat after a reconnect is not delivered twice", "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  {
    Client publisher(broker);
    publisher.connect({.client_id = "publisher", .properties = {lasting()}});
    publisher.send_publish({.topic = "t", .payload = "x", .qos = 2, .id = 7});
    publisher.expect<Pubrec>();
    publisher.cut();
  }
  client->receive("t", "x");
  Client publisher(broker);
  CHECK(publisher.connect({.client_id = "publisher", .clean = false}).session_present);
  publisher.send_publish({.topic = "t", .payload = "x", .qos = 2, .dup = true, .id = 7});
  publisher.expect<Pubrec>();
  publisher.send_ack(AckType::Pubrel, 7);
  CHECK(publisher.expect<Pubcomp>().code == kSuccess);
  client->expect_nothing();
}

TEST_CASE("[MQTT-4.3.3-9] after a PUBREC with an error the identifier is new again", "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "one", 2);
  const Publish one = client->expect_publish("t");
  client->send_ack(AckType::Pubrec, one.id, kUnspecified);
  // Given up: no PUBREL, and nothing to repeat.
  client->expect_nothing();
  client->cut();
  client = receiver(broker, false);
  client->expect_nothing();
  publisher.publish("t", "two", 2);
  client->receive("t", "two");
}

TEST_CASE("[MQTT-4.3.3-12] after PUBCOMP the identifier means a new message", "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 3; ++i) {
    publisher.publish(
        {.topic = "t", .payload = std::to_string(i), .qos = 2, .dup = i > 0, .id = 7});
    client->receive("t", std::to_string(i));
  }
}

TEST_CASE(
    "[MQTT-4.4.0-1] on resume everything unacknowledged is repeated in its order with its "
    "identifiers",
    "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 6; ++i) publisher.publish("t", std::to_string(i), i % 2 == 0 ? 1 : 2);
  std::vector<Publish> sent;
  for (int i = 0; i < 6; ++i) sent.push_back(client->expect_publish("t"));
  client->send_ack(AckType::Puback, sent[2].id);
  client->send_ack(AckType::Pubrec, sent[3].id);
  client->expect<Pubrel>();
  client->cut();
  publisher.publish("t", "6", 1);
  client = receiver(broker, false);
  std::vector<std::uint16_t> published;
  std::vector<std::uint16_t> released;
  for (const Packet& got : client->everything()) {
    if (const auto* publish = std::get_if<Publish>(&got)) {
      CHECK(publish->dup == (publish->payload != "6"));
      if (publish->dup) published.push_back(publish->id);
    } else if (const auto* release = std::get_if<Pubrel>(&got)) {
      released.push_back(release->id);
    }
  }
  CHECK(published == std::vector<std::uint16_t>{sent[0].id, sent[1].id, sent[4].id, sent[5].id});
  CHECK(released == std::vector<std::uint16_t>{sent[3].id});
}

TEST_CASE("[MQTT-4.4.0-1] redelivery keeps to a smaller Receive Maximum of the new connection",
          "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 5; ++i) publisher.publish("t", std::to_string(i), 1);
  for (int i = 0; i < 5; ++i) client->expect_publish("t");
  client->cut();
  client = receiver(broker, false, {{Prop::ReceiveMaximum, 2}});
  for (int i = 0; i < 5; ++i) {
    if (i == 0) {
      CHECK(client->everything().size() == 2);
      client->cut();
      client = receiver(broker, false, {{Prop::ReceiveMaximum, 1}});
    }
    const Publish got = client->expect_publish("t");
    CHECK(got.payload == std::to_string(i));
    client->expect_nothing();
    client->send_ack(AckType::Puback, got.id);
  }
}

TEST_CASE("[MQTT-4.4.0-2] a PUBACK with an error counts as acknowledged", "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "x", 1);
  client->send_ack(AckType::Puback, client->expect_publish("t").id, kUnspecified);
  client->expect_nothing();
  client->cut();
  receiver(broker, false)->expect_nothing();
}

TEST_CASE("[MQTT-4.5.0-1] a message joins the state of every matching session", "[v5-4]") {
  Broker broker;
  const std::vector<std::string> names = {"s1", "s2", "s3", "s4", "s5"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    Client client(broker);
    client.connect({.client_id = names[i], .properties = {lasting()}});
    client.subscribe(i % 2 == 0 ? "a/b" : "a/+", 2);
    client.disconnect();
  }
  Client publisher(broker);
  publisher.connect();
  publisher.publish("a/b", "x", 2);
  for (const std::string& name : names) {
    Client client(broker);
    client.connect({.client_id = name, .clean = false});
    client.receive("a/b", "x");
    client.expect_nothing();
  }
}

TEST_CASE("[MQTT-4.6.0-2] [MQTT-4.6.0-3] acknowledgements leave in the order of the messages",
          "[v5-4]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("#", 2);
  Client publisher(broker);
  publisher.connect();
  std::string burst;
  for (std::uint16_t id = 1; id <= 60; ++id) {
    burst += publish_packet({.topic = "t/" + std::to_string(id % 7),
                             .payload = "x",
                             .qos = id % 2 == 0 ? 1U : 2U,
                             .retain = id % 5 == 0,
                             .id = id},
                            k5);
  }
  publisher.send(burst);
  // Within each kind; a server may let one kind overtake the other.
  std::vector<std::uint16_t> acks;
  std::vector<std::uint16_t> recs;
  for (int i = 0; i < 60; ++i) {
    const Packet got = publisher.await_any();
    if (const auto* ack = std::get_if<Puback>(&got)) acks.push_back(ack->id);
    if (const auto* rec = std::get_if<Pubrec>(&got)) recs.push_back(rec->id);
  }
  CHECK(acks.size() == 30);
  CHECK(recs.size() == 30);
  CHECK(std::is_sorted(acks.begin(), acks.end()));
  CHECK(std::is_sorted(recs.begin(), recs.end()));
}

TEST_CASE("[MQTT-4.6.0-4] PUBRELs leave in the order of the PUBRECs", "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 20; ++i) publisher.publish("t", "x", 2);
  std::vector<std::uint16_t> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(client->expect_publish("t").id);
  std::string burst;
  for (const std::uint16_t id : ids) burst += ack_packet(AckType::Pubrec, id);
  client->send(burst);
  for (const std::uint16_t id : ids) CHECK(client->expect<Pubrel>().id == id);
}

TEST_CASE("[MQTT-4.6.0-5] [MQTT-4.6.0-6] the order of a publisher is kept for every topic and QoS",
          "[v5-4]") {
  Broker broker;
  Client subscriber(broker);
  subscriber.connect();
  subscriber.subscribe("#", 2);
  Client publisher(broker);
  publisher.connect();
  std::map<std::string, std::vector<int>> expected;
  std::string burst;
  for (int i = 0; i < 200; ++i) {
    const unsigned qos = static_cast<unsigned>(i) % 2;
    const std::string topic = "t" + std::to_string(i % 6);
    expected[topic + "/" + std::to_string(qos)].push_back(i);
    burst += publish_packet({.topic = topic,
                             .payload = std::to_string(i),
                             .qos = qos,
                             .retain = i % 11 == 0,
                             .id = static_cast<std::uint16_t>(i + 1)},
                            k5);
  }
  publisher.send(burst);
  std::map<std::string, std::vector<int>> got;
  for (int i = 0; i < 200; ++i) {
    const Publish publish = subscriber.receive();
    got[publish.topic + "/" + std::to_string(publish.qos)].push_back(std::stoi(publish.payload));
  }
  for (const auto& [stream, numbers] : expected) {
    INFO(stream);
    CHECK(got[stream] == numbers);
  }
}

TEST_CASE(
    "[MQTT-4.6.0-6] QoS 2 messages arrive in the order they were sent, whenever they are released",
    "[v5-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker);
  publisher.connect();
  for (std::uint16_t id = 1; id <= 10; ++id) {
    publisher.send_publish({.topic = "t", .payload = std::to_string(id), .qos = 2, .id = id});
  }
  for (int i = 0; i < 10; ++i) publisher.expect<Pubrec>();
  for (std::uint16_t id = 10; id >= 1; --id) publisher.send_ack(AckType::Pubrel, id);
  for (int id = 1; id <= 10; ++id) client->receive("t", std::to_string(id));
}

TEST_CASE(
    "[MQTT-4.13.1-1] [MQTT-4.13.2-1] every packet that a client may not send ends its connection",
    "[v5-4]") {
  Broker broker;
  const std::string illegal[] = {packet(0x20, "\0\0\0"s), packet(0x90, u16(1) + u8(0) + u8(0)),
                                 packet(0xB0, u16(1) + u8(0) + u8(0)), packet(0xD0)};
  for (const std::string& bytes : illegal) {
    closes_after(broker, bytes, {kProtocolError, kMalformed});
    refuses(broker, bytes, {kProtocolError, kMalformed});
  }
}

TEST_CASE("[MQTT-4.13.1-1] a packet with bytes left over or missing ends its connection",
          "[v5-4]") {
  Broker broker;
  const std::string sound[] = {
      ack_packet(AckType::Puback, 1, 0x80, k5, {{Prop::Reason, "r"}}),
      subscribe_packet(1, {{.filter = "t"}}, k5, {{Prop::SubscriptionId, 1}}),
      unsubscribe_packet(1, {"t"}, k5, {{Prop::User, "k", "v"}}),
      disconnect_packet(0x04, k5, {{Prop::Reason, "r"}})};
  for (const std::string& bytes : sound) {
    const unsigned first = static_cast<unsigned char>(bytes[0]);
    const std::string body = body_of(bytes);
    closes_after(broker, packet(first, body + "\x7F"), {kMalformed, kProtocolError});
    closes_after(broker, packet(first, body.substr(0, body.size() - 1)),
                 {kMalformed, kProtocolError});
  }
}

}  // namespace twinmq::testing
