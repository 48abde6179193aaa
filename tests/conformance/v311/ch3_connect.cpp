// MQTT 3.1.1, sections 3.1 and 3.2: CONNECT and CONNACK; and MQTT 3.1.

#include "conformance/cases.hpp"
#include "conformance/scripted_authenticator.hpp"

namespace twinmq::testing {
namespace {

const Version k4 = Version::V311;

void leave_session(Broker& broker) {
  Client client(broker, k4);
  client.connect({.client_id = "a", .clean = false});
  client.subscribe("t", 1);
  client.disconnect();
}

WillOptions will(const std::string& topic, unsigned qos = 0, bool retain = false) {
  return {.topic = topic, .payload = "gone", .qos = qos, .retain = retain};
}

/// A close without CONNACK.
void closes_at_once(Broker& broker, const std::string& bytes,
                    Client::Where where = Client::Where::current()) {
  Client client(broker, k4);
  client.send(bytes);
  client.expect_closed(where);
}

}  // namespace

TEST_CASE("[MQTT-3.1.0-1] the first packet of a 3.1.1 client must be CONNECT", "[v311-3]") {
  Broker broker;
  // Before CONNECT no version is known; whatever comes, the connection is closed.
  for (const std::string& first :
       {publish_packet({.topic = "t"}, k4), subscribe_packet(1, {{.filter = "t"}}, k4),
        pingreq_packet(), disconnect_packet(0, k4)}) {
    const auto stream = broker.open();
    stream->write(first);
    std::string ignored;
    while (stream->read(ignored)) {
    }
    CHECK(stream->ended());
  }
}

TEST_CASE("[MQTT-3.1.0-2] a second CONNECT closes a 3.1.1 connection", "[v311-3]") {
  Broker broker;
  closes_after(broker, connect_packet({.client_id = "b"}, k4), {}, k4);
}

TEST_CASE(
    "[MQTT-3.1.2-1] [MQTT-3.1.2-2] a wrong protocol name or level closes, the level with return "
    "code 1",
    "[v311-3]") {
  Broker broker;
  for (const unsigned level : {0U, 1U, 2U, 6U, 99U}) {
    const auto stream = broker.open();
    stream->write(connect_packet({.client_id = "a", .protocol_level = level}, k4));
    std::string answer;
    while (stream->read(answer)) {
    }
    CHECK(stream->ended());
    // A level above 5 is answered in the form of MQTT 5.
    if (level < 5) CHECK(answer == "\x20\x02\x00\x01"s);
  }
  for (const char* name : {"MQTX", "mqtt", ""}) {
    const auto stream = broker.open();
    stream->write(connect_packet({.client_id = "a", .protocol_name = name}, k4));
    std::string answer;
    while (stream->read(answer)) {
    }
    CHECK(stream->ended());
  }
}

TEST_CASE("[MQTT-3.1.2-3] [MQTT-3.1.4-1] the reserved flag closes without CONNACK", "[v311-3]") {
  Broker broker;
  closes_at_once(broker, connect_packet({.client_id = "a", .flags = 0x03}, k4));
}

TEST_CASE(
    "[MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.3-2] clean session 0 keeps the session, QoS 1 and 2 "
    "wait in it",
    "[v311-3]") {
  Broker broker;
  leave_session(broker);
  Client publisher(broker, k4);
  publisher.connect();
  publisher.publish("t", "1", 1);
  publisher.publish("t", "2", 2);
  Client client(broker, k4);
  CHECK(client.connect({.client_id = "a", .clean = false}).session_present);
  client.receive("t", "1");
  client.receive("t", "2");
  publisher.publish("t", "3", 1);
  client.receive("t", "3");
}

TEST_CASE("[MQTT-3.1.2-6] [MQTT-3.1.4-3] [MQTT-3.2.2-1] clean session 1 discards the session",
          "[v311-3]") {
  Broker broker;
  leave_session(broker);
  {
    Client client(broker, k4);
    CHECK_FALSE(client.connect({.client_id = "a", .clean = true}).session_present);
    client.publish("t", "x", 1);
    client.expect_nothing();
    client.subscribe("t", 1);
    client.disconnect();
  }
  // And it leaves nothing behind.
  Client client(broker, k4);
  CHECK_FALSE(client.connect({.client_id = "a", .clean = false}).session_present);
}

TEST_CASE("[MQTT-3.1.2-7] retained messages outlive the session of their publisher", "[v311-3]") {
  Broker broker;
  {
    Client client(broker, k4);
    client.connect();
    client.publish({.topic = "t", .payload = "x", .qos = 1, .retain = true});
    client.disconnect();
  }
  Client client(broker, k4);
  client.connect();
  client.subscribe("t", 1);
  client.receive("t", "x");
}

TEST_CASE(
    "[MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3] a Will comes after a cut and not after "
    "DISCONNECT",
    "[v311-3]") {
  Broker broker;
  Client watcher(broker, k4);
  watcher.connect();
  watcher.subscribe("will/#", 2);
  for (unsigned qos = 0; qos < 3; ++qos) {
    Client client(broker, k4);
    client.connect({.will = will("will/cut", qos)});
    client.cut();
    CHECK(watcher.receive("will/cut", "gone").qos == qos);
    Client polite(broker, k4);
    polite.connect({.will = will("will/polite", qos)});
    polite.disconnect();
  }
  Client wrong(broker, k4);
  wrong.connect({.will = will("will/wrong")});
  wrong.send(packet(0xC1, ""));
  wrong.expect_closed();
  watcher.receive("will/wrong", "gone");
  watcher.expect_nothing();
}

TEST_CASE("[MQTT-3.1.2-9] a Will flag without its fields is malformed in 3.1.1", "[v311-3]") {
  Broker broker;
  closes_at_once(broker, connect_packet({.client_id = "a", .flags = 0x06}, k4));
  const std::string body = body_of(connect_packet({.client_id = "a", .flags = 0x06}, k4));
  closes_at_once(broker, packet(0x10, body + field("topic")));
}

TEST_CASE(
    "[MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-15] Will bits without the Will flag are malformed "
    "in 3.1.1",
    "[v311-3]") {
  Broker broker;
  for (const unsigned flags : {0x0AU, 0x12U, 0x22U}) {
    closes_at_once(broker, connect_packet({.client_id = "a", .flags = flags}, k4));
  }
}

TEST_CASE("[MQTT-3.1.2-12] without the Will flag nothing is published at the end", "[v311-3]") {
  Broker broker;
  Client watcher(broker, k4);
  watcher.connect();
  watcher.subscribe("#", 0);
  Client client(broker, k4);
  client.connect();
  client.cut();
  watcher.expect_nothing();
}

TEST_CASE("[MQTT-3.1.2-14] Will QoS 3 is malformed in 3.1.1", "[v311-3]") {
  Broker broker;
  closes_at_once(broker, connect_packet({.client_id = "a", .will = will("w", 3)}, k4));
}

TEST_CASE("[MQTT-3.1.2-16] [MQTT-3.1.2-17] Will Retain decides in 3.1.1 too", "[v311-3]") {
  Broker broker;
  for (const bool retain : {false, true}) {
    Client client(broker, k4);
    client.connect({.will = will(retain ? "kept" : "passing", 1, retain)});
    client.cut();
  }
  Client late(broker, k4);
  late.connect();
  late.subscribe("passing", 1);
  late.expect_nothing();
  late.subscribe("kept", 1);
  CHECK(late.receive("kept", "gone").retain);
}

TEST_CASE(
    "[MQTT-3.1.2-18] [MQTT-3.1.2-19] [MQTT-3.1.2-20] [MQTT-3.1.2-21] [MQTT-3.1.2-22] user name and "
    "password "
    "stand exactly where their flags say",
    "[v311-3]") {
  Broker broker;
  const std::string body = body_of(connect_packet({.client_id = "a"}, k4));
  closes_at_once(broker, packet(0x10, body + field("name")));
  closes_at_once(broker, connect_packet({.client_id = "a", .flags = 0x82}, k4));
  closes_at_once(
      broker,
      packet(0x10, body_of(connect_packet({.client_id = "a", .flags = 0xC2}, k4)) + field("name")));
  closes_at_once(broker, connect_packet({.client_id = "a", .password = "p"}, k4));
}

TEST_CASE(
    "[MQTT-3.1.2-24] silence for one and a half times the keep alive closes a 3.1.1 connection",
    "[v311-3][memory]") {
  Broker broker;
  Client client(broker, k4);
  client.connect({.keep_alive = 10});
  broker.advance(Seconds(14));
  client.ping();
  broker.advance(Seconds(16));
  client.expect_closed();
}

TEST_CASE("[MQTT-3.1.2-24] silence closes a 3.1.1 connection, in real time", "[v311-3][slow]") {
  Broker broker;
  Client client(broker, k4);
  client.connect({.keep_alive = 1});
  broker.advance(Milliseconds(1000));
  client.ping();
  broker.advance(Milliseconds(1600));
  client.expect_closed();
}

TEST_CASE(
    "[MQTT-3.1.3-1] [MQTT-3.1.3-3] a CONNECT of 3.1.1 cut short at any byte closes without CONNACK",
    "[v311-3]") {
  Broker broker;
  const std::string body = body_of(connect_packet(
      {.client_id = "a", .will = will("w", 1, true), .username = "u", .password = "p"}, k4));
  // The first seven bytes are name and level; what misses them is no MQTT at all.
  for (std::size_t size = 0; size < body.size(); ++size) {
    const auto stream = broker.open();
    stream->write(packet(0x10, body.substr(0, size)));
    std::string answer;
    while (stream->read(answer)) {
    }
    CHECK(stream->ended());
    if (size >= 7) CHECK(answer.empty());
  }
}

TEST_CASE("[MQTT-3.1.3-4] [MQTT-3.1.3-10] [MQTT-3.1.3-11] text in a CONNECT of 3.1.1 must be UTF-8",
          "[v311-3]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    refuses(broker, connect_packet({.client_id = text}, k4), {2}, k4);
    closes_at_once(broker, connect_packet({.client_id = "a", .will = will(text)}, k4));
    closes_at_once(broker, connect_packet({.client_id = "a", .username = text}, k4));
  }
}

