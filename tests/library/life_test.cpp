// E6 to E8, E11, E15 and E16: life of a broker inside a program.

#include <catch2/catch.hpp>

#include <poll.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <twinmq/asio.hpp>

#include "library/plain_client.hpp"

namespace library_test {
namespace {

using namespace twinmq;

TEST_CASE(
    "E6: a broker starts, stops and starts again in one process, and stopping twice is one stop") {
  const auto broker = make_broker();
  CHECK(broker->listeners().empty());
  for (int round = 0; round < 3; ++round) {
    REQUIRE(broker->start().has_value());
    CHECK_FALSE(broker->start().has_value());
    PlainClient client(broker->listeners().at(0).url);
    client.connect("c");
    broker->stop();
    const auto goodbye = client.expect<wire::Disconnect>();
    CHECK(goodbye.code == 0x8B);
    CHECK(client.ends());
    broker->stop();
    CHECK(broker->listeners().empty());
  }
}

TEST_CASE("E6: persistent sessions and retained messages outlive a stop and a start") {
  const auto broker = make_broker();
  REQUIRE(broker->start().has_value());
  {
    PlainClient client(broker->listeners().at(0).url, wire::Version::V311);
    client.connect("keeper", {.clean = false});
    client.subscribe("k/#");
    client.publish("r", "kept", {.retain = true});
    client.disconnect();
  }
  broker->stop();
  REQUIRE(broker->start().has_value());
  PlainClient other(broker->listeners().at(0).url, wire::Version::V311);
  other.connect("other");
  other.publish("k/1", "while away");
  other.subscribe("r");
  CHECK(other.expect<wire::Publish>().payload == "kept");
  PlainClient client(broker->listeners().at(0).url, wire::Version::V311);
  CHECK(client.connect("keeper", {.clean = false}).session_present);
  CHECK(client.expect<wire::Publish>().payload == "while away");
}

TEST_CASE("E6: a client that does not read cannot hold a stop beyond its deadline") {
  const auto broker = start_broker();
  PlainClient client(*broker);
  client.connect("stuck");
  client.subscribe("flood", 0);
  {
    const std::scoped_lock lock(client.pipe()->mutex);
    client.pipe()->room = 0;
  }
  for (int i = 0; i < 100; ++i)
    broker->publish({.topic = "flood", .payload = std::string(10'000, 'x')});
  const auto begin = std::chrono::steady_clock::now();
  broker->stop(Milliseconds(200));
  CHECK(std::chrono::steady_clock::now() - begin < kPatience);
  CHECK(client.ends());
}

TEST_CASE("E6: a broker may be destroyed inside one of its own callbacks") {
  auto broker = start_broker();
  std::promise<void> gone;
  std::unique_ptr<HostSubscription> subscription;
  auto made = broker->subscribe({.filter = "end"}, [&](const HostDelivery&, AckToken) {
    subscription.reset();
    broker.reset();
    gone.set_value();
  });
  REQUIRE(made.has_value());
  subscription = std::move(*made);
  broker->publish({.topic = "end", .payload = "", .qos = QoS::AtLeastOnce});
  REQUIRE(gone.get_future().wait_for(kPatience) == std::future_status::ready);
  CHECK(broker == nullptr);
}

TEST_CASE("E6: what the host asks of a stopped broker is answered, not lost") {
  const auto broker = make_broker();
  std::promise<ReasonCode> told;
  broker->publish({.topic = "t", .payload = ""},
                  [&](const PublishOutcome& outcome) { told.set_value(outcome.code); });
  auto answer = told.get_future();
  REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
  CHECK(answer.get() == ReasonCode::ServerUnavailable);
  CHECK_FALSE(broker->subscribe({.filter = "t"}, [](const HostDelivery&, AckToken) {}).has_value());
  CHECK_FALSE(broker->kick("nobody"));
  CHECK(broker->sessions().empty());
}

TEST_CASE("E6: a stop while threads publish and subscribe loses no answer") {
  auto broker = start_broker();
  std::atomic<int> asked{0};
  std::atomic<int> answered{0};
  std::atomic<bool> go_on{true};
  std::vector<std::thread> hosts;
  for (int i = 0; i < 3; ++i) {
    hosts.emplace_back([&, i] {
      while (go_on) {
        const auto subscription = broker->subscribe({.filter = "busy/" + std::to_string(i)},
                                                    [](const HostDelivery&, AckToken) {});
        for (int k = 0; k < 20; ++k) {
          ++asked;
          broker->publish({.topic = "busy/" + std::to_string(k % 3), .qos = QoS::AtLeastOnce},
                          [&](const PublishOutcome&) { ++answered; });
        }
      }
    });
  }
  REQUIRE(eventually([&] { return answered > 200; }));
  broker->stop();
  go_on = false;
  for (std::thread& host : hosts) host.join();
  CHECK(eventually([&] { return answered == asked; }));
}

TEST_CASE("E11: a kicked host subscription stays silent and its end is harmless") {
  const auto broker = start_broker();
  const auto subscription = broker->subscribe({.filter = "t", .client_id = "inside"},
                                              [](const HostDelivery&, AckToken) {});
  REQUIRE(subscription.has_value());
  CHECK(broker->kick("inside"));
  CHECK(eventually([&] { return broker->sessions().empty(); }));
}

TEST_CASE("E7: a broker runs on the caller's own loop, by descriptor and turn") {
  const auto broker = make_broker();
  REQUIRE(broker->start_on_caller().has_value());
  REQUIRE(broker->fd() >= 0);
  Arrivals<std::string> seen;
  const auto subscription = broker->subscribe(
      {.filter = "own/loop"},
      [&](const HostDelivery& delivery, AckToken) { seen.add(std::string(delivery.payload)); });
  REQUIRE(subscription.has_value());

  const std::string url = broker->listeners().at(0).url;
  auto client = std::async(std::launch::async, [url] {
    PlainClient plain(url);
    plain.connect("c");
    return plain.publish("own/loop", "turned").code;
  });
  while (seen.empty() || client.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    pollfd ready{broker->fd(), POLLIN, 0};
    REQUIRE(::poll(&ready, 1, 30'000) == 1);
    broker->turn();
  }
  CHECK(client.get() == 0);
  CHECK(seen.take() == "turned");
  broker->stop();
}

TEST_CASE("E7: a broker runs on an Asio loop of the embedder") {
  const auto broker = make_broker();
  REQUIRE(broker->start_on_caller().has_value());
  asio::io_context context;
  const std::string url = broker->listeners().at(0).url;
  {
    AsioDriver driver(context.get_executor(), *broker);
    auto client = std::async(std::launch::async, [&context, url] {
      PlainClient plain(url);
      plain.connect("c");
      const unsigned code = plain.publish("t", "x").code;
      asio::post(context, [&context] { context.stop(); });
      return code;
    });
    context.run();
    CHECK((client.get() & 0x80) == 0);
  }
  broker->stop();
}

TEST_CASE("E8: a Config that is wrong is refused with every complaint, as a value") {
  Config config;
  config.listeners.push_back({.url = "gopher://x"});
  config.mqtt.qos_max = 7;
  const auto broker = Broker::create(config);
  REQUIRE_FALSE(broker.has_value());
  CHECK(broker.error().code == ErrorCode::InvalidConfig);
  CHECK(broker.error().detail.find("qos_max") != std::string::npos);
  CHECK(broker.error().detail.find("gopher") != std::string::npos);
}

TEST_CASE("E8: a durability that the store cannot give is refused with the reason") {
  Config config;
  config.storage.durability = Durability::Fsync;
  const auto broker = Broker::create(config);
  REQUIRE_FALSE(broker.has_value());
  CHECK(broker.error().detail.find("durability") != std::string::npos);
  CHECK(make_broker()->durability() == Durability::None);
}

TEST_CASE("E8: a taken address is an error of start, and nothing runs") {
  const auto first = start_broker();
  const auto second = make_broker(
      [&](Config& config) { config.listeners = {{.url = first->listeners().at(0).url}}; });
  const auto started = second->start();
  REQUIRE_FALSE(started.has_value());
  CHECK(started.error().code == ErrorCode::AddressInUse);
  CHECK(second->listeners().empty());
}

TEST_CASE("E8: a reload changes limits while clients stay, and a bad one changes nothing") {
  const auto broker = start_broker();
  PlainClient client(broker->listeners().at(0).url);
  client.connect("stays");
  Config next;
  next.listeners = {{.url = "mqtt://127.0.0.1:0"}};
  next.node.shards = 2;
  next.limits.connections_max = 1;
  REQUIRE(broker->reload(next).has_value());
  PlainClient refused(broker->listeners().at(0).url);
  CHECK(refused.ends());
  next.mqtt.qos_max = 9;
  CHECK_FALSE(broker->reload(next).has_value());
  client.send(wire::pingreq_packet());
  client.expect<wire::Pingresp>();
}

TEST_CASE("E11: the host lists sessions and subscriptions, kicks a client and reads counters") {
  const auto broker = start_broker();
  PlainClient client(broker->listeners().at(0).url);
  client.connect("watched", {.keep_alive = 40});
  client.subscribe("a/+", 1);

  const auto sessions = broker->sessions();
  REQUIRE(sessions.size() == 1);
  CHECK(sessions.front().client_id == "watched");
  CHECK(sessions.front().connected);
  CHECK(sessions.front().protocol_level == 5);
  CHECK(sessions.front().keep_alive_seconds == 40);
  CHECK(sessions.front().peer.starts_with("127.0.0.1:"));
  CHECK(sessions.front().subscriptions == 1);
  const auto subscriptions = broker->subscriptions("watched");
  REQUIRE(subscriptions.size() == 1);
  CHECK(subscriptions.front().filter == "a/+");
  CHECK(subscriptions.front().qos == QoS::AtLeastOnce);

  const Statistics before = broker->stats();
  CHECK(before[Metric::ClientsConnected] == 1);
  CHECK(before[Metric::ConnectionsAccepted] == 1);
  CHECK(before[Metric::BytesSent] > 0);
  CHECK_FALSE(broker->kick("unknown"));
  CHECK(broker->kick("watched", ReasonCode::AdministrativeAction));
  CHECK(client.expect<wire::Disconnect>().code == 0x98);
  CHECK(client.ends());
  CHECK(eventually([&] { return broker->statistics()[Metric::ClientsConnected] == 0; }));
}

TEST_CASE("E15: brokers in memory start by the dozen, each for itself") {
  std::vector<std::unique_ptr<Broker>> brokers;
  auto fastest = std::chrono::steady_clock::duration::max();
  for (int i = 0; i < 20; ++i) {
    brokers.push_back(make_broker());
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(brokers.back()->start().has_value());
    fastest = std::min(fastest, std::chrono::steady_clock::now() - begin);
  }
  WARN("fastest start: " << std::chrono::duration_cast<std::chrono::microseconds>(fastest).count()
                         << " us");
  PlainClient one(brokers.front()->listeners().at(0).url);
  PlainClient other(brokers.back()->listeners().at(0).url);
  one.connect("same name");
  other.connect("same name");
  one.subscribe("t");
  CHECK(other.publish("t", "not over there").code == 0x10);
}

TEST_CASE("E16: the least a host needs is create, start and stop") {
  auto broker = Broker::create({});
  REQUIRE(broker.has_value());
  REQUIRE((*broker)->start().has_value());
  (*broker)->stop();
}

}  // namespace
}  // namespace library_test
