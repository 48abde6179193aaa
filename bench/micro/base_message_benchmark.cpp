// Making and ending messages, against what malloc and free alone cost for blocks of that size.
#include <benchmark/benchmark.h>

#include <new>
#include <string>
#include <vector>

#include <twinmq/message.hpp>

namespace {

using twinmq::Message;
using twinmq::MessageParts;
using twinmq::MessageRef;

const std::string kText(1000, 'x');

MessageParts parts_of(std::int64_t payload) {
  MessageParts parts;
  parts.topic = "plant/line7/sensor/temp";
  parts.payload = std::string_view(kText).substr(0, static_cast<std::size_t>(payload));
  return parts;
}

void make_and_end(benchmark::State& state) {
  const MessageParts parts = parts_of(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Message::make(parts).get());
}
BENCHMARK(make_and_end)->Arg(16)->Arg(64)->Arg(256)->Arg(1000);

void make_and_end_many(benchmark::State& state) {
  const MessageParts parts = parts_of(state.range(0));
  std::vector<MessageRef> messages(256);
  for (auto _ : state) {
    for (MessageRef& message : messages) message = Message::make(parts);
    for (MessageRef& message : messages) message = MessageRef();
  }
  state.SetItemsProcessed(state.iterations() * 256);
}
BENCHMARK(make_and_end_many)->Arg(64)->Arg(256);

void malloc_and_free(benchmark::State& state) {
  for (auto _ : state) {
    void* block = ::operator new(static_cast<std::size_t>(state.range(0)));
    benchmark::DoNotOptimize(block);
    ::operator delete(block);
  }
}
BENCHMARK(malloc_and_free)->Arg(128)->Arg(320);

}  // namespace
