// MQTT 5.0, sections 3.12 to 3.15: PINGREQ, DISCONNECT, AUTH.

#include "conformance/cases.hpp"
#include "conformance/scripted_authenticator.hpp"

namespace twinmq::testing {

TEST_CASE("[MQTT-3.12.4-1] PINGREQ is answered by PINGRESP", "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  for (int i = 0; i < 3; ++i) {
    client.send(pingreq_packet());
    client.expect<Pingresp>();
  }
  closes_after(broker, packet(0xC0, "x"), {kMalformed});
}

TEST_CASE("[MQTT-3.14.0-1] no DISCONNECT comes before a successful CONNACK", "[v5-3.4]") {
  Broker broker;
  // expect_refused takes a CONNACK or nothing.
  refuses(broker, connect_packet({.client_id = "a", .flags = 0x03}, Version::V5), {kMalformed});
  refuses(broker, pingreq_packet(), {kProtocolError});
  refuses(broker, "\x10\xFF\xFF\xFF\xFF\x01"s, {kMalformed});
}

TEST_CASE("[MQTT-3.14.1-1] [MQTT-3.14.2-1] a DISCONNECT that is not sound is answered and closed",
          "[v5-3.4]") {
  Broker broker;
  for (const unsigned first : {0xE1U, 0xE2U, 0xE8U})
    closes_after(broker, packet(first, ""), {kMalformed});
  closes_after(broker, disconnect_packet(0x55), {kMalformed, kProtocolError});
  // A code that only a server may send: whatever is answered, it is not the normal end.
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will", 0);
  Client client(broker);
  client.connect({.will = WillOptions{.topic = "will", .payload = "gone"}});
  client.send(disconnect_packet(kTakenOver));
  watcher.receive("will", "gone");
}

TEST_CASE("[MQTT-3.14.2-2] the server's DISCONNECT carries no Session Expiry Interval",
          "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect({.properties = {lasting()}});
  client.send(packet(0xC0, "x"));
  CHECK_FALSE(client.expect<Disconnect>().properties.has(Prop::SessionExpiry));
}

TEST_CASE("[MQTT-3.14.2-2] DISCONNECT may change the session expiry", "[v5-3.4]") {
  Broker broker;
  {
    Client client(broker);
    client.connect({.client_id = "longer", .properties = {lasting(1)}});
    client.disconnect(0, {lasting(1000)});
    Client ends(broker);
    ends.connect({.client_id = "ends", .properties = {lasting(1000)}});
    ends.disconnect(0, {lasting(0)});
  }
  Client ends(broker);
  CHECK_FALSE(ends.connect({.client_id = "ends", .clean = false}).session_present);
  if (in_memory()) broker.advance(Seconds(900));
  Client longer(broker);
  CHECK(longer.connect({.client_id = "longer", .clean = false}).session_present);
}

TEST_CASE("[MQTT-3.14.2-2] DISCONNECT may not give life to a session that was to end", "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect({.client_id = "a"});
  client.send(disconnect_packet(0, Version::V5, {lasting(1000)}));
  client.expect_closed(kProtocolError);
  Client again(broker);
  CHECK_FALSE(again.connect({.client_id = "a", .clean = false}).session_present);
}

TEST_CASE("[MQTT-3.14.2-3] [MQTT-3.14.2-4] DISCONNECT keeps to the client's Maximum Packet Size",
          "[v5-3.4]") {
  Broker broker;
  for (const std::uint32_t limit : {16U, 20U, 30U, 50U}) {
    const auto stream = broker.open();
    stream->write(connect_packet(
        {.client_id = "a", .properties = {{Prop::MaximumPacketSize, limit}}}, Version::V5));
    stream->write(connect_packet({.client_id = "a"}, Version::V5));
    std::string answer;
    while (stream->read(answer)) {
    }
    CHECK(stream->ended());
    while (auto got = take_packet(answer, Version::V5)) {
      if (const auto* goodbye = std::get_if<Disconnect>(&*got)) {
        CHECK(3 + (goodbye->properties.empty() ? 0 : property_block(goodbye->properties).size()) <=
              limit);
      }
    }
    CHECK(answer.empty());
  }
}

TEST_CASE("[MQTT-3.14.4-1] [MQTT-3.14.4-2] after DISCONNECT the server sends nothing and closes",
          "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("t", 0);
  // Everything behind DISCONNECT is ignored, in either direction.
  client.send(disconnect_packet() + publish_packet({.topic = "t", .payload = "x"}, Version::V5) +
              pingreq_packet());
  client.expect_closed();
  Client second(broker);
  second.connect();
  second.send(packet(0xC0, "x") + publish_packet({.topic = "t", .payload = "x"}, Version::V5) +
              pingreq_packet());
  second.expect_closed(kMalformed);
}

