#include "base/slot_map.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "base/prng.hpp"

using twinmq::base::Prng;
using twinmq::base::SlotKey;
using twinmq::base::SlotMap;

TEST_CASE("the default slot key names nothing", "[base][slot_map]") {
  SlotMap<int> map;
  CHECK_FALSE(SlotKey{});
  CHECK(map.get(SlotKey{}) == nullptr);
  const SlotKey first = map.insert(7);
  CHECK(first);
  CHECK(map.get(SlotKey{}) == nullptr);
  CHECK(*map.get(first) == 7);
  CHECK(SlotKey::from_value(first.value()) == first);
}

TEST_CASE("a slot key outlives its object without naming the successor", "[base][slot_map]") {
  SlotMap<std::string> map;
  const SlotKey old = map.insert("old");
  CHECK(map.erase(old));
  CHECK_FALSE(map.erase(old));
  const SlotKey young = map.insert("young");
  CHECK(young.index == old.index);
  CHECK(map.get(old) == nullptr);
  CHECK(*map.get(young) == "young");
}

TEST_CASE("a slot map agrees with std::map under random use and never moves an object",
          "[base][slot_map]") {
  Prng random(11);
  SlotMap<std::string> map;
  std::map<SlotKey, std::pair<std::string, std::string*>> model;
  std::vector<SlotKey> gone;
  for (int step = 0; step < 50'000; ++step) {
    if (model.empty() || random.chance(0.52)) {
      const std::string text = "entry number " + std::to_string(step);
      const SlotKey key = map.insert(text);
      REQUIRE(model.emplace(key, std::pair(text, map.get(key))).second);
    } else {
      auto victim =
          model.lower_bound(SlotKey{static_cast<std::uint32_t>(random.below(model.size())), 0});
      if (victim == model.end()) victim = model.begin();
      REQUIRE(map.erase(victim->first));
      gone.push_back(victim->first);
      model.erase(victim);
    }
  }
  REQUIRE(map.size() == model.size());
  for (const auto& [key, entry] : model) {
    REQUIRE(map.get(key) == entry.second);
    REQUIRE(*map.get(key) == entry.first);
  }
  for (const SlotKey key : gone) REQUIRE(map.get(key) == nullptr);
  std::size_t met = 0;
  map.for_each([&](SlotKey key, std::string& text) {
    ++met;
    REQUIRE(model.at(key).first == text);
  });
  CHECK(met == model.size());
}

namespace {
struct Watcher {
  SlotMap<Watcher>* map;
  SlotKey* own_key;
  bool* seen_while_dying;
  ~Watcher() { *seen_while_dying = map->get(*own_key) != nullptr; }
};
}  // namespace

TEST_CASE("an object that is being destroyed can no longer be found", "[base][slot_map]") {
  SlotMap<Watcher> map;
  SlotKey key;
  bool seen = true;
  key = map.insert(&map, &key, &seen);
  map.erase(key);
  CHECK_FALSE(seen);
}

TEST_CASE("a visitor may erase what it visits", "[base][slot_map]") {
  SlotMap<int> map;
  for (int i = 0; i < 1000; ++i) map.insert(i);
  map.for_each([&](SlotKey key, int value) {
    if (value % 2) map.erase(key);
  });
  CHECK(map.size() == 500);
}
