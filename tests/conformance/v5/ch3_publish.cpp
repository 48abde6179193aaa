// MQTT 5.0, sections 3.3.1 to 3.3.3: what a PUBLISH says.

#include "conformance/cases.hpp"

namespace twinmq::testing {

TEST_CASE("[MQTT-3.3.1-1] a redelivered PUBLISH has DUP 1 and its old identifier", "[v5-3.3]") {
  Broker broker;
  Client publisher(broker);
  publisher.connect();
  for (unsigned qos = 1; qos < 3; ++qos) {
    const std::string id = "receiver" + std::to_string(qos);
    std::uint16_t packet_id = 0;
    {
      Client client(broker);
      client.connect({.client_id = id, .properties = {lasting()}});
      client.subscribe("t", qos);
      publisher.publish("t", "x", qos);
      const Publish first = client.expect_publish("t");
      CHECK_FALSE(first.dup);
      packet_id = first.id;
      client.cut();
    }
    Client client(broker);
    CHECK(client.connect({.client_id = id, .clean = false, .properties = {lasting()}})
              .session_present);
    const Publish again = client.receive("t", "x");
    CHECK(again.dup);
    CHECK(again.id == packet_id);
    CHECK(again.qos == qos);
    client.expect_nothing();
  }
}

TEST_CASE("[MQTT-3.3.1-2] DUP with QoS 0 is refused, and never sent", "[v5-3.3]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = "t", .dup = true}, Version::V5),
               {kMalformed, kProtocolError});
}

TEST_CASE("[MQTT-3.3.1-3] DUP of the publisher is not passed on", "[v5-3.3]") {
  Broker broker;
  Client receiver(broker);
  receiver.connect();
  receiver.subscribe("t", 2);
  Client publisher(broker);
  publisher.connect();
  for (unsigned qos = 1; qos < 3; ++qos) {
    publisher.publish({.topic = "t", .payload = "x", .qos = qos, .dup = true});
    CHECK_FALSE(receiver.receive("t", "x").dup);
  }
}

TEST_CASE("[MQTT-3.3.1-4] QoS 3 is malformed", "[v5-3.3]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = "t", .qos = 3, .id = 1}, Version::V5),
               {kMalformed});
}

TEST_CASE("[MQTT-3.3.1-5] RETAIN 1 replaces the retained message", "[v5-3.3]") {
  Broker broker;
  retain(broker, "t", "old", 2, {{Prop::User, "k", "old"}});
  retain(broker, "t", "new", 0, {{Prop::ContentType, "c"}});
  Client client(broker);
  client.connect();
  client.subscribe("t", 2);
  const Publish got = client.receive("t", "new");
  CHECK(got.qos == 0);
  CHECK(got.retain);
  CHECK(got.properties.user().empty());
  CHECK(got.properties.text(Prop::ContentType) == "c");
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.1-6] [MQTT-3.3.1-7] an empty retained payload removes and is not stored",
          "[v5-3.3]") {
  Broker broker;
  Client live(broker);
  live.connect();
  live.subscribe("t", 1);
  retain(broker, "t", "x");
  live.receive("t", "x");
  retain(broker, "t", "");
  // It is still delivered like any message.
  CHECK_FALSE(live.receive("t", "").retain);
  Client client(broker);
  client.connect();
  client.subscribe("t", 1);
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.1-8] RETAIN 0 leaves the retained message alone", "[v5-3.3]") {
  Broker broker;
  retain(broker, "t", "kept");
  Client publisher(broker);
  publisher.connect();
  publisher.publish("t", "passing", 1);
  publisher.publish("t", "", 1);
  Client client(broker);
  client.connect();
  client.subscribe("t", 1);
  client.receive("t", "kept");
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.1-9] Retain Handling 0 sends retained messages on every SUBSCRIBE",
          "[v5-3.3]") {
  Broker broker;
  retain(broker, "a/b", "x");
  Client client(broker);
  client.connect();
  for (int i = 0; i < 3; ++i) {
    client.subscribe({.filter = "a/+", .qos = 1, .retain_handling = 0});
    CHECK(client.receive("a/b", "x").retain);
  }
}