TEST_CASE("[MQTT-3.1.3-5] 3.1.1 identifiers of 1 to 23 letters and digits are accepted",
          "[v311-3]") {
  Broker broker;
  for (const char* id :
       {"0", "abcdefghijklmnopqrstuvw", "ABCDEFGHIJKLMNOPQRSTUVW", "0123456789xyzXYZ0123456"}) {
    Client client(broker, k4);
    client.connect({.client_id = id});
  }
}

TEST_CASE("[MQTT-3.1.3-6] an empty identifier with clean session 1 is served", "[v311-3]") {
  Broker broker;
  Client one(broker, k4);
  one.connect({.client_id = ""});
  Client two(broker, k4);
  two.connect({.client_id = ""});
  // Two clients, not one that took over the other.
  one.expect_nothing();
  two.expect_nothing();
}

TEST_CASE(
    "[MQTT-3.1.3-7] [MQTT-3.1.3-8] an empty identifier with clean session 0 is refused with 0x02",
    "[v311-3]") {
  Broker broker;
  Client client(broker, k4);
  client.connect_refused({.client_id = "", .clean = false}, 2);
}

TEST_CASE("[MQTT-3.1.3-9] [MQTT-3.2.2-4] [MQTT-3.2.2-5] a rejected identifier is refused with 0x02",
          "[v311-3]") {
  Broker broker{{.settings = {{"mqtt.client_id_bytes_max", "64"}}}};
  Client client(broker, k4);
  client.connect_refused({.client_id = std::string(65, 'c')}, 2);
}

