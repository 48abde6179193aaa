// MQTT 5.0, sections 4.7 and 4.8: topic names, filters and shared subscriptions.

#include <set>

#include "conformance/cases.hpp"

namespace twinmq::testing {
namespace {

/// Whether a message on the topic reaches a subscription with the filter.
bool reaches(Broker& broker, const std::string& filter, const std::string& topic) {
  Client client(broker);
  client.connect();
  client.subscribe(filter, 0);
  client.publish(topic, "x");
  const std::size_t count = client.everything().size();
  CHECK(count <= 1);
  return count == 1;
}

std::unique_ptr<Client> member(Broker& broker, const std::string& id, unsigned qos = 1,
                               Properties properties = {}) {
  auto client = std::make_unique<Client>(broker);
  client->connect({.client_id = id, .clean = false, .properties = std::move(properties)});
  client->subscribe("$share/g/t", qos);
  return client;
}

}  // namespace

TEST_CASE("[MQTT-4.7.0-1] wildcards stand in filters only", "[v5-4]") {
  Broker broker;
  CHECK(reaches(broker, "a/+", "a/b"));
  closes_after(broker, publish_packet({.topic = "a/+"}, Version::V5),
               {kMalformed, kProtocolError, kTopicInvalid});
}

TEST_CASE("[MQTT-4.7.1-1] # stands alone or after / and last", "[v5-4]") {
  Broker broker;
  CHECK(reaches(broker, "#", "a/b/c"));
  CHECK(reaches(broker, "a/#", "a"));
  CHECK(reaches(broker, "a/#", "a/b/c"));
  CHECK(reaches(broker, "a/#", "a/"));
  CHECK_FALSE(reaches(broker, "a/#", "ab"));
  CHECK_FALSE(reaches(broker, "a/b/#", "a"));
  Client client(broker);
  client.connect();
  for (const char* filter : {"a#", "a/#/b", "#a", "##", "a/##"}) {
    CHECK(client.try_subscribe({{.filter = filter}}).codes[0] == kFilterInvalid);
  }
}

TEST_CASE("[MQTT-4.7.1-2] + fills a whole level", "[v5-4]") {
  Broker broker;
  CHECK(reaches(broker, "+", "a"));
  CHECK(reaches(broker, "+/+", "/a"));
  CHECK(reaches(broker, "/+", "/a"));
  CHECK_FALSE(reaches(broker, "+", "/a"));
  CHECK(reaches(broker, "a/+/c", "a//c"));
  CHECK(reaches(broker, "a/+/c/#", "a/b/c"));
  CHECK_FALSE(reaches(broker, "a/+", "a"));
  CHECK_FALSE(reaches(broker, "a/+", "a/b/c"));
  CHECK(reaches(broker, "+/b/#", "a/b"));
  Client client(broker);
  client.connect();
  for (const char* filter : {"a+", "+a", "a/b+", "a/+b/c", "++"}) {
    CHECK(client.try_subscribe({{.filter = filter}}).codes[0] == kFilterInvalid);
  }
}

TEST_CASE("[MQTT-4.7.2-1] # and + at the start do not match topics with $", "[v5-4]") {
  Broker broker;
  CHECK_FALSE(reaches(broker, "#", "$mine/a"));
  CHECK_FALSE(reaches(broker, "+/a", "$mine/a"));
  CHECK(reaches(broker, "$mine/#", "$mine/a"));
  CHECK(reaches(broker, "$mine/+", "$mine/a"));
  CHECK(reaches(broker, "a/#", "a/$mine"));
  CHECK(reaches(broker, "a/+", "a/$mine"));
}

TEST_CASE("[MQTT-4.7.2-1] retained messages under $ are hidden from leading wildcards too",
          "[v5-4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.publish({.topic = "$mine/a", .payload = "x", .qos = 1, .retain = true});
  client.subscribe("#", 0);
  client.subscribe("+/a", 0);
  client.expect_nothing();
  client.subscribe("$mine/#", 0);
  client.receive("$mine/a", "x");
}

TEST_CASE("a client can not publish under $SYS, and is not closed for trying", "[v5-4]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe({.filter = "$SYS/forged/#", .qos = 1});
  Client client(broker);
  client.connect();
  client.send_publish({.topic = "$SYS/forged/x", .payload = "x"});
  client.expect_nothing();
  client.send_publish({.topic = "$SYS/forged/x", .payload = "x", .qos = 1, .id = 1});
  client.expect<Puback>();
  watcher.expect_nothing();
}

TEST_CASE("[MQTT-4.7.3-1] topics and filters are not empty", "[v5-4]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = ""}, Version::V5),
               {kProtocolError, kMalformed, kTopicInvalid});
  Client client(broker);
  client.connect();
  client.send(subscribe_packet(1, {{.filter = ""}}, Version::V5));
  const Packet got = client.await_any();
  if (const auto* ack = std::get_if<Suback>(&got)) {
    CHECK(ack->codes == std::vector<std::uint8_t>{kFilterInvalid});
  } else {
    REQUIRE(std::holds_alternative<Disconnect>(got));
  }
}

