#include "modules/retained/retained_module.hpp"

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "records/retained_record.hpp"

using namespace twinmq;
using namespace std::chrono_literals;
using retained::RetainedLimits;
using retained::RetainedModule;
using Stored = RetainedMessages::Stored;

namespace {

constexpr std::size_t kAll = 1'000'000;

Now at(Milliseconds since) {
  return {Instant(1h + since), WallTime(Milliseconds(1'700'000'000'000) + since)};
}

MessageRef message(std::string_view topic, std::string_view payload, Instant expires_at = kNever) {
  return Message::make(
      {.topic = topic, .payload = payload, .retain = true, .expires_at = expires_at});
}

/// Entries in a map: enough of a store for a module.
class MapStore : public Store {
 public:
  Result<void> commit(const Batch& batch, Durability) override {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const auto change = batch[i];
      if (change.kind == Batch::Kind::Put) {
        entries[std::string(change.key)] = change.value;
      } else {
        entries.erase(std::string(change.key));
      }
    }
    return {};
  }
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override {
    for (const auto& [key, value] : entries) {
      if (key >= from && (to.empty() || key < to) && !visit(key, value)) break;
    }
    return {};
  }
  Result<void> reopen() override { return {}; }
  Durability durability_max() const override { return Durability::None; }

  std::map<std::string, std::string, std::less<>> entries;
};

bool everything(std::string_view) {
  return true;
}

std::multiset<std::string> replayed(RetainedMessages& retained, std::string_view filter,
                                    Now now = at(0ms), std::size_t slice = kAll) {
  std::multiset<std::string> topics;
  const auto replay = retained.replay(filter, now.steady);
  while (!replay->done()) {
    std::size_t budget = slice;
    while (const MessageRef next = replay->next(budget)) topics.emplace(next->topic());
  }
  return topics;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> levels(1);
  for (const char c : text) {
    if (c == '/') {
      levels.emplace_back();
    } else {
      levels.back() += c;
    }
  }
  return levels;
}

bool matches_by_the_book(std::string_view filter, std::string_view topic) {
  const auto f = split(filter);
  const auto t = split(topic);
  if (topic.starts_with('$') && (f[0] == "+" || f[0] == "#")) return false;
  for (std::size_t i = 0; i < f.size(); ++i) {
    if (f[i] == "#") return true;
    if (i >= t.size() || (f[i] != "+" && f[i] != t[i])) return false;
    if (i + 2 == f.size() && f[i + 1] == "#" && t.size() == i + 1) return true;
  }
  return f.size() == t.size();
}

std::string random_text(std::mt19937& random, bool wildcards) {
  static const char* const kTokens[] = {"a", "b", "", "$x", "a-long-level-of-many-bytes"};
  std::string text;
  const auto levels = 1 + random() % 4;
  for (unsigned i = 0; i < levels; ++i) {
    if (i > 0) text += '/';
    const auto dice = random() % 10;
    if (wildcards && dice == 0) return text + '#';
    text += wildcards && dice < 4 ? "+" : kTokens[random() % 5];
  }
  return text.empty() ? "/" : text;
}

}  // namespace

TEST_CASE("The last retained message of a topic is the one that is kept [MQTT-3.3.1-5]") {
  RetainedModule retained({}, 1);
  Batch batch;
  CHECK(retained.set(message("a", "1"), at(0ms), batch) == Stored::Stored);
  CHECK(retained.set(message("a", "2"), at(0ms), batch) == Stored::Stored);
  CHECK(retained.find("a", at(0ms).steady)->payload() == "2");
  CHECK(retained.messages() == 1);
  CHECK(retained.bytes() == message("a", "2")->footprint());
  CHECK_FALSE(retained.find("b", at(0ms).steady));
}

TEST_CASE(
    "An empty payload removes the retained message [MQTT-3.3.1-6] and nothing more "
    "[MQTT-3.3.1-7]") {
  RetainedModule retained({}, 1);
  MapStore store;
  Batch batch;
  retained.set(message("a/b", "1"), at(0ms), batch);
  CHECK(retained.set(message("a/b", ""), at(0ms), batch) == Stored::Removed);
  CHECK(retained.set(message("a/b", ""), at(0ms), batch) == Stored::Unchanged);
  CHECK(retained.messages() == 0);
  CHECK(retained.bytes() == 0);
  CHECK(replayed(retained, "#").empty());
  REQUIRE(store.commit(batch, Durability::None));
  CHECK(store.entries.empty());
}