TEST_CASE("[MQTT-3.1.4-2] a 3.1.1 takeover closes the old connection and publishes its Will",
          "[v311-3]") {
  Broker broker;
  Client watcher(broker, k4);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client old(broker, k4);
  old.connect({.client_id = "a", .clean = false, .will = will("will")});
  old.subscribe("t", 1);
  Client young(broker, k4);
  CHECK(young.connect({.client_id = "a", .clean = false}).session_present);
  old.expect_closed();
  watcher.receive("will", "gone");
  young.publish("t", "x", 1);
  young.receive("t", "x");
}

TEST_CASE("[MQTT-3.1.4-4] [MQTT-3.2.0-1] CONNACK 0 is the first packet of the server", "[v311-3]") {
  Broker broker;
  leave_session(broker);
  Client publisher(broker, k4);
  publisher.connect();
  publisher.publish("t", "x", 1);
  Client client(broker, k4);
  client.send(connect_packet({.client_id = "a", .clean = false}, k4) + pingreq_packet());
  const Connack ack = client.expect<Connack>();
  CHECK(ack.code == 0);
  CHECK(ack.session_present);
}

TEST_CASE("[MQTT-3.1.4-5] what follows a refused CONNECT is not processed in 3.1.1", "[v311-3]") {
  Broker broker;
  Client watcher(broker, k4);
  watcher.connect();
  watcher.subscribe("t", 0);
  Client client(broker, k4);
  client.send(connect_packet({.client_id = "", .clean = false}, k4) +
              publish_packet({.topic = "t"}, k4));
  CHECK(client.expect<Connack>().code == 2);
  client.expect_closed();
  watcher.expect_nothing();
}