TEST_CASE("[MQTT-4.7.3-2] no U+0000 in topics and filters", "[v5-4]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = "a\0b"s}, Version::V5),
               {kMalformed, kTopicInvalid});
  closes_after(broker, subscribe_packet(1, {{.filter = "a\0b"s}}, Version::V5),
               {kMalformed, kFilterInvalid});
}

TEST_CASE("[MQTT-4.7.3-3] topics of 65535 bytes are usable", "[v5-4]") {
  Broker broker;
  CHECK(reaches(broker, std::string(65'535, 'a'), std::string(65'535, 'a')));
  CHECK(reaches(broker, "#", std::string(65'535, 'b')));
}

TEST_CASE("[MQTT-4.7.3-4] nothing is normalised when matching", "[v5-4]") {
  Broker broker;
  CHECK_FALSE(reaches(broker, "ACCOUNTS", "Accounts"));
  CHECK_FALSE(reaches(broker, "/a", "a"));
  CHECK_FALSE(reaches(broker, "a/", "a"));
  CHECK_FALSE(reaches(broker, "a//b", "a/b"));
  CHECK_FALSE(reaches(broker, "a/./b", "a/b"));
  // The letter with its accent, and the letter followed by a combining accent.
  CHECK_FALSE(reaches(broker, "\xC3\xA9", "e\xCC\x81"));
  CHECK(reaches(broker, "a b", "a b"));
  CHECK(reaches(broker, "/", "/"));
  CHECK(reaches(broker, "+/+", "/"));
}

TEST_CASE(
    "[MQTT-4.8.2-1] [MQTT-4.8.2-2] a share name has a character, no wildcard, and a filter behind "
    "it",
    "[v5-4]") {
  Broker broker;
  Client client(broker);
  client.connect();
  for (const char* filter :
       {"$share//t", "$share/g", "$share/g/", "$share/g+/t", "$share/#/t", "$share/+/t"}) {
    INFO(filter);
    CHECK(client.try_subscribe({{.filter = filter}}).codes[0] == kFilterInvalid);
  }
  client.subscribe("$share/g//", 0);
  client.subscribe("$share/\xC3\xA9/#", 0);
  client.publish("/", "x");
  client.receive("/", "x");
  client.receive("/", "x");
  client.expect_nothing();
}

TEST_CASE("[MQTT-4.8.2-3] a shared message goes out at the QoS granted to its member", "[v5-4]") {
  Broker broker;
  std::vector<std::unique_ptr<Client>> members;
  for (unsigned qos = 0; qos < 3; ++qos)
    members.push_back(member(broker, "m" + std::to_string(qos), qos));
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 12; ++i) publisher.publish("t", "x", 2);
  std::size_t total = 0;
  for (unsigned qos = 0; qos < 3; ++qos) {
    for (const Packet& got : members[qos]->everything()) {
      REQUIRE(std::holds_alternative<Publish>(got));
      CHECK(std::get<Publish>(got).qos == qos);
      ++total;
    }
  }
  CHECK(total == 12);
}

TEST_CASE("[MQTT-4.8.2-3] a share group gets each message once, spread over its members",
          "[v5-4]") {
  Broker broker;
  std::vector<std::unique_ptr<Client>> members;
  for (int i = 0; i < 4; ++i) members.push_back(member(broker, "member" + std::to_string(i)));
  Client alone(broker);
  alone.connect();
  alone.subscribe("$share/other/t", 1);
  Client plain(broker);
  plain.connect();
  plain.subscribe("t", 1);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 80; ++i) publisher.publish("t", std::to_string(i), 1);
  std::set<std::string> seen;
  std::size_t total = 0;
  for (auto& client : members) {
    std::size_t own = 0;
    for (const Packet& got : client->everything()) {
      seen.insert(std::get<Publish>(got).payload);
      ++own;
    }
    CHECK(own >= 10);
    CHECK(own <= 30);
    total += own;
  }
  CHECK(total == 80);
  CHECK(seen.size() == 80);
  CHECK(alone.everything().size() == 80);
  CHECK(plain.everything().size() == 80);
}

TEST_CASE("[MQTT-4.8.2-3] a member that leaves gets nothing more, the others everything",
          "[v5-4]") {
  Broker broker;
  auto one = member(broker, "one");
  auto two = member(broker, "two");
  CHECK(one->unsubscribe("$share/g/t").codes == std::vector<std::uint8_t>{kSuccess});
  // The normal subscription to the same filter is another one.
  CHECK(two->unsubscribe("t").codes == std::vector<std::uint8_t>{kNoSubscriptionExisted});
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 6; ++i) publisher.publish("t", std::to_string(i), 1);
  for (int i = 0; i < 6; ++i) two->receive("t", std::to_string(i));
  one->expect_nothing();
}

