// MQTT 5.0, section 3.1: CONNECT.

#include "conformance/cases.hpp"

namespace twinmq::testing {
namespace {

/// A session "a" with a subscription to "t", disconnected.
void leave_session(Broker& broker, std::uint32_t expiry = 3600) {
  Client client(broker);
  client.connect({.client_id = "a", .properties = {lasting(expiry)}});
  client.subscribe("t", 1);
  client.disconnect();
}

WillOptions will(const std::string& topic, unsigned qos = 0, bool retain = false,
                 Properties properties = {}) {
  return {.topic = topic,
          .payload = "gone",
          .qos = qos,
          .retain = retain,
          .properties = std::move(properties)};
}

/// A close, after nothing, a CONNACK 0x84 of MQTT 5 or a CONNACK 0x01 of MQTT 3.1.1: who speaks
/// another version may understand either.
void refuses_version(Broker& broker, const std::string& bytes,
                     Client::Where where = Client::Where::current()) {
  const auto stream = broker.open();
  stream->write(bytes);
  std::string answer;
  while (stream->read(answer)) {
  }
  INFO("at line " << where.line());
  CHECK(stream->ended());
  CHECK((answer.empty() || answer == "\x20\x02\x00\x01"s || answer.substr(2, 2) == "\x00\x84"s));
}

}  // namespace

TEST_CASE("[MQTT-3.1.0-1] the first packet must be CONNECT", "[v5-3.1]") {
  Broker broker;
  const std::vector<std::string> packets = {publish_packet({.topic = "t"}, Version::V5),
                                            subscribe_packet(1, {{.filter = "t"}}, Version::V5),
                                            unsubscribe_packet(1, {"t"}, Version::V5),
                                            ack_packet(AckType::Puback, 1),
                                            ack_packet(AckType::Pubrel, 1),
                                            pingreq_packet(),
                                            disconnect_packet(),
                                            auth_packet(kContinue, {{Prop::AuthMethod, "m"}})};
  for (const std::string& first : packets) refuses(broker, first, {kProtocolError});
}

TEST_CASE("[MQTT-3.1.0-2] a second CONNECT is a protocol error", "[v5-3.1]") {
  Broker broker;
  closes_after(broker, connect_packet({.client_id = "again"}, Version::V5), {kProtocolError});
}

TEST_CASE("[MQTT-3.1.2-1] another protocol name is refused", "[v5-3.1]") {
  Broker broker;
  for (const char* name : {"mqtt", "MQTTX", "", "HTTP", "MQIsdp"}) {
    refuses_version(broker, connect_packet({.client_id = "a", .protocol_name = name}, Version::V5));
  }
}

TEST_CASE("[MQTT-3.1.2-2] an unsupported version is refused", "[v5-3.1]") {
  Broker broker;
  for (const unsigned level : {0U, 1U, 2U, 6U, 7U, 255U}) {
    refuses_version(broker,
                    connect_packet({.client_id = "a", .protocol_level = level}, Version::V5));
  }
}

TEST_CASE("[MQTT-3.1.2-3] the reserved connect flag must be 0", "[v5-3.1]") {
  Broker broker;
  refuses(broker, connect_packet({.client_id = "a", .flags = 0x03}, Version::V5), {kMalformed});
}

TEST_CASE("[MQTT-3.1.2-4] [MQTT-3.1.4-4] Clean Start 1 discards the old session", "[v5-3.1]") {
  Broker broker;
  leave_session(broker);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "waiting", 1);
  Client client(broker);
  CHECK_FALSE(
      client.connect({.client_id = "a", .clean = true, .properties = {lasting()}}).session_present);
  publisher.publish("t", "live", 1);
  client.expect_nothing();
}

TEST_CASE(
    "[MQTT-3.1.2-5] [MQTT-3.1.3-2] [MQTT-3.1.2-23] Clean Start 0 resumes the session of the "
    "identifier",
    "[v5-3.1]") {
  Broker broker;
  leave_session(broker);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "waiting", 1);
  Client other(broker);
  CHECK_FALSE(other.connect({.client_id = "A", .clean = false}).session_present);
  Client client(broker);
  CHECK(client.connect({.client_id = "a", .clean = false, .properties = {lasting()}})
            .session_present);
  client.receive("t", "waiting");
  publisher.publish("t", "live", 1);
  client.receive("t", "live");
  other.expect_nothing();
}

