// RetainedModule: keeping, replacing, finding and replaying messages, and the memory of the index
// over them.

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "modules/retained/retained_module.hpp"

using namespace twinmq;
using retained::RetainedModule;

namespace {

const std::string kPayload(64, 'x');

MessageRef message(std::uint64_t i) {
  const std::string topic = "device/" + std::to_string(1'000'000 + i) + "/status";
  return Message::make({.topic = topic, .payload = kPayload, .retain = true});
}

std::vector<MessageRef> messages(std::int64_t count) {
  std::vector<MessageRef> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back(message(static_cast<std::uint64_t>(i)));
  return all;
}

/// A shard's batch is handed over each turn.
void keep(RetainedModule& retained, const MessageRef& message, Batch& batch) {
  if (batch.size() >= 1000) batch.clear();
  benchmark::DoNotOptimize(retained.set(message, {}, batch));
}

void BM_SetNew(benchmark::State& state) {
  const auto all = messages(state.range(0));
  double bytes = 0;
  for (auto _ : state) {
    Batch batch;
    RetainedModule retained({}, 7);
    for (const MessageRef& one : all) keep(retained, one, batch);
    state.PauseTiming();
    bytes = static_cast<double>(retained.index_bytes()) / static_cast<double>(all.size());
    state.ResumeTiming();
  }
  state.counters["index bytes/message"] = bytes;
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_SetNew)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

void BM_SetAgain(benchmark::State& state) {
  const auto all = messages(state.range(0));
  Batch batch;
  RetainedModule retained({}, 7);
  for (const MessageRef& one : all) keep(retained, one, batch);
  std::mt19937_64 random(1);
  for (auto _ : state) keep(retained, all[random() % all.size()], batch);
}
BENCHMARK(BM_SetAgain)->Arg(1'000)->Arg(1'000'000);

void replay(benchmark::State& state, const char* filter) {
  Batch batch;
  RetainedModule retained({}, 7);
  for (const MessageRef& one : messages(state.range(0))) keep(retained, one, batch);
  std::uint64_t found = 0;
  for (auto _ : state) {
    const auto walk = retained.replay(filter, {});
    while (!walk->done()) {
      std::size_t budget = 256;
      while (walk->next(budget)) ++found;
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(found));
}
void BM_ReplayAll(benchmark::State& state) {
  replay(state, "device/+/status");
}
BENCHMARK(BM_ReplayAll)->Arg(1'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
void BM_ReplayOne(benchmark::State& state) {
  replay(state, "device/1000500/status");
}
BENCHMARK(BM_ReplayOne)->Arg(1'000)->Arg(1'000'000);
void BM_ReplayBranch(benchmark::State& state) {
  replay(state, "device/1000500/#");
}
BENCHMARK(BM_ReplayBranch)->Arg(1'000)->Arg(1'000'000);

}  // namespace
