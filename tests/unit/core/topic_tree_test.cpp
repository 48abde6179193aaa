#include "core/topic_tree.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>

#include <catch2/catch.hpp>

using namespace twinmq;
using core::Matches;
using core::Subscriber;
using core::Subscription;
using core::TopicTree;

namespace {

Subscriber* subscriber(std::size_t number) {
  return reinterpret_cast<Subscriber*>(0x1000 + 16 * static_cast<std::uintptr_t>(number));
}

Subscription subscription(std::size_t number, std::uint32_t id = 0) {
  return {subscriber(number), id, QoS::AtLeastOnce, false, false};
}

std::vector<std::string> split(const std::string& text) {
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

/// Section 4.7 word by word.
bool matches_by_the_book(const std::string& filter, const std::string& topic) {
  const auto f = split(filter);
  const auto t = split(topic);
  if (topic.starts_with('$') && (f[0] == "+" || f[0] == "#")) return false;
  for (std::size_t i = 0; i < f.size(); ++i) {
    if (f[i] == "#") return true;
    if (i >= t.size()) return false;
    if (f[i] != "+" && f[i] != t[i]) return false;
    if (i + 1 == f.size() - 1 && f[i + 1] == "#" && t.size() == i + 1) return true;
  }
  return f.size() == t.size();
}

std::multiset<std::pair<const Subscriber*, std::uint32_t>> found(const TopicTree& tree,
                                                                 std::string_view topic) {
  Matches matches;
  tree.match(topic, matches);
  std::multiset<std::pair<const Subscriber*, std::uint32_t>> result;
  for (const auto list : matches.lists) {
    for (const Subscription& s : list) result.emplace(s.subscriber, s.subscription_id);
  }
  return result;
}

std::size_t hits(const TopicTree& tree, std::string_view topic) {
  return found(tree, topic).size();
}

/// What a tree should hold, kept in the plainest way.
struct Model {
  std::map<std::pair<std::string, std::size_t>, std::uint32_t> subscriptions;
  std::map<std::string, std::uint64_t> interest;

  bool has(const std::string& filter) const {
    const auto at = subscriptions.lower_bound({filter, 0});
    return at != subscriptions.end() && at->first.first == filter;
  }
};

void compare(const TopicTree& tree, const Model& model, const std::string& topic) {
  std::multiset<std::pair<const Subscriber*, std::uint32_t>> expected;
  for (const auto& [key, id] : model.subscriptions) {
    if (matches_by_the_book(key.first, topic)) expected.emplace(subscriber(key.second), id);
  }
  std::uint64_t shards = 0;
  for (const auto& [filter, mask] : model.interest) {
    if (matches_by_the_book(filter, topic)) shards |= mask;
  }
  Matches matches;
  tree.match(topic, matches);
  INFO(topic);
  REQUIRE(matches.shards == shards);
  REQUIRE(found(tree, topic) == expected);
}

class Texts {
 public:
  Texts(std::uint64_t seed, unsigned levels_max) : random_(seed), levels_max_(levels_max) {}

  unsigned below(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

  std::string topic() { return join(false); }
  std::string filter() { return join(true); }

 private:
  std::string join(bool wildcards) {
    static const std::array<const char*, 7> kTokens = {
        "a", "b", "", "$x", "longer-than-sixteen-bytes", "c", "dd"};
    const unsigned levels = 1 + below(levels_max_);
    std::string text;
    for (unsigned i = 0; i < levels; ++i) {
      if (i > 0) text += '/';
      const unsigned dice = below(10);
      if (wildcards && dice < 3) {
        text += '+';
      } else if (wildcards && dice == 3) {
        return text + '#';
      } else {
        text += kTokens[below(kTokens.size())];
      }
    }
    return text.empty() ? "/" : text;
  }

  std::mt19937_64 random_;
  unsigned levels_max_;
};

void play(std::uint64_t seed, unsigned levels_max, int rounds) {
  Texts texts(seed, levels_max);
  TopicTree tree(seed);
  Model model;
  std::vector<std::pair<std::string, std::size_t>> present;
  for (int round = 0; round < rounds; ++round) {
    const std::string filter = texts.filter();
    const std::size_t who = texts.below(5);
    const unsigned dice = texts.below(100);
    const std::uint64_t version = tree.version();
    if (dice < 45) {
      const auto id = static_cast<std::uint32_t>(texts.below(3));
      const bool first = !model.has(filter);
      const bool replaced = model.subscriptions.contains({filter, who});
      const auto added = tree.subscribe(filter, subscription(who, id));
      REQUIRE(added.first_here == first);
      REQUIRE(added.replaced == replaced);
      REQUIRE(tree.text(added.filter) == filter);
      REQUIRE(tree.find(added.filter, subscriber(who))->subscription_id == id);
      REQUIRE(tree.version() > version);
      model.subscriptions[{filter, who}] = id;
    } else if (dice < 85 && !model.subscriptions.empty()) {
      auto victim = model.subscriptions.lower_bound({filter, who});
      if (victim == model.subscriptions.end()) victim = model.subscriptions.begin();
      const auto [text, number] = victim->first;
      model.subscriptions.erase(victim);
      const auto removed = tree.unsubscribe(text, subscriber(number));
      REQUIRE(removed);
      REQUIRE(removed->last_here == !model.has(text));
      REQUIRE(tree.version() > version);
      REQUIRE(tree.find(text, subscriber(number)) == nullptr);
    } else if (dice < 95) {
      const unsigned shard = texts.below(64);
      const bool wanted = texts.below(2) == 0;
      tree.set_interest(filter, shard, wanted);
      const std::uint64_t bit = std::uint64_t{1} << shard;
      model.interest[filter] =
          wanted ? model.interest[filter] | bit : model.interest[filter] & ~bit;
    } else {
      REQUIRE_FALSE(tree.unsubscribe(filter, subscriber(99)));
    }
    REQUIRE(tree.subscriptions() == model.subscriptions.size());
    compare(tree, model, texts.topic());
  }
  std::set<std::string> expected;
  for (const auto& [key, id] : model.subscriptions) expected.insert(key.first);
  std::set<std::string> filters;
  tree.for_each_filter([&](std::string_view filter) { filters.emplace(filter); });
  REQUIRE(filters == expected);
  REQUIRE(tree.filters() == expected.size());
}

}  // namespace

TEST_CASE("A tree under random changes finds what the book says") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) play(seed, 4, 800);
}