TEST_CASE("[MQTT-3.14.4-3] DISCONNECT 0x00 discards the Will, 0x04 publishes it", "[v5-3.4]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("will/#", 0);
  for (const unsigned code : {0x00U, 0x04U}) {
    Client client(broker);
    client.connect(
        {.will = WillOptions{.topic = "will/" + std::to_string(code), .payload = "gone"}});
    client.disconnect(code);
  }
  watcher.receive("will/4", "gone");
  watcher.expect_nothing();
}

TEST_CASE("[MQTT-3.15.1-1] AUTH flags must be 0", "[v5-3.4]") {
  Broker broker;
  for (const unsigned first : {0xF1U, 0xF2U, 0xF8U})
    closes_after(broker, packet(first, ""), {kMalformed});
}

TEST_CASE("[MQTT-3.15.2-1] AUTH with an undefined code is refused", "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  for (const unsigned code : {0x01U, 0x17U, 0x80U}) {
    Client client(broker);
    client.connect({.properties = {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "0"}}});
    client.send(auth_packet(code, {{Prop::AuthMethod, "steps"}}));
    client.expect_closed_with({kMalformed, kProtocolError});
  }
}

TEST_CASE("[MQTT-3.15.2-2] [MQTT-3.15.2-3] AUTH keeps to the client's Maximum Packet Size",
          "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  Client client(broker);
  client.send(connect_packet({.client_id = "a",
                              .properties = {{Prop::AuthMethod, "steps"},
                                             {Prop::AuthData, "1"},
                                             {Prop::MaximumPacketSize, 64}}},
                             Version::V5));
  const Auth question = client.expect<Auth>();
  CHECK(2 + 1 + property_block(question.properties).size() <= 64);
}

TEST_CASE("[MQTT-4.12.0-1] an unknown authentication method is refused", "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  client.connect_refused({.properties = {{Prop::AuthMethod, "no-such-method"}}}, kBadMethod);
}

TEST_CASE("[MQTT-4.12.0-1] authentication data without a method is a protocol error", "[v5-3.4]") {
  Broker broker;
  refuses(broker,
          connect_packet({.client_id = "a", .properties = {{Prop::AuthData, "x"}}}, Version::V5),
          {kProtocolError});
}

TEST_CASE(
    "[MQTT-4.12.0-2] [MQTT-4.12.0-5] [MQTT-3.2.0-1] an exchange of AUTH packets ends in a CONNACK "
    "that "
    "repeats the method",
    "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  Client client(broker);
  client.send(connect_packet(
      {.client_id = "a", .properties = {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "2"}}},
      Version::V5));
  for (int step = 0; step < 2; ++step) {
    const Auth question = client.expect<Auth>();
    CHECK(question.code == kContinue);
    CHECK(question.properties.text(Prop::AuthMethod) == "steps");
    CHECK(question.properties.text(Prop::AuthData) == "question");
    client.send(auth_packet(kContinue, {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "answer"}}));
  }
  const Connack ack = client.expect<Connack>();
  CHECK(ack.code == kSuccess);
  CHECK(ack.properties.text(Prop::AuthMethod) == "steps");
  CHECK(ack.properties.text(Prop::AuthData) == "proof");
  client.expect_nothing();
}

TEST_CASE("[MQTT-4.12.0-4] the server may reject at any step, and closes", "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  for (const int good : {0, 1}) {
    Client client(broker);
    client.send(connect_packet(
        {.client_id = "a", .properties = {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "2"}}},
        Version::V5));
    for (int step = 0; step < good; ++step) {
      client.expect<Auth>();
      client.send(
          auth_packet(kContinue, {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "answer"}}));
    }
    client.expect<Auth>();
    client.send(auth_packet(kContinue, {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "wrong"}}));
    CHECK(client.expect<Connack>().code == kNotAuthorized);
    client.expect_closed();
  }
}

TEST_CASE("[MQTT-4.12.0-6] without a method in CONNECT there is no AUTH and no method in CONNACK",
          "[v5-3.4]") {
  Broker broker;
  Client client(broker);
  const Connack ack = client.connect();
  CHECK_FALSE(ack.properties.has(Prop::AuthMethod));
  CHECK_FALSE(ack.properties.has(Prop::AuthData));
  client.expect_nothing();
}

