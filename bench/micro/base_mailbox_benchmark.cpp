// What it costs to pass letters between two shards: the exchange alone, and two threads that answer
// each other.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/mailbox.hpp"

namespace {

using twinmq::base::MailExchange;

struct Letter {
  std::uint64_t words[12];
};

void hand_over_and_take(benchmark::State& state) {
  MailExchange<Letter> mail(2);
  const auto letters = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    auto& outbox = mail.outbox(0, 1);
    for (std::size_t i = 0; i < letters; ++i) outbox.push_back(Letter{{i}});
    mail.hand_over(0, 1);
    auto* batch = mail.take(1, 0);
    for (const Letter& letter : *batch) benchmark::DoNotOptimize(letter.words[0]);
    mail.give_back(1, 0, batch);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(hand_over_and_take)->Arg(1)->Arg(16)->Arg(256);

void take_from_empty_places(benchmark::State& state) {
  const auto shards = static_cast<unsigned>(state.range(0));
  MailExchange<Letter> mail(shards);
  for (auto _ : state)
    for (unsigned from = 0; from < shards; ++from) benchmark::DoNotOptimize(mail.take(0, from));
}
BENCHMARK(take_from_empty_places)->Arg(2)->Arg(8)->Arg(64);

void stream_between_threads(benchmark::State& state) {
  MailExchange<Letter> mail(2);
  const auto letters = static_cast<std::size_t>(state.range(0));
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      if (auto* batch = mail.take(1, 0)) {
        for (const Letter& letter : *batch) benchmark::DoNotOptimize(letter.words[0]);
        mail.give_back(1, 0, batch);
      } else {
        std::this_thread::yield();
      }
    }
  });
  for (auto _ : state) {
    auto& outbox = mail.outbox(0, 1);
    for (std::size_t i = 0; i < letters; ++i) outbox.push_back(Letter{{i}});
    while (!mail.hand_over(0, 1)) std::this_thread::yield();
  }
  stop = true;
  reader.join();
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(stream_between_threads)->Arg(16)->Arg(256)->UseRealTime();

}  // namespace
