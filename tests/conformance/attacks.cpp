// What clients did to brokers, one case per attack. A bystander publishes and receives throughout:
// only the attacker may suffer.

#include <set>

#include "conformance/cases.hpp"

namespace twinmq::testing {
namespace {

/// Two clients whose exchange must go on whatever happens to others.
class Bystander {
 public:
  explicit Bystander(Broker& broker) : subscriber_(broker), publisher_(broker, Version::V311) {
    subscriber_.connect({.client_id = "bystander-subscriber"});
    subscriber_.subscribe("bystander/#", 2);
    publisher_.connect({.client_id = "bystander-publisher"});
  }

  void check(Client::Where where = Client::Where::current()) {
    const std::string payload = std::to_string(++count_);
    publisher_.publish("bystander/" + std::to_string(count_ % 5), payload, count_ % 3, where);
    CHECK(subscriber_.receive(where).payload == payload);
  }

  ~Bystander() {
    for (int i = 0; i < 10; ++i) check();
    subscriber_.expect_nothing();
    publisher_.expect_nothing();
  }

 private:
  Client subscriber_;
  Client publisher_;
  unsigned count_ = 0;
};

/// Sends the bytes on a connection of its own, before or after a CONNECT, and reads what comes; the
/// broker may close or go on, but nothing it sends may be illegal.
void throw_at(Broker& broker, std::string_view bytes, bool connected,
              Version version = Version::V5) {
  const auto stream = broker.open();
  std::string answer;
  if (connected) {
    stream->write(connect_packet({.client_id = "attacker"}, version));
    stream->read(answer);
  }
  stream->write(bytes);
  // Ends the exchange; a broker that is in the middle of a packet takes it for part of that.
  stream->write(disconnect_packet(0, version));
  if (in_memory()) stream->read(answer);
  stream->cut();
  // A CONNECT whose level was changed is answered in the form of the version it names.
  const bool named5 =
      connected ? version == Version::V5 : answer.size() > 4 && answer[0] == 0x20 && answer[1] > 2;
  while (take_packet(answer, named5 ? Version::V5 : Version::V311)) {
  }
}

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

TEST_CASE("attack 19: one QoS 2 identifier again and again, and all of them at once", "[attack]") {
  Broker broker{{.settings = {{"mqtt.receive_maximum", "65535"}}}};
  Bystander bystander(broker);
  Client watcher(broker);
  watcher.connect();
  watcher.subscribe("t", 0);
  Client client(broker);
  client.connect();
  const std::string same = publish_packet(
      {.topic = "t", .payload = "same", .qos = 2, .dup = true, .id = 5}, Version::V5);
  const int times = in_memory() ? 100'000 : 5'000;
  for (int sent = 0; sent < times;) {
    std::string burst;
    for (int i = 0; i < 1000; ++i, ++sent) burst += same;
    client.send(burst);
    for (int i = 0; i < 1000; ++i) client.expect<Pubrec>();
  }
  CHECK(watcher.everything().size() == 1);
  for (std::uint32_t id = 1; id <= 65'535; id += 5'041) {
    client.send_publish(
        {.topic = "t", .payload = "x", .qos = 2, .id = static_cast<std::uint16_t>(id)});
    CHECK(client.expect<Pubrec>().code < 0x80);
  }
  client.send_ack(AckType::Pubrel, 4'444);
  CHECK(client.expect<Pubcomp>().code == kIdNotFound);
}

TEST_CASE("attack 20: a flood of acknowledgements for nothing", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  Client client(broker);
  client.connect({.properties = {{Prop::ReceiveMaximum, 2}}});
  client.subscribe("t", 2);
  std::string burst;
  for (std::uint16_t id = 1; id <= 3'000; ++id) {
    burst += ack_packet(AckType::Puback, id) + ack_packet(AckType::Pubcomp, id);
  }
  client.send(burst);
  Client publisher(broker);
  publisher.connect();
  for (int i = 0; i < 5; ++i) publisher.publish("t", "x", 1);
  client.expect_publish("t");
  client.expect_publish("t");
  client.expect_nothing();
}

TEST_CASE("attack 21: one message above our Receive Maximum, and a client that never acknowledges",
          "[attack]") {
  Broker broker{
      {.settings = {{"mqtt.receive_maximum", "10"}, {"limits.queue_messages_max", "50"}}}};
  Bystander bystander(broker);
  Client greedy(broker);
  greedy.connect();
  std::string burst;
  for (std::uint16_t id = 1; id <= 11; ++id)
    burst += publish_packet({.topic = "x", .qos = 2, .id = id}, Version::V5);
  greedy.send(burst);
  for (int i = 0; i < 10; ++i) greedy.expect<Pubrec>();
  greedy.expect_closed(kReceiveMaximumExceeded);
  refuses(
      broker,
      connect_packet({.client_id = "x", .properties = {{Prop::ReceiveMaximum, 0}}}, Version::V5),
      {kProtocolError});
  Client lazy(broker);
  lazy.connect({.properties = {{Prop::ReceiveMaximum, 1}}});
  lazy.subscribe("t", 1);
  Client publisher(broker);
  publisher.connect();
  unsigned refused = 0;
  for (std::uint16_t id = 1; id <= 100; ++id) {
    publisher.send_publish({.topic = "t", .payload = "x", .qos = 1, .id = id});
    refused += publisher.expect<Puback>().code == kQuota;
  }
  // The queue is bounded, and what it did not take was said.
  CHECK(refused == 50);
  unsigned got = 0;
  for (; got < 50; ++got) lazy.receive("t", "x");
  lazy.expect_nothing();
}

TEST_CASE("attack 22: a Maximum Packet Size below everything that is to be sent", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  Client other(broker);
  other.connect();
  other.publish({.topic = "t", .payload = std::string(500, 'r'), .qos = 1, .retain = true});
  for (const std::uint32_t limit : {1U, 2U, 4U, 8U, 16U, 40U, 100U}) {
    const auto stream = broker.open();
    stream->write(
        connect_packet({.client_id = "tiny", .properties = {{Prop::MaximumPacketSize, limit}}},
                       Version::V5) +
        subscribe_packet(1, {{.filter = "t", .qos = 1}}, Version::V5));
    if (limit < 40) {
      // Whether CONNACK fits or not, whatever comes must fit.
      std::string answer;
      stream->write(pingreq_packet());
      stream->cut();
    }
    other.publish("t", std::string(500, 'x'), 1);
  }
  Client small(broker);
  small.connect({.client_id = "small", .properties = {{Prop::MaximumPacketSize, 100}}});
  small.subscribe("t", 1);
  small.expect_nothing();
  other.publish("t", "fits", 1);
  small.receive("t", "fits");
}

TEST_CASE("attack 23: SUBSCRIBE with ten thousand filters, none, and odd share names", "[attack]") {
  Broker broker{{.settings = {{"limits.subscribe_entries_max", "10000"}}}};
  Bystander bystander(broker);
  Client client(broker);
  client.connect();
  std::vector<Filter> many;
  for (int i = 0; i < 10'000; ++i)
    many.push_back({.filter = "many/" + std::to_string(i), .qos = 1});
  for (const std::uint8_t code : client.try_subscribe(many).codes) {
    if (code != 1) FAIL("a filter was not granted");
  }
  client.publish("many/9999", "x", 1);
  client.receive("many/9999", "x");
  many.push_back({.filter = "one/more"});
  closes_after(broker, subscribe_packet(1, many, Version::V5), {kQuota, kTooLarge});
  closes_after(broker, subscribe_packet(1, {}, Version::V5), {kProtocolError, kMalformed});
  for (const std::string& filter :
       {"$share//x"s, "$share/g"s, "$share/+/x"s, "$share/g/#/x"s, "$share/"s, "$share"s,
        "$share/" + std::string(65'000, 'g') + "/x", "$share/g/" + std::string(65'000, 'x')}) {
    Client odd(broker);
    odd.connect();
    const std::uint8_t code = odd.try_subscribe({{.filter = filter}}).codes[0];
    if (filter.size() < 100 && filter != "$share") CHECK(code >= 0x80);
    odd.unsubscribe(filter);
  }
}

TEST_CASE("attack 24: normal and shared subscriptions of one filter, interleaved", "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  closes_after(broker,
               subscribe_packet(1, {{.filter = "$share/g/t", .no_local = true}}, Version::V5),
               {kProtocolError});
  Client client(broker);
  client.connect();
  const auto copies = [&] {
    // At QoS 1: the acknowledgement tells that every shard is done with the message.
    client.publish("t", "x", 1);
    return client.everything().size();
  };
  client.subscribe("t", 0);
  client.subscribe("$share/g/t", 0);
  CHECK(copies() == 2);
  client.unsubscribe("t");
  CHECK(copies() == 1);
  client.unsubscribe("t");
  CHECK(copies() == 1);
  client.subscribe("$share/h/t", 0);
  CHECK(copies() == 2);
  client.unsubscribe("$share/g/t");
  CHECK(copies() == 1);
  client.subscribe("t", 0);
  client.unsubscribe("$share/h/t");
  CHECK(copies() == 1);
  client.unsubscribe("t");
  CHECK(copies() == 0);
}

TEST_CASE("attack 34: a storm of takeovers leaves one owner", "[attack]") {
  for (const std::uint32_t expiry : {0U, 3600U}) {
    Broker broker;
    Bystander bystander(broker);
    Client watcher(broker);
    watcher.connect();
    watcher.subscribe("will", 1);
    std::vector<std::unique_ptr<Client>> storm;
    const int size = in_memory() ? 200 : 50;
    for (int i = 0; i < size; ++i) {
      storm.push_back(std::make_unique<Client>(broker));
      storm.back()->send(connect_packet(
          {.client_id = "contested",
           .clean = false,
           .properties = {lasting(expiry)},
           .will = WillOptions{.topic = "will", .payload = std::to_string(i), .qos = 1}},
          Version::V5));
    }
    // Whoever was let in, all but one, was told that somebody else came; whoever was not, was told
    // so.
    unsigned owners = 0;
    std::vector<Client*> accepted;
    for (auto& client : storm) {
      if (client->expect<Connack>().code == kSuccess) {
        accepted.push_back(client.get());
      } else {
        client->expect_closed();
      }
    }
    for (Client* client : accepted) {
      const std::vector<Packet> got = client->everything();
      if (got.empty()) {
        ++owners;
        continue;
      }
      CHECK(std::get<Disconnect>(got[0]).code == kTakenOver);
      client->expect_closed();
    }
    CHECK(owners == 1);
    // Each will once, but that of the owner.
    std::set<std::string> wills;
    for (std::size_t i = 0; i + 1 < accepted.size(); ++i) wills.insert(watcher.receive().payload);
    CHECK(wills.size() == accepted.size() - 1);
    watcher.expect_nothing();
  }
}

TEST_CASE("attack 36: client identifiers with characters that mean something elsewhere",
          "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  std::vector<std::unique_ptr<Client>> clients;
  const std::vector<std::string> ids = {
      "+",  "#", "/",  "\\",  ".",  "*",        "(a|b)", "[^",   "$SYS",       "%c",
      "%u", "'", "\"", "a b", "\n", "\x1B[31m", "..",    "a\tb", "$share/g/t", "contested;--"};
  for (const std::string& id : ids) {
    auto client = std::make_unique<Client>(broker);
    if (client->try_connect({.client_id = id}).code != kSuccess) continue;
    clients.push_back(std::move(client));
  }
  for (auto& client : clients) {
    client->subscribe("who/" + std::to_string(client->id().size()), 0);
    client->ping();
  }
  Client longest(broker);
  longest.connect_refused({.client_id = std::string(65'535, 'i')}, kClientIdNotValid);
  refuses(broker, connect_packet({.client_id = "nul\0"s}, Version::V5),
          {kMalformed, kClientIdNotValid});
}

TEST_CASE("attack 39: a subscription to everything shows only what may be received",
          "[attack][memory]") {
  class OnlyMine final : public Authorizer {
   public:
    bool may(const Identity& identity, Action action, std::string_view topic, QoS, bool) override {
      if (identity.client_id != "attacker") return true;
      return action == Action::Subscribe || topic == "mine";
    }
  };
  Broker broker{{.authorizer = std::make_shared<OnlyMine>()}};
  Bystander bystander(broker);
  Client publisher(broker);
  publisher.connect();
  publisher.publish({.topic = "secret/kept", .payload = "x", .qos = 1, .retain = true});
  Client attacker(broker);
  attacker.connect({.client_id = "attacker"});
  attacker.subscribe("#", 1);
  attacker.subscribe("secret/+", 1);
  attacker.subscribe("$share/g/#", 1);
  publisher.publish("secret/live", "x", 1);
  attacker.expect_nothing();
  attacker.unsubscribe("$share/g/#");
  publisher.publish("mine", "x", 1);
  attacker.receive("mine", "x");
  attacker.expect_nothing();
}

TEST_CASE(
    "attack 40: a client can neither forge the broker's topics nor hide behind a will or an alias",
    "[attack]") {
  Broker broker;
  Bystander bystander(broker);
  Client watcher(broker);
  watcher.connect();
  for (const char* filter :
       {"$SYS/broker/forged", "$SYS/forged/#", "$aws/events/forged/#", "#", "+/+/+"}) {
    watcher.try_subscribe({{.filter = filter}});
  }
  const std::vector<std::string> topics = {"$SYS/broker/forged", "$SYS/forged/a",
                                           "$aws/events/forged/a"};
  for (const std::string& topic : topics) {
    Client client(broker);
    client.connect();
    client.send_publish({.topic = topic, .payload = "forged"});
    client.send_publish({.topic = topic, .payload = "forged", .retain = true});
    client.send_publish(
        {.topic = topic, .payload = "forged", .properties = {{Prop::TopicAlias, 1}}});
    client.send_publish({.topic = "", .payload = "forged", .properties = {{Prop::TopicAlias, 1}}});
    client.ping();
    throw_at(
        broker,
        connect_packet({.client_id = "x", .will = WillOptions{.topic = topic, .payload = "forged"}},
                       Version::V5),
        false);
  }
  for (const Packet& got : watcher.everything()) {
    if (const auto* publish = std::get_if<Publish>(&got)) CHECK(publish->payload != "forged");
  }
}

TEST_CASE("attack 60: limits hold at one below, at, and one above, and everything is given back",
          "[attack][memory]") {
  Broker broker{
      {.settings = {{"limits.subscriptions_max", "10"}, {"limits.queue_messages_max", "10"}}}};
  {
    Client client(broker);
    client.connect({.client_id = "a", .properties = {lasting()}});
    for (int i = 0; i < 10; ++i) client.subscribe("t/" + std::to_string(i), 1);
    CHECK(client.try_subscribe({{.filter = "t/10", .qos = 1}}).codes[0] == kQuota);
    // Replacing needs no room; after a removal there is room again.
    client.subscribe("t/3", 2);
    client.unsubscribe("t/3");
    client.subscribe("t/10", 1);
    CHECK(broker.metric(Metric::Subscriptions) == 10);
    client.disconnect();
    Client publisher(broker);
    publisher.connect();
    for (std::uint16_t i = 1; i <= 11; ++i) {
      publisher.send_publish({.topic = "t/1", .payload = "x", .qos = 1, .id = i});
      CHECK(publisher.expect<Puback>().code == (i <= 10 ? kSuccess : kQuota));
    }
    CHECK(broker.metric(Metric::QueuedMessages) == 10);
    Client ends(broker);
    CHECK(ends.connect({.client_id = "a", .clean = false}).session_present);
    for (int i = 0; i < 10; ++i) ends.receive("t/1", "x");
  }
  broker.advance(Seconds(10));
  CHECK(broker.links() == 0);
  for (const Metric gauge :
       {Metric::Connections, Metric::ClientsConnected, Metric::Sessions, Metric::Subscriptions,
        Metric::SharedSubscriptions, Metric::QueuedMessages, Metric::QueuedBytes}) {
    INFO("gauge " << static_cast<int>(gauge));
    CHECK(broker.metric(gauge) == 0);
  }
}

}  // namespace twinmq::testing
