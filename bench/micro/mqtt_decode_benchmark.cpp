// Frame -> packet, and the checks of text that it rests on.

#include <benchmark/benchmark.h>
#include <string>

#include "mqtt/decode.hpp"
#include "mqtt/encode.hpp"
#include "mqtt/topic.hpp"

namespace {

using namespace twinmq::mqtt;

constexpr std::string_view kTopic = "plant/7/temperature";
constexpr std::string_view kPayload = "0123456789abcdef";

Version version_of(const benchmark::State& state) {
  return state.range(0) == 5 ? Version::V5 : Version::V311;
}

void decode_again_and_again(benchmark::State& state, const Publish& packet) {
  const Version version = version_of(state);
  std::string bytes;
  append(bytes, packet, version);
  const Frame frame = next_frame(twinmq::bytes_of(bytes), kRemainingLengthMax).frame;
  const DecodeLimits limits;
  std::string scratch;
  for (auto _ : state) {
    const Decoded<Publish> decoded = decode_publish(frame, version, limits, scratch);
    if (!decoded) state.SkipWithError("refused");
    benchmark::DoNotOptimize(decoded->payload.data());
  }
}

void publish_of_16_bytes(benchmark::State& state) {
  Publish packet;
  packet.topic = kTopic;
  packet.payload = kPayload;
  packet.qos = static_cast<twinmq::QoS>(state.range(1));
  packet.packet_id = 7;
  decode_again_and_again(state, packet);
}
BENCHMARK(publish_of_16_bytes)->ArgNames({"version", "qos"})->ArgsProduct({{4, 5}, {0, 1}});

void publish_with_properties(benchmark::State& state) {
  Publish packet;
  packet.topic = kTopic;
  packet.payload = kPayload;
  packet.properties = std::string_view(
      "\x03\0\x10"
      "application/json\x26\0\x02ka\0\x03val\x26\0\x02kb\0\x03val",
      39);
  packet.expiry_seconds = 60U;
  decode_again_and_again(state, packet);
}
BENCHMARK(publish_with_properties)->ArgName("version")->Arg(5);

void puback(benchmark::State& state) {
  const std::string bytes("\x40\x02\x00\x01", 4);
  const Frame frame = next_frame(twinmq::bytes_of(bytes), kRemainingLengthMax).frame;
  for (auto _ : state) {
    const Decoded<Ack> decoded = decode_ack(frame, version_of(state));
    benchmark::DoNotOptimize(decoded->packet_id);
  }
}
BENCHMARK(puback)->ArgName("version")->Arg(4)->Arg(5);

void topic_name(benchmark::State& state) {
  const std::string name = std::string(static_cast<std::size_t>(state.range(0)) - 1, 'a') + 'b';
  for (auto _ : state) benchmark::DoNotOptimize(is_valid_topic_name(name, 128));
}
BENCHMARK(topic_name)->ArgName("bytes")->Arg(3)->Arg(8)->Arg(19)->Arg(32)->Arg(64)->Arg(256);

void utf8_text(benchmark::State& state, std::string_view piece) {
  std::string text;
  while (text.size() < 1024) text += piece;
  for (auto _ : state) benchmark::DoNotOptimize(is_valid_text(text));
  state.SetBytesProcessed(static_cast<std::int64_t>(text.size()) * state.iterations());
}
BENCHMARK_CAPTURE(utf8_text, ascii, "the quick brown fox ");
BENCHMARK_CAPTURE(utf8_text, german, "schöne Grüße über ");
BENCHMARK_CAPTURE(utf8_text, chinese, "温度传感器");

void filter_match(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(matches("plant/+/temperature/#", "plant/7/temperature/inside"));
}
BENCHMARK(filter_match);

}  // namespace