TEST_CASE("[MQTT-4.12.0-7] without a method in CONNECT an AUTH of the client is a protocol error",
          "[v5-3.4]") {
  Broker broker;
  closes_after(broker, auth_packet(kReauthenticate, {{Prop::AuthMethod, "m"}}), {kProtocolError});
  closes_after(broker, auth_packet(kContinue, {{Prop::AuthMethod, "m"}}), {kProtocolError});
}

TEST_CASE("[MQTT-3.1.2-30] only AUTH and DISCONNECT may come before CONNACK", "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  for (const std::string& early : {pingreq_packet(), publish_packet({.topic = "t"}, Version::V5),
                                   subscribe_packet(1, {{.filter = "t"}}, Version::V5)}) {
    Client client(broker);
    client.send(connect_packet(
        {.client_id = "a", .properties = {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "1"}}},
        Version::V5));
    client.expect<Auth>();
    client.send(early);
    client.expect_refused({kProtocolError});
  }
  Client leaves(broker);
  leaves.send(connect_packet(
      {.client_id = "a", .properties = {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "1"}}},
      Version::V5));
  leaves.expect<Auth>();
  leaves.send(disconnect_packet());
  leaves.expect_closed();
}

TEST_CASE("[MQTT-4.12.1-1] re-authentication goes on beside the traffic and ends in AUTH 0x00",
          "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  Client client(broker);
  client.connect({.properties = {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "0"}}});
  client.subscribe("t", 1);
  client.send(auth_packet(kReauthenticate, {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "1"}}));
  CHECK(client.expect<Auth>().code == kContinue);
  client.publish("t", "x", 1);
  client.receive("t", "x");
  client.send(auth_packet(kContinue, {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "answer"}}));
  const Auth done = client.expect<Auth>();
  CHECK(done.code == kSuccess);
  CHECK(done.properties.text(Prop::AuthMethod) == "steps");
  client.publish("t", "y", 1);
  client.receive("t", "y");
}

TEST_CASE("[MQTT-4.12.1-1] another method in a re-authentication is a protocol error",
          "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  Client client(broker);
  client.connect({.properties = {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "0"}}});
  client.send(auth_packet(kReauthenticate, {{Prop::AuthMethod, "other"}, {Prop::AuthData, "0"}}));
  client.expect_closed_with({kProtocolError, kBadMethod});
}

TEST_CASE("[MQTT-4.12.1-2] a failed re-authentication closes the connection", "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  Client client(broker);
  client.connect({.properties = {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "0"}}});
  client.send(auth_packet(kReauthenticate, {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "1"}}));
  client.expect<Auth>();
  client.send(auth_packet(kContinue, {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "wrong"}}));
  client.expect_closed(kNotAuthorized);
}

TEST_CASE("[MQTT-4.12.0-3] AUTH out of turn is a protocol error", "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  Client client(broker);
  client.connect({.properties = {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "0"}}});
  // No exchange is under way that could go on.
  client.send(auth_packet(kContinue, {{Prop::AuthMethod, "steps"}, {Prop::AuthData, "answer"}}));
  client.expect_closed(kProtocolError);
}

TEST_CASE("[MQTT-3.1.4-2] a failed authentication is refused and closed", "[v5-3.4][memory]") {
  Broker broker{{.authenticator = std::make_shared<ScriptedAuthenticator>()}};
  Client good(broker);
  good.connect({.username = "good", .password = "right"});
  Client bad(broker);
  bad.connect_refused({.username = "good", .password = "false"}, kBadUserNameOrPassword);
  Client nobody(broker);
  nobody.connect_refused({}, kNotAuthorized);
}

TEST_CASE("[MQTT-3.1.4-2] packets that arrive while the authenticator thinks wait for its verdict",
          "[v5-3.4][memory]") {
  auto authenticator = std::make_shared<ScriptedAuthenticator>();
  authenticator->answers_later = true;
  Broker broker{{.authenticator = authenticator}};
  Client client(broker);
  client.send(
      connect_packet({.client_id = "slow", .username = "good", .password = "right"}, Version::V5) +
      subscribe_packet(1, {{.filter = "t"}}, Version::V5) +
      publish_packet({.topic = "t", .payload = "x"}, Version::V5));
  broker.advance(Seconds(1));
  REQUIRE(authenticator->pending.size() == 1);
  authenticator->answer_all();
  CHECK(client.expect<Connack>().code == kSuccess);
  client.await<Suback>();
  client.receive("t", "x");
  // One whose client leaves meanwhile is answered in vain.
  Client gone(broker);
  gone.send(
      connect_packet({.client_id = "gone", .username = "good", .password = "right"}, Version::V5));
  broker.advance(Seconds(1));
  gone.cut();
  authenticator->answer_all();
  client.expect_nothing();
}

}  // namespace twinmq::testing