TEST_CASE("[MQTT-3.1.2-6] Clean Start 0 without a session makes a new one", "[v5-3.1]") {
  Broker broker;
  Client client(broker);
  CHECK_FALSE(client.connect({.client_id = "a", .clean = false}).session_present);
  client.subscribe("t", 0);
  client.publish("t", "x");
  client.receive("t", "x");
}

TEST_CASE(
    "[MQTT-3.1.2-7] [MQTT-3.1.2-8] the Will is published when the connection ends without "
    "DISCONNECT",
    "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will/+", 2);
  for (unsigned qos = 0; qos < 3; ++qos) {
    Client client(broker);
    client.connect({.will = will("will/" + std::to_string(qos), qos)});
    watcher.expect_nothing();
    client.cut();
    const Publish got = watcher.receive("will/" + std::to_string(qos), "gone");
    CHECK(got.qos == qos);
    CHECK_FALSE(got.retain);
  }
}

TEST_CASE("[MQTT-3.1.2-8] the Will is published when the broker closes because of a protocol error",
          "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect({.will = will("will")});
  client.send(connect_packet({.client_id = client.id()}, Version::V5));
  client.expect_closed(kProtocolError);
  watcher.receive("will", "gone");
}

TEST_CASE("[MQTT-3.1.2-8] the Will is published after DISCONNECT 0x04", "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect({.will = will("will")});
  client.disconnect(0x04);
  watcher.receive("will", "gone");
}

TEST_CASE("[MQTT-3.1.2-8] a Will waits for its delay", "[v5-3.1][memory]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect(
      {.properties = {lasting(1000)}, .will = will("will", 0, false, {{Prop::WillDelay, 60}})});
  client.cut();
  broker.advance(Seconds(59));
  watcher.expect_nothing();
  broker.advance(Seconds(2));
  watcher.receive("will", "gone");
}

TEST_CASE("[MQTT-3.1.2-8] the end of the session comes before a longer Will delay",
          "[v5-3.1][memory]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client lasts(broker);
  lasts.connect(
      {.properties = {lasting(30)}, .will = will("will", 0, false, {{Prop::WillDelay, 60}})});
  lasts.cut();
  broker.advance(Seconds(29));
  watcher.expect_nothing();
  broker.advance(Seconds(2));
  watcher.receive("will", "gone");
}

TEST_CASE(
    "[MQTT-3.1.2-8] a session that ends with its connection publishes its delayed Will at once",
    "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect({.will = will("will", 0, false, {{Prop::WillDelay, 3600}})});
  client.cut();
  watcher.receive("will", "gone");
}

TEST_CASE("[MQTT-3.1.2-8] Clean Start 1 ends the old session and publishes its delayed Will",
          "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect({.client_id = "a",
                  .properties = {lasting()},
                  .will = will("will", 0, false, {{Prop::WillDelay, 60}})});
  client.cut();
  watcher.expect_nothing();
  Client next(broker);
  next.connect({.client_id = "a", .clean = true});
  watcher.receive("will", "gone");
}

TEST_CASE("[MQTT-3.1.2-10] a Will is published once, and not after DISCONNECT 0x00", "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect({.client_id = "a", .properties = {lasting()}, .will = will("will")});
  client.cut();
  watcher.receive("will", "gone");
  Client again(broker);
  again.connect({.client_id = "a", .clean = false, .properties = {lasting()}});
  again.cut();
  Client polite(broker);
  polite.connect({.client_id = "a", .clean = false, .will = will("will")});
  polite.disconnect();
  watcher.expect_nothing();
}

TEST_CASE("[MQTT-3.1.2-9] a Will flag without the fields of the Will is malformed", "[v5-3.1]") {
  Broker broker;
  refuses(broker, connect_packet({.client_id = "a", .flags = 0x06}, Version::V5), {kMalformed});
  const std::string body = body_of(connect_packet({.client_id = "a", .flags = 0x06}, Version::V5));
  refuses(broker, packet(0x10, body + "\0"s + field("will")), {kMalformed});
}

TEST_CASE("[MQTT-3.1.2-11] [MQTT-3.1.2-13] Will QoS and Will Retain need the Will flag",
          "[v5-3.1]") {
  Broker broker;
  for (const unsigned flags : {0x0AU, 0x12U, 0x22U}) {
    refuses(broker, connect_packet({.client_id = "a", .flags = flags}, Version::V5),
            {kMalformed, kProtocolError});
  }
}