TEST_CASE("[MQTT-3.3.1-10] Retain Handling 1 sends them for a new subscription only", "[v5-3.3]") {
  Broker broker;
  retain(broker, "t", "x");
  Client client(broker);
  client.connect();
  client.subscribe({.filter = "t", .qos = 1, .retain_handling = 1});
  client.receive("t", "x");
  client.subscribe({.filter = "t", .qos = 1, .retain_handling = 1});
  client.expect_nothing();
  client.unsubscribe("t");
  client.subscribe({.filter = "t", .qos = 1, .retain_handling = 1});
  client.receive("t", "x");
}

TEST_CASE("[MQTT-3.3.1-11] Retain Handling 2 never sends them", "[v5-3.3]") {
  Broker broker;
  retain(broker, "t", "x");
  Client client(broker);
  client.connect();
  client.subscribe({.filter = "t", .qos = 1, .retain_handling = 2});
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.1-11] Retain Handling 3 is a protocol error", "[v5-3.3]") {
  Broker broker;
  closes_after(broker, subscribe_packet(1, {{.filter = "t", .retain_handling = 3}}, Version::V5),
               {kMalformed, kProtocolError});
}

TEST_CASE(
    "[MQTT-3.3.1-12] [MQTT-3.3.1-13] Retain As Published decides about RETAIN when forwarding",
    "[v5-3.3]") {
  Broker broker;
  Client plain(broker);
  plain.connect();
  plain.subscribe({.filter = "t", .qos = 1});
  Client keeper(broker);
  keeper.connect();
  keeper.subscribe({.filter = "t", .qos = 1, .retain_as_published = true});
  for (const bool retained : {true, false}) {
    plain.publish({.topic = "t", .payload = "x", .qos = 1, .retain = retained});
    CHECK_FALSE(plain.receive("t", "x").retain);
    CHECK(keeper.receive("t", "x").retain == retained);
  }
}

TEST_CASE("[MQTT-3.3.1-9] a retained message that is replayed has RETAIN 1 whatever the options",
          "[v5-3.3]") {
  Broker broker;
  retain(broker, "t", "x");
  Client client(broker);
  client.connect();
  for (const bool as_published : {false, true}) {
    client.subscribe({.filter = "t", .qos = 0, .retain_as_published = as_published});
    CHECK(client.receive("t", "x").retain);
  }
}

TEST_CASE("[MQTT-3.3.1-9] a shared subscription gets no retained messages", "[v5-3.3]") {
  Broker broker;
  retain(broker, "t", "x");
  Client client(broker);
  client.connect();
  client.subscribe("$share/g/t", 1);
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.1-9] retained messages carry the subscription identifier", "[v5-3.3]") {
  Broker broker;
  retain(broker, "t", "x");
  Client client(broker);
  client.connect();
  subscribe_with(client, "t", 77);
  CHECK(client.receive("t", "x").properties.numbers(Prop::SubscriptionId) ==
        std::vector<std::uint32_t>{77});
}

TEST_CASE("[MQTT-3.3.1-9] a resumed session gets no retained messages again", "[v5-3.3]") {
  Broker broker;
  retain(broker, "t", "x");
  Client client(broker);
  client.connect({.client_id = "a", .properties = {lasting()}});
  client.subscribe("t", 1);
  client.receive("t", "x");
  client.cut();
  Client again(broker);
  CHECK(again.connect({.client_id = "a", .clean = false}).session_present);
  again.expect_nothing();
}

TEST_CASE("[MQTT-3.3.2-1] a PUBLISH without its topic is malformed", "[v5-3.3]") {
  Broker broker;
  closes_after(broker, packet(0x30, ""), {kMalformed});
  closes_after(broker, packet(0x30, "\x00"s), {kMalformed});
  closes_after(broker, packet(0x30, "\x00\x09topic"s), {kMalformed});
  closes_after(broker, packet(0x32, field("topic")), {kMalformed, kProtocolError});
}

TEST_CASE("[MQTT-3.3.2-2] a topic name with a wildcard is refused", "[v5-3.3]") {
  Broker broker;
  for (const char* topic : {"#", "+", "a/#", "a/+/b", "a#", "+a"}) {
    for (unsigned qos = 0; qos < 3; ++qos) {
      closes_after(broker, publish_packet({.topic = topic, .qos = qos, .id = 1}, Version::V5),
                   {kMalformed, kProtocolError, kTopicInvalid});
    }
  }
}

