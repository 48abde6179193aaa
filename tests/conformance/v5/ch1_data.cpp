// MQTT 5.0, chapter 1: data representation.

#include "conformance/cases.hpp"

namespace twinmq::testing {

TEST_CASE("[MQTT-1.5.4-1] [MQTT-1.5.4-2] a topic name that is not UTF-8 closes the connection",
          "[v5-1]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    closes_after(broker, publish_packet({.topic = text}, Version::V5), {kMalformed, kTopicInvalid});
  }
}

TEST_CASE("[MQTT-1.5.4-1] [MQTT-1.5.4-2] text in CONNECT that is not UTF-8 is refused", "[v5-1]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    refuses(broker, connect_packet({.client_id = text}, Version::V5),
            {kMalformed, kClientIdNotValid});
    refuses(broker, connect_packet({.client_id = "a", .username = text}, Version::V5),
            {kMalformed});
    refuses(
        broker,
        connect_packet({.client_id = "a", .properties = {{Prop::User, text, "v"}}}, Version::V5),
        {kMalformed});
  }
}

TEST_CASE("[MQTT-1.5.4-3] the bytes EF BB BF are kept as U+FEFF", "[v5-1]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe(kByteOrderMark + "a", 0);
  client.subscribe("a", 0);
  client.publish(kByteOrderMark + "a", "x");
  client.receive(kByteOrderMark + "a", "x");
  client.expect_nothing();
}

TEST_CASE("[MQTT-1.5.5-1] a property length that is not minimal closes the connection", "[v5-1]") {
  Broker broker;
  closes_after(broker, packet(0x30, field("t") + "\x80\x00"s + "x"), {kMalformed});
  closes_after(broker, packet(0x30, field("t") + "\x80\x80\x80\x80\x01"s), {kMalformed});
}

TEST_CASE("[MQTT-1.5.5-1] a Remaining Length that is not minimal or too long closes the connection",
          "[v5-1]") {
  Broker broker;
  closes_after(broker, "\xC0\x80\x00"s, {kMalformed});
  closes_after(broker, "\x30\x80\x80\x80\x80\x01"s, {kMalformed});
}

TEST_CASE("[MQTT-1.5.7-1] both halves of a user property must be UTF-8", "[v5-1]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    closes_after(
        broker,
        publish_packet({.topic = "t", .properties = {{Prop::User, text, "v"}}}, Version::V5),
        {kMalformed});
    closes_after(
        broker,
        publish_packet({.topic = "t", .properties = {{Prop::User, "k", text}}}, Version::V5),
        {kMalformed});
  }
}

TEST_CASE("text of every length up to 65535 bytes passes as it is", "[v5-1]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("t", 0);
  const std::string longest(65'535, 'v');
  client.publish({.topic = "t",
                  .payload = "x",
                  .properties = {{Prop::User, "", longest}, {Prop::User, "\xF0\x9F\x98\x80", ""}}});
  const Publish got = client.receive("t", "x");
  REQUIRE(got.properties.user().size() == 2);
  CHECK(got.properties.user()[0].second == longest);
  CHECK(got.properties.user()[1].first == "\xF0\x9F\x98\x80");
}

}  // namespace twinmq::testing