TEST_CASE("[MQTT-3.1.2-12] Will QoS 3 is malformed", "[v5-3.1]") {
  Broker broker;
  refuses(broker, connect_packet({.client_id = "a", .will = will("will", 3)}, Version::V5),
          {kMalformed});
}

TEST_CASE("[MQTT-3.1.2-14] [MQTT-3.1.2-15] Will Retain decides whether the Will is retained",
          "[v5-3.1]") {
  Broker broker;
  for (const bool retain : {false, true}) {
    Client client(broker);
    client.connect({.will = will(retain ? "kept" : "passing", 1, retain)});
    client.cut();
  }
  Client late(broker);
  late.connect();
  late.subscribe("passing", 1);
  late.expect_nothing();
  late.subscribe("kept", 1);
  CHECK(late.receive("kept", "gone").retain);
}

TEST_CASE("[MQTT-3.1.2-7] a Will is published with all its properties", "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect({.will = will("will", 0, false,
                               {{Prop::PayloadFormat, 1},
                                {Prop::MessageExpiry, 500},
                                {Prop::ContentType, "text/plain"},
                                {Prop::ResponseTopic, "answer"},
                                {Prop::CorrelationData, "\0\1"s},
                                {Prop::User, "k", "1"},
                                {Prop::User, "k", "2"}})});
  client.cut();
  const Publish got = watcher.receive("will", "gone");
  CHECK(got.properties.number(Prop::PayloadFormat) == 1U);
  CHECK(got.properties.number(Prop::MessageExpiry).value_or(0) <= 500U);
  CHECK(got.properties.has(Prop::MessageExpiry));
  CHECK(got.properties.text(Prop::ContentType) == "text/plain");
  CHECK(got.properties.text(Prop::ResponseTopic) == "answer");
  CHECK(got.properties.text(Prop::CorrelationData) == "\0\1"s);
  CHECK(got.properties.user() ==
        std::vector<std::pair<std::string, std::string>>{{"k", "1"}, {"k", "2"}});
  CHECK_FALSE(got.properties.has(Prop::WillDelay));
}

TEST_CASE("[MQTT-3.1.2-16] [MQTT-3.1.2-18] bytes that no flag announces are malformed",
          "[v5-3.1]") {
  Broker broker;
  const std::string body = body_of(connect_packet({.client_id = "a"}, Version::V5));
  refuses(broker, packet(0x10, body + field("name")), {kMalformed});
}

TEST_CASE("[MQTT-3.1.2-17] [MQTT-3.1.2-19] a flag without its field is malformed", "[v5-3.1]") {
  Broker broker;
  for (const unsigned flags : {0x82U, 0x42U}) {
    refuses(broker, connect_packet({.client_id = "a", .flags = flags}, Version::V5), {kMalformed});
  }
}

TEST_CASE("a password without a user name is legal in MQTT 5", "[v5-3.1]") {
  Broker broker;
  Client client(broker);
  // Whether it is let in is the access rules' business; it must not be malformed.
  const unsigned code = client.try_connect({.password = "secret"}).code;
  CHECK((code == kSuccess || code == kBadUserNameOrPassword || code == kNotAuthorized));
}

TEST_CASE("[MQTT-3.1.2-22] silence for one and a half times the keep alive ends the connection",
          "[v5-3.1][memory]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect({.keep_alive = 10, .will = will("will")});
  broker.advance(Seconds(14));
  client.ping();
  broker.advance(Seconds(14));
  watcher.expect_nothing();
  broker.advance(Seconds(2));
  client.expect_closed(kKeepAliveTimeout);
  watcher.receive("will", "gone");
}

