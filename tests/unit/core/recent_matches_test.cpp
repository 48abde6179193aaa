#include "core/recent_matches.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace twinmq;
using namespace twinmq::core;

namespace {

Subscriber* subscriber(std::uintptr_t number) {
  return reinterpret_cast<Subscriber*>(16 * number);
}

std::size_t receivers(const TopicTree& tree, std::string_view topic) {
  Matches matches;
  tree.match(topic, matches);
  std::size_t count = 0;
  for (const auto list : matches.lists) count += list.size();
  return count;
}

}  // namespace

TEST_CASE("what was found for a topic is recalled until the tree changes") {
  const base::KeyedHash hash(1);
  RecentMatches recent(hash);
  const Subscription subscription{subscriber(1), 7, QoS::AtLeastOnce, false, false};
  Matches found;
  CHECK_FALSE(recent.recall("a/b", 1, found));
  found.lists.push_back({&subscription, 1});
  found.shards = 4;
  recent.remember("a/b", 1, found);

  Matches recalled;
  REQUIRE(recent.recall("a/b", 1, recalled));
  REQUIRE(recalled.lists.size() == 1);
  CHECK(recalled.lists.front().data() == &subscription);
  CHECK(recalled.shards == 4);

  Matches nothing;
  CHECK_FALSE(recent.recall("a/b", 2, nothing));
  CHECK_FALSE(recent.recall("a/c", 1, nothing));
  CHECK(nothing.lists.empty());
}

TEST_CASE(
    "topics without a receiver are recalled, topics of several filters and long ones are not") {
  const base::KeyedHash hash(1);
  RecentMatches recent(hash);
  Matches matches;
  CHECK_FALSE(recent.recall("nobody", 1, matches));
  recent.remember("nobody", 1, matches);
  CHECK(recent.recall("nobody", 1, matches));
  CHECK(matches.lists.empty());

  const Subscription subscription{subscriber(1), 0, QoS::AtMostOnce, false, false};
  Matches two;
  CHECK_FALSE(recent.recall("two", 1, two));
  two.lists.assign(2, {&subscription, 1});
  recent.remember("two", 1, two);
  CHECK_FALSE(recent.recall("two", 1, two));

  const std::string longer(RecentMatches::kTopicMax + 1, 'x');
  CHECK_FALSE(recent.recall(longer, 1, matches));
  recent.remember(longer, 1, matches);
  CHECK_FALSE(recent.recall(longer, 1, matches));
}

TEST_CASE("a tree asked about the same topic again sees every subscription that came or went") {
  TopicTree tree(3);
  const auto subscribe = [&](std::string_view filter, std::uintptr_t who) {
    tree.subscribe(filter, {subscriber(who), 0, QoS::AtMostOnce, false, false});
  };
  CHECK(receivers(tree, "a/b") == 0);
  subscribe("a/+", 1);
  CHECK(receivers(tree, "a/b") == 1);
  subscribe("a/+", 2);
  CHECK(receivers(tree, "a/b") == 2);
  subscribe("a/b", 3);
  CHECK(receivers(tree, "a/b") == 3);
  tree.unsubscribe("a/+", subscriber(1));
  tree.unsubscribe("a/b", subscriber(3));
  CHECK(receivers(tree, "a/b") == 1);
  Matches matches;
  tree.set_interest("#", 5, true);
  tree.match("a/b", matches);
  CHECK(matches.shards == std::uint64_t{1} << 5);
}