TEST_CASE("Replays under random changes hold to the rules of matching") {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    RetainedModule retained({}, random());
    std::set<std::string> topics;
    Batch batch;
    for (int i = 0; i < 120; ++i) {
      const std::string topic = random_text(random, false);
      const bool gone = random() % 3 == 0;
      retained.set(message(topic, gone ? "" : "x"), at(0ms), batch);
      if (gone) {
        topics.erase(topic);
      } else {
        topics.insert(topic);
      }
    }
    for (int i = 0; i < 60; ++i) {
      const std::string filter = random_text(random, true);
      std::multiset<std::string> expected;
      for (const auto& topic : topics) {
        if (matches_by_the_book(filter, topic)) expected.insert(topic);
      }
      INFO(filter);
      REQUIRE(replayed(retained, filter, at(0ms), 1 + random() % 5) == expected);
    }
  }
}

TEST_CASE(
    "A replay survives changes, misses nothing that stays, and shows nothing that came later") {
  std::mt19937 random(4);
  for (int round = 0; round < 200; ++round) {
    RetainedModule retained({}, random());
    Batch batch;
    std::set<std::string> staying;
    for (int i = 0; i < 40; ++i) {
      const std::string topic = random_text(random, false);
      retained.set(message(topic, "x"), at(0ms), batch);
      staying.insert(topic);
    }
    std::vector<std::string> filters;
    std::vector<std::unique_ptr<RetainedMessages::Replay>> replays;
    std::vector<std::multiset<std::string>> seen(4);
    for (int i = 0; i < 4; ++i) {
      filters.push_back(random_text(random, true));
      replays.push_back(retained.replay(filters.back(), at(0ms).steady));
    }
    for (bool busy = true; busy;) {
      busy = false;
      const std::string topic = random_text(random, false);
      const bool gone = random() % 2 == 0;
      staying.erase(topic);
      retained.set(message(topic, gone ? "" : "y"), at(0ms), batch);
      for (std::size_t i = 0; i < 4; ++i) {
        std::size_t budget = 1 + random() % 3;
        while (const MessageRef next = replays[i]->next(budget)) {
          REQUIRE(retained.find(next->topic(), at(0ms).steady).get() == next.get());
          REQUIRE(next->payload() == "x");
          seen[i].emplace(next->topic());
        }
        busy = busy || !replays[i]->done();
      }
    }
    for (std::size_t i = 0; i < 4; ++i) {
      INFO(filters[i]);
      for (const auto& topic : staying) {
        if (matches_by_the_book(filters[i], topic)) REQUIRE(seen[i].count(topic) == 1);
      }
      for (const auto& topic : seen[i]) REQUIRE(matches_by_the_book(filters[i], topic));
      for (const auto& topic : seen[i]) REQUIRE(seen[i].count(topic) == 1);
    }
  }
}

TEST_CASE("A replay that is dropped half-way leaves nothing behind") {
  RetainedModule retained({}, 5);
  Batch batch;
  for (int i = 0; i < 2000; ++i)
    retained.set(message("d/" + std::to_string(i), "x"), at(0ms), batch);
  const std::size_t full = retained.index_bytes();
  auto replay = retained.replay("d/+", at(0ms).steady);
  std::size_t budget = 500;
  while (replay->next(budget)) {
  }
  for (int i = 0; i < 2000; ++i)
    retained.set(message("d/" + std::to_string(i), ""), at(0ms), batch);
  CHECK(retained.messages() == 0);
  replay.reset();
  for (int i = 0; i < 2000; ++i)
    retained.set(message("d/" + std::to_string(i), "x"), at(0ms), batch);
  CHECK(retained.index_bytes() <= full);
}

TEST_CASE("Each step of a replay takes one from the budget, and none is taken when it is used up") {
  RetainedModule retained({}, 6);
  Batch batch;
  retained.set(message("a", "x"), at(0ms), batch);
  for (const char* filter : {"#", "a"}) {
    const auto replay = retained.replay(filter, at(0ms).steady);
    std::size_t budget = 0;
    CHECK_FALSE(replay->next(budget));
    CHECK_FALSE(replay->done());
    budget = 1;
    CHECK(replay->next(budget));
    CHECK(budget == 0);
  }
}

