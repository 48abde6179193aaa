// What clients did to brokers, one case per attack: bytes and packets that are none. A bystander
// publishes and receives throughout: only the attacker may suffer.

#include "conformance/bystander.hpp"

namespace twinmq::testing {
namespace {

/// A sound packet of every type a client sends.
std::vector<std::string> samples(Version version) {
  const bool v5 = version == Version::V5;
  const auto only5 = [&](Properties properties) { return v5 ? properties : Properties{}; };
  std::vector<std::string> packets = {
      publish_packet({.topic = "a/b", .payload = "payload", .qos = 0}, version),
      publish_packet({.topic = "a/b",
                      .payload = "payload",
                      .qos = 1,
                      .id = 7,
                      .properties = only5({{Prop::PayloadFormat, 1},
                                           {Prop::MessageExpiry, 60},
                                           {Prop::TopicAlias, 1},
                                           {Prop::ResponseTopic, "r"},
                                           {Prop::CorrelationData, "c"},
                                           {Prop::User, "k", "v"},
                                           {Prop::ContentType, "t"}})},
                     version),
      publish_packet({.topic = "a/b", .payload = "payload", .qos = 2, .retain = true, .id = 8},
                     version),
      ack_packet(AckType::Puback, 1, 0x10, version, only5({{Prop::Reason, "r"}})),
      ack_packet(AckType::Pubrec, 1, 0x10, version, only5({{Prop::Reason, "r"}})),
      ack_packet(AckType::Pubrel, 1, 0x92, version, only5({{Prop::User, "k", "v"}})),
      ack_packet(AckType::Pubcomp, 1, 0x92, version),
      subscribe_packet(9, {{.filter = "a/+", .qos = 1}, {.filter = "$share/g/x/#", .qos = 2}},
                       version, only5({{Prop::SubscriptionId, 200'000}, {Prop::User, "k", "v"}})),
      unsubscribe_packet(10, {"a/+", "b"}, version, only5({{Prop::User, "k", "v"}})),
      pingreq_packet(),
      disconnect_packet(0x04, version, only5({lasting(0), {Prop::Reason, "r"}}))};
  if (v5)
    packets.push_back(
        auth_packet(kReauthenticate, {{Prop::AuthMethod, "m"}, {Prop::AuthData, "d"}}));
  return packets;
}

std::string sample_connect(Version version) {
  const bool v5 = version == Version::V5;
  ConnectOptions options{
      .client_id = "attacker", .keep_alive = 60, .username = "user", .password = "password"};
  options.will = WillOptions{.topic = "will", .payload = "gone", .qos = 1, .retain = true};
  if (v5) {
    options.properties = {lasting(5), {Prop::ReceiveMaximum, 10}, {Prop::User, "k", "v"}};
    options.will->properties = {
        {Prop::WillDelay, 1}, {Prop::ContentType, "c"}, {Prop::User, "k", "v"}};
  }
  return connect_packet(options, version);
}

}  // namespace

TEST_CASE("attack 1: a first packet of any type and size is refused on its header", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  for (unsigned type = 0; type < 16; ++type) {
    if (type == 1) continue;
    for (const std::uint32_t size : {0U, 100U, 100'000U, 268'435'455U}) {
      Client client(broker);
      client.send(u8(type << 4) + varint(size));
      client.expect_refused({kMalformed, kProtocolError, kTooLarge});
    }
    bystander.check();
  }
  // A CONNECT above what may come before authentication is not waited for.
  Client large(broker);
  large.send("\x10" + varint(268'435'455));
  large.expect_refused({kTooLarge, kMalformed});
}

TEST_CASE("attack 2: a CONNECT that dribbles in is closed at the connect timeout",
          "[attack][memory]") {
  Broker broker;
  Bystander bystander(broker);
  std::vector<std::unique_ptr<Client>> slow;
  const std::string bytes = connect_packet({.client_id = "slow"}, Version::V5);
  for (int i = 0; i < 100; ++i) {
    slow.push_back(std::make_unique<Client>(broker));
    slow.back()->send(bytes.substr(0, static_cast<std::size_t>(i) % bytes.size()));
  }
  for (int second = 0; second < 9; ++second) {
    broker.advance(Seconds(1));
    bystander.check();
  }
  broker.advance(Seconds(2));
  for (auto& client : slow) client->expect_closed();
}

TEST_CASE("attack 4: lengths that are not minimal, of five bytes, or above the limit", "[attack]") {
  Broker broker{{.settings = {{"mqtt.packet_size_max", "4096"}}}};
  Bystander bystander(broker);
  closes_after(broker, "\x30\x80\x80\x80\x80\x00"s, {kMalformed});
  closes_after(broker, "\x30\x85\x80\x00"s, {kMalformed});
  closes_after(broker, "\x30\xFF\xFF\xFF\x7F"s, {kTooLarge});
  closes_after(broker, "\x32\xFF\xFF\xFF\x7F"s + std::string(3000, 'x'), {kTooLarge});
}

TEST_CASE("attack 5: packets that only servers send, before and after CONNECT", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  for (const unsigned first : {0x20U, 0x90U, 0xB0U, 0xD0U}) {
    for (const std::string& body : {""s, "\0\0"s, "\0\0\0"s, "\0\1\0\0"s}) {
      closes_after(broker, packet(first, body), {kProtocolError, kMalformed});
      closes_after(broker, packet(first, body), {}, Version::V311);
      refuses(broker, packet(first, body), {kProtocolError, kMalformed});
    }
    bystander.check();
  }
}

TEST_CASE("attack 6: a second CONNECT, and odd names, levels and flags", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  closes_after(broker, connect_packet({.client_id = "x"}, Version::V5), {kProtocolError});
  closes_after(broker, connect_packet({.client_id = "x"}, Version::V311), {kProtocolError});
  closes_after(broker, connect_packet({.client_id = "x"}, Version::V311), {}, Version::V311);
  for (unsigned level = 0; level < 256; level += 5) {
    if (level == 5) continue;
    throw_at(broker, connect_packet({.client_id = "x", .protocol_level = level}, Version::V5),
             false);
  }
  for (unsigned flags = 0; flags < 256; ++flags) {
    throw_at(broker, connect_packet({.client_id = "x", .flags = flags}, Version::V5), false);
    throw_at(broker, connect_packet({.client_id = "x", .flags = flags}, Version::V311), false,
             Version::V311);
  }
}

TEST_CASE("attack 7: every flag nibble of every type", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  for (const std::string& sample : samples(Version::V5)) {
    for (unsigned flags = 0; flags < 16; ++flags) {
      std::string changed = sample;
      changed[0] = static_cast<char>((static_cast<unsigned char>(sample[0]) & 0xF0U) | flags);
      throw_at(broker, changed, true);
    }
    bystander.check();
  }
}

TEST_CASE("attack 8: sound packets cut short at every byte", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  for (const Version version : {Version::V5, Version::V311}) {
    for (const std::string& sample : samples(version)) {
      for (std::size_t size = 1; size < sample.size(); ++size) {
        // The connection ends there, or the header says it is all.
        throw_at(broker, sample.substr(0, size), true, version);
        if (size > 2) {
          const auto first = static_cast<unsigned char>(sample[0]);
          throw_at(broker, packet(first, body_of(sample).substr(0, size - 2)), true, version);
        }
      }
      bystander.check();
    }
    const std::string connect = sample_connect(version);
    for (std::size_t size = 1; size < connect.size(); ++size) {
      throw_at(broker, connect.substr(0, size), false, version);
    }
  }
}

TEST_CASE("attack 9: every byte of sound packets replaced by extremes", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  const bool quick = !in_memory();
  for (const Version version : {Version::V5, Version::V311}) {
    std::vector<std::string> packets = samples(version);
    packets.push_back(sample_connect(version));
    for (const std::string& sample : packets) {
      const bool connects = (static_cast<unsigned char>(sample[0]) >> 4) == 1;
      // Over TCP every third byte: each costs a connection.
      for (std::size_t at = 1; at < sample.size(); at += quick ? 3 : 1) {
        const auto old = static_cast<unsigned char>(sample[at]);
        for (const unsigned value : {0U, 1U, old + 1U, 0x7FU, 0x80U, 0xFFU}) {
          std::string changed = sample;
          changed[at] = static_cast<char>(value & 0xFF);
          throw_at(broker, changed, !connects, version);
        }
      }
      bystander.check();
    }
  }
}

TEST_CASE("attack 10: PUBLISH without or with identifier 0, QoS 3, DUP with QoS 0", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  for (const Version version : {Version::V5, Version::V311}) {
    closes_after(broker, packet(0x32, field("t")), {kMalformed, kProtocolError}, version);
    closes_after(broker, packet(0x34, field("t") + "\0"s), {kMalformed, kProtocolError}, version);
    closes_after(broker, publish_packet({.topic = "t", .qos = 1, .id = 0}, version),
                 {kMalformed, kProtocolError}, version);
    closes_after(broker, publish_packet({.topic = "t", .qos = 3, .id = 1}, version), {kMalformed},
                 version);
    closes_after(broker, publish_packet({.topic = "t", .dup = true}, version),
                 {kMalformed, kProtocolError}, version);
  }
}

TEST_CASE("attack 11: topics that are none", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  std::vector<std::string> topics = bad_texts();
  topics.insert(topics.end(), {"", "+", "#", "a/#", "a/+/b", "\xED\xBF\xBF", "\xC1\x81", "a\xFF"});
  for (const std::string& topic : topics) {
    for (const Version version : {Version::V5, Version::V311}) {
      closes_after(broker, publish_packet({.topic = topic}, version),
                   {kMalformed, kProtocolError, kTopicInvalid}, version);
    }
  }
  Client client(broker);
  client.connect();
  client.publish(std::string(65'535, 't'), "x", 1);
}

TEST_CASE("attack 12: topics and filters of twenty thousand levels", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  std::string deep;
  for (int i = 0; i < 20'000; ++i) deep += "a/";
  const auto goes_on_or_closes = [&](const std::string& bytes) {
    Client client(broker);
    client.connect();
    client.send(bytes);
    for (const Packet& got : client.everything()) {
      if (const auto* ack = std::get_if<Puback>(&got)) CHECK(ack->code >= 0x80);
      if (const auto* ack = std::get_if<Suback>(&got)) CHECK(ack->codes[0] >= 0x80);
    }
  };
  goes_on_or_closes(publish_packet({.topic = deep, .qos = 1, .id = 1}, Version::V5));
  goes_on_or_closes(
      publish_packet({.topic = deep, .qos = 1, .retain = true, .id = 1}, Version::V5));
  goes_on_or_closes(subscribe_packet(1, {{.filter = deep + "#"}}, Version::V5));
  goes_on_or_closes(subscribe_packet(1, {{.filter = "$share/g/" + deep}}, Version::V5));
  throw_at(broker,
           connect_packet({.client_id = "x", .will = WillOptions{.topic = deep}}, Version::V5),
           false);
  // At the limit, and one level more.
  std::string fits = "a";
  for (int i = 1; i < 128; ++i) fits += "/a";
  Client client(broker);
  client.connect();
  client.subscribe(fits, 1);
  client.publish(fits, "x", 1);
  client.receive(fits, "x");
  CHECK(client.try_subscribe({{.filter = fits + "/a"}}).codes[0] >= 0x80);
}

TEST_CASE("attack 13: every property in every packet, twice, and with lying lengths", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  Client watcher(broker);
  watcher.connect();
  // Reads everything that is forwarded; an illegal property would fail the case.
  watcher.subscribe("t", 0);
  const std::vector<Property> all = {{Prop::PayloadFormat, 1},
                                     {Prop::MessageExpiry, 1},
                                     {Prop::ContentType, "c"},
                                     {Prop::ResponseTopic, "r"},
                                     {Prop::CorrelationData, "d"},
                                     {Prop::SubscriptionId, 1},
                                     {Prop::SessionExpiry, 1},
                                     {Prop::AssignedClientId, "a"},
                                     {Prop::ServerKeepAlive, 1},
                                     {Prop::AuthMethod, "m"},
                                     {Prop::AuthData, "d"},
                                     {Prop::RequestProblem, 1},
                                     {Prop::WillDelay, 1},
                                     {Prop::RequestResponse, 1},
                                     {Prop::ResponseInformation, "i"},
                                     {Prop::ServerReference, "s"},
                                     {Prop::Reason, "r"},
                                     {Prop::ReceiveMaximum, 1},
                                     {Prop::TopicAliasMaximum, 1},
                                     {Prop::TopicAlias, 1},
                                     {Prop::MaximumQos, 1},
                                     {Prop::RetainAvailable, 1},
                                     {Prop::User, "k", "v"},
                                     {Prop::MaximumPacketSize, 1000},
                                     {Prop::WildcardAvailable, 1},
                                     {Prop::SubscriptionIdAvailable, 1},
                                     {Prop::SharedAvailable, 1}};
  REQUIRE(all.size() == 27);
  for (const Property& property : all) {
    for (const Properties& list : {Properties{property}, Properties{property, property}}) {
      throw_at(broker, connect_packet({.client_id = "x", .properties = list}, Version::V5), false);
      throw_at(
          broker,
          connect_packet({.client_id = "x", .will = WillOptions{.topic = "t", .properties = list}},
                         Version::V5),
          false);
      throw_at(broker,
               publish_packet({.topic = "t", .payload = "x", .properties = list}, Version::V5),
               true);
      throw_at(broker, subscribe_packet(1, {{.filter = "t"}}, Version::V5, list), true);
      throw_at(broker, unsubscribe_packet(1, {"t"}, Version::V5, list), true);
      for (const AckType type :
           {AckType::Puback, AckType::Pubrec, AckType::Pubrel, AckType::Pubcomp}) {
        throw_at(broker, ack_packet(type, 1, 0, Version::V5, list), true);
      }
      throw_at(broker, disconnect_packet(0, Version::V5, list), true);
      throw_at(broker, auth_packet(kReauthenticate, list), true);
    }
    const std::string bytes = property_bytes({property});
    for (const int wrong : {-1, 1, 100}) {
      const auto length = static_cast<std::uint32_t>(static_cast<int>(bytes.size()) + wrong);
      throw_at(broker, packet(0x30, field("t") + varint(length) + bytes), true);
    }
    throw_at(broker, packet(0x30, field("t") + "\x80\x80\x80\x80\x01"s + bytes), true);
    bystander.check();
  }
  for (const Packet& got : watcher.everything()) CHECK(std::holds_alternative<Publish>(got));
}

TEST_CASE("attack 14: ten thousand user properties", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  Properties many;
  for (int i = 0; i < 10'000; ++i) many.add({Prop::User, "k", "v"});
  const Properties huge = {{Prop::User, std::string(65'535, 'n'), std::string(65'535, 'v')}};
  refuses(broker, connect_packet({.client_id = "x", .properties = many}, Version::V5),
          {kQuota, kTooLarge});
  refuses(broker,
          connect_packet({.client_id = "x", .will = WillOptions{.topic = "w", .properties = many}},
                         Version::V5),
          {kQuota, kTooLarge});
  closes_after(broker, publish_packet({.topic = "t", .properties = many}, Version::V5),
               {kQuota, kTooLarge});
  closes_after(broker, subscribe_packet(1, {{.filter = "t"}}, Version::V5, many),
               {kQuota, kTooLarge});
  closes_after(broker, unsubscribe_packet(1, {"t"}, Version::V5, many), {kQuota, kTooLarge});
  Client client(broker);
  client.connect({.properties = huge});
  client.subscribe("t", 0);
  client.publish({.topic = "t", .payload = "x", .properties = huge});
  CHECK(client.receive("t", "x").properties.user() == huge.user());
}

TEST_CASE("attack 15: Subscription Identifiers of 0, of five bytes, repeated, and in a PUBLISH",
          "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  closes_after(broker,
               subscribe_packet(1, {{.filter = "t"}}, Version::V5, {{Prop::SubscriptionId, 0}}),
               {kProtocolError, kMalformed});
  closes_after(broker,
               packet(0x82, u16(1) + u8(6) + "\x0B\xFF\xFF\xFF\xFF\x7F"s + field("t") + u8(0)),
               {kMalformed});
  closes_after(
      broker,
      publish_packet({.topic = "t", .properties = {{Prop::SubscriptionId, 1}}}, Version::V5),
      {kProtocolError, kMalformed});
  Client client(broker);
  client.connect();
  client.subscribe(Filter{.filter = "t"}, {{Prop::SubscriptionId, 268'435'455}});
  client.publish("t", "x");
  CHECK(client.receive("t", "x").properties.number(Prop::SubscriptionId) == 268'435'455U);
}

TEST_CASE("attack 16: topic aliases out of range, unset, and from an earlier connection",
          "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  for (const std::uint32_t alias : {0U, 65U, 65'535U}) {
    closes_after(
        broker,
        publish_packet({.topic = "t", .properties = {{Prop::TopicAlias, alias}}}, Version::V5),
        {kAliasInvalid});
  }
  closes_after(broker,
               publish_packet({.topic = "", .properties = {{Prop::TopicAlias, 64}}}, Version::V5),
               {kProtocolError, kAliasInvalid});
  Client member(broker);
  member.connect({.properties = {{Prop::TopicAliasMaximum, 1}}});
  member.subscribe("$share/g/t", 1);
  Client client(broker);
  client.connect();
  client.publish({.topic = "t",
                  .payload = "1",
                  .qos = 1,
                  .retain = true,
                  .properties = {{Prop::TopicAlias, 64}}});
  client.publish({.topic = "",
                  .payload = "2",
                  .qos = 1,
                  .retain = true,
                  .properties = {{Prop::TopicAlias, 64}}});
  member.receive();
  member.receive();
  Client late(broker);
  late.connect();
  late.subscribe("t", 0);
  const Publish kept = late.receive("t", "2");
  CHECK_FALSE(kept.properties.has(Prop::TopicAlias));
}

TEST_CASE("attack 17: text that is none in payload, content type and response topic", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("t", 0);
  closes_after(
      broker,
      publish_packet({.topic = "t", .payload = "\xFF", .properties = {{Prop::PayloadFormat, 1}}},
                     Version::V5),
      {kPayloadInvalid});
  for (const std::string& text : bad_texts()) {
    closes_after(
        broker,
        publish_packet({.topic = "t", .properties = {{Prop::ContentType, text}}}, Version::V5),
        {kMalformed});
  }
  for (const char* topic : {"a/#", "+", ""}) {
    closes_after(
        broker,
        publish_packet({.topic = "t", .properties = {{Prop::ResponseTopic, topic}}}, Version::V5),
        {kMalformed, kProtocolError, kTopicInvalid});
  }
  watcher.expect_nothing();
}

TEST_CASE("attack 18: wills with bad properties, topics and sizes", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("#", 0);
  watcher.subscribe("$SYS/forged", 0);
  const auto refused = [&](const WillOptions& will) {
    refuses(broker, connect_packet({.client_id = "x", .will = will}, Version::V5),
            {kMalformed, kProtocolError, kTopicInvalid, kPayloadInvalid, kNotAuthorized});
  };
  for (int i = 0; i < 50; ++i) {
    refused({.topic = ""});
    refused({.topic = "a/#"});
    refused({.topic = "w", .properties = {{Prop::TopicAlias, 1}}});
    refused({.topic = "w", .properties = {{Prop::SubscriptionId, 1}}});
    refused({.topic = "w", .properties = {{Prop::WillDelay, 1}, {Prop::WillDelay, 2}}});
    refused({.topic = "w", .payload = "\xFF", .properties = {{Prop::PayloadFormat, 1}}});
    refused({.topic = "w", .properties = {{Prop::ResponseTopic, "a/+"}}});
  }
  // A will under $SYS: refused at once or dropped later, in no case published.
  throw_at(broker,
           connect_packet(
               {.client_id = "x", .will = WillOptions{.topic = "$SYS/forged", .payload = "x"}},
               Version::V5),
           false);
  for (const Packet& got : watcher.everything()) {
    CHECK(std::get<Publish>(got).topic.substr(0, 9) == "bystander");
  }
}

}  // namespace twinmq::testing
