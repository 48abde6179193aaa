// Up to four clients, one or two shards, time, and a store that answers late: whatever they send
// and however they come and go, the shards keep their books. The first byte chooses the setting;
// then each command is a byte, a length and that many bytes.

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/shard_core.hpp"
#include "fuzz/require.hpp"
#include "modules/retained/retained_module.hpp"
#include "modules/sessions/session_module.hpp"
#include "mqtt/decode.hpp"
#include "storage/memory_store.hpp"

namespace {

using namespace twinmq;
using core::LinkKey;
using core::ShardCore;

struct Client {
  unsigned shard = 0;
  LinkKey link;
  bool open = false;
  bool stalled = false;
  std::string to_broker;
  std::string from_broker;
};

constexpr std::size_t kClients = 4;
constexpr std::size_t kOutputMax = 20'000;

class World {
 public:
  explicit World(std::uint8_t setting)
      : shards_(1 + (setting & 1)), mail_(shards_), hold_(setting & 2) {
    now_.steady = Instant(std::chrono::hours(1));
    now_.wall = WallTime(std::chrono::hours(24 * 365 * 50));
    for (unsigned id = 0; id < shards_; ++id) places_.push_back(std::make_unique<Place>());
    build(setting);
  }

  void command(std::uint8_t byte, std::string_view bytes) {
    Client& client = clients_[byte & 3];
    switch (byte >> 2 & 7) {
      case 0:
      case 1:
      case 2:
        if (!client.open) open(client, byte >> 5);
        client.to_broker.append(bytes);
        break;
      case 3: cut(client); break;
      case 4: pass(Milliseconds(std::int64_t{1} << (bytes.empty() ? 4 : bytes[0] & 31))); break;
      case 5: turn(byte % shards_); return;  // this shard alone
      case 6: answer_one(); break;
      case 7: client.stalled = !client.stalled; break;
    }
    if (byte < 0xC0) run();
  }

  void close() {
    hold_ = false;
    for (Client& client : clients_) {
      client.stalled = false;
      cut(client);
    }
    while (!held_.empty()) answer_one();
    run();
    // Sessions that outlive their connection end with their time.
    for (int i = 0; i < 3; ++i) pass(Milliseconds(std::int64_t{86'400'000} * 365));
    // What is never to expire is taken over and ended.
    for (unsigned id = 0; id < shards_; ++id)
      for (const SessionInfo& left : places_[id]->core->sessions()) end(id, left.client_id);
    run();
    for (const Metric gauge :
         {Metric::Connections, Metric::ClientsConnected, Metric::Sessions, Metric::Subscriptions,
          Metric::SharedSubscriptions, Metric::QueuedMessages, Metric::QueuedBytes})
      TWINMQ_REQUIRE(metric(gauge) == 0);
    std::size_t left = 0;
    TWINMQ_REQUIRE(
        store_.scan("s", "t", [&](std::string_view, std::string_view) { return ++left != 0; })
            .has_value());
    TWINMQ_REQUIRE(left == 0);
  }

 private:
  struct Place {
    base::Counters counters;
    std::deque<std::function<void(ShardCore&)>> errands;
    std::unique_ptr<ShardCore> core;
  };