TEST_CASE("[MQTT-3.3.2-3] messages are delivered to the matching filters under their own topic",
          "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("sport/+/score", 0);
  client.subscribe("news/#", 0);
  for (const char* topic : {"sport/a/score", "news", "news/x/y"}) {
    client.publish(topic, "m");
    client.receive(topic, "m");
  }
  for (const char* topic : {"sport/a", "sport/a/b/score", "new", "News"})
    client.publish(topic, "m");
  client.expect_nothing();
}

TEST_CASE(
    "[MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18] "
    "[MQTT-3.3.2-20] all "
    "properties of a message are forwarded as they are",
    "[v5-3.3]") {
  Broker broker;
  Client receiver(broker);
  receiver.connect();
  receiver.subscribe("t", 2);
  const Properties sent = {{Prop::User, "z", "1"},         {Prop::PayloadFormat, 1},
                           {Prop::User, "a", "2"},         {Prop::ContentType, "application/json"},
                           {Prop::ResponseTopic, "r/e/s"}, {Prop::CorrelationData, "\0\xFF\1"s},
                           {Prop::User, "z", "1"},         {Prop::User, "", ""}};
  Client publisher(broker);
  publisher.connect();
  for (unsigned qos = 0; qos < 3; ++qos) {
    publisher.publish({.topic = "t", .payload = "{}", .qos = qos, .properties = sent});
    const Publish got = receiver.receive("t", "{}");
    CHECK(got.qos == qos);
    CHECK(got.properties.size() == sent.size());
    CHECK(got.properties.number(Prop::PayloadFormat) == 1U);
    CHECK(got.properties.text(Prop::ContentType) == "application/json");
    CHECK(got.properties.text(Prop::ResponseTopic) == "r/e/s");
    CHECK(got.properties.text(Prop::CorrelationData) == "\0\xFF\1"s);
    CHECK(got.properties.user() == sent.user());
  }
}

TEST_CASE("[MQTT-3.3.2-17] properties survive being retained and being queued", "[v5-3.3]") {
  Broker broker;
  {
    Client sleeper(broker);
    sleeper.connect({.client_id = "sleeper", .properties = {lasting()}});
    sleeper.subscribe("t", 1);
    sleeper.disconnect();
  }
  const Properties sent = {
      {Prop::User, "b", "1"}, {Prop::User, "a", "2"}, {Prop::ContentType, "c"}};
  retain(broker, "t", "x", 1, sent);
  Client late(broker);
  late.connect();
  late.subscribe("t", 1);
  CHECK(late.receive("t", "x").properties.user() == sent.user());
  Client sleeper(broker);
  sleeper.connect({.client_id = "sleeper", .clean = false});
  const Publish got = sleeper.receive("t", "x");
  CHECK(got.properties.user() == sent.user());
  CHECK(got.properties.text(Prop::ContentType) == "c");
}

TEST_CASE("[MQTT-3.3.2-4] a payload that is not the text it claims to be is refused", "[v5-3.3]") {
  Broker broker;
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("t", 0);
  // The last one is U+0000, which UTF-8 data may hold.
  for (std::size_t i = 0; i + 1 < bad_texts().size(); ++i) {
    closes_after(
        broker,
        publish_packet(
            {.topic = "t", .payload = bad_texts()[i], .properties = {{Prop::PayloadFormat, 1}}},
            Version::V5),
        {kPayloadInvalid});
  }
  watcher.expect_nothing();
  watcher.publish({.topic = "t", .payload = "\xFF", .properties = {{Prop::PayloadFormat, 0}}});
  watcher.receive("t", "\xFF");
}

