// What a message costs inside one shard, without a socket: bytes of a hundred PUBLISH packets in,
// the receivers' bytes out, acknowledgements included.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/shard_core.hpp"
#include "mqtt/encode.hpp"

namespace {

using namespace twinmq;

constexpr int kBatch = 100;

class Bench {
 public:
  Bench() : mail_(1), core_(parts()) {}

  core::LinkKey connect(const std::string& client_id) {
    core_.begin_turn(now());
    const core::LinkKey link = core_.open({"127.0.0.1:1", "bench", nullptr, true, false});
    mqtt::Connect connect;
    connect.client_id = client_id;
    connect.receive_maximum = 65535;
    std::string bytes;
    mqtt::append(bytes, connect);
    core_.on_bytes(link, bytes_of(bytes));
    finish();
    return link;
  }

  void subscribe(core::LinkKey link, const std::string& filter, QoS qos) {
    mqtt::Subscribe subscribe;
    subscribe.packet_id = 1;
    subscribe.entries.push_back({filter, {qos}});
    std::string bytes;
    mqtt::append(bytes, subscribe, mqtt::Version::V5);
    turn(link, bytes);
  }

  /// One turn with bytes from one link; what goes out is dropped, as if sent.
  void turn(core::LinkKey link, const std::string& bytes) {
    core_.begin_turn(now());
    core_.on_bytes(link, bytes_of(bytes));
    finish();
  }

  Now now() { return {Instant(Milliseconds(time_ += 1)), WallTime(Milliseconds(time_))}; }

 private:
  core::ShardParts parts() {
    core::ShardParts parts;
    parts.mail = &mail_;
    parts.counters = &counters_;
    return parts;
  }

  void finish() {
    core_.end_turn();
    for (const core::LinkKey link : core_.effects().touched)
      if (base::OutBuffer* output = core_.output(link))
        output->consume(output->size(), core_.chunks());
    core_.effects().touched.clear();
  }

  core::Mail mail_;
  base::Counters counters_;
  std::int64_t time_ = 0;
  core::ShardCore core_;
};

std::string publishes(QoS qos, std::size_t payload) {
  std::string bytes;
  const std::string text(payload, 'x');
  for (int i = 0; i < kBatch; ++i) {
    mqtt::Publish publish;
    publish.topic = "bench/topic/7";
    publish.payload = text;
    publish.qos = qos;
    if (qos != QoS::AtMostOnce) publish.packet_id = static_cast<mqtt::PacketId>(i + 1);
    mqtt::append(bytes, publish, mqtt::Version::V5);
  }
  return bytes;
}

std::string acks(mqtt::PacketType type, int first) {
  std::string bytes;
  for (int i = 0; i < kBatch; ++i)
    mqtt::append(bytes,
                 mqtt::Ack{type,
                           static_cast<mqtt::PacketId>(1 + (first + i) % 65535),
                           ReasonCode::Success,
                           {},
                           {}},
                 mqtt::Version::V5);
  return bytes;
}

/// One publisher, `receivers` subscribers.
void publish(benchmark::State& state, QoS qos) {
  Bench bench;
  const core::LinkKey publisher = bench.connect("publisher");
  std::vector<core::LinkKey> subscribers;
  for (int i = 0; i < state.range(1); ++i) {
    subscribers.push_back(bench.connect("subscriber-" + std::to_string(i)));
    bench.subscribe(subscribers.back(), "bench/topic/7", qos);
  }
  const std::string in = publishes(qos, static_cast<std::size_t>(state.range(0)));
  const std::string pubrel = [] {
    std::string bytes;
    for (int i = 0; i < kBatch; ++i)
      mqtt::append(bytes,
                   mqtt::Ack{mqtt::PacketType::Pubrel,
                             static_cast<mqtt::PacketId>(i + 1),
                             ReasonCode::Success,
                             {},
                             {}},
                   mqtt::Version::V5);
    return bytes;
  }();
  std::uint64_t sent = 0;
  for (auto _ : state) {
    bench.turn(publisher, in);
    if (qos == QoS::AtMostOnce) continue;
    const std::string acknowledge =
        acks(qos == QoS::AtLeastOnce ? mqtt::PacketType::Puback : mqtt::PacketType::Pubrec,
             static_cast<int>(sent % 65535));
    for (const core::LinkKey subscriber : subscribers) bench.turn(subscriber, acknowledge);
    if (qos == QoS::ExactlyOnce) {
      bench.turn(publisher, pubrel);
      const std::string complete = acks(mqtt::PacketType::Pubcomp, static_cast<int>(sent % 65535));
      for (const core::LinkKey subscriber : subscribers) bench.turn(subscriber, complete);
    }
    sent += kBatch;
  }
  state.SetItemsProcessed(state.iterations() * kBatch * (1 + state.range(1)));
}

BENCHMARK_CAPTURE(publish, qos0, QoS::AtMostOnce)->Args({16, 1})->Args({256, 1})->Args({16, 100});
BENCHMARK_CAPTURE(publish, qos1, QoS::AtLeastOnce)->Args({16, 1})->Args({256, 1})->Args({16, 100});
BENCHMARK_CAPTURE(publish, qos2, QoS::ExactlyOnce)->Args({16, 1});

}  // namespace
