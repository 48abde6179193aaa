// MQTT 3.1.1, chapter 4: sessions, QoS, order, topics, errors.

#include "conformance/cases.hpp"

namespace twinmq::testing {
namespace {

const Version k4 = Version::V311;

std::unique_ptr<Client> receiver(Broker& broker, bool first) {
  auto client = std::make_unique<Client>(broker, k4);
  CHECK(client->connect({.client_id = "receiver", .clean = false}).session_present != first);
  if (first) client->subscribe("t", 2);
  return client;
}

bool reaches(Broker& broker, const std::string& filter, const std::string& topic) {
  Client client(broker, k4);
  client.connect();
  client.subscribe(filter, 0);
  client.publish(topic, "x");
  return !client.everything().empty();
}

}  // namespace

TEST_CASE("[MQTT-4.1.0-1] [MQTT-4.1.0-2] a 3.1.1 session lasts at least as long as its connection",
          "[v311-4]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe("t", 1);
  if (in_memory()) broker.advance(std::chrono::hours(10'000));
  client.publish("t", "x", 1);
  client.receive("t", "x");
}

TEST_CASE("[MQTT-4.3.1-1] QoS 0 is sent once in 3.1.1", "[v311-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  client->publish("t", "x", 0);
  CHECK_FALSE(client->expect_publish("t").dup);
  client->cut();
  receiver(broker, false)->expect_nothing();
}

TEST_CASE("[MQTT-4.3.2-1] [MQTT-4.4.0-1] QoS 1 is repeated until PUBACK in 3.1.1", "[v311-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  client->publish("t", "x", 1);
  const Publish first = client->expect_publish("t");
  CHECK_FALSE(first.dup);
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

TEST_CASE(
    "[MQTT-4.3.2-2] a QoS 1 receiver acknowledges, and takes the identifier for new afterwards",
    "[v311-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker, k4);
  publisher.connect();
  for (const bool dup : {false, true}) {
    publisher.publish({.topic = "t", .payload = "x", .qos = 1, .dup = dup, .id = 3});
    client->receive("t", "x");
  }
}

TEST_CASE("[MQTT-4.3.3-1] a QoS 2 sender repeats PUBLISH, then PUBREL, in 3.1.1", "[v311-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  client->publish("t", "x", 2);
  const Publish first = client->expect_publish("t");
  client->cut();
  client = receiver(broker, false);
  const Publish again = client->expect_publish("t");
  CHECK(again.dup);
  CHECK(again.id == first.id);
  client->send_ack(AckType::Pubrec, again.id);
  CHECK(client->expect<Pubrel>().id == first.id);
  client->cut();
  client = receiver(broker, false);
  CHECK(client->expect<Pubrel>().id == first.id);
  client->send_ack(AckType::Pubcomp, first.id);
  client->ping();
  client->cut();
  receiver(broker, false)->expect_nothing();
}

TEST_CASE("[MQTT-4.3.3-2] a QoS 2 receiver delivers once in 3.1.1, also across connections",
          "[v311-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  for (const bool dup : {false, true}) {
    Client publisher(broker, k4);
    publisher.connect({.client_id = "publisher", .clean = false});
    publisher.send_publish({.topic = "t", .payload = "x", .qos = 2, .dup = dup, .id = 3});
    CHECK(publisher.expect<Pubrec>().id == 3);
    if (dup) {
      publisher.send_ack(AckType::Pubrel, 3);
      publisher.expect<Pubcomp>();
      publisher.send_ack(AckType::Pubrel, 3);
      publisher.expect<Pubcomp>();
    }
    publisher.cut();
  }
  client->receive("t", "x");
  client->expect_nothing();
}

TEST_CASE("[MQTT-4.5.0-1] every matching session gets the message in 3.1.1", "[v311-4]") {
  Broker broker;
  for (const char* id : {"s1", "s2", "s3"}) {
    Client client(broker, k4);
    client.connect({.client_id = id, .clean = false});
    client.subscribe("a/+", 1);
    client.disconnect();
  }
  Client publisher(broker, k4);
  publisher.connect();
  publisher.publish("a/b", "x", 1);
  for (const char* id : {"s1", "s2", "s3"}) {
    Client client(broker, k4);
    client.connect({.client_id = id, .clean = false});
    client.receive("a/b", "x");
  }
}

TEST_CASE("[MQTT-4.6.0-1] repeats keep the original order in 3.1.1", "[v311-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker, k4);
  publisher.connect();
  for (int i = 0; i < 10; ++i)
    publisher.publish("t", std::to_string(i), 1 + static_cast<unsigned>(i) % 2);
  for (int i = 0; i < 10; ++i) client->expect_publish("t");
  client->cut();
  client = receiver(broker, false);
  for (int i = 0; i < 10; ++i) CHECK(client->expect_publish("t").payload == std::to_string(i));
}

TEST_CASE("[MQTT-4.6.0-2] [MQTT-4.6.0-3] acknowledgements keep the order in 3.1.1", "[v311-4]") {
  Broker broker;
  Client publisher(broker, k4);
  publisher.connect();
  std::string burst;
  for (std::uint16_t id = 1; id <= 20; ++id) {
    burst += publish_packet({.topic = "t", .qos = id % 2 == 0 ? 1U : 2U, .id = id}, k4);
  }
  publisher.send(burst);
  std::uint16_t last[2] = {0, 0};
  for (int i = 0; i < 20; ++i) {
    const Packet got = publisher.await_any();
    const auto* ack = std::get_if<Puback>(&got);
    const auto* rec = std::get_if<Pubrec>(&got);
    REQUIRE((ack || rec));
    const std::uint16_t id = ack ? ack->id : rec->id;
    CHECK(id > last[ack ? 0 : 1]);
    last[ack ? 0 : 1] = id;
  }
}

TEST_CASE("[MQTT-4.6.0-4] PUBRELs keep the order of the PUBRECs in 3.1.1", "[v311-4]") {
  Broker broker;
  auto client = receiver(broker, true);
  Client publisher(broker, k4);
  publisher.connect();
  std::string burst;
  std::vector<std::uint16_t> ids;
  for (int i = 0; i < 10; ++i) publisher.publish("t", "x", 2);
  for (int i = 0; i < 10; ++i) {
    ids.push_back(client->expect_publish("t").id);
    burst += ack_packet(AckType::Pubrec, ids.back(), 0, k4);
  }
  client->send(burst);
  for (const std::uint16_t id : ids) CHECK(client->expect<Pubrel>().id == id);
}

TEST_CASE("[MQTT-4.6.0-5] [MQTT-4.6.0-6] messages arrive in the order of their publisher in 3.1.1",
          "[v311-4]") {
  Broker broker;
  Client client(broker, k4);
  client.connect();
  client.subscribe("#", 2);
  Client publisher(broker, k4);
  publisher.connect();
  for (unsigned qos = 0; qos < 3; ++qos) {
    std::string burst;
    for (std::uint16_t i = 1; i <= 30; ++i) {
      burst +=
          publish_packet({.topic = "t", .payload = std::to_string(i), .qos = qos, .id = i}, k4);
      if (qos == 2) burst += ack_packet(AckType::Pubrel, i, 0, k4);
    }
    publisher.send(burst);
    for (int i = 1; i <= 30; ++i) client.receive("t", std::to_string(i));
  }
}

TEST_CASE("[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.7.1-3] wildcards fill whole levels in 3.1.1",
          "[v311-4]") {
  Broker broker;
  CHECK(reaches(broker, "#", "a/b"));
  CHECK(reaches(broker, "a/#", "a"));
  CHECK(reaches(broker, "+/+", "/a"));
  CHECK(reaches(broker, "/+", "/a"));
  CHECK_FALSE(reaches(broker, "+", "/a"));
  CHECK_FALSE(reaches(broker, "a/+", "a"));
  Client client(broker, k4);
  client.connect();
  for (const char* filter : {"a#", "a/#/b", "a+", "a/+b"}) {
    CHECK(client.try_subscribe({{.filter = filter}}).codes[0] == 0x80);
  }
  closes_after(broker, publish_packet({.topic = "a/#"}, k4), {}, k4);
}

TEST_CASE("[MQTT-4.7.2-1] leading wildcards do not match $ topics in 3.1.1", "[v311-4]") {
  Broker broker;
  CHECK_FALSE(reaches(broker, "#", "$x/a"));
  CHECK_FALSE(reaches(broker, "+/a", "$x/a"));
  CHECK(reaches(broker, "$x/+", "$x/a"));
}

TEST_CASE(
    "[MQTT-4.7.3-1] [MQTT-4.7.3-2] topics and filters of 3.1.1 are not empty and hold no U+0000",
    "[v311-4]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = ""}, k4), {}, k4);
  closes_after(broker, publish_packet({.topic = "a\0b"s}, k4), {}, k4);
  closes_after(broker, subscribe_packet(1, {{.filter = "a\0b"s}}, k4), {}, k4);
  Client client(broker, k4);
  client.connect();
  client.send(subscribe_packet(1, {{.filter = ""}}, k4));
  const std::vector<Packet> got = client.everything();
  if (!got.empty()) {
    REQUIRE(std::holds_alternative<Suback>(got[0]));
    CHECK(std::get<Suback>(got[0]).codes == std::vector<std::uint8_t>{0x80});
  }
}

TEST_CASE("[MQTT-4.7.3-3] topics of 65535 bytes are usable in 3.1.1", "[v311-4]") {
  Broker broker;
  CHECK(reaches(broker, std::string(65'535, 'a'), std::string(65'535, 'a')));
}

TEST_CASE("[MQTT-4.7.3-4] nothing is normalised in 3.1.1", "[v311-4]") {
  Broker broker;
  CHECK_FALSE(reaches(broker, "ABC", "abc"));
  CHECK_FALSE(reaches(broker, "a/", "a"));
  CHECK_FALSE(reaches(broker, "\xC3\xA9", "e\xCC\x81"));
}

TEST_CASE("[MQTT-4.8.0-1] a protocol violation closes a 3.1.1 connection and no other",
          "[v311-4]") {
  Broker broker;
  Client other(broker, k4);
  other.connect();
  other.subscribe("t", 0);
  for (const std::string& bytes :
       {packet(0x20, "\0\0"s), packet(0x90, u16(1) + u8(0)), packet(0xB0, u16(1)), packet(0xD0),
        packet(0xF0), packet(0x00)}) {
    closes_after(broker, bytes, {}, k4);
    other.publish("t", "x");
    other.receive("t", "x");
  }
}

}  // namespace twinmq::testing
