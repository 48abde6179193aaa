// What a shadow request costs without its surroundings: merge, difference, whole updates and gets
// of a document of 256 bytes.

#include <benchmark/benchmark.h>

#include <optional>
#include <string>

#include "modules/shadow/shadow_machine.hpp"

namespace twinmq::shadow {
namespace {

// Ten readings and ten wishes: about 256 bytes of state.
std::string full_update(int value) {
  std::string desired;
  std::string reported;
  for (int i = 0; i < 10; ++i) {
    const std::string separator = i == 0 ? "" : ",";
    desired += separator + "\"key" + std::to_string(i) + "\":" + std::to_string(i + value % 7);
    reported += separator + "\"key" + std::to_string(i) + "\":" + std::to_string(i);
  }
  return R"({"state":{"desired":{)" + desired + R"(},"reported":{)" + reported + "}}}";
}

struct Stored {
  explicit Stored(ShadowMachine& machine) {
    record = machine.handle({Operation::Update, {"thing", ""}, full_update(1), 1'700'000'000}, {})
                 .record;
  }
  std::string record;
};

void update(benchmark::State& state) {
  ShadowMachine machine{ShadowRules{}};
  Stored stored(machine);
  const std::string payload =
      R"({"state":{"reported":{"key3":17,"key7":"on"}},"clientToken":"4711"})";
  for (auto _ : state) {
    Outcome& outcome =
        machine.handle({Operation::Update, {"thing", ""}, payload, 1'700'000'001}, stored.record);
    benchmark::DoNotOptimize(outcome.messages.data());
    stored.record.swap(outcome.record);
  }
}
BENCHMARK(update);

void update_everything(benchmark::State& state) {
  ShadowMachine machine{ShadowRules{}};
  Stored stored(machine);
  const std::string payload = full_update(3);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        machine.handle({Operation::Update, {"thing", ""}, payload, 1'700'000'001}, stored.record)
            .code);
}
BENCHMARK(update_everything);

void get(benchmark::State& state) {
  ShadowMachine machine{ShadowRules{}};
  Stored stored(machine);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        machine.handle({Operation::Get, {"thing", ""}, {}, 1'700'000'001}, stored.record).code);
}
BENCHMARK(get);

void merge(benchmark::State& state) {
  JsonReader reader;
  Arena texts;
  Node old;
  Node patch;
  reader.read(R"({"a":1,"b":{"c":"x","d":[1,2,3]},"e":true,"f":2.5})", 1, texts, old);
  reader.read(R"({"b":{"c":"y","e":null},"f":3})", 2, texts, patch);
  const SectionChange change{SectionChange::Kind::Merged, patch};
  Arena arena;
  for (auto _ : state) {
    benchmark::DoNotOptimize(merged(old, change, {}, arena));
    arena.reset();
  }
}
BENCHMARK(merge);

void delta(benchmark::State& state) {
  JsonReader reader;
  Arena texts;
  Node desired;
  Node reported;
  reader.read(R"({"a":1,"b":{"c":"x","d":[1,2,3]},"e":true,"f":2.5})", 1, texts, desired);
  reader.read(R"({"a":1.0,"b":{"c":"y","d":[1,2,3]},"e":false,"f":2.5})", 2, texts, reported);
  Arena arena;
  for (auto _ : state) {
    benchmark::DoNotOptimize(difference(desired, reported, arena));
    arena.reset();
  }
}
BENCHMARK(delta);

}  // namespace
}  // namespace twinmq::shadow
