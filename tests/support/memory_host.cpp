// The shard cores in memory: one thread runs 1 to 64 of them turn by turn under a virtual clock,
// with a store that answers at once.

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <stdexcept>
#include <utility>

#include "core/shard_core.hpp"
#include "modules/retained/retained_module.hpp"
#include "modules/sessions/session_module.hpp"
#include "storage/memory_store.hpp"
#include "support/broker_under_test.hpp"

namespace twinmq::testing {
namespace {

using core::LinkKey;
using core::ShardCore;

class MemoryHost;

/// One connection; it may change its shard while it lives.
struct Wire {
  MemoryHost* host = nullptr;
  std::size_t shard = 0;
  LinkKey link;
  std::string to_broker;
  std::string to_client;
  bool cut = false;    ///< the client is gone
  bool ended = false;  ///< the broker is done with it
};

struct ShardPlace {
  std::unique_ptr<ShardCore> core;
  base::Counters counters;
  std::map<LinkKey, std::shared_ptr<Wire>> wires;
  /// What the next turn begins with, in this order.
  std::deque<std::function<void(ShardCore&)>> errands;
};

void set(MqttConfig& mqtt, LimitsConfig& limits, bool& retained, bool& sessions,
         const std::string& key, const std::string& text) {
  const auto number = [&] { return std::strtoull(text.c_str(), nullptr, 10); };
  const auto into = [&](auto& field) {
    field = static_cast<std::remove_reference_t<decltype(field)>>(number());
  };
  const bool yes = text == "true";
  const std::map<std::string, std::function<void()>> keys = {
      {"mqtt.receive_maximum", [&] { into(mqtt.receive_maximum); }},
      {"mqtt.inflight_max", [&] { into(mqtt.inflight_max); }},
      {"mqtt.topic_alias_maximum", [&] { into(mqtt.topic_alias_maximum); }},
      {"mqtt.topic_alias_send_max", [&] { into(mqtt.topic_alias_send_max); }},
      {"mqtt.keep_alive_max", [&] { into(mqtt.keep_alive_max); }},
      {"mqtt.packet_size_max", [&] { into(mqtt.packet_size_max); }},
      {"mqtt.qos_max", [&] { into(mqtt.qos_max); }},
      {"mqtt.retain_available", [&] { mqtt.retain_available = yes; }},
      {"mqtt.wildcard_available", [&] { mqtt.wildcard_available = yes; }},
      {"mqtt.shared_available", [&] { mqtt.shared_available = yes; }},
      {"mqtt.session_expiry_max", [&] { into(mqtt.session_expiry_max); }},
      {"mqtt.session_expiry_v3", [&] { into(mqtt.session_expiry_v3); }},
      {"mqtt.client_id_bytes_max", [&] { into(mqtt.client_id_bytes_max); }},
      {"limits.queue_messages_max", [&] { into(limits.queue_messages_max); }},
      {"limits.queue_bytes_max", [&] { into(limits.queue_bytes_max); }},
      {"limits.subscriptions_max", [&] { into(limits.subscriptions_max); }},
      {"limits.subscribe_entries_max", [&] { into(limits.subscribe_entries_max); }},
      {"limits.topic_levels_max", [&] { into(limits.topic_levels_max); }},
      {"limits.user_properties_max", [&] { into(limits.user_properties_max); }},
      {"limits.connect_packet_size_max", [&] { into(limits.connect_packet_size_max); }},
      {"limits.retained_messages_max", [&] { into(limits.retained_messages_max); }},
      {"modules.retained", [&] { retained = yes; }},
      {"modules.sessions", [&] { sessions = yes; }},
  };
  const auto found = keys.find(key);
  if (found == keys.end()) throw std::logic_error("the memory host does not know the key " + key);
  found->second();
}

class MemoryHost final : public Host {
 public:
  MemoryHost(const Setup& setup, unsigned shards);

  std::unique_ptr<Stream> open() override;
  void advance(Milliseconds time) override;
  std::size_t links() const override;
  std::uint64_t metric(Metric metric) const override;

  /// Turn after turn until nobody has anything left to do.
  void run();

 private:
  void turn(ShardPlace& shard, std::size_t id);
  bool has_work(const ShardPlace& shard, std::size_t id) const;
  void feed(ShardPlace& shard);
  void carry_out(ShardPlace& shard, std::size_t id);
  void flush(ShardPlace& shard, LinkKey link);
  void move(core::MovedLink moved, std::shared_ptr<Wire> wire);