TEST_CASE("Deep filters of many shapes are found as well") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) play(seed, 9, 800);
}

TEST_CASE("Wildcards match as the specification's examples say") {
  TopicTree tree(1);
  tree.subscribe("sport/tennis/player1/#", subscription(1));
  CHECK(hits(tree, "sport/tennis/player1") == 1);
  CHECK(hits(tree, "sport/tennis/player1/ranking") == 1);
  CHECK(hits(tree, "sport/tennis/player1/score/wimbledon") == 1);
  CHECK(hits(tree, "sport/tennis/player2") == 0);
  tree.subscribe("sport/+", subscription(1));
  CHECK(hits(tree, "sport") == 0);
  CHECK(hits(tree, "sport/") == 1);
  tree.subscribe("+/+", subscription(2));
  tree.subscribe("/+", subscription(3));
  tree.subscribe("+", subscription(4));
  CHECK(hits(tree, "/finance") == 2);
  CHECK(hits(tree, "finance") == 1);
}

TEST_CASE("A leading wildcard does not see topics that begin with a dollar sign [MQTT-4.7.2-1]") {
  TopicTree tree(2);
  for (const char* filter : {"#", "+/monitor/Clients", "+/#", "+"})
    tree.subscribe(filter, subscription(1));
  CHECK(hits(tree, "$SYS/monitor/Clients") == 0);
  CHECK(hits(tree, "$SYS") == 0);
  CHECK(hits(tree, "a/$SYS") == 2);
  tree.subscribe("$SYS/#", subscription(2));
  tree.subscribe("$SYS/monitor/+", subscription(3));
  CHECK(hits(tree, "$SYS/monitor/Clients") == 2);
}

TEST_CASE("Subscribing again replaces the options of a subscription") {
  TopicTree tree;
  const auto first = tree.subscribe("a/+", {subscriber(1), 7, QoS::AtMostOnce, false, false});
  CHECK(first.first_here);
  CHECK_FALSE(first.replaced);
  const auto second = tree.subscribe("a/+", {subscriber(1), 8, QoS::ExactlyOnce, true, true});
  CHECK_FALSE(second.first_here);
  CHECK(second.replaced);
  CHECK(second.filter == first.filter);
  const Subscription* const now = tree.find("a/+", subscriber(1));
  REQUIRE(now);
  CHECK(now->subscription_id == 8);
  CHECK(now->qos == QoS::ExactlyOnce);
  CHECK(now->no_local);
  CHECK(now->retain_as_published);
  CHECK(tree.subscriptions() == 1);
}

TEST_CASE("A filter that only another shard wants matches without a list") {
  TopicTree tree;
  tree.set_interest("a/#", 63, true);
  tree.set_interest("a/#", 0, true);
  Matches matches;
  tree.match("a/b", matches);
  CHECK(matches.lists.empty());
  CHECK(matches.shards == (std::uint64_t{1} << 63 | 1));
  CHECK(tree.filters() == 0);
  CHECK(tree.subscribe("a/#", subscription(1)).first_here);
  CHECK(tree.unsubscribe("a/#", subscriber(1))->last_here);
  tree.set_interest("a/#", 63, false);
  matches.clear();
  tree.match("a/b", matches);
  CHECK(matches.shards == 1);
}