  void build(std::uint8_t setting) {
    for (unsigned id = 0; id < shards_; ++id) {
      core::ShardParts parts;
      parts.id = id;
      parts.shards = shards_;
      parts.mail = &mail_;
      if (setting & 4) {
        parts.mqtt.receive_maximum = 3;
        parts.mqtt.inflight_max = 2;
        parts.limits.queue_messages_max = 4;
        parts.limits.turn_packets_max = 3;
        parts.limits.subscriptions_max = 5;
      }
      parts.limits.output_bytes_max = kOutputMax / 2;
      parts.mqtt.packet_size_max = 2048;
      parts.limits.queue_full_v3 = setting & 8 ? QueueFullV3::Close : QueueFullV3::Accept;
      parts.retained =
          std::make_unique<retained::RetainedModule>(retained::RetainedLimits{100, 100'000}, 7);
      parts.journal = std::make_unique<sessions::SessionModule>();
      parts.counters = &places_[id]->counters;
      parts.post = [](std::function<void(ShardCore&)>) {};
      parts.seed = 42;
      places_[id]->core = std::make_unique<ShardCore>(std::move(parts));
      TWINMQ_REQUIRE(places_[id]->core->restore(store_, now_).has_value());
    }
  }

  void open(Client& client, unsigned shard) {
    client = {};
    client.shard = shard % shards_;
    Place& place = *places_[client.shard];
    place.core->begin_turn(now_);
    client.link = place.core->open({});
    client.open = true;
    finish(client.shard);
  }

  void cut(Client& client) {
    if (!client.open) return;
    settle_moves();
    Place& place = *places_[client.shard];
    place.core->begin_turn(now_);
    place.core->on_closed(client.link);
    client.open = false;
    finish(client.shard);
  }

  // A clean session of the same name, gone at once.
  void end(unsigned shard, const std::string& id) {
    Client& client = clients_[0];
    open(client, shard);
    std::string body("\x00\x04MQTT\x05\x02\x00\x00\x00", 11);
    body += {static_cast<char>(id.size() >> 8), static_cast<char>(id.size())};
    body += id;
    client.to_broker = "\x10";
    for (std::size_t rest = body.size(); rest > 0; rest /= 128)
      client.to_broker += static_cast<char>((rest % 128) | (rest >= 128 ? 128 : 0));
    client.to_broker += body;
    run();
    cut(client);
    run();
  }

  void pass(Milliseconds time) {
    now_.steady += time;
    now_.wall += time;
    run();
  }

  void run() {
    for (int round = 0; busy(); ++round) {
      TWINMQ_REQUIRE(round < 10'000);
      for (unsigned id = 0; id < shards_; ++id) turn(id);
    }
  }

  bool busy() const {
    for (unsigned id = 0; id < shards_; ++id) {
      const Place& place = *places_[id];
      if (place.core->wants_turn() || mail_.has_mail(id) || !place.errands.empty()) return true;
      if (place.core->next_deadline() <= now_.steady) return true;
      for (unsigned to = 0; to < shards_; ++to)
        if (to != id && mail_.backlog(id, to) > 0) return true;
    }
    for (const Client& client : clients_)
      if (client.open && !client.to_broker.empty() &&
          places_[client.shard]->core->reading(client.link))
        return true;
    return false;
  }

  void turn(unsigned id) {
    Place& place = *places_[id];
    place.core->begin_turn(now_);
    place.core->on_mail();
    carry_moves(id);
    for (auto& errand : std::exchange(place.errands, {})) errand(*place.core);
    for (Client& client : clients_) {
      if (!client.open || client.shard != id || client.to_broker.empty() ||
          !place.core->reading(client.link))
        continue;
      const std::string bytes = std::exchange(client.to_broker, {});
      place.core->on_bytes(client.link, bytes_of(bytes));
      carry_moves(id);
    }
    if (place.core->next_deadline() <= now_.steady) place.core->on_time();
    finish(id);
  }

  void finish(unsigned id) {
    Place& place = *places_[id];
    place.core->end_turn();
    core::Effects effects = std::exchange(place.core->effects(), {});
    TWINMQ_REQUIRE(!effects.reload && effects.moved.empty());
    if (effects.commit) {
      held_.emplace_back(id, std::move(*effects.commit));
      if (!hold_) answer_one();
    }
    for (const LinkKey link : effects.touched)
      for (Client& client : clients_)
        if (client.open && client.shard == id && client.link == link) flush(client);
  }

  void answer_one() {
    if (held_.empty()) return;
    auto [shard, commit] = std::move(held_.front());
    held_.pop_front();
    TWINMQ_REQUIRE(store_.commit(commit.batch, Durability::None).has_value());
    places_[shard]->errands.push_back(
        [id = commit.id](ShardCore& core) { core.on_committed(id, true); });
  }

  void carry_moves(unsigned id) {
    for (core::MovedLink& moved : std::exchange(places_[id]->core->effects().moved, {})) {
      Client* client = nullptr;
      for (Client& each : clients_)
        if (each.open && each.shard == id && each.link == moved.link) client = &each;
      TWINMQ_REQUIRE(client != nullptr && moved.to != id && moved.to < shards_);
      client->shard = moved.to;
      client->link = {};
      auto shared = std::make_shared<core::MovedLink>(std::move(moved));
      places_[shared->to]->errands.push_back([client, shared](ShardCore& core) {
        client->link = core.adopt(std::move(shared->origin), std::move(shared->bytes));
      });
    }
  }

  // A link on its way between shards cannot be cut.
  void settle_moves() {
    for (unsigned id = 0; id < shards_; ++id) turn(id);
    for (unsigned id = 0; id < shards_; ++id) turn(id);
  }

  void flush(Client& client) {
    Place& place = *places_[client.shard];
    base::OutBuffer* output = place.core->output(client.link);
    if (!output) return;
    TWINMQ_REQUIRE(output->size() <= 300 * 1024 + kOutputMax);
    if (client.stalled && !place.core->closing(client.link)) return;
    while (!output->empty()) {
      std::array<iovec, 8> pieces;
      const std::size_t count = output->gather(pieces.data(), pieces.size());
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < count; ++i) {
        client.from_broker.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
        bytes += pieces[i].iov_len;
      }
      output->consume(bytes, place.core->chunks());
    }
    read(client);
    if (place.core->closing(client.link)) {
      client.open = false;
      place.errands.push_back([link = client.link](ShardCore& core) { core.on_shut(link); });
    } else if (place.core->has_more(client.link)) {
      place.errands.push_back([link = client.link](ShardCore& core) { core.on_room(link); });
    }
  }

  // Whatever the broker sends is legal in one of the versions.
  static void read(Client& client) {
    for (;;) {
      const mqtt::Framing framing = mqtt::next_frame(bytes_of(client.from_broker), 268'435'460);
      TWINMQ_REQUIRE(framing.status != mqtt::Framing::Status::Malformed);
      if (framing.status == mqtt::Framing::Status::NeedMore) return;
      std::string scratch;
      mqtt::DecodeLimits limits;
      const bool legal =
          mqtt::decode(framing.frame, mqtt::Version::V5, limits, scratch).has_value() ||
          mqtt::decode(framing.frame, mqtt::Version::V311, limits, scratch).has_value();
      TWINMQ_REQUIRE(legal);
      client.from_broker.erase(0, framing.size);
    }
  }

  std::uint64_t metric(Metric which) const {
    std::uint64_t sum = 0;
    for (const auto& place : places_) sum += place->counters[which];
    return sum;
  }

  unsigned shards_;
  storage::MemoryStore store_;
  core::Mail mail_;
  bool hold_;
  Now now_;
  std::vector<std::unique_ptr<Place>> places_;
  std::array<Client, kClients> clients_;
  std::deque<std::pair<unsigned, core::Commit>> held_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 8192) return 0;
  World world(data[0]);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (std::size_t at = 1; at + 1 < size;) {
    const std::uint8_t byte = data[at];
    const std::size_t length = std::min<std::size_t>(data[at + 1], size - at - 2);
    world.command(byte, text.substr(at + 2, length));
    at += 2 + length;
  }
  world.close();
  return 0;
}