TEST_CASE("[MQTT-3.3.2-5] [MQTT-3.3.2-6] a message expires, or goes out with what remains",
          "[v5-3.3][memory]") {
  Broker broker;
  {
    Client sleeper(broker);
    sleeper.connect({.client_id = "sleeper", .properties = {lasting()}});
    sleeper.subscribe("t", 1);
    sleeper.disconnect();
  }
  Client publisher(broker);
  publisher.connect();
  publisher.publish(
      {.topic = "t", .payload = "short", .qos = 1, .properties = {{Prop::MessageExpiry, 10}}});
  publisher.publish(
      {.topic = "t", .payload = "long", .qos = 1, .properties = {{Prop::MessageExpiry, 100}}});
  publisher.publish({.topic = "t", .payload = "ever", .qos = 1});
  broker.advance(Seconds(30));
  Client sleeper(broker);
  sleeper.connect({.client_id = "sleeper", .clean = false});
  CHECK(sleeper.receive("t", "long").properties.number(Prop::MessageExpiry) == 70U);
  CHECK_FALSE(sleeper.receive("t", "ever").properties.has(Prop::MessageExpiry));
  sleeper.expect_nothing();
}

TEST_CASE("[MQTT-3.3.2-5] [MQTT-3.3.2-6] a retained message expires too", "[v5-3.3][memory]") {
  Broker broker;
  retain(broker, "t", "x", 1, {{Prop::MessageExpiry, 50}});
  broker.advance(Seconds(20));
  Client client(broker);
  client.connect();
  client.subscribe("t", 0);
  CHECK(client.receive("t", "x").properties.number(Prop::MessageExpiry) == 30U);
  broker.advance(Seconds(31));
  client.subscribe("t", 0);
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.2-6] a message without waiting keeps its expiry", "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect();
  client.subscribe("t", 0);
  client.publish({.topic = "t", .payload = "x", .properties = {{Prop::MessageExpiry, 1000}}});
  const std::uint32_t left =
      client.receive("t", "x").properties.number(Prop::MessageExpiry).value_or(0);
  CHECK((left == 1000U || left == 999U));
}

TEST_CASE("[MQTT-3.3.2-5] messages expire over TCP", "[v5-3.3][slow]") {
  Broker broker;
  retain(broker, "t", "x", 1, {{Prop::MessageExpiry, 1}});
  broker.advance(Milliseconds(1200));
  Client client(broker);
  client.connect();
  client.subscribe("t", 0);
  client.expect_nothing();
}

TEST_CASE("[MQTT-3.3.2-7] alias mappings end with the connection", "[v5-3.3]") {
  Broker broker;
  Client client(broker);
  client.connect({.client_id = "a", .properties = {lasting()}});
  client.subscribe("t", 0);
  client.publish({.topic = "t", .payload = "1", .properties = {{Prop::TopicAlias, 1}}});
  client.publish({.topic = "", .payload = "2", .properties = {{Prop::TopicAlias, 1}}});
  client.receive("t", "1");
  client.receive("t", "2");
  client.cut();
  Client again(broker);
  again.connect({.client_id = "a", .clean = false});
  again.send_publish({.topic = "", .payload = "3", .properties = {{Prop::TopicAlias, 1}}});
  again.expect_closed_with({kProtocolError, kAliasInvalid});
}

TEST_CASE("[MQTT-3.3.2-8] alias 0 and an alias above the maximum are refused with 0x94",
          "[v5-3.3]") {
  Broker broker{{.settings = {{"mqtt.topic_alias_maximum", "10"}}}};
  closes_after(broker,
               publish_packet({.topic = "t", .properties = {{Prop::TopicAlias, 0}}}, Version::V5),
               {kAliasInvalid});
  closes_after(broker,
               publish_packet({.topic = "t", .properties = {{Prop::TopicAlias, 11}}}, Version::V5),
               {kAliasInvalid});
}

TEST_CASE("[MQTT-3.3.2-9] with a Topic Alias Maximum of 0 every alias is refused", "[v5-3.3]") {
  Broker broker{{.settings = {{"mqtt.topic_alias_maximum", "0"}}}};
  Client client(broker);
  CHECK(client.connect().properties.number(Prop::TopicAliasMaximum).value_or(0) == 0U);
  client.send_publish({.topic = "t", .properties = {{Prop::TopicAlias, 1}}});
  client.expect_closed(kAliasInvalid);
}

