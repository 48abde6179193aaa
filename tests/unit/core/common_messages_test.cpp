#include "core/common_messages.hpp"

#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using mqtt::PacketType;

namespace {

const std::string kLong(core::CommonMessages::kPayloadMin, 'x');

/// Sessions "0", "1", … that want "a" and are away.
void leave_sessions(World& world, int sessions, int qos) {
  for (int i = 0; i < sessions; ++i) {
    Peer& peer = world.client(std::to_string(i), false, 1000);
    peer.subscribe(1, "a", qos);
    world.answer_commits();
    peer.cut();
    world.answer_commits();
  }
}

void publish(World& world, std::string_view payload, int qos, std::uint16_t id = 1) {
  Peer& from = world.client("from");
  from.publish("a", payload, qos, id);
  from.said();
  if (qos == 2) from.ack(PacketType::Pubrel, id);
  from.said();
}

/// Connects the session and takes what waits for it; the number of messages.
int take(World& world, const std::string& id) {
  Peer& peer = world.client(id, false, 1000);
  const Words payloads = peer.drain();
  for (const std::string& payload : payloads) CHECK(payload.starts_with("xxxx"));
  peer.cut();
  return static_cast<int>(payloads.size());
}

WorldOptions in_memory_or_not() {
  WorldOptions options;
  if (GENERATE(true, false)) options.limits.queue_memory_bytes = 0;
  options.shards = GENERATE(1u, 2u);
  return options;
}

constexpr Milliseconds kUntilLooked{15'000};

}  // namespace

TEST_CASE("a long message that several sessions wait for lies in the store once, until all have it",
          "[core]") {
  const WorldOptions options = in_memory_or_not();
  const int qos = GENERATE(1, 2);
  World world(options);
  leave_sessions(world, 6, qos);
  publish(world, kLong, qos);
  CHECK(world.store().count("/2/") == 6);
  CHECK(world.store().count("common/") <= options.shards);
  for (int i = 0; i < 6; ++i) {
    if (options.shards == 1) CHECK(world.store().count("common/") == 1);
    CHECK(take(world, std::to_string(i)) == 1);
  }
  CHECK(world.store().count("/2/") == 0);
  CHECK(world.store().count("common/") == 0);
}

TEST_CASE("a short message, and one with a single receiver, lies in each delivery", "[core]") {
  World world;
  leave_sessions(world, 2, 1);
  publish(world, kLong.substr(1), 1);
  CHECK(world.store().count("common/") == 0);
  CHECK(world.store().count("/2/") == 2);
  World other;
  leave_sessions(other, 1, 1);
  publish(other, kLong, 1);
  CHECK(other.store().count("common/") == 0);
  CHECK(take(other, "0") == 1);
}

TEST_CASE("an acknowledgement that comes while the message is written leaves it to the others",
          "[core]") {
  WorldOptions options;
  options.hold_commits = true;
  World world(options);
  leave_sessions(world, 2, 1);
  Peer& online = world.client("1", false, 1000);
  world.answer_commits();
  online.said();
  Peer& from = world.client("from");
  from.publish("a", kLong, 1, 1);
  world.run();
  REQUIRE(world.held.size() == 1);
  online.puback(1);
  world.run();
  world.answer_commits();
  CHECK(world.store().count("/2/") == 1);
  CHECK(world.store().count("common/") == 1);
  world.options.hold_commits = false;
  CHECK(take(world, "0") == 1);
  CHECK(world.store().count("common/") == 0);
}

TEST_CASE("after a restart the message is there for whoever still waits, and goes with the last",
          "[core]") {
  const WorldOptions options = in_memory_or_not();
  auto store = std::make_shared<PlainStore>();
  {
    World world(options, store);
    leave_sessions(world, 4, 1);
    publish(world, kLong, 1);
    CHECK(take(world, "0") == 1);
  }
  WorldOptions fewer = options;
  fewer.shards = 1;
  World world(fewer, store);
  world.restore();
  publish(world, kLong, 1, 2);
  for (int i = 0; i < 4; ++i) CHECK(take(world, std::to_string(i)) == (i == 0 ? 1 : 2));
  world.pass(kUntilLooked);
  world.pass(kUntilLooked);
  CHECK(world.store().count("common/") == 0);
}

TEST_CASE("what a session that ended had on disk is found by looking through the store", "[core]") {
  const WorldOptions options = in_memory_or_not();
  World world(options);
  CAPTURE(options.shards, options.limits.queue_memory_bytes);
  leave_sessions(world, 6, 1);
  publish(world, kLong, 1);
  for (int i = 0; i < 5; ++i) world.client(std::to_string(i)).cut();
  world.pass(kUntilLooked);
  CHECK(take(world, "5") == 1);
  world.pass(kUntilLooked);
  CHECK(world.store().count("common/") == 0);
}

TEST_CASE("looking through the store does not take what is about to be committed", "[core]") {
  WorldOptions options;
  options.shards = GENERATE(1u, 2u);
  options.limits.queue_memory_bytes = 0;
  CAPTURE(options.shards);
  World world(options);
  leave_sessions(world, 4, 1);
  publish(world, kLong, 1);
  world.client("0").cut();  // its queue was on disk: from now on nobody knows
  world.options.hold_commits = true;
  Peer& from = world.client("from");
  from.publish("a", kLong, 1, 1);
  world.run();
  REQUIRE_FALSE(world.held.empty());
  world.pass(kUntilLooked);
  world.answer_commits();
  world.options.hold_commits = false;
  for (int i = 1; i < 4; ++i) CHECK(take(world, std::to_string(i)) == 2);
  world.pass(kUntilLooked);
  CHECK(world.store().count("common/") == 0);
}