  core::Mail mail_;
  storage::MemoryStore store_;
  Setup setup_;
  Now now_;
  bool running_ = false;
  std::size_t opened_ = 0;
  std::vector<std::unique_ptr<ShardPlace>> shards_;
};

class MemoryStream final : public Stream {
 public:
  explicit MemoryStream(std::shared_ptr<Wire> wire) : wire_(std::move(wire)) {}
  ~MemoryStream() override { cut(); }

  void write(std::string_view bytes) override {
    if (wire_->cut) return;
    wire_->to_broker += bytes;
    wire_->host->run();
  }
  bool read(std::string& bytes) override {
    wire_->host->run();
    if (wire_->to_client.empty()) return false;
    bytes += std::exchange(wire_->to_client, {});
    return true;
  }
  bool ended() const override { return wire_->ended && wire_->to_client.empty(); }
  void cut() override {
    wire_->cut = true;
    wire_->host->run();
    wire_->to_client.clear();
  }

 private:
  std::shared_ptr<Wire> wire_;
};

MemoryHost::MemoryHost(const Setup& setup, unsigned shards) : mail_(shards), setup_(setup) {
  now_.steady = Instant(std::chrono::hours(1));
  now_.wall = WallTime(std::chrono::hours(24 * 365 * 50));
  for (unsigned id = 0; id < shards; ++id) {
    auto place = std::make_unique<ShardPlace>();
    core::ShardParts parts;
    bool retained = true;
    bool sessions = true;
    for (const auto& [key, value] : setup.settings)
      set(parts.mqtt, parts.limits, retained, sessions, key, value);
    parts.id = id;
    parts.shards = shards;
    parts.mail = &mail_;
    parts.authenticator = setup_.authenticator.get();
    parts.authorizer = setup_.authorizer.get();
    if (retained)
      parts.retained = std::make_unique<retained::RetainedModule>(retained::RetainedLimits{}, id);
    if (sessions) parts.journal = std::make_unique<sessions::SessionModule>();
    parts.counters = &place->counters;
    parts.post = [errands = &place->errands](std::function<void(ShardCore&)> errand) {
      errands->push_back(std::move(errand));
    };
    parts.seed = 42 + id;
    place->core = std::make_unique<ShardCore>(std::move(parts));
    if (!place->core->restore(store_, now_))
      throw std::runtime_error("the core could not restore nothing");
    shards_.push_back(std::move(place));
  }
}

std::unique_ptr<Stream> MemoryHost::open() {
  const std::size_t id = opened_++ % shards_.size();
  auto wire = std::make_shared<Wire>();
  wire->host = this;
  wire->shard = id;
  core::LinkOrigin origin;
  origin.peer = "127.0.0.1:" + std::to_string(10'000 + opened_);
  origin.listener = "memory";
  origin.anonymous_allowed = true;
  ShardPlace& shard = *shards_[id];
  shard.errands.push_back([&shard, wire, origin = std::move(origin)](ShardCore& core) {
    wire->link = core.open(origin);
    shard.wires[wire->link] = wire;
  });
  run();
  return std::make_unique<MemoryStream>(std::move(wire));
}

void MemoryHost::advance(Milliseconds time) {
  const Instant target = now_.steady + time;
  const auto go_to = [this](Instant instant) {
    now_.wall += instant - now_.steady;
    now_.steady = instant;
    run();
  };
  for (;;) {
    Instant next = kNever;
    for (const auto& shard : shards_) next = std::min(next, shard->core->next_deadline());
    if (next > target) break;
    go_to(std::max(next, now_.steady + Milliseconds(1)));
  }
  if (now_.steady < target) go_to(target);
}

std::size_t MemoryHost::links() const {
  std::size_t sum = 0;
  for (const auto& shard : shards_) sum += shard->core->links();
  return sum;
}

std::uint64_t MemoryHost::metric(Metric metric) const {
  std::uint64_t sum = 0;
  for (const auto& shard : shards_) sum += shard->counters[metric];
  return sum;
}

void MemoryHost::run() {
  if (running_) return;
  running_ = true;
  for (std::size_t round = 0;; ++round) {
    bool idle = true;
    for (std::size_t id = 0; id < shards_.size(); ++id) {
      if (!has_work(*shards_[id], id)) continue;
      idle = false;
      turn(*shards_[id], id);
    }
    if (idle) break;
    if (round > 20'000) throw std::runtime_error("the core never comes to rest");
  }
  running_ = false;
}

bool MemoryHost::has_work(const ShardPlace& shard, std::size_t id) const {
  const auto self = static_cast<unsigned>(id);
  if (!shard.errands.empty() || shard.core->wants_turn() || mail_.has_mail(self)) return true;
  if (shard.core->next_deadline() <= now_.steady) return true;
  for (unsigned to = 0; to < shards_.size(); ++to) {
    if (to != self && mail_.backlog(self, to) > 0) return true;
  }
  for (const auto& [link, wire] : shard.wires) {
    if (wire->cut || (!wire->to_broker.empty() && shard.core->reading(link))) return true;
  }
  return false;
}

void MemoryHost::turn(ShardPlace& shard, std::size_t id) {
  shard.core->begin_turn(now_);
  shard.core->on_mail();
  for (auto errands = std::exchange(shard.errands, {}); auto& errand : errands) errand(*shard.core);
  feed(shard);
  if (shard.core->next_deadline() <= now_.steady) shard.core->on_time();
  shard.core->end_turn();
  carry_out(shard, id);
}

void MemoryHost::feed(ShardPlace& shard) {
  std::vector<std::shared_ptr<Wire>> wires;
  for (const auto& [link, wire] : shard.wires) wires.push_back(wire);
  for (const auto& wire : wires) {
    if (!wire->to_broker.empty() && !wire->ended && shard.core->reading(wire->link)) {
      const std::string bytes = std::exchange(wire->to_broker, {});
      shard.core->on_bytes(wire->link, bytes_of(bytes));
    }
    if (wire->cut) {
      shard.wires.erase(wire->link);
      shard.core->on_closed(wire->link);
    }
  }
}

void MemoryHost::carry_out(ShardPlace& shard, std::size_t id) {
  core::Effects effects = std::move(shard.core->effects());
  shard.core->effects() = {};
  if (effects.reload) throw std::runtime_error("the core wants to be built anew");
  if (effects.commit) {
    const bool durable = store_.commit(effects.commit->batch, Durability::None).has_value();
    shard.errands.push_back([commit = effects.commit->id, durable](ShardCore& core) {
      core.on_committed(commit, durable);
    });
  }
  for (core::MovedLink& moved : effects.moved) {
    auto found = shard.wires.find(moved.link);
    if (found == shard.wires.end()) throw std::runtime_error("an unknown link moved");
    auto wire = std::move(found->second);
    shard.wires.erase(found);
    move(std::move(moved), std::move(wire));
  }
  std::sort(effects.touched.begin(), effects.touched.end());
  effects.touched.erase(std::unique(effects.touched.begin(), effects.touched.end()),
                        effects.touched.end());
  for (const LinkKey link : effects.touched) flush(shard, link);
  (void)id;
}

void MemoryHost::flush(ShardPlace& shard, LinkKey link) {
  const auto found = shard.wires.find(link);
  base::OutBuffer* output = shard.core->output(link);
  if (found == shard.wires.end() || !output) return;
  Wire& wire = *found->second;
  while (!output->empty()) {
    std::array<iovec, 8> pieces;
    const std::size_t count = output->gather(pieces.data(), pieces.size());
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < count; ++i) {
      wire.to_client.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      bytes += pieces[i].iov_len;
    }
    output->consume(bytes, shard.core->chunks());
  }
  if (shard.core->closing(link)) {
    wire.ended = true;
    shard.wires.erase(found);
    shard.errands.push_back([link](ShardCore& core) { core.on_shut(link); });
  } else if (shard.core->has_more(link)) {
    shard.errands.push_back([link](ShardCore& core) {
      if (core.output(link)) core.on_room(link);
    });
  }
}

void MemoryHost::move(core::MovedLink moved, std::shared_ptr<Wire> wire) {
  ShardPlace& shard = *shards_.at(moved.to);
  wire->shard = moved.to;
  auto shared = std::make_shared<core::MovedLink>(std::move(moved));
  shard.errands.push_back([&shard, shared, wire](ShardCore& core) {
    wire->link = core.adopt(std::move(shared->origin), std::move(shared->bytes));
    shard.wires[wire->link] = wire;
  });
}

}  // namespace

std::unique_ptr<Host> make_memory_host(const Setup& setup, unsigned shards) {
  return std::make_unique<MemoryHost>(setup, shards);
}

}  // namespace twinmq::testing