TEST_CASE("[MQTT-3.3.2-12] every alias up to the maximum is accepted, and can be set anew",
          "[v5-3.3]") {
  Broker broker{{.settings = {{"mqtt.topic_alias_maximum", "20"}}}};
  Client client(broker);
  client.connect();
  client.subscribe("#", 1);
  for (unsigned round = 0; round < 2; ++round) {
    for (std::uint32_t alias = 1; alias <= 20; ++alias) {
      const std::string topic = "t" + std::to_string(alias + 100 * round);
      client.publish(
          {.topic = topic, .payload = "set", .qos = 1, .properties = {{Prop::TopicAlias, alias}}});
      client.receive(topic, "set");
    }
    for (std::uint32_t alias = 1; alias <= 20; ++alias) {
      client.publish(
          {.topic = "", .payload = "used", .qos = 1, .properties = {{Prop::TopicAlias, alias}}});
      const Publish got = client.receive("t" + std::to_string(alias + 100 * round), "used");
      CHECK_FALSE(got.properties.has(Prop::TopicAlias));
    }
  }
}

TEST_CASE(
    "[MQTT-3.3.2-1] an empty topic without an alias, or with an unknown one, is a protocol error",
    "[v5-3.3]") {
  Broker broker;
  closes_after(broker, publish_packet({.topic = ""}, Version::V5),
               {kProtocolError, kTopicInvalid, kMalformed});
  closes_after(broker,
               publish_packet({.topic = "", .properties = {{Prop::TopicAlias, 3}}}, Version::V5),
               {kProtocolError, kAliasInvalid});
}

TEST_CASE(
    "[MQTT-3.3.2-11] [MQTT-3.1.2-26] the server's aliases stay within the client's maximum and "
    "mean one topic",
    "[v5-3.3]") {
  Broker broker;
  Client receiver(broker);
  receiver.connect({.properties = {{Prop::TopicAliasMaximum, 3}}});
  receiver.subscribe("#", 1);
  Client publisher(broker);
  publisher.connect();
  std::map<std::uint32_t, std::string> known;
  unsigned used = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string topic = "topic/number/" + std::to_string(i % (i < 100 ? 2 : 7));
    publisher.publish(topic, "x", static_cast<unsigned>(i) % 2);
    Publish got = receiver.receive();
    if (const auto alias = got.properties.number(Prop::TopicAlias)) {
      REQUIRE(*alias <= 3);
      ++used;
      if (got.topic.empty()) {
        REQUIRE(known.count(*alias));
        got.topic = known[*alias];
      } else {
        known[*alias] = got.topic;
      }
    }
    REQUIRE(got.topic == topic);
  }
  // A server may do without; ours does not.
  CHECK(used > 100);
}

TEST_CASE("[MQTT-3.3.2-13] [MQTT-3.3.2-14] a Response Topic must be UTF-8 without wildcards",
          "[v5-3.3]") {
  Broker broker;
  std::vector<std::string> bad = bad_texts();
  bad.insert(bad.end(), {"a/+", "#"});
  for (const std::string& topic : bad) {
    closes_after(
        broker,
        publish_packet({.topic = "t", .properties = {{Prop::ResponseTopic, topic}}}, Version::V5),
        {kMalformed, kProtocolError, kTopicInvalid});
  }
}

TEST_CASE("[MQTT-3.3.2-19] a Content Type must be UTF-8", "[v5-3.3]") {
  Broker broker;
  for (const std::string& text : bad_texts()) {
    closes_after(
        broker,
        publish_packet({.topic = "t", .properties = {{Prop::ContentType, text}}}, Version::V5),
        {kMalformed});
  }
}

TEST_CASE("[MQTT-3.3.2-15] a request is answered through its response topic", "[v5-3.3]") {
  Broker broker;
  Client asker(broker);
  asker.connect();
  asker.subscribe("answers/asker", 1);
  Client server(broker);
  server.connect();
  server.subscribe("questions", 1);
  asker.publish(
      {.topic = "questions",
       .payload = "?",
       .qos = 1,
       .properties = {{Prop::ResponseTopic, "answers/asker"}, {Prop::CorrelationData, "\1\2"}}});
  const Publish question = server.receive("questions", "?");
  server.publish(
      {.topic = question.properties.text(Prop::ResponseTopic).value_or(""),
       .payload = "!",
       .qos = 1,
       .properties = {{Prop::CorrelationData, *question.properties.text(Prop::CorrelationData)}}});
  CHECK(asker.receive("answers/asker", "!").properties.text(Prop::CorrelationData) == "\1\2");
}

}  // namespace twinmq::testing