TEST_CASE("[MQTT-3.1.2-22] any packet counts as a sign of life, and keep alive 0 needs none",
          "[v5-3.1][memory]") {
  Broker broker;
  Client idle(broker);
  idle.connect();
  Client client(broker);
  client.connect({.keep_alive = 10});
  for (int i = 0; i < 5; ++i) {
    broker.advance(Seconds(12));
    client.send_publish({.topic = "t"});
  }
  client.expect_nothing();
  broker.advance(Seconds(100'000));
  client.expect_closed(kKeepAliveTimeout);
  idle.expect_nothing();
}

TEST_CASE("[MQTT-3.1.2-22] keep alive over TCP", "[v5-3.1][slow]") {
  Broker broker;
  Client client(broker);
  client.connect({.keep_alive = 1});
  broker.advance(Milliseconds(1000));
  client.ping();
  broker.advance(Milliseconds(1600));
  client.expect_closed(kKeepAliveTimeout);
}

TEST_CASE("[MQTT-3.1.2-24] [MQTT-3.1.2-25] nothing above the client's Maximum Packet Size is sent",
          "[v5-3.1]") {
  Broker broker;
  Client small(broker);
  small.connect({.properties = {{Prop::MaximumPacketSize, 100}}});
  small.subscribe("t", 2);
  Client roomy(broker);
  roomy.connect();
  roomy.subscribe("t", 2);
  for (unsigned qos = 0; qos < 3; ++qos) {
    roomy.publish("t", std::string(200, 'x'), qos);
    CHECK(roomy.receive().payload.size() == 200);
    roomy.publish("t", "small", qos);
    roomy.receive("t", "small");
    CHECK(small.receive("t", "small").size <= 100);
  }
  small.expect_nothing();
}

TEST_CASE(
    "[MQTT-3.1.2-24] a packet of exactly the Maximum Packet Size is sent, one byte more is not",
    "[v5-3.1]") {
  Broker broker;
  Client small(broker);
  small.connect({.properties = {{Prop::MaximumPacketSize, 64}}});
  small.subscribe("t", 0);
  // Header 2, topic 3, property length 1.
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", std::string(64 - 6 + 1, 'b'), 0);
  publisher.publish("t", std::string(64 - 6, 'a'), 0);
  CHECK(small.receive().size == 64);
  small.expect_nothing();
}

TEST_CASE("[MQTT-3.1.2-25] a dropped message does not use up the Receive Maximum", "[v5-3.1]") {
  Broker broker;
  Client small(broker);
  small.connect({.properties = {{Prop::MaximumPacketSize, 100}, {Prop::ReceiveMaximum, 1}}});
  small.subscribe("t", 2);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 5; ++i) publisher.publish("t", std::string(200, 'x'), 1);
  publisher.publish("t", "small", 1);
  small.receive("t", "small");
}

TEST_CASE("[MQTT-3.1.2-26] [MQTT-3.1.2-27] without a Topic Alias Maximum the server sends no alias",
          "[v5-3.1]") {
  Broker broker;
  for (const bool announced : {false, true}) {
    Client client(broker);
    client.connect(
        {.properties = announced ? Properties{{Prop::TopicAliasMaximum, 0}} : Properties{}});
    client.subscribe("a/long/topic/name", 0);
    for (int i = 0; i < 20; ++i) client.publish("a/long/topic/name", "x");
    for (int i = 0; i < 20; ++i)
      CHECK_FALSE(client.expect<Publish>().properties.has(Prop::TopicAlias));
  }
}

TEST_CASE("[MQTT-3.1.2-28] without a request no response information is returned", "[v5-3.1]") {
  Broker broker;
  Client client(broker);
  CHECK_FALSE(client.connect().properties.has(Prop::ResponseInformation));
  Client zero(broker);
  CHECK_FALSE(zero.connect({.properties = {{Prop::RequestResponse, 0}}})
                  .properties.has(Prop::ResponseInformation));
}

TEST_CASE(
    "[MQTT-3.1.2-29] Request Problem Information 0 keeps reason strings to CONNACK and DISCONNECT",
    "[v5-3.1]") {
  Broker broker;
  Client client(broker);
  client.connect({.properties = {{Prop::RequestProblem, 0}}});
  CHECK(client.try_subscribe({{.filter = "a/#/b"}}).properties.empty());
  CHECK(client.unsubscribe("never").properties.empty());
  client.send_ack(AckType::Pubrel, 4711);
  const Pubcomp ack = client.expect<Pubcomp>();
  CHECK(ack.code == kIdNotFound);
  CHECK(ack.properties.empty());
}

TEST_CASE("[MQTT-3.1.3-1] [MQTT-3.1.3-3] the fields of the payload are read in their order",
          "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will/topic", 0);
  Client client(broker);
  client.connect({.client_id = "ordered", .will = will("will/topic")});
  client.cut();
  watcher.receive("will/topic", "gone");
  // Nothing at all where the client identifier must stand.
  refuses(broker, packet(0x10, field("MQTT") + u8(5) + u8(2) + u16(0) + u8(0)), {kMalformed});
}

