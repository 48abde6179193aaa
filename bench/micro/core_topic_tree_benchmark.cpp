// TopicTree: matching, subscribing and the memory it takes, at growing numbers of filters. The mix
// is a quarter exact filters, half device/{id}/+/telemetry and a quarter site/{id}/#, with one
// subscriber each.

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/topic_tree.hpp"

using namespace twinmq;
using core::TopicTree;

namespace {

core::Subscription subscription(std::uint64_t number) {
  return {reinterpret_cast<core::Subscriber*>(static_cast<std::uintptr_t>(0x1000 + 64 * number)), 0,
          QoS::AtLeastOnce, false, false};
}

std::string filter(std::uint64_t i) {
  const std::string id = std::to_string(1'000'000 + i);
  if (i % 4 == 0) return "building/" + id + "/light/set";
  if (i % 4 == 1) return "site/" + id + "/#";
  return "device/" + id + "/+/telemetry";
}

std::string topic(std::uint64_t i) {
  const std::string id = std::to_string(1'000'000 + i);
  if (i % 4 == 0) return "building/" + id + "/light/set";
  if (i % 4 == 1) return "site/" + id + "/floor/3/door";
  return "device/" + id + "/engine/telemetry";
}

/// Topics in one piece of memory, so that reading them costs little and is the same at every size.
struct Topics {
  explicit Topics(std::uint64_t filters) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 300'000; ++i) {
      text += topic(random() % filters);
      ends.push_back(text.size());
    }
  }
  std::string_view operator[](std::size_t i) const {
    const std::size_t from = i == 0 ? 0 : ends[i - 1];
    return std::string_view(text).substr(from, ends[i] - from);
  }
  std::string text;
  std::vector<std::size_t> ends;
};

void match(benchmark::State& state, unsigned odd_shapes) {
  const auto filters = static_cast<std::uint64_t>(state.range(0));
  TopicTree tree(7);
  for (unsigned shape = 1; shape <= odd_shapes; ++shape) {
    std::string odd = "x";
    for (unsigned bit = 0; bit < 8; ++bit) odd += (shape >> bit & 1) != 0 ? "/+" : "/y";
    for (unsigned i = 0; i < 10; ++i)
      tree.subscribe(odd + "/" + std::to_string(i), subscription(i));
  }
  for (std::uint64_t i = 0; i < filters; ++i) tree.subscribe(filter(i), subscription(i));
  const Topics topics(filters);
  core::Matches matches;
  std::size_t next = 0;
  std::uint64_t found = 0;
  for (auto _ : state) {
    matches.clear();
    tree.match(topics[next], matches);
    for (const auto list : matches.lists) found += list[0].subscriber != nullptr;
    if (++next == topics.ends.size()) next = 0;
  }
  state.counters["found"] =
      benchmark::Counter(static_cast<double>(found), benchmark::Counter::kAvgIterations);
  state.counters["bytes/filter"] =
      static_cast<double>(tree.footprint()) / static_cast<double>(filters);
}

void BM_Match(benchmark::State& state) {
  match(state, 0);
}
BENCHMARK(BM_Match)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Arg(1'000'000);

/// The table of shapes is taken by odd ones, and the fleet's filters lie in the trie.
void BM_MatchInTrie(benchmark::State& state) {
  match(state, 20);
}
BENCHMARK(BM_MatchInTrie)->Arg(1'000)->Arg(10'000)->Arg(100'000)->Arg(1'000'000);

void BM_MatchNothing(benchmark::State& state) {
  TopicTree tree(7);
  for (std::uint64_t i = 0; i < 100'000; ++i) tree.subscribe(filter(i), subscription(i));
  core::Matches matches;
  for (auto _ : state) {
    matches.clear();
    tree.match("other/1234567/engine/telemetry", matches);
    benchmark::DoNotOptimize(matches.lists.size());
  }
}
BENCHMARK(BM_MatchNothing);

void BM_Subscribe(benchmark::State& state) {
  const auto filters = static_cast<std::uint64_t>(state.range(0));
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < filters; ++i) texts.push_back(filter(i));
  for (auto _ : state) {
    state.PauseTiming();
    auto tree = std::make_unique<TopicTree>(7);
    state.ResumeTiming();
    for (std::uint64_t i = 0; i < filters; ++i) tree->subscribe(texts[i], subscription(i));
    state.PauseTiming();
    tree.reset();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Subscribe)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void BM_UnsubscribeSubscribe(benchmark::State& state) {
  const auto filters = static_cast<std::uint64_t>(state.range(0));
  TopicTree tree(7);
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; i < filters; ++i) {
    texts.push_back(filter(i));
    tree.subscribe(texts.back(), subscription(i));
  }
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const std::uint64_t i = random() % filters;
    tree.unsubscribe(texts[i], subscription(i).subscriber);
    tree.subscribe(texts[i], subscription(i));
  }
}
BENCHMARK(BM_UnsubscribeSubscribe)->Arg(1'000)->Arg(1'000'000);

/// One filter, 100,000 subscribers: leaving and coming back.
void BM_LeaveCrowd(benchmark::State& state) {
  TopicTree tree(7);
  for (std::uint64_t i = 0; i < 100'000; ++i) tree.subscribe("all/+", subscription(i));
  std::mt19937_64 random(1);
  for (auto _ : state) {
    const std::uint64_t i = random() % 100'000;
    tree.unsubscribe("all/+", subscription(i).subscriber);
    tree.subscribe("all/+", subscription(i));
  }
}
BENCHMARK(BM_LeaveCrowd);

}  // namespace