TEST_CASE("[MQTT-4.8.2-3] the messages of a connected member are not held up by a disconnected one",
          "[v5-4]") {
  Broker broker;
  auto one = member(broker, "one", 1, {lasting()});
  auto two = member(broker, "two", 1, {lasting()});
  one->disconnect();
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 6; ++i) publisher.publish("t", std::to_string(i), 1);
  for (int i = 0; i < 6; ++i) two->receive("t", std::to_string(i));
}

TEST_CASE("[MQTT-4.8.2-3] a share group whose members are all away keeps its messages for them",
          "[v5-4]") {
  Broker broker;
  member(broker, "one", 1, {lasting()})->disconnect();
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 5; ++i) publisher.publish("t", std::to_string(i), 1);
  Client one(broker);
  CHECK(one.connect({.client_id = "one", .clean = false}).session_present);
  for (int i = 0; i < 5; ++i) one.receive("t", std::to_string(i));
  one.expect_nothing();
}

TEST_CASE("[MQTT-4.8.2-4] an interrupted QoS 2 delivery is finished with the same member",
          "[v5-4]") {
  Broker broker;
  auto one = member(broker, "one", 2, {lasting()});
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "x", 2);
  const Publish first = one->expect_publish("t");
  one->send_ack(AckType::Pubrec, first.id);
  one->expect<Pubrel>();
  auto two = member(broker, "two", 2);
  one->cut();
  two->expect_nothing();
  Client again(broker);
  CHECK(again.connect({.client_id = "one", .clean = false}).session_present);
  CHECK(again.expect<Pubrel>().id == first.id);
  again.send_ack(AckType::Pubcomp, first.id);
  again.expect_nothing();
  two->expect_nothing();
}

TEST_CASE("[MQTT-4.8.2-4] a QoS 2 PUBLISH that was sent is repeated to the same member", "[v5-4]") {
  Broker broker;
  auto one = member(broker, "one", 2, {lasting()});
  auto two = member(broker, "two", 2);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "a", 2);
  publisher.publish("t", "b", 2);
  const Publish first = one->expect_publish("t");
  one->cut();
  const Publish other = two->receive();
  CHECK(other.payload != first.payload);
  two->expect_nothing();
  Client again(broker);
  again.connect({.client_id = "one", .clean = false});
  const Publish repeated = again.receive("t", first.payload);
  CHECK(repeated.dup);
  CHECK(repeated.id == first.id);
}

TEST_CASE(
    "[MQTT-4.8.2-5] what a member could not acknowledge before its session ended goes to another",
    "[v5-4]") {
  Broker broker;
  auto one = member(broker, "one", 1);
  auto two = member(broker, "two", 1);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 10; ++i) publisher.publish("t", std::to_string(i), 1);
  std::set<std::string> seen;
  const std::size_t own = two->everything().size();
  CHECK(own > 0);
  CHECK(own < 10);
  // The first member's session ends with its connection; nothing of it was acknowledged.
  one->cut();
  for (std::size_t i = own; i < 10; ++i) seen.insert(two->receive().payload);
  CHECK(seen.size() == 10 - own);
}

TEST_CASE("[MQTT-4.8.2-6] a message refused by its member is not given to another", "[v5-4]") {
  Broker broker;
  auto one = member(broker, "one", 2);
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "a", 1);
  publisher.publish("t", "b", 2);
  const Publish a = one->expect_publish("t");
  const Publish b = one->expect_publish("t");
  auto two = member(broker, "two", 2);
  one->send_ack(AckType::Puback, a.id, kUnspecified);
  one->send_ack(AckType::Pubrec, b.id, kUnspecified);
  one->expect_nothing();
  one->cut();
  two->expect_nothing();
}

}  // namespace twinmq::testing