TEST_CASE(
    "[MQTT-3.2.2-2] [MQTT-3.2.2-3] Session Present tells 3.1.1 clients whether there is a session",
    "[v311-3]") {
  Broker broker;
  for (const bool expected : {false, true}) {
    Client client(broker, k4);
    CHECK(client.connect({.client_id = "a", .clean = false}).flags == (expected ? 1 : 0));
    client.disconnect();
  }
}

TEST_CASE("[MQTT-3.2.2-4] [MQTT-3.2.2-5] wrong credentials get return code 4 or 5",
          "[v311-3][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  Client good(broker, k4);
  good.connect({.username = "good", .password = "right"});
  Client bad(broker, k4);
  bad.connect_refused({.username = "good", .password = "wrong"}, 4);
  Client nobody(broker, k4);
  nobody.connect_refused({}, 5);
}

TEST_CASE("[MQTT-3.2.2-6] where no return code fits the connection is closed without CONNACK",
          "[v311-3]") {
  Broker broker{{.settings = {{"mqtt.qos_max", "1"}}}};
  Client client(broker, k4);
  client.send(connect_packet({.client_id = "a", .will = will("w", 2)}, k4));
  client.expect_closed();
}

TEST_CASE("a lasting 3.1.1 session ends after mqtt.session_expiry_v3", "[v311-3][memory]") {
  Broker broker{{.settings = {{"mqtt.session_expiry_v3", "100"}}}};
  leave_session(broker);
  broker.advance(Seconds(99));
  {
    Client client(broker, k4);
    CHECK(client.connect({.client_id = "a", .clean = false}).session_present);
    client.disconnect();
  }
  broker.advance(Seconds(101));
  Client client(broker, k4);
  CHECK_FALSE(client.connect({.client_id = "a", .clean = false}).session_present);
}

TEST_CASE("MQTT 3.1 clients are served", "[v311-3]") {
  Broker broker;
  const Version k3 = Version::V31;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("#", 2);
  Client client(broker, k3);
  // No Session Present in 3.1: the byte is reserved.
  CHECK(
      client.connect({.client_id = "old", .clean = false, .username = "u", .password = "p"}).code ==
      0);
  client.subscribe("t", 2);
  for (unsigned qos = 0; qos < 3; ++qos) {
    client.publish("t", "x", qos);
    CHECK(client.receive("t", "x").qos == qos);
    watcher.receive("t", "x");
  }
  client.publish({.topic = "kept", .payload = "r", .qos = 1, .retain = true});
  watcher.receive("kept", "r");
  client.subscribe("kept", 0);
  CHECK(client.receive("kept", "r").retain);
  CHECK(client.unsubscribe("t").codes.empty());
  client.ping();
  client.disconnect();
  Client again(broker, k3);
  again.connect({.client_id = "old", .clean = false, .will = will("will")});
  watcher.publish("kept", "live", 1);
  watcher.receive("kept", "live");
  again.receive("kept", "live");
  again.cut();
  watcher.receive("will", "gone");
}

TEST_CASE("MQTT 3.1 with level 4, or 3.1.1 with level 3, is refused", "[v311-3]") {
  Broker broker;
  for (const auto& [name, level] : {std::pair{"MQIsdp", 4U}, std::pair{"MQTT", 3U}}) {
    const auto stream = broker.open();
    stream->write(
        connect_packet({.client_id = "a", .protocol_name = name, .protocol_level = level}, k4));
    std::string answer;
    while (stream->read(answer)) {
    }
    CHECK(stream->ended());
  }
}

}  // namespace twinmq::testing
