// Services beside sessions: what they see, what they cause, and what waits for the store.

#include "core/services.hpp"

#include <catch2/catch.hpp>

#include "shard_world.hpp"

namespace twinmq::core::testing {
namespace {

/// "in/x" -> "out/x" in the same transaction. "$svc/KEY/do" is handled at KEY's home: a record, and
/// "$svc/KEY/done" once it is safe; "$svc/KEY/slow" holds its transaction until on_time().
class Answering final : public Service {
 public:
  explicit Answering(std::vector<std::string>* seen) : seen_(seen) {}

  std::string_view name() const override { return "answering"; }
  void attach(ServiceHost& host) override {
    host_ = &host;
    host.subscribe("in/#", 1);
    host.subscribe("in/+/special", 2);
    host.subscribe("loop", 3);
    host.subscribe("$svc/#", 4);
    host.subscribe("slow loop", 7);
    host.subscribe("full", 5);
    host.subscribe("later", 6);
  }
  std::string_view home_key(std::string_view topic) const override {
    if (!topic.starts_with("$svc/")) return {};
    return topic.substr(5, topic.rfind('/') - 5);
  }
  bool forbids(std::string_view topic, bool retain) const override {
    return topic.starts_with("$svc/") && (retain || topic.ends_with("/done"));
  }
  void on_message(const ServiceMessage& message, Reaction& reaction) override {
    const std::string topic(message.parts.topic);
    std::string tags;
    for (const std::uint32_t tag : message.tags) tags += std::to_string(tag);
    seen_->push_back(std::to_string(host_->shard()) + " " + topic + " " + tags + " " +
                     std::string(message.parts.publisher));
    MessageParts answer = message.parts;
    answer.publisher = {};
    std::string text;
    if (topic.starts_with("in/")) {
      text = "out" + topic.substr(2);
      answer.topic = text;
      return reaction.publish(answer);
    }
    if (topic == "loop") return reaction.publish(answer);
    if (topic == "slow loop") {
      held_ = reaction.hold();
      return;
    }
    if (topic == "full") return reaction.refuse();
    if (topic == "later") {
      answer.topic = "out/later";
      return reaction.publish_after_commit(answer);
    }
    if (topic.ends_with("/slow")) {
      held_ = reaction.hold();
      key_ = home_key(topic);
      return;
    }
    if (topic.ends_with("/do")) finish(home_key(topic), reaction);
  }
  Instant next_deadline() const override { return held_ ? host_->now().steady : kNever; }
  void on_time(Reaction&) override {
    host_->resume(std::exchange(held_, 0), [&](Reaction& reaction) {
      if (!key_.empty()) return finish(key_, reaction);
      MessageParts again;
      again.topic = "slow loop";
      reaction.publish(again);
    });
  }
  bool wants_client_events() const override { return true; }
  bool wants_client_event(const ClientEvent& event) const override {
    return host_->has_receivers("events/" + std::string(event.client_id));
  }
  void on_client_event(const ClientEvent& event, Reaction& reaction) override {
    seen_->push_back("event");
    MessageParts parts;
    const std::string topic = "events/" + std::string(event.client_id);
    const std::string text = std::to_string(static_cast<int>(event.kind)) + " " +
                             std::to_string(static_cast<int>(event.end)) + " " +
                             std::string(event.filter);
    parts.topic = topic;
    parts.payload = text;
    reaction.publish(parts);
  }

 private:
  void finish(std::string_view key, Reaction& reaction) {
    reaction.records().put("v" + std::string(key), "x");
    MessageParts done;
    const std::string topic = "$svc/" + std::string(key) + "/done";
    done.topic = topic;
    done.payload = "ok";
    done.qos = QoS::AtLeastOnce;
    reaction.publish_after_commit(done);
  }

  std::vector<std::string>* seen_;
  ServiceHost* host_ = nullptr;
  HeldTransaction held_ = 0;
  std::string key_;
};

struct Served {
  explicit Served(unsigned shards, bool hold_commits = false,
                  std::shared_ptr<PlainStore> store = std::make_shared<PlainStore>())
      : world(
            [&] {
              WorldOptions options;
              options.shards = shards;
              options.hold_commits = hold_commits;
              options.service = [this](ShardId) { return std::make_unique<Answering>(&seen); };
              return options;
            }(),
            std::move(store)) {}

