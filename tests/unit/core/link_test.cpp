#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using twinmq::core::ShardId;

TEST_CASE("a connection that sends much gets its share of a turn, then others have theirs",
          "[core]") {
  WorldOptions options;
  options.limits.turn_packets_max = 10;
  World world(options);
  Peer& to = world.client("to");
  to.subscribe(1, "a");
  Peer& busy = world.client("busy");
  Peer& calm = world.client("calm");
  for (Peer* peer : {&to, &busy, &calm}) peer->said();
  for (int i = 0; i < 100; ++i) busy.publish("a", "busy");
  calm.publish("a", "calm");
  world.turn(0);
  const Words words = to.came();
  CHECK(words.size() == 11);
  CHECK(words.back() == "PUBLISH a=calm q0");
  CHECK_FALSE(world.core().reading(busy.link));
  CHECK(world.core().wants_turn());
  CHECK(to.said().size() == 90);
}

TEST_CASE("bytes split anywhere mean the same", "[core]") {
  World world;
  Peer& to = world.client("to");
  to.subscribe(1, "a");
  Peer& from = world.client("from");
  to.said();
  from.said();
  from.publish("a", "1", 1, 1);
  from.publish("a", std::string(300, 'x'), 1, 2);
  from.publish("a", "3", 1, 3);
  const std::string bytes = std::exchange(from.to_broker, {});
  const std::size_t piece = GENERATE(1u, 2u, 3u, 7u, 100u);
  for (std::size_t at = 0; at < bytes.size(); at += piece) from.send(bytes.substr(at, piece));
  CHECK(from.said() == Words{"PUBACK 1", "PUBACK 2", "PUBACK 3"});
  CHECK(to.said().size() == 3);
}

TEST_CASE("a connection moves once to the shard of its session, with everything it sent",
          "[core]") {
  World world({.shards = 2});
  const std::string id = world.named("c", 1);
  Peer& client = world.open(0);
  mqtt::Connect packet;
  packet.client_id = id;
  std::string bytes;
  mqtt::append(bytes, packet);
  client.send_later(bytes.substr(0, 5));
  world.run();
  client.send_later(bytes.substr(5));
  client.subscribe(1, "a");
  client.publish("a", "1");
  CHECK(client.said().size() == 3);
  CHECK(client.shard_ == 1);
  CHECK(world.core(0).links() == 0);
  CHECK(world.metric(Metric::Connections) == 1);
  CHECK(world.metric(Metric::PacketsReceived) == 3);
}

TEST_CASE("a client that does not read what it is answered is not read either", "[core]") {
  WorldOptions options;
  options.limits.output_bytes_max = 1000;
  World world(options);
  Peer& client = world.client("c");
  client.said();
  client.stalled = true;
  std::string pings;
  for (int i = 0; i < 5000; ++i) pings += std::string("\xC0\x00", 2);
  client.send(pings);
  CHECK_FALSE(world.core().reading(client.link));
  CHECK(world.core().output(client.link)->size() <= 1002);
  client.stalled = false;
  world.flush(client);
  CHECK(client.said().size() == 5000);
  CHECK(world.core().reading(client.link));
}

TEST_CASE("a client is not read while too much is owed to it", "[core]") {
  WorldOptions options{.hold_commits = true};
  options.mqtt.receive_maximum = 10;
  World world(options);
  Peer& to = world.client("to", false, 100);
  world.answer_commits();
  to.subscribe(1, "a", 1);
  world.answer_commits();
  mqtt::Connect packet;
  packet.version = mqtt::Version::V311;
  packet.client_id = "v3";
  Peer& from = world.open().connect(packet);
  from.said();
  for (int i = 0; i < 3000; ++i) from.publish("a", "x", 1, static_cast<std::uint16_t>(1 + i));
  world.run();
  CHECK_FALSE(world.core().reading(from.link));
  CHECK(to.said().size() < 1200);
  world.answer_commits();
  CHECK(from.said().size() == 3000);
  CHECK(world.core().reading(from.link));
}

TEST_CASE("keep alive closes a silent client, but not one whose bytes we do not take", "[core]") {
  World world({.shards = 2});
  Peer& to = world.client(world.named("to", 1));
  to.subscribe(1, "a");
  to.said();
  mqtt::Connect packet;
  const std::string id = world.named("from", 0);
  packet.client_id = id;
  packet.keep_alive_seconds = 10;
  Peer& from = world.open(0).connect(packet);
  from.said();
  for (int i = 0; i < 5; ++i) {
    from.publish("a", "1");
    world.turn(0);
  }
  REQUIRE_FALSE(world.core(0).reading(from.link));
  world.now.steady += Milliseconds(16'000);
  world.turn(0);
  CHECK(from.came().empty());
  world.run();
  CHECK(from.said().empty());
  world.pass(Milliseconds(16'000));
  CHECK(from.said() == Words{"DISCONNECT 0x8D", "closed"});
}

TEST_CASE("when all connections are gone every gauge is back at nothing", "[core]") {
  World world({.shards = 2});
  for (int i = 0; i < 20; ++i) {
    Peer& client = world.client("c" + std::to_string(i));
    client.subscribe(1, "a/" + std::to_string(i % 3), 1);
    client.subscribe(2, "$share/g/a/1", 2);
    client.subscribe(3, "#", 1);
    client.publish("a/1", "x", 2, 1);
    client.publish("a/2", "x", 1, 2);
    world.run();
    if (i % 4 == 0) client.cut();
  }
  for (ShardId shard = 0; shard < 2; ++shard) {
    world.core(shard).begin_turn(world.now);
    world.core(shard).close_all(ReasonCode::ServerShuttingDown);
    world.core(shard).end_turn();
    world.turn(shard);
  }
  world.run();
  for (const Metric gauge : {Metric::Connections, Metric::ClientsConnected, Metric::Sessions,
                             Metric::Subscriptions, Metric::SharedSubscriptions,
                             Metric::QueuedMessages, Metric::QueuedBytes, Metric::RetainedMessages})
    CHECK(world.metric(gauge) == 0);
  CHECK(world.store().entries.empty());
}

TEST_CASE("lines that strangers cause at will are bounded, and what was left out is told",
          "[core]") {
  WorldOptions options;
  options.limits.log_repeats_max = 3;
  World world(options);
  for (int i = 0; i < 10; ++i) world.client("c" + std::to_string(i)).cut();
  const auto lines = [&] {
    int count = 0;
    for (std::size_t at = 0; (at = world.log.find("connection lost", at)) != std::string::npos;
         ++at)
      ++count;
    return count;
  };
  CHECK(lines() == 3);
  world.pass(Seconds(11));
  world.client("late").cut();
  CHECK(lines() == 4);
  CHECK(world.log.find("left_out=7") != std::string::npos);
}
