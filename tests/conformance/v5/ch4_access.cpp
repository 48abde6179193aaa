// MQTT 5.0, section 4.12 and whatever else needs an access configuration, on the daemon: SCRAM,
// passwords and rules out of files. The same statements run in memory on doors of the cases' own
// (ch3_control.cpp, ch3_acknowledge.cpp).

#include "conformance/access_files.hpp"
#include "conformance/cases.hpp"
#include "conformance/forbidden_topic.hpp"

namespace twinmq::testing {
namespace {

const Scram kSha256{"SCRAM-SHA-256"};
const Scram kSha512{"SCRAM-SHA-512"};

/// A broker that knows the user "good" with the password "right", by SCRAM.
struct Known {
  FileOfCase file{"good:" + kSha256.entry("right") + " " + kSha512.entry("right") + "\n"};
  Broker broker{{.settings = {{"access.scram_file", file.path()}}}};
};

Properties step(const std::string& data, const std::string& method = kSha256.method) {
  return {{Prop::AuthMethod, method}, {Prop::AuthData, data}};
}

std::string opening(const ScramLogin& login, const std::string& method = kSha256.method) {
  return connect_packet({.client_id = "a", .properties = step(login.first(), method)}, Version::V5);
}

std::string data_of(const Auth& auth) {
  return auth.properties.text(Prop::AuthData).value_or("");
}

/// The whole exchange, which must succeed.
void log_in(Client& client) {
  ScramLogin login(kSha256, "good", "right");
  client.send(opening(login));
  client.send(auth_packet(kContinue, step(login.last(data_of(client.expect<Auth>())))));
  REQUIRE(client.expect<Connack>().code == kSuccess);
}

}  // namespace

TEST_CASE(
    "[MQTT-4.12.0-2] [MQTT-4.12.0-5] [MQTT-3.2.0-1] SCRAM asks by AUTH and ends in a CONNACK that "
    "repeats the method",
    "[v5-4][daemon]") {
  Known known;
  for (const Scram& scram : {kSha256, kSha512}) {
    ScramLogin login(scram, "good", "right");
    Client client(known.broker);
    client.send(opening(login, scram.method));
    const Auth question = client.expect<Auth>();
    CHECK(question.code == kContinue);
    CHECK(question.properties.text(Prop::AuthMethod) == scram.method);
    client.send(auth_packet(kContinue, step(login.last(data_of(question)), scram.method)));
    const Connack ack = client.expect<Connack>();
    CHECK(ack.code == kSuccess);
    CHECK(ack.properties.text(Prop::AuthMethod) == scram.method);
    CHECK(ack.properties.text(Prop::AuthData) == login.confirmation());
    client.expect_nothing();
  }
}

TEST_CASE(
    "[MQTT-4.12.0-4] [MQTT-3.1.4-2] a proof of another password and a user nobody knows are "
    "refused alike",
    "[v5-4][daemon]") {
  Known known;
  for (const auto& [user, password] : {std::pair{"good", "wrong"}, std::pair{"nobody", "right"}}) {
    ScramLogin login(kSha256, user, password);
    Client client(known.broker);
    client.send(opening(login));
    client.send(auth_packet(kContinue, step(login.last(data_of(client.expect<Auth>())))));
    CHECK(client.expect<Connack>().code == kNotAuthorized);
    client.expect_closed();
  }
}

TEST_CASE("[MQTT-4.12.0-4] [MQTT-3.1.4-2] SCRAM messages that are none are refused at either step",
          "[v5-4][daemon]") {
  Known known;
  Client early(known.broker);
  early.send(
      connect_packet({.client_id = "a", .properties = step("no message of SCRAM")}, Version::V5));
  early.expect_refused({kProtocolError, kNotAuthorized});
  Client late(known.broker);
  late.send(opening(ScramLogin(kSha256, "good", "right")));
  late.expect<Auth>();
  late.send(auth_packet(kContinue, step("no message of SCRAM")));
  late.expect_refused({kProtocolError, kNotAuthorized});
}

TEST_CASE("[MQTT-3.15.2-1] AUTH with an undefined code is refused behind SCRAM, too",
          "[v5-4][daemon]") {
  Known known;
  for (const unsigned code : {0x01U, 0x17U, 0x80U}) {
    Client client(known.broker);
    log_in(client);
    client.send(auth_packet(code, {{Prop::AuthMethod, kSha256.method}}));
    client.expect_closed_with({kMalformed, kProtocolError});
  }
}

TEST_CASE("[MQTT-3.15.2-2] [MQTT-3.15.2-3] a challenge keeps to the client's Maximum Packet Size",
          "[v5-4][daemon]") {
  Known known;
  ScramLogin login(kSha256, "good", "right");
  std::uint32_t size = 0;
  for (const std::uint32_t limit : {1000U, 0U}) {
    Properties properties = step(login.first());
    properties.add({Prop::MaximumPacketSize, limit == 0 ? size : limit});
    Client client(known.broker);
    client.send(connect_packet({.client_id = "a", .properties = properties}, Version::V5));
    const Auth question = client.expect<Auth>();
    const std::size_t now = 2 + 1 + property_block(question.properties).size();
    // Where there is no room for more than the challenge, there is no more.
    if (limit == 0) CHECK(now <= size);
    size = static_cast<std::uint32_t>(now);
  }
}

TEST_CASE("[MQTT-3.1.2-30] only AUTH and DISCONNECT may come into an exchange of SCRAM",
          "[v5-4][daemon]") {
  Known known;
  const ScramLogin login(kSha256, "good", "right");
  for (const std::string& early : {pingreq_packet(), publish_packet({.topic = "t"}, Version::V5),
                                   subscribe_packet(1, {{.filter = "t"}}, Version::V5)}) {
    Client client(known.broker);
    client.send(opening(login));
    client.expect<Auth>();
    client.send(early);
    client.expect_refused({kProtocolError});
  }
  Client leaves(known.broker);
  leaves.send(opening(login));
  leaves.expect<Auth>();
  leaves.send(disconnect_packet());
  leaves.expect_closed();
}

TEST_CASE("[MQTT-4.12.1-1] SCRAM again, beside the traffic, ends in AUTH 0x00", "[v5-4][daemon]") {
  Known known;
  Client client(known.broker);
  log_in(client);
  client.subscribe("t", 1);
  ScramLogin again(kSha256, "good", "right");
  client.send(auth_packet(kReauthenticate, step(again.first())));
  const Auth question = client.expect<Auth>();
  CHECK(question.code == kContinue);
  client.publish("t", "x", 1);
  client.receive("t", "x");
  client.send(auth_packet(kContinue, step(again.last(data_of(question)))));
  const Auth done = client.expect<Auth>();
  CHECK(done.code == kSuccess);
  CHECK(done.properties.text(Prop::AuthMethod) == kSha256.method);
  CHECK(data_of(done) == again.confirmation());
  client.publish("t", "y", 1);
  client.receive("t", "y");
}

TEST_CASE("[MQTT-4.12.1-1] the other SCRAM in a re-authentication is a protocol error",
          "[v5-4][daemon]") {
  Known known;
  Client client(known.broker);
  log_in(client);
  client.send(auth_packet(kReauthenticate,
                          step(ScramLogin(kSha512, "good", "right").first(), kSha512.method)));
  client.expect_closed_with({kProtocolError, kBadMethod});
}

TEST_CASE("[MQTT-4.12.1-2] SCRAM that fails the second time closes the connection",
          "[v5-4][daemon]") {
  Known known;
  Client client(known.broker);
  log_in(client);
  ScramLogin again(kSha256, "good", "wrong");
  client.send(auth_packet(kReauthenticate, step(again.first())));
  client.send(auth_packet(kContinue, step(again.last(data_of(client.expect<Auth>())))));
  client.expect_closed(kNotAuthorized);
}

TEST_CASE("[MQTT-4.12.0-3] AUTH behind a finished SCRAM is a protocol error", "[v5-4][daemon]") {
  Known known;
  Client client(known.broker);
  log_in(client);
  client.send(auth_packet(kContinue, step("answer to nothing")));
  client.expect_closed(kProtocolError);
}

TEST_CASE("[MQTT-3.1.4-2] a wrong password and none are refused, and closed", "[v5-4][daemon]") {
  const FileOfCase passwords(password_line("good", "right"));
  Broker broker{
      {.settings = {{"access.password_file", passwords.path()}, {"access.anonymous", "false"}}}};
  Client good(broker);
  good.connect({.username = "good", .password = "right"});
  Client bad(broker);
  bad.connect_refused({.username = "good", .password = "false"}, kBadUserNameOrPassword);
  Client nobody(broker);
  nobody.connect_refused({}, kNotAuthorized);
  // What comes while the password is looked at waits for the verdict.
  Client hasty(broker);
  hasty.send(
      connect_packet({.client_id = "hasty", .username = "good", .password = "right"}, Version::V5) +
      subscribe_packet(1, {{.filter = "t"}}, Version::V5) +
      publish_packet({.topic = "t", .payload = "x"}, Version::V5));
  CHECK(hasty.expect<Connack>().code == kSuccess);
  hasty.await<Suback>();
  hasty.receive("t", "x");
}

TEST_CASE("[MQTT-3.4.2-1] [MQTT-3.5.2-1] what the rules forbid is answered by its QoS with 0x87",
          "[v5-4][daemon]") {
  ForbiddenByFile forbidden;
  forbidden_is_answered_by_its_qos(forbidden.broker);
}

TEST_CASE(
    "[MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] reasons of what the rules forbid "
    "keep to the packet limit",
    "[v5-4][daemon]") {
  ForbiddenByFile forbidden;
  reasons_keep_to_the_packet_limit(forbidden.broker);
}

}  // namespace twinmq::testing