  std::vector<std::string> seen;
  World world;
};

bool holds(const Words& words, const std::string& what) {
  return std::find(words.begin(), words.end(), what) != words.end();
}

TEST_CASE("a service sees a message once, where it enters, and its answer reaches every shard") {
  const unsigned shards = GENERATE(1u, 2u, 4u);
  Served served(shards);
  World& world = served.world;
  std::vector<Peer*> receivers;
  for (ShardId shard = 0; shard < shards; ++shard) {
    receivers.push_back(&world.client(world.named("receiver", shard)));
    receivers.back()->subscribe(1, "out/#", 1);
    receivers.back()->said();
  }
  Peer& publisher = world.client(world.named("publisher", shards - 1));
  publisher.said();
  publisher.publish("in/a", "value", 1, 9);
  for (Peer* receiver : receivers) CHECK(receiver->said() == Words{"PUBLISH out/a=value q1 id1"});
  CHECK(publisher.said() == Words{"PUBACK 9"});
  CHECK(served.seen == std::vector<std::string>{std::to_string(shards - 1) + " in/a 1 " +
                                                world.named("publisher", shards - 1)});
}

TEST_CASE("a service hears of a message once, with the tags of all its filters") {
  Served served(1);
  served.world.client("c").publish("in/a/special", "", 0);
  served.world.run();
  REQUIRE(served.seen.size() == 1);
  CHECK((served.seen.front() == "0 in/a/special 12 c" ||
         served.seen.front() == "0 in/a/special 21 c"));
}

TEST_CASE("the publisher is answered when what its message set off is safe, on whatever shard") {
  const unsigned shards = GENERATE(1u, 2u, 4u);
  Served served(shards, true);
  World& world = served.world;
  world.client(world.named("lasting", shards - 1), false, 1000).subscribe(1, "out/#", 1);
  world.answer_commits();
  Peer& publisher = world.client(world.named("publisher", 0));
  // The receiver reads nothing, so its copy has to be written.
  publisher.publish("in/a", "value", 1, 9);
  CHECK_FALSE(holds(publisher.said(), "PUBACK 9"));
  world.answer_commits();
  CHECK(holds(publisher.said(), "PUBACK 9"));
}

TEST_CASE("requests with a key are handled at its home, and answered once the record is safe") {
  const unsigned shards = GENERATE(1u, 2u, 4u);
  Served served(shards, true);
  World& world = served.world;
  Peer& asker = world.client(world.named("asker", 0));
  asker.subscribe(1, "$svc/thing/done", 1);
  asker.said();
  asker.publish("$svc/thing/do", "", 1, 5);
  CHECK(asker.said().empty());
  REQUIRE(served.seen.size() == 1);
  CHECK(served.seen.front().starts_with(std::to_string(world.home("thing")) + " "));
  world.answer_commits();
  const Words said = asker.said();
  CHECK(holds(said, "PUBACK 5"));
  CHECK(holds(said, "PUBLISH $svc/thing/done=ok q1 id1"));
}

TEST_CASE("an answer that waits for the store survives a crash in between for lasting receivers") {
  auto store = std::make_shared<PlainStore>();
  {
    Served served(2, true, store);
    World& world = served.world;
    Peer& lasting = world.client(world.named("lasting", 1), false, 1000);
    lasting.subscribe(1, "$svc/+/done", 1);
    world.answer_commits();
    world.client(world.named("asker", 0)).publish("$svc/thing/do", "", 1, 5);
    world.run();
    while (!world.held.empty() && !store->get("vthing").value()) world.answer_one();
    REQUIRE(store->get("vthing").value());
  }
  Served served(2, false, store);
  World& world = served.world;
  world.restore();
  Peer& lasting = world.client(world.named("lasting", 1), false, 1000);
  CHECK(holds(lasting.said(), "PUBLISH $svc/thing/done=ok q1 id1"));
}

TEST_CASE("a held transaction answers its publisher when it is resumed and safe") {
  const unsigned shards = GENERATE(1u, 2u);
  Served served(shards);
  World& world = served.world;
  Peer& asker = world.client(world.named("asker", 0));
  const std::string thing = world.named("thing", shards - 1);
  asker.subscribe(1, "$svc/+/done", 1);
  asker.said();
  asker.publish("$svc/" + thing + "/slow", "", 1, 5);
  const Words said = asker.said();
  CHECK(holds(said, "PUBACK 5"));
  CHECK(holds(said, "PUBLISH $svc/" + thing + "/done=ok q1 id1"));
  CHECK(world.store().get("v" + thing).value());
}

TEST_CASE("a service that answers itself comes to an end, which is counted") {
  Served served(1);
  served.world.client("c").publish("loop", "x", 1, 3);
  served.world.run();
  CHECK(served.seen.size() == served.world.options.limits.hops_max + 1u);
  CHECK(served.world.metric(Metric::DroppedHops) == 1);
}

TEST_CASE("hops are counted across transactions that were held") {
  Served served(1);
  served.world.client("c").publish("slow loop", "x", 1, 3);
  served.world.run();
  for (int turns = 0; turns < 20; ++turns) {
    served.world.pass(Milliseconds(1));
    served.world.run();
  }
  CHECK(served.seen.size() == served.world.options.limits.hops_max + 1u);
  CHECK(served.world.metric(Metric::DroppedHops) == 1);
}

TEST_CASE("clients may not publish what a service keeps for itself") {
  Served served(1);
  Peer& client = served.world.client("c");
  client.said();
  client.publish("$svc/thing/done", "forged", 1, 3);
  CHECK(client.said() == Words{"PUBACK 3 0x87"});
  client.publish("$svc/thing/do", "kept", 1, 4, true);
  CHECK(client.said() == Words{"PUBACK 4 0x87"});
}

TEST_CASE("a service can refuse a message for want of room") {
  Served served(1);
  Peer& client = served.world.client("c");
  client.said();
  client.publish("full", "", 1, 3);
  CHECK(client.said() == Words{"PUBACK 3 0x97"});
}

TEST_CASE("a message that is to wait for a commit waits for none where nothing is written") {
  Served served(1, true);
  Peer& client = served.world.client("c");
  client.subscribe(1, "out/#", 0);
  client.said();
  client.publish("later", "x", 1, 3);
  const Words said = client.said();
  CHECK(holds(said, "PUBACK 3"));
  CHECK(holds(said, "PUBLISH out/later=x q0"));
}

TEST_CASE("services hear of clients that come, subscribe and go") {
  const unsigned shards = GENERATE(1u, 2u);
  Served served(shards);
  World& world = served.world;
  Peer& watcher = world.client(world.named("watcher", 0));
  watcher.subscribe(1, "events/c", 0);
  watcher.said();
  Peer& client = world.client("c");
  client.subscribe(1, "a/b", 0);
  client.unsubscribe(2, "a/b");
  client.disconnect();
  world.run();
  Peer& again = world.client("c");
  again.cut();
  CHECK(watcher.said() == Words{"PUBLISH events/c=0 1  q0", "PUBLISH events/c=2 1 a/b q0",
                                "PUBLISH events/c=3 1 a/b q0", "PUBLISH events/c=1 0  q0",
                                "PUBLISH events/c=0 1  q0", "PUBLISH events/c=1 1  q0"});
}

TEST_CASE("services are not told of clients whose events nobody would receive") {
  const unsigned shards = GENERATE(1u, 2u);
  Served served(shards);
  World& world = served.world;
  Peer& client = world.client(world.named("c", 0));
  client.subscribe(1, "a/b", 0);
  client.said();
  CHECK(served.seen.empty());
  const std::string listener = world.named("listener", shards - 1);
  world.client(listener).subscribe(1, "$share/g/events/+", 0);
  world.run();
  served.seen.clear();
  client.subscribe(1, "a/c", 0);
  client.said();
  CHECK(served.seen == std::vector<std::string>{"event"});
}

}  // namespace
}  // namespace twinmq::core::testing
