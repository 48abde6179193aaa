#include <catch2/catch.hpp>

#include "shard_world.hpp"

using namespace twinmq;
using namespace twinmq::core::testing;
using twinmq::core::ShardId;

namespace {

bool has(const Words& words, std::string_view part) {
  return std::any_of(words.begin(), words.end(),
                     [&](const std::string& word) { return word.find(part) != std::string::npos; });
}

mqtt::Connect with_will(std::string_view id) {
  mqtt::Connect packet;
  packet.client_id = id;
  packet.clean_start = false;
  packet.session_expiry_seconds = 1000;
  packet.will.emplace();
  packet.will->topic = "will";
  packet.will->payload = "bye";
  packet.will->qos = QoS::AtLeastOnce;
  return packet;
}

}  // namespace

TEST_CASE("what an ended member leaves to its group outlives a crash at every moment", "[core]") {
  const ShardId member_home = GENERATE(0u, 1u);
  for (int commits = 0; commits < 6; ++commits) {
    auto store = std::make_shared<PlainStore>();
    const World names({.shards = 2});
    const std::string first_id = names.named("first", member_home);
    const std::string second_id = names.named("second", 1);
    {
      World world({.shards = 2, .hold_commits = true}, store);
      Peer& first = world.client(first_id, false, 1000);
      first.subscribe(1, "$share/g/a", 1);
      world.answer_commits();
      Peer& from = world.client("from");
      from.publish("a", "1", 1, 1);
      world.answer_commits();
      REQUIRE(has(from.came(), "PUBACK 1"));
      Peer& second = world.client(second_id, false, 1000);
      second.subscribe(1, "$share/g/a", 1);
      world.answer_commits();
      world.client(first_id);  // a clean start ends the session
      world.run();
      for (int i = 0; i < commits && !world.held.empty(); ++i) {
        world.answer_one();
        world.run();
      }
    }
    World world({.shards = 2}, store);
    world.restore();
    Peer& first = world.client(first_id, false, 1000);
    Peer& second = world.client(second_id, false, 1000);
    INFO("after " << commits << " commits");
    CHECK((has(first.said(), "PUBLISH a=1") || has(second.said(), "PUBLISH a=1")));
    second.puback(1);
    first.puback(1);
    world.run();
    CHECK(world.store().count("owed/") == 0);
  }
}

TEST_CASE("a will whose moment has come outlives a crash at every moment", "[core]") {
  for (int commits = 0; commits < 6; ++commits) {
    auto store = std::make_shared<PlainStore>();
    const World names({.shards = 2});
    const std::string watcher_id = names.named("watcher", 1);
    const std::string mortal_id = names.named("mortal", 0);
    {
      World world({.shards = 2, .hold_commits = true}, store);
      world.client(watcher_id, false, 1000).subscribe(1, "will", 1);
      world.answer_commits();
      Peer& mortal = world.open(0).connect(with_will(mortal_id));
      world.answer_commits();
      mortal.cut();
      world.run();
      for (int i = 0; i < commits && !world.held.empty(); ++i) {
        world.answer_one();
        world.run();
      }
    }
    World world({.shards = 2}, store);
    world.restore();
    world.pass(Seconds(1));
    INFO("after " << commits << " commits");
    CHECK(has(world.client(watcher_id, false, 1000).said(), "PUBLISH will=bye"));
    CHECK(world.store().count("owed/") == 0);
  }
}

TEST_CASE(
    "a message whose member went while it was on its way is not acknowledged before another has it",
    "[core]") {
  World world({.shards = 2, .hold_commits = true});
  const std::string share_home_1 = [&] {
    for (int i = 0;; ++i)
      if (world.home("g" + std::to_string(i) + "/a") == 1) return "g" + std::to_string(i);
  }();
  const std::string filter = "$share/" + share_home_1 + "/a";
  Peer& first = world.client(world.named("first", 0));
  first.subscribe(1, filter, 1);
  world.answer_commits();
  Peer& from = world.client(world.named("from", 1));
  Peer& second = world.client(world.named("second", 1), false, 1000);
  world.answer_commits();
  from.publish("a", "1", 1, 1);
  world.turn(1);  // posts it to the member
  second.subscribe(1, filter, 1);
  world.turn(1);
  first.cut_now();  // before its shard reads the message
  CHECK_FALSE(has(from.came(), "PUBACK"));
  world.answer_commits();
  CHECK(has(from.came(), "PUBACK 1"));
  CHECK(has(second.came(), "PUBLISH a=1"));
}
