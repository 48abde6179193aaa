// E1 to E4, E12 and E13: the host as publisher and subscriber.

#include <catch2/catch.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <set>
#include <string>

#include "library/plain_client.hpp"

namespace library_test {
namespace {

using namespace twinmq;

struct Seen {
  std::string topic;
  std::string payload;
  std::string publisher;
  bool retain = false;
};

auto into(Arrivals<Seen>& seen) {
  return [&seen](const HostDelivery& delivery, AckToken) {
    seen.add({std::string(delivery.topic), std::string(delivery.payload),
              std::string(delivery.publisher), delivery.retain});
  };
}

PublishOutcome publish(Broker& broker, HostPublish message) {
  std::promise<PublishOutcome> outcome;
  broker.publish(std::move(message), [&](const PublishOutcome& told) { outcome.set_value(told); });
  auto future = outcome.get_future();
  REQUIRE(future.wait_for(kPatience) == std::future_status::ready);
  return future.get();
}

TEST_CASE("E1: the host publishes without a socket and is told how many took it") {
  const auto broker = start_broker();
  PlainClient client(broker->listeners().at(0).url);
  client.connect("reader");
  client.subscribe("plant/#");

  MessageProperties properties;
  properties.content_type = "text/plain";
  properties.user_properties = {{"unit", "C"}};
  const PublishOutcome outcome = publish(*broker, {.topic = "plant/1",
                                                   .payload = "21",
                                                   .qos = QoS::AtLeastOnce,
                                                   .properties = properties,
                                                   .expiry_seconds = 60});
  CHECK(outcome.code == ReasonCode::Success);
  CHECK(outcome.matched == 1);
  const auto got = client.expect<wire::Publish>();
  CHECK(got.topic == "plant/1");
  CHECK(got.payload == "21");
  CHECK(got.properties.text(wire::Prop::ContentType) == "text/plain");
  CHECK(got.properties.user() == std::vector<std::pair<std::string, std::string>>{{"unit", "C"}});
  CHECK(got.properties.number(wire::Prop::MessageExpiry) == 60u);

  CHECK(publish(*broker, {.topic = "nobody/listens", .payload = "", .qos = QoS::AtLeastOnce})
            .matched == 0);
  CHECK(publish(*broker, {.topic = "bad/#", .payload = ""}).code == ReasonCode::TopicNameInvalid);
}

TEST_CASE("E1: the host is told what the completion of its publish promises") {
  char folder[] = "/tmp/twinmq-library-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  for (const Durability level :
       {Durability::None, Durability::OperatingSystem, Durability::Fsync}) {
    const auto broker = start_broker([&](Config& config) {
      config.data_dir = folder;
      config.storage.durability = level;
      if (level != Durability::None) config.storage.fsync_filters = {"safe/#"};
    });
    const auto told = [&](std::string topic, QoS qos) {
      return publish(*broker, {.topic = std::move(topic), .payload = "x", .qos = qos}).durability;
    };
    CHECK(told("a", QoS::AtLeastOnce) == level);
    CHECK(told("a", QoS::ExactlyOnce) == level);
    CHECK(told("a", QoS::AtMostOnce) == Durability::None);
    if (level != Durability::None) CHECK(told("safe/a", QoS::AtLeastOnce) == Durability::Fsync);
    CHECK(told("bad/#", QoS::AtLeastOnce) == Durability::None);
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("E1: a retained message of the host waits for later subscribers") {
  const auto broker = start_broker();
  publish(*broker, {.topic = "state", .payload = "on", .qos = QoS::AtLeastOnce, .retain = true});
  PlainClient client(broker->listeners().at(0).url);
  client.connect("late");
  client.subscribe("state");
  const auto got = client.expect<wire::Publish>();
  CHECK(got.payload == "on");
  CHECK(got.retain);
}

TEST_CASE(
    "E2: the host subscribes as a real subscriber: wildcards, every QoS, retained replay, "
    "publisher") {
  const auto broker = start_broker();
  PlainClient client(broker->listeners().at(0).url);
  client.connect("sensor");
  client.publish("home/hall/temp", "19", {.retain = true});

  Arrivals<Seen> seen;
  const auto subscription =
      broker->subscribe({.filter = "home/+/temp", .qos = QoS::ExactlyOnce}, into(seen));
  REQUIRE(subscription.has_value());
  const Seen replayed = seen.take();
  CHECK(replayed.payload == "19");
  CHECK(replayed.retain);

  for (unsigned qos = 0; qos <= 2; ++qos) {
    client.send(wire::publish_packet({.topic = "home/bath/temp",
                                      .payload = std::to_string(qos),
                                      .qos = qos,
                                      .id = static_cast<std::uint16_t>(qos)},
                                     wire::Version::V5));
    if (qos == 1) client.expect<wire::Puback>();
    if (qos == 2) {
      client.expect<wire::Pubrec>();
      client.send(wire::ack_packet(wire::AckType::Pubrel, 2));
      client.expect<wire::Pubcomp>();
    }
    const Seen got = seen.take();
    CHECK(got.topic == "home/bath/temp");
    CHECK(got.payload == std::to_string(qos));
    CHECK(got.publisher == "sensor");
    CHECK_FALSE(got.retain);
  }
  publish(*broker, {.topic = "home/attic/temp", .payload = "5", .qos = QoS::ExactlyOnce});
  const Seen own = seen.take();
  CHECK(own.payload == "5");
  CHECK(own.publisher.empty());
}

TEST_CASE("E2: with No Local the host does not hear itself") {
  const auto broker = start_broker();
  Arrivals<Seen> seen;
  const auto subscription = broker->subscribe({.filter = "chat", .no_local = true}, into(seen));
  REQUIRE(subscription.has_value());
  publish(*broker, {.topic = "chat", .payload = "mine", .qos = QoS::AtLeastOnce});
  PlainClient client(broker->listeners().at(0).url);
  client.connect("other");
  client.publish("chat", "theirs");
  CHECK(seen.take().payload == "theirs");
}

TEST_CASE("E2: what the host has not acknowledged holds back what comes next") {
  const auto broker = start_broker();
  Arrivals<std::pair<std::string, AckToken>> seen;
  const auto subscription = broker->subscribe(
      {.filter = "jobs", .receive_maximum = 2}, [&](const HostDelivery& delivery, AckToken token) {
        seen.add({std::string(delivery.payload), std::move(token)});
      });
  REQUIRE(subscription.has_value());
  for (int i = 0; i < 6; ++i) {
    publish(*broker, {.topic = "jobs", .payload = std::to_string(i), .qos = QoS::AtLeastOnce});
  }
  REQUIRE(seen.wait_for_size(2));
  const auto queued = [&] {
    for (const SessionInfo& info : broker->sessions())
      if (info.client_id == (*subscription)->client_id()) return info.inflight;
    return std::uint64_t{0};
  };
  CHECK(queued() == 2);
  CHECK(seen.size() == 2);
  for (int i = 0; i < 6; ++i) {
    auto [payload, token] = seen.take();
    CHECK(payload == std::to_string(i));
    token.acknowledge();
  }
}

TEST_CASE("E2: two host subscribers of one share group take turns") {
  const auto broker = start_broker();
  Arrivals<Seen> first;
  Arrivals<Seen> second;
  const auto one = broker->subscribe({.filter = "$share/workers/task"}, into(first));
  const auto two = broker->subscribe({.filter = "$share/workers/task"}, into(second));
  REQUIRE(one.has_value());
  REQUIRE(two.has_value());
  for (int i = 0; i < 10; ++i) {
    CHECK(publish(*broker, {.topic = "task", .payload = std::to_string(i), .qos = QoS::AtLeastOnce})
              .matched == 1);
  }
  CHECK(eventually([&] { return first.size() + second.size() == 10; }));
  CHECK_FALSE(first.empty());
  CHECK_FALSE(second.empty());
}

TEST_CASE("E2: messages wait for a host that is away, if its session does not expire") {
  const auto broker = start_broker();
  const HostSubscribe options{
      .filter = "mail", .client_id = "postbox", .session_expiry_seconds = 600};
  Arrivals<Seen> seen;
  {
    const auto subscription = broker->subscribe(options, into(seen));
    REQUIRE(subscription.has_value());
  }
  REQUIRE(eventually([&] {
    const auto sessions = broker->sessions();
    return sessions.size() == 1 && !sessions.front().connected;
  }));
  CHECK(publish(*broker, {.topic = "mail", .payload = "letter", .qos = QoS::AtLeastOnce}).matched ==
        1);
  CHECK(seen.empty());
  const auto subscription = broker->subscribe(options, into(seen));
  REQUIRE(subscription.has_value());
  CHECK(seen.take().payload == "letter");
}

TEST_CASE("E2: a filter that is not legal is refused with words") {
  const auto broker = start_broker();
  const auto subscription =
      broker->subscribe({.filter = "a/#/b"}, [](const HostDelivery&, AckToken) {});
  REQUIRE_FALSE(subscription.has_value());
  CHECK_FALSE(subscription.error().detail.empty());
}

class Rules final : public Authorizer {
 public:
  bool may(const Identity& identity, Action action, std::string_view topic, QoS, bool) override {
    if (action == Action::Publish) asked.add(identity.client_id);
    return action != Action::Publish || !topic.starts_with("forbidden");
  }
  Arrivals<std::string> asked;
};

TEST_CASE(
    "E3: the same rules judge the host's publishes when it names an identity, and only then") {
  const auto rules = std::make_shared<Rules>();
  Parts parts;
  parts.authorizer = rules;
  const auto broker = start_broker({}, parts);
  Arrivals<Seen> seen;
  const auto subscription = broker->subscribe({.filter = "#"}, into(seen));
  REQUIRE(subscription.has_value());

  HostPublish message{.topic = "forbidden/1", .payload = "x", .qos = QoS::AtLeastOnce};
  message.as = Identity{
      .principal = "device", .client_id = "device-7", .username = {}, .peer = {}, .listener = {}};
  CHECK(publish(*broker, message).code == ReasonCode::NotAuthorized);
  CHECK(rules->asked.take() == "device-7");

  message.topic = "allowed/1";
  CHECK(publish(*broker, message).code == ReasonCode::Success);
  CHECK(rules->asked.take() == "device-7");
  CHECK(seen.take().publisher == "device-7");

  message.topic = "forbidden/2";
  message.as.reset();
  CHECK(publish(*broker, message).code == ReasonCode::Success);
  CHECK(seen.take().topic == "forbidden/2");
  CHECK(rules->asked.empty());
}

class Postman final : public DeliveryFilter {
 public:
  Verdict on_deliver(std::string_view receiver, const Message& message,
                     std::string& payload) override {
    if (receiver == "banned") return Verdict::Drop;
    if (receiver != "curious") return Verdict::Deliver;
    payload = std::string(message.payload()) + " for " + std::string(receiver);
    return Verdict::Modify;
  }
};

TEST_CASE("E4: the host sees each receiver of a message and may change or drop it for that one") {
  Parts parts;
  parts.delivery_filter = std::make_shared<Postman>();
  const auto broker = start_broker({}, parts);
  const std::string url = broker->listeners().at(0).url;
  PlainClient plain(url);
  PlainClient curious(url);
  PlainClient banned(url);
  plain.connect("plain");
  curious.connect("curious");
  banned.connect("banned");
  for (PlainClient* each : {&plain, &curious, &banned}) each->subscribe("news", 1);
  publish(*broker, {.topic = "news", .payload = "text", .qos = QoS::AtMostOnce});
  CHECK(plain.expect<wire::Publish>().payload == "text");
  CHECK(curious.expect<wire::Publish>().payload == "text for curious");
  banned.send(wire::pingreq_packet());
  banned.expect<wire::Pingresp>();
  CHECK(broker->statistics()[Metric::DroppedByHost] == 1);
}

TEST_CASE("E12: clients and subscriptions that came and went leave nothing behind") {
  const auto broker = start_broker();
  const std::string url = broker->listeners().at(0).url;
  for (int i = 0; i < 20; ++i) {
    Arrivals<Seen> seen;
    const auto subscription = broker->subscribe({.filter = "x/" + std::to_string(i)}, into(seen));
    REQUIRE(subscription.has_value());
    PlainClient client(url);
    client.connect("c" + std::to_string(i));
    client.subscribe("y/#");
    if (i % 2 == 0) client.disconnect();
  }
  CHECK(eventually([&] {
    const Statistics now = broker->statistics();
    return now[Metric::Connections] == 0 && now[Metric::Sessions] == 0 &&
           now[Metric::Subscriptions] == 0 && now[Metric::QueuedMessages] == 0;
  }));
  CHECK(broker->sessions().empty());
}

TEST_CASE("E13: one slow callback stalls nobody else, and is named and counted while it runs") {
  Arrivals<std::string> log;
  Parts parts;
  parts.log = [&](const LogLine& line) {
    if (line.event == "host callback is slow") log.add(std::string(line.detail));
  };
  std::promise<void> release;
  auto released = release.get_future().share();
  const auto broker =
      start_broker([](Config& config) { config.limits.callback_warning_milliseconds = 20; }, parts);
  const auto slow = broker->subscribe(
      {.filter = "slow"}, [released](const HostDelivery&, AckToken) { released.wait(); });
  REQUIRE(slow.has_value());
  Arrivals<Seen> seen;
  const auto quick = broker->subscribe({.filter = "quick"}, into(seen));
  REQUIRE(quick.has_value());

  broker->publish({.topic = "slow", .payload = "", .qos = QoS::AtLeastOnce});
  CHECK(log.take().find("slow") != std::string::npos);
  CHECK(broker->statistics()[Metric::CallbacksSlow] == 1);
  for (int i = 0; i < 100; ++i) {
    publish(*broker, {.topic = "quick", .payload = std::to_string(i), .qos = QoS::AtLeastOnce});
    CHECK(seen.take().payload == std::to_string(i));
  }
  release.set_value();
}

TEST_CASE("E13: access rules of the host that take too long are named, too") {
  class Thinker final : public Authorizer {
   public:
    bool may(const Identity&, Action action, std::string_view, QoS, bool) override {
      if (action == Action::Publish) released.get_future().wait();
      return true;
    }
    std::promise<void> released;
  };
  const auto thinker = std::make_shared<Thinker>();
  Arrivals<std::string> log;
  Parts parts;
  parts.authorizer = thinker;
  parts.log = [&](const LogLine& line) {
    if (line.event == "host callback is slow") log.add(std::string(line.detail));
  };
  const auto broker =
      start_broker([](Config& config) { config.limits.callback_warning_milliseconds = 20; }, parts);
  PlainClient client(broker->listeners().at(0).url);
  client.connect("c");
  client.send(
      wire::publish_packet({.topic = "t", .payload = "x", .qos = 1, .id = 1}, wire::Version::V5));
  CHECK(log.take().find("Authorizer") != std::string::npos);
  thinker->released.set_value();
  client.expect<wire::Puback>();
}

}  // namespace
}  // namespace library_test
