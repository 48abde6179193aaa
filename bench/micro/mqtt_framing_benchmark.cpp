// Bytes -> frames: a read buffer full of PUBLISH packets.

#include <benchmark/benchmark.h>
#include <string>

#include "mqtt/encode.hpp"
#include "mqtt/framing.hpp"

namespace {

using namespace twinmq::mqtt;

void frames_of_a_buffer(benchmark::State& state) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  Publish packet;
  packet.topic = "plant/7/temperature";
  packet.payload = payload;
  std::string one;
  append(one, packet, Version::V311);
  constexpr int kPackets = 64;
  std::string buffer;
  for (int i = 0; i < kPackets; ++i) buffer += one;
  for (auto _ : state) {
    twinmq::ByteView left = twinmq::bytes_of(buffer);
    while (!left.empty()) {
      const Framing framing = next_frame(left, kRemainingLengthMax);
      benchmark::DoNotOptimize(framing.frame.body.data());
      left = left.subspan(framing.size);
    }
  }
  state.SetItemsProcessed(state.iterations() * kPackets);
}
BENCHMARK(frames_of_a_buffer)->ArgName("payload")->Arg(16)->Arg(1024)->Arg(65'536);

}  // namespace