TEST_CASE("[MQTT-3.1.3-4] a client identifier that is not UTF-8 is refused", "[v5-3.1]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    refuses(broker, connect_packet({.client_id = text}, Version::V5),
            {kMalformed, kClientIdNotValid});
  }
}

TEST_CASE("[MQTT-3.1.3-5] identifiers of 1 to 23 letters and digits are accepted", "[v5-3.1]") {
  Broker broker;
  const std::string all = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (std::size_t at = 0; at + 23 <= all.size(); at += 13) {
    Client client(broker);
    client.connect({.client_id = all.substr(at, 23)});
  }
  Client short_one(broker);
  short_one.connect({.client_id = "z"});
}

TEST_CASE(
    "[MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16] an empty identifier gets a unique one, which is "
    "returned",
    "[v5-3.1]") {
  Broker broker;
  std::vector<std::string> seen;
  for (const bool clean : {true, false, true}) {
    Client client(broker);
    const Connack ack =
        client.connect({.client_id = "", .clean = clean, .properties = {lasting()}});
    CHECK_FALSE(ack.session_present);
    const std::string id = ack.properties.text(Prop::AssignedClientId).value_or("");
    CHECK_FALSE(id.empty());
    for (const std::string& other : seen) CHECK(other != id);
    seen.push_back(id);
    client.disconnect();
  }
  Client back(broker);
  const Connack ack = back.connect({.client_id = seen[1], .clean = false});
  CHECK(ack.session_present);
  CHECK_FALSE(ack.properties.has(Prop::AssignedClientId));
}

TEST_CASE("[MQTT-3.1.3-8] an identifier that is too long is refused with 0x85", "[v5-3.1]") {
  Broker broker{{.settings = {{"mqtt.client_id_bytes_max", "64"}}}};
  Client client(broker);
  client.connect_refused({.client_id = std::string(65, 'c')}, kClientIdNotValid);
  Client fits(broker);
  fits.connect({.client_id = std::string(64, 'c')});
}

TEST_CASE("[MQTT-3.1.3-9] a reconnect within the Will delay keeps the Will from being sent",
          "[v5-3.1][memory]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect({.client_id = "a",
                  .properties = {lasting()},
                  .will = will("will", 0, false, {{Prop::WillDelay, 60}})});
  client.cut();
  broker.advance(Seconds(30));
  Client again(broker);
  again.connect({.client_id = "a", .clean = false, .properties = {lasting()}});
  broker.advance(Seconds(100));
  watcher.expect_nothing();
}

TEST_CASE(
    "[MQTT-3.1.2-8] [MQTT-3.1.3-9] a Will waits for its delay, and a reconnect keeps it, in real "
    "time",
    "[v5-3.1][slow]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will/#", 0);
  for (const char* id : {"back", "gone"}) {
    Client client(broker);
    client.connect({.client_id = id,
                    .properties = {lasting()},
                    .will = will("will/"s + id, 0, false, {{Prop::WillDelay, 1}})});
    client.cut();
  }
  Client again(broker);
  again.connect({.client_id = "back", .clean = false, .properties = {lasting()}});
  broker.advance(Milliseconds(1600));
  CHECK(watcher.receive().topic == "will/gone");
  watcher.expect_nothing();
}

TEST_CASE("[MQTT-3.1.3-11] [MQTT-3.1.3-12] Will topic and user name must be UTF-8", "[v5-3.1]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    refuses(broker, connect_packet({.client_id = "a", .will = will(text)}, Version::V5),
            {kMalformed, kTopicInvalid});
    refuses(broker, connect_packet({.client_id = "a", .username = text}, Version::V5),
            {kMalformed});
  }
  for (const char* topic : {"", "a/+", "#"}) {
    refuses(broker, connect_packet({.client_id = "a", .will = will(topic)}, Version::V5),
            {kMalformed, kProtocolError, kTopicInvalid});
  }
}