TEST_CASE("A leading wildcard does not replay what begins with a dollar sign [MQTT-4.7.2-1]") {
  RetainedModule retained({}, 7);
  Batch batch;
  for (const char* topic : {"$SYS/a", "$SYS", "a/$SYS", "a"})
    retained.set(message(topic, "x"), at(0ms), batch);
  CHECK(replayed(retained, "#") == std::multiset<std::string>{"a", "a/$SYS"});
  CHECK(replayed(retained, "+") == std::multiset<std::string>{"a"});
  CHECK(replayed(retained, "+/#") == std::multiset<std::string>{"a", "a/$SYS"});
  CHECK(replayed(retained, "$SYS/#") == std::multiset<std::string>{"$SYS", "$SYS/a"});
}

TEST_CASE("An expired message is not found, not replayed, and forgotten when it is its turn") {
  RetainedModule retained({}, 8);
  MapStore store;
  Batch batch;
  for (int i = 0; i < 10; ++i) {
    retained.set(message("t/" + std::to_string(i), "x", at(Seconds(10 - i)).steady), at(0ms),
                 batch);
  }
  retained.set(message("t/forever", "x"), at(0ms), batch);
  CHECK(retained.find("t/9", at(999ms).steady));
  CHECK_FALSE(retained.find("t/9", at(1s).steady));
  CHECK(replayed(retained, "t/+", at(5s)).size() == 6);
  retained.expire(at(5s), 3, batch);
  CHECK(retained.messages() == 8);
  retained.expire(at(5s), kAll, batch);
  CHECK(retained.messages() == 6);
  REQUIRE(store.commit(batch, Durability::None));
  CHECK(store.entries.size() == 6);
  retained.expire(at(1h), kAll, batch);
  CHECK(retained.messages() == 1);
}

TEST_CASE("A newer message for the topic has an expiry of its own") {
  RetainedModule retained({}, 9);
  Batch batch;
  retained.set(message("a", "1", at(1s).steady), at(0ms), batch);
  retained.set(message("a", "2", at(9s).steady), at(0ms), batch);
  retained.set(message("b", "1", at(9s).steady), at(0ms), batch);
  retained.set(message("b", "2"), at(0ms), batch);
  retained.expire(at(5s), kAll, batch);
  CHECK(retained.messages() == 2);
  retained.expire(at(10s), kAll, batch);
  CHECK(retained.find("b", at(10s).steady)->payload() == "2");
  CHECK(retained.messages() == 1);
  CHECK(retained.set(message("b", "3", at(1s).steady), at(10s), batch) == Stored::Removed);
}