TEST_CASE("A filter with very many subscribers loses them in any order") {
  TopicTree tree(3);
  constexpr std::size_t kMany = 20'000;
  const auto filter = tree.subscribe("all/+", subscription(0)).filter;
  for (std::size_t i = 1; i < kMany; ++i) tree.subscribe("all/+", subscription(i));
  CHECK(hits(tree, "all/x") == kMany);
  for (std::size_t i = 0; i < kMany; i += 2) REQUIRE(tree.unsubscribe(filter, subscriber(i)));
  CHECK(hits(tree, "all/x") == kMany / 2);
  CHECK(tree.find(filter, subscriber(2)) == nullptr);
  CHECK(tree.find(filter, subscriber(3)) != nullptr);
  for (std::size_t i = kMany; i-- > 0;) {
    if (i % 2 == 1) REQUIRE(tree.unsubscribe(filter, subscriber(i)));
  }
  CHECK(tree.filters() == 0);
  CHECK(hits(tree, "all/x") == 0);
}

TEST_CASE("Coming and going does not make the tree grow") {
  TopicTree tree(4);
  std::mt19937_64 random(4);
  const auto filter = [](std::uint64_t i) {
    const std::string id = std::to_string(1'000'000'000 + i * 7919);
    switch (i % 5) {
      case 0: return "exact/" + id + "/x";
      case 1: return "device/" + id + "/+/telemetry";
      case 2: return "site/" + id + "/#";
      case 3: return "+/" + std::string(i % 90, 'x') + id;
      default: return "n/" + std::string(i % 70, '/') + "+/" + id;
    }
  };
  std::vector<std::uint64_t> live;
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    tree.subscribe(filter(i), subscription(i));
    live.push_back(i);
  }
  std::uint64_t next = live.size();
  const auto churn = [&] {
    for (int i = 0; i < 30'000; ++i) {
      std::uint64_t& victim = live[random() % live.size()];
      REQUIRE(tree.unsubscribe(filter(victim), subscriber(victim)));
      victim = next++;
      tree.subscribe(filter(victim), subscription(victim));
    }
  };
  churn();
  const std::size_t before = tree.footprint();
  churn();
  churn();
  CHECK(tree.footprint() <= before + before / 10);
  for (const std::uint64_t i : live) REQUIRE(tree.unsubscribe(filter(i), subscriber(i)));
  CHECK(tree.filters() == 0);
  CHECK(tree.footprint() < before / 10);
}

TEST_CASE("A hundred and more levels are matched") {
  TopicTree tree(5);
  std::string topic = "a";
  for (int i = 0; i < 200; ++i) topic += "/a";
  std::string late_plus = topic;
  late_plus.replace(2 * 150, 1, "+");
  std::string early_plus = topic;
  early_plus.replace(2 * 10, 1, "+");
  tree.subscribe(topic, subscription(1));
  tree.subscribe(late_plus, subscription(2));
  tree.subscribe(early_plus, subscription(3));
  tree.subscribe(topic.substr(0, 2 * 64) + "#", subscription(4));
  tree.subscribe(topic.substr(0, 2 * 65) + "#", subscription(5));
  tree.subscribe(topic + "/#", subscription(6));
  CHECK(hits(tree, topic) == 6);
  CHECK(hits(tree, topic + "/b") == 3);
  CHECK(hits(tree, std::string(65'000, '/')) == 0);
  REQUIRE(tree.unsubscribe(late_plus, subscriber(2)));
  CHECK(hits(tree, topic) == 5);
}

TEST_CASE("A shape of many filters takes the place of a shape of few") {
  TopicTree tree(6);
  const auto odd = [](unsigned shape) {
    std::string filter = "x";
    for (unsigned bit = 0; bit < 6; ++bit) filter += (shape >> bit & 1) != 0 ? "/+" : "/y";
    return filter;
  };
  for (unsigned shape = 1; shape < 64; ++shape) tree.subscribe(odd(shape), subscription(shape));
  for (std::size_t i = 0; i < 500; ++i) {
    tree.subscribe("device/" + std::to_string(i) + "/+/telemetry", subscription(i));
  }
  CHECK(hits(tree, "x/y/y/y/y/y/y") == 63);
  for (std::size_t i = 0; i < 500; ++i) {
    REQUIRE(hits(tree, "device/" + std::to_string(i) + "/t/telemetry") == 1);
  }
  for (unsigned shape = 1; shape < 64; ++shape)
    REQUIRE(tree.unsubscribe(odd(shape), subscriber(shape)));
  CHECK(hits(tree, "x/y/y/y/y/y/y") == 0);
  CHECK(hits(tree, "device/7/t/telemetry") == 1);
}