TEST_CASE("[MQTT-3.1.4-1] a CONNECT cut short at any byte is refused", "[v5-3.1]") {
  Broker broker;
  const std::string body =
      body_of(connect_packet({.client_id = "a",
                              .properties = {lasting(), {Prop::User, "k", "v"}},
                              .will = will("w", 1, true, {{Prop::ContentType, "c"}}),
                              .username = "u",
                              .password = "p"},
                             Version::V5));
  for (std::size_t size = 0; size < body.size(); ++size) {
    INFO("body of " << size << " bytes");
    refuses(broker, packet(0x10, body.substr(0, size)), {kMalformed, kUnsupportedVersion});
  }
}

TEST_CASE("[MQTT-3.1.4-3] a second connection of the client takes the session over with 0x8E",
          "[v5-3.1]") {
  Broker broker;
  Client old(broker);
  old.connect({.client_id = "a", .properties = {lasting()}});
  old.subscribe("t", 1);
  Client young(broker);
  CHECK(
      young.connect({.client_id = "a", .clean = false, .properties = {lasting()}}).session_present);
  old.expect_closed(kTakenOver);
  young.publish("t", "x", 1);
  young.receive("t", "x");
}

TEST_CASE("[MQTT-3.1.4-3] a takeover publishes the Will of the old connection", "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client old(broker);
  old.connect({.client_id = "a", .properties = {lasting()}, .will = will("will")});
  Client young(broker);
  young.connect({.client_id = "a", .clean = false});
  old.expect_closed(kTakenOver);
  watcher.receive("will", "gone");
  watcher.expect_nothing();
}

TEST_CASE("[MQTT-3.1.4-3] the state of a session with expiry 0 is not inherited by a takeover",
          "[v5-3.1]") {
  Broker broker;
  Client old(broker);
  old.connect({.client_id = "a"});
  old.subscribe("t", 1);
  Client young(broker);
  const Connack ack = young.connect({.client_id = "a", .clean = false});
  old.expect_closed(kTakenOver);
  CHECK_FALSE(ack.session_present);
  young.publish("t", "x", 1);
  young.expect_nothing();
}

TEST_CASE("[MQTT-3.1.4-5] an accepted CONNECT is answered by CONNACK 0x00", "[v5-3.1]") {
  Broker broker;
  Client client(broker);
  const Connack ack = client.connect();
  CHECK(ack.code == kSuccess);
  CHECK(ack.flags == 0);
}

TEST_CASE(
    "[MQTT-3.1.4-6] packets sent behind CONNECT are worked on, behind a refused one they are not",
    "[v5-3.1]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("t", 0);
  Client hasty(broker);
  hasty.send(connect_packet({.client_id = "hasty"}, Version::V5) +
             publish_packet({.topic = "t", .payload = "early"}, Version::V5));
  CHECK(hasty.expect<Connack>().code == kSuccess);
  watcher.receive("t", "early");
  Client refused(broker);
  refused.send(connect_packet({.client_id = "a", .flags = 0x03}, Version::V5) +
               publish_packet({.topic = "t", .payload = "never"}, Version::V5));
  refused.expect_refused({kMalformed});
  watcher.expect_nothing();
}

TEST_CASE("[MQTT-3.1.2-23] session expiry is counted from the end of the connection",
          "[v5-3.1][memory]") {
  Broker broker;
  leave_session(broker, 100);
  broker.advance(Seconds(99));
  {
    Client client(broker);
    CHECK(client.connect({.client_id = "a", .clean = false, .properties = {lasting(100)}})
              .session_present);
    broker.advance(Seconds(1000));
    client.cut();
  }
  broker.advance(Seconds(99));
  Client again(broker);
  CHECK(again.connect({.client_id = "a", .clean = false, .properties = {lasting(100)}})
            .session_present);
  again.cut();
  broker.advance(Seconds(101));
  Client late(broker);
  CHECK_FALSE(late.connect({.client_id = "a", .clean = false}).session_present);
}

TEST_CASE("[MQTT-3.1.2-23] a session expires after its second over TCP", "[v5-3.1][slow]") {
  Broker broker;
  leave_session(broker, 1);
  broker.advance(Milliseconds(1500));
  Client late(broker);
  CHECK_FALSE(late.connect({.client_id = "a", .clean = false}).session_present);
}

TEST_CASE("[MQTT-3.1.2-23] without an expiry the session ends with the connection", "[v5-3.1]") {
  Broker broker;
  leave_session(broker, 0);
  Client client(broker);
  CHECK_FALSE(client.connect({.client_id = "a", .clean = false}).session_present);
}

}  // namespace twinmq::testing
