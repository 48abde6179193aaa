#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using twinmq::core::ShardId;

namespace {

std::size_t copies(const Words& words) {
  return static_cast<std::size_t>(std::count_if(
      words.begin(), words.end(),
      [](const std::string& word) { return word.find("PUBLISH a=1") != std::string::npos; }));
}

}  // namespace

TEST_CASE(
    "a group gets back what an ended member was given once its publish is safe, and once only",
    "[core]") {
  const ShardId member_home = GENERATE(0u, 1u);
  const ShardId publisher_home = GENERATE(0u, 1u);
  const bool busy = GENERATE(false, true);            // the store, when the message comes
  const bool youngest_first = GENERATE(false, true);  // each shard has one commit there at most
  const auto answer = [&](World& world, int commits) {
    for (int i = 0; i < commits && !world.held.empty(); ++i) {
      if (youngest_first) std::swap(world.held.front(), world.held.back());
      world.answer_one();
      world.run();
    }
  };
  for (int before = 0; before < 3; ++before) {
    for (int commits = 0; commits < 8; ++commits) {
      auto store = std::make_shared<PlainStore>();
      const World names({.shards = 2});
      const std::string first_id = names.named("first", member_home);
      const std::string second_id = names.named("second", 1);
      const std::string from_id = names.named("from", publisher_home);
      bool sent = false;  // then it is nobody else's [MQTT-4.8.2-4]
      {
        World world({.shards = 2, .hold_commits = true}, store);
        Peer& first = world.client(first_id, false, 1000);
        first.subscribe(1, "$share/g/a", 2);
        world.answer_commits();
        Peer& from = world.client(from_id, false, 1000);
        world.answer_commits();
        world.client(second_id, false, 1000).subscribe(1, "$share/g/a", 2);
        world.answer_commits();
        if (busy) {
          from.publish("unheard", "", 2, 9);
          world.run();
        }
        from.publish("a", "1", 2, 1);
        world.run();
        answer(world, before);
        sent = copies(first.came()) > 0;
        world.client(first_id);  // a clean start ends the session
        world.run();
        answer(world, commits);
      }
      World world({.shards = 2}, store);
      world.restore();
      Peer& second = world.client(second_id, false, 1000);
      const Words seen = second.said();
      // The publisher repeats what it does not know to be safe.
      world.client(from_id, false, 1000).publish("a", "1", 2, 1);
      const Words later = second.said();
      INFO("home " << member_home << " publisher " << publisher_home << " busy " << busy
                   << " before " << before << " commits " << commits);
      Peer& first = world.client(first_id, false, 1000);
      const std::size_t others = copies(seen) + copies(later);
      if (sent) {
        CHECK(others == 0);
      } else {
        CHECK(others + copies(first.said()) == 1);
      }
    }
  }
}

TEST_CASE("nor is it given to another too soon when the member had no lasting session", "[core]") {
  const bool crash = GENERATE(true, false);
  auto store = std::make_shared<PlainStore>();
  const World names({.shards = 2});
  std::string share = "g";
  while (names.home(share + "/a") != 1) share += 'g';
  const std::string filter = "$share/" + share + "/a";
  const std::string from_id = names.named("from", 0);
  const std::string second_id = names.named("second", 1);
  {
    WorldOptions options;
    options.shards = 2;
    options.hold_commits = true;
    options.mqtt.inflight_max = 1;
    World world(options, store);
    Peer& first = world.client(world.named("first", 1));
    first.subscribe(1, "b", 1);
    first.subscribe(2, filter, 2);
    Peer& from = world.client(from_id, false, 1000);
    Peer& second = world.client(second_id, false, 1000);
    world.answer_commits();
    from.publish("b", "0", 1, 7);  // fills the window of the first one
    world.answer_commits();
    from.publish("a", "1", 2, 1);
    world.run();
    second.subscribe(1, filter, 2);
    first.cut();
    world.run();
    // The shard of the members goes on while the publisher's waits for its commit.
    for (bool more = true; std::exchange(more, false);) {
      for (auto& each : world.held) {
        if (each.first != 1) continue;
        std::swap(world.held.front(), each);
        world.answer_one();
        world.run();
        more = true;
        break;
      }
    }
    if (!crash) {
      world.answer_commits();
      CHECK(copies(second.said()) == 1);
      return;
    }
    CHECK(copies(second.said()) == 0);
  }
  World world({.shards = 2}, store);
  world.restore();
  Peer& second = world.client(second_id, false, 1000);
  const Words before = second.said();
  world.client(from_id, false, 1000).publish("a", "1", 2, 1);
  CHECK(copies(before) + copies(second.said()) == 1);
}

TEST_CASE("who asks for the name of an ended session is welcomed behind its last record",
          "[core]") {
  World world({.shards = 2, .hold_commits = true});
  const std::string id = world.named("gone", 1);
  world.client(id, false, 1000).subscribe(1, "a", 1);
  world.answer_commits();
  Peer& from = world.client(world.named("from", 0));
  from.publish("a", "1", 1, 1);
  world.run();
  Peer& again = world.client(id, true, 1000);
  CHECK(again.came().empty());
  world.answer_commits();
  CHECK(again.came() == Words{"CONNACK 0x00"});
  CHECK(world.store().count(id + "/2/") == 0);
}
