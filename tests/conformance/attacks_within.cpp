// What clients did to brokers with sound packets, one case per attack: floods, storms and names. A
// bystander publishes and receives throughout: only the attacker may suffer.

#include <set>

#include "conformance/bystander.hpp"

namespace twinmq::testing {

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
