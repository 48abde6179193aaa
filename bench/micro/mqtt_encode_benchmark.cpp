// Packet -> bytes: what a broker writes for every delivery.

#include <benchmark/benchmark.h>
#include <array>
#include <string>

#include "mqtt/encode.hpp"

namespace {

using namespace twinmq::mqtt;

constexpr std::string_view kTopic = "plant/7/temperature";

Version version_of(const benchmark::State& state) {
  return state.range(0) == 5 ? Version::V5 : Version::V311;
}

void publish_head(benchmark::State& state) {
  std::array<std::uint8_t, 256> memory{};
  PublishHead head;
  head.topic = kTopic;
  head.payload_size = 16;
  head.qos = static_cast<twinmq::QoS>(state.range(1));
  head.packet_id = 7;
  for (auto _ : state) {
    benchmark::DoNotOptimize(head);
    benchmark::DoNotOptimize(publish_head_size(head, version_of(state)));
    benchmark::DoNotOptimize(write_publish_head(head, version_of(state), memory.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(publish_head)->ArgNames({"version", "qos"})->ArgsProduct({{4, 5}, {0, 1}});

void publish_head_with_everything(benchmark::State& state) {
  std::array<std::uint8_t, 256> memory{};
  const std::array<std::uint32_t, 1> ids{300};
  PublishHead head;
  head.topic = kTopic;
  head.properties = std::string_view("\x01\x01\x26\0\x01k\0\x01v", 9);
  head.payload_size = 16;
  head.qos = twinmq::QoS::AtLeastOnce;
  head.packet_id = 7;
  head.topic_alias = 2;
  head.expiry_seconds = 60U;
  head.subscription_ids = ids;
  for (auto _ : state) {
    benchmark::DoNotOptimize(head);
    benchmark::DoNotOptimize(publish_head_size(head, Version::V5));
    benchmark::DoNotOptimize(write_publish_head(head, Version::V5, memory.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(publish_head_with_everything);

void puback(benchmark::State& state) {
  std::array<std::uint8_t, kAckSizeMax> memory{};
  PacketId id = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(write_ack(PacketType::Puback, ++id, twinmq::ReasonCode::Success,
                                       version_of(state), memory.data()));
    benchmark::ClobberMemory();
  }
}
BENCHMARK(puback)->ArgName("version")->Arg(4)->Arg(5);

void connack(benchmark::State& state) {
  Connack packet;
  packet.receive_maximum = std::uint16_t{64};
  packet.topic_alias_maximum = std::uint16_t{16};
  packet.assigned_client_id = "auto-0123456789";
  std::string out;
  for (auto _ : state) {
    out.clear();
    append(out, packet, Version::V5);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(connack);

}  // namespace