TEST_CASE("Expiry keeps the order of deadlines through many changes") {
  std::mt19937 random(10);
  RetainedModule retained({}, 10);
  std::map<std::string, Instant> deadlines;
  Batch batch;
  for (int i = 0; i < 5000; ++i) {
    const std::string topic = std::to_string(random() % 300);
    const Instant due = random() % 4 == 0 ? kNever : at(Milliseconds(1 + random() % 10'000)).steady;
    const bool gone = random() % 4 == 0;
    retained.set(message(topic, gone ? "" : "x", due), at(0ms), batch);
    if (gone) {
      deadlines.erase(topic);
    } else {
      deadlines[topic] = due;
    }
  }
  for (Milliseconds t = 0ms; t <= 11s; t += 250ms) {
    retained.expire(at(t), kAll, batch);
    std::erase_if(deadlines, [&](const auto& entry) { return entry.second <= at(t).steady; });
    REQUIRE(retained.messages() == deadlines.size());
  }
}

TEST_CASE("A full store refuses what would make it larger, and nothing else") {
  RetainedModule retained({.messages_max = 2, .bytes_max = 100'000}, 11);
  Batch batch;
  retained.set(message("a", "x"), at(0ms), batch);
  retained.set(message("b", "x"), at(0ms), batch);
  const std::size_t changes = batch.size();
  CHECK(retained.set(message("c", "x"), at(0ms), batch) == Stored::Full);
  CHECK(batch.size() == changes);
  CHECK_FALSE(retained.find("c", at(0ms).steady));
  CHECK(retained.set(message("a", "yy"), at(0ms), batch) == Stored::Stored);
  CHECK(retained.set(message("a", std::string(100'000, 'x')), at(0ms), batch) == Stored::Full);
  CHECK(retained.find("a", at(0ms).steady)->payload() == "yy");
  CHECK(retained.set(message("b", ""), at(0ms), batch) == Stored::Removed);
  CHECK(retained.set(message("c", "x"), at(0ms), batch) == Stored::Stored);
}

TEST_CASE("A full store makes room by forgetting what has expired") {
  RetainedModule retained({.messages_max = 1, .bytes_max = 100'000}, 12);
  Batch batch;
  retained.set(message("a", "x", at(1s).steady), at(0ms), batch);
  CHECK(retained.set(message("b", "x"), at(999ms), batch) == Stored::Full);
  CHECK(retained.set(message("b", "x"), at(1s), batch) == Stored::Stored);
  CHECK(retained.messages() == 1);
}

TEST_CASE("What was stored comes back after a restart, for the shard it belongs to") {
  MapStore store;
  {
    RetainedModule retained({}, 13);
    Batch batch;
    for (const char* topic : {"mine/1", "mine/2", "other/1"}) {
      retained.set(message(topic, topic, at(60s).steady), at(0ms), batch);
    }
    REQUIRE(store.commit(batch, Durability::None));
  }
  store.entries["q"] = "of somebody else";
  store.entries["s"] = "of somebody else";
  RetainedModule retained({}, 14);
  const auto mine = [](std::string_view topic) { return topic.starts_with("mine"); };
  REQUIRE(retained.restore(store, at(30s), mine));
  CHECK(replayed(retained, "#", at(30s)) == std::multiset<std::string>{"mine/1", "mine/2"});
  CHECK(retained.find("mine/1", at(30s).steady)->payload() == "mine/1");
  CHECK(retained.find("mine/1", at(30s).steady)->expires_at() == at(60s).steady);
  CHECK(retained.corrupt_records() == 0);
}

TEST_CASE(
    "What the broker tells of itself is kept in memory alone, and old records of it are erased") {
  MapStore store;
  {
    RetainedModule retained({}, 1);
    Batch batch;
    CHECK(retained.set(message("$SYS/broker/uptime", "1"), at(0ms), batch) == Stored::Stored);
    CHECK(retained.find("$SYS/broker/uptime", at(0ms).steady)->payload() == "1");
    CHECK(retained.set(message("$SYS/broker/uptime", ""), at(0ms), batch) == Stored::Removed);
    CHECK(batch.empty());
    retained.set(message("$SYSTEM", "is somebody's own"), at(0ms), batch);
    CHECK(batch.size() == 1);
    REQUIRE(store.commit(batch, Durability::None).has_value());
  }
  // As it was written once.
  store.entries[records::kRetainedPrefix + std::string("$SYS/broker/uptime")] =
      store.entries.begin()->second;
  RetainedModule retained({}, 1);
  REQUIRE(retained.restore(store, at(0ms), everything).has_value());
  CHECK(retained.messages() == 1);
  CHECK(retained.find("$SYSTEM", at(0ms).steady));
  CHECK(store.entries.size() == 1);
  CHECK(retained.corrupt_records() == 0);
}

TEST_CASE("What expired while the broker was away is not shown, and leaves the store") {
  MapStore store;
  Batch batch;
  RetainedModule({}, 15).set(message("a", "x", at(1s).steady), at(0ms), batch);
  REQUIRE(store.commit(batch, Durability::None));
  RetainedModule retained({}, 15);
  REQUIRE(retained.restore(store, at(1h), everything));
  CHECK_FALSE(retained.find("a", at(1h).steady));
  batch.clear();
  retained.expire(at(1h), kAll, batch);
  REQUIRE(store.commit(batch, Durability::None));
  CHECK(store.entries.empty());
}

TEST_CASE("Records that do not verify are counted and left out") {
  MapStore store;
  Batch batch;
  RetainedModule source({}, 16);
  source.set(message("good", "x"), at(0ms), batch);
  source.set(message("bad", "x"), at(0ms), batch);
  REQUIRE(store.commit(batch, Durability::None));
  store.entries["rbad"].resize(store.entries["rbad"].size() / 2);
  store.entries["relsewhere"] = store.entries["rgood"];
  RetainedModule retained({}, 16);
  REQUIRE(retained.restore(store, at(0ms), everything));
  CHECK(replayed(retained, "#") == std::multiset<std::string>{"good"});
  CHECK(retained.corrupt_records() == 2);
}
