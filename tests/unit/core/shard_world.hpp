#pragma once
// Shard cores without a shell: turns are taken when a test says so, commits are answered when it
// says so, and what clients get is read as words: "PUBLISH a=1 q1 id1", "PUBACK 1", "closed".

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/shard_core.hpp"
#include "mqtt/decode.hpp"
#include "mqtt/encode.hpp"
#include "plain_modules.hpp"

namespace twinmq::core::testing {

using Words = std::vector<std::string>;

inline std::string hex(unsigned code) {
  char text[8];
  std::snprintf(text, sizeof text, "0x%02X", code);
  return text;
}

inline std::string words_of(const mqtt::Packet& packet) {
  const auto code = [](ReasonCode each) { return hex(static_cast<unsigned>(each)); };
  if (const auto* p = std::get_if<mqtt::Connack>(&packet))
    return "CONNACK " + code(p->code) + (p->session_present ? " present" : "");
  if (const auto* p = std::get_if<mqtt::Publish>(&packet)) {
    std::string text = "PUBLISH " + std::string(p->topic) + "=" +
                       std::string(p->payload.substr(0, 40)) + " q" +
                       std::to_string(static_cast<int>(p->qos));
    if (p->packet_id != 0) text += " id" + std::to_string(p->packet_id);
    if (p->topic_alias != 0) text += " alias" + std::to_string(p->topic_alias);
    return text + (p->dup ? " dup" : "") + (p->retain ? " retain" : "");
  }
  if (const auto* p = std::get_if<mqtt::Ack>(&packet)) {
    const std::array<const char*, 4> names{"PUBACK ", "PUBREC ", "PUBREL ", "PUBCOMP "};
    return names[static_cast<std::size_t>(p->type) - 4] + std::to_string(p->packet_id) +
           (p->code == ReasonCode::Success ? "" : " " + code(p->code));
  }
  if (const auto* p = std::get_if<mqtt::Suback>(&packet)) {
    std::string text = "SUBACK " + std::to_string(p->packet_id);
    for (const ReasonCode each : p->codes) text += " " + code(each);
    return text;
  }
  if (const auto* p = std::get_if<mqtt::Unsuback>(&packet))
    return "UNSUBACK " + std::to_string(p->packet_id);
  if (const auto* p = std::get_if<mqtt::Disconnect>(&packet)) return "DISCONNECT " + code(p->code);
  if (const auto* p = std::get_if<mqtt::Auth>(&packet))
    return "AUTH " + code(p->code) + " " + std::string(p->data.value_or(""));
  return "PINGRESP";
}

struct WorldOptions {
  unsigned shards = 1;
  bool sessions = true;
  bool retained = true;
  bool hold_commits = false;  ///< World::answer_commits() says when
  bool hold_reads = false;    ///< World::answer_reads() says when
  MqttConfig mqtt = {};
  LimitsConfig limits = {};
  DurabilityLevels durability = {};
  std::optional<Durability> listener_durability = {};
  bool client_id_bound = true;
  Authenticator* authenticator = nullptr;
  Authorizer* authorizer = nullptr;
  DeliveryFilter* delivery_filter = nullptr;
  PublishFilter* publish_filter = nullptr;
  std::function<std::unique_ptr<Service>(ShardId)> service = {};
};

class World;

/// One connection, seen from its client.
class Peer {
 public:
  Peer(World& world, ShardId shard) : world_(world), shard_(shard) {}

  /// What came since the last call. Runs the world first.
  Words said();
  /// What came, without running anything.
  Words came();
  /// Acknowledges until nothing more comes; the payloads, those sent before with " dup" behind
  /// them.
  Words drain();
  void send(const std::string& bytes);
  void send_later(const std::string& bytes) { to_broker += bytes; }

  Peer& connect(mqtt::Connect packet);
  /// A client of MQTT 5 that is welcomed with nothing else to say.
  Peer& join(std::string_view id, bool clean = true, std::uint32_t expiry = 0);
  void publish(std::string_view topic, std::string_view payload, int qos = 0, std::uint16_t id = 0,
               bool retain = false, std::optional<std::uint32_t> expiry = {});
  void subscribe(std::uint16_t id, std::string_view filter, int qos = 0);
  void unsubscribe(std::uint16_t id, std::string_view filter);
  void ack(mqtt::PacketType type, std::uint16_t id, ReasonCode code = ReasonCode::Success);
  void puback(std::uint16_t id) { ack(mqtt::PacketType::Puback, id); }
  void disconnect(std::optional<std::uint32_t> expiry = {}, ReasonCode code = ReasonCode::Success);
  void cut();
  void cut_now();  ///< without letting anybody go on first

  World& world_;
  ShardId shard_;
  LinkKey link;
  mqtt::Version version = mqtt::Version::V5;
  std::string to_broker;
  std::string from_broker;
  bool ended = false;
  bool stalled = false;  ///< takes no bytes
};

class World {
 public:
  explicit World(WorldOptions wanted = {},
                 std::shared_ptr<PlainStore> store = std::make_shared<PlainStore>())
      : options(wanted), store_(std::move(store)), mail_(wanted.shards) {
    now.steady = Instant(std::chrono::hours(1));
    now.wall = WallTime(std::chrono::hours(24 * 365 * 50));
    for (ShardId id = 0; id < options.shards; ++id) {
      auto place = std::make_unique<Place>();
      ShardParts parts;
      parts.id = id;
      parts.shards = options.shards;
      parts.mqtt = options.mqtt;
      parts.limits = options.limits;
      parts.durability = options.durability;
      parts.mail = &mail_;
      parts.client_id_bound = options.client_id_bound;
      parts.authenticator = options.authenticator;
      parts.authorizer = options.authorizer;
      parts.delivery_filter = options.delivery_filter;
      parts.publish_filter = options.publish_filter;
      if (options.retained) parts.retained = std::make_unique<PlainRetained>();
      if (options.sessions) parts.journal = std::make_unique<PlainJournal>();
      if (options.service) parts.services.push_back(options.service(id));
      parts.counters = &place->counters;
      parts.post = [errands = place->errands](std::function<void(ShardCore&)> errand) {
        errands->push_back(std::move(errand));
      };
      parts.log = [this](const LogLine& line) {
        log += std::string(line.event) + " " + std::string(line.detail) + "\n";
      };
      place->core = std::make_unique<ShardCore>(std::move(parts));
      places_.push_back(std::move(place));
    }
  }

  /// What a shell does before it accepts anybody.
  void restore(WallTime wall = {}) {
    if (wall != WallTime{}) now.wall = wall;
    for (auto& place : places_)
      if (!place->core->restore(*store_, now)) throw std::runtime_error("restore failed");
    run();
  }

  /// A connection that shard `shard` accepted.
  Peer& open(ShardId shard = 0, bool host = false) {
    peers_.push_back(std::make_unique<Peer>(*this, shard));
    Peer& peer = *peers_.back();
    Place& place = *places_[shard];
    place.core->begin_turn(now);
    LinkOrigin origin;
    origin.anonymous_allowed = true;
    origin.host = host;
    origin.durability = options.listener_durability;
    peer.link = place.core->open(origin);
    place.core->end_turn();
    place.links[peer.link] = &peer;
    return peer;
  }
  /// An open client of MQTT 5 on the shard that its identifier names.
  Peer& client(std::string_view id, bool clean = true, std::uint32_t expiry = 0) {
    return open(home(id)).join(id, clean, expiry);
  }
  ShardId home(std::string_view text) const { return home_of(text, options.shards); }
  /// A text beginning with `stem` whose home is the shard.
  std::string named(const std::string& stem, ShardId shard) const {
    for (int i = 0;; ++i)
      if (home(stem + std::to_string(i)) == shard) return stem + std::to_string(i);
  }

  /// One turn of one shard.
  void turn(ShardId id) {
    Place& place = *places_[id];
    place.core->begin_turn(now);
    place.core->on_mail();
    carry_moves(place);
    for (auto& errand : std::exchange(*place.errands, {})) errand(*place.core);
    std::vector<Peer*> peers;
    for (auto& [link, peer] : place.links) peers.push_back(peer);
    for (Peer* peer : peers) {
      if (peer->to_broker.empty() || peer->ended || !place.core->reading(peer->link)) continue;
      const std::string bytes = std::exchange(peer->to_broker, {});
      place.core->on_bytes(peer->link, bytes_of(bytes));
      carry_moves(place);
    }
    if (place.core->next_deadline() <= now.steady) place.core->on_time();
    place.core->end_turn();
    carry_out(place);
  }

  /// Turns until nobody has anything left to do.
  void run() {
    for (int round = 0; busy(); ++round) {
      if (round > 100'000) throw std::runtime_error("the shards never come to rest");
      for (ShardId id = 0; id < options.shards; ++id) turn(id);
    }
  }
  bool busy() {
    for (ShardId id = 0; id < options.shards; ++id) {
      Place& place = *places_[id];
      if (place.core->wants_turn() || mail_.has_mail(id) || !place.errands->empty()) return true;
      if (place.core->next_deadline() <= now.steady) return true;
      for (ShardId to = 0; to < options.shards; ++to)
        if (to != id && mail_.backlog(id, to) > 0) return true;
      for (auto& [link, peer] : place.links)
        if (!peer->to_broker.empty() && !peer->ended && place.core->reading(link)) return true;
    }
    return false;
  }

  /// Writes (or fails) what is held and lets the shards go on, again and again until nothing is
  /// held.
  void answer_commits(bool durable = true) {
    run();
    while (!held.empty()) {
      answer_one(durable);
      run();
    }
  }
  /// The oldest one, without running anybody.
  void answer_one(bool durable = true) {
    auto [shard, commit] = std::move(held.front());
    held.pop_front();
    write(shard, std::move(commit), durable);
  }

  /// From what the store holds now.
  void answer_reads() {
    for (auto& [shard, read] : std::exchange(reads, {})) {
      auto found = std::make_shared<Result<StoreEntries>>(store_->read(read.range));
      places_[shard]->errands->push_back([ticket = read.ticket, found](ShardCore& core) {
        core.on_read(ticket, std::move(*found));
      });
    }
  }

  void pass(Milliseconds time) {
    now.steady += time;
    now.wall += time;
    for (ShardId id = 0; id < options.shards; ++id) turn(id);
    run();
  }

  ShardCore& core(ShardId id = 0) { return *places_[id]->core; }
  Mail& mail() { return mail_; }
  PlainStore& store() { return *store_; }
  std::shared_ptr<PlainStore> shared_store() { return store_; }
  std::uint64_t metric(Metric which) const {
    std::uint64_t sum = 0;
    for (const auto& place : places_) sum += place->counters[which];
    return sum;
  }
  void flush(Peer& peer) { flush(*places_[peer.shard_], peer.link); }
  void forget(Peer& peer) { places_[peer.shard_]->links.erase(peer.link); }

  WorldOptions options;
  Now now;
  std::deque<std::pair<ShardId, Commit>> held;
  std::deque<std::pair<ShardId, Read>> reads;
  std::vector<HostPublished> published;
  bool wants_reload = false;
  std::string log;

 private:
  struct Place {
    base::Counters counters;
    std::shared_ptr<std::vector<std::function<void(ShardCore&)>>> errands =
        std::make_shared<std::vector<std::function<void(ShardCore&)>>>();
    std::map<LinkKey, Peer*> links;
    std::unique_ptr<ShardCore> core;
  };

  void carry_moves(Place& place) {
    for (MovedLink& moved : std::exchange(place.core->effects().moved, {})) {
      Peer* peer = place.links.at(moved.link);
      place.links.erase(moved.link);
      peer->shard_ = moved.to;
      auto shared = std::make_shared<MovedLink>(std::move(moved));
      Place& target = *places_[shared->to];
      target.errands->push_back([&target, shared, peer](ShardCore& core) {
        peer->link = core.adopt(std::move(shared->origin), std::move(shared->bytes));
        target.links[peer->link] = peer;
      });
    }
  }

  void carry_out(Place& place) {
    carry_moves(place);
    Effects effects = std::exchange(place.core->effects(), {});
    wants_reload |= effects.reload;
    published.insert(published.end(), effects.published.begin(), effects.published.end());
    if (effects.commit) {
      const ShardId id = place.core->id();
      if (options.hold_commits) {
        held.emplace_back(id, std::move(*effects.commit));
      } else {
        write(id, std::move(*effects.commit), true);
      }
    }
    for (Read& read : effects.reads) reads.emplace_back(place.core->id(), std::move(read));
    if (!options.hold_reads) answer_reads();
    for (const LinkKey link : effects.touched) flush(place, link);
  }

  void write(ShardId shard, Commit commit, bool durable) {
    if (durable) (void)store_->commit(commit.batch, Durability::None);
    places_[shard]->errands->push_back(
        [id = commit.id, durable](ShardCore& core) { core.on_committed(id, durable); });
  }

  void flush(Place& place, LinkKey link) {
    const auto found = place.links.find(link);
    base::OutBuffer* output = place.core->output(link);
    if (found == place.links.end() || !output || found->second->stalled) return;
    Peer& peer = *found->second;
    while (!output->empty()) {
      std::array<iovec, 8> pieces;
      const std::size_t count = output->gather(pieces.data(), pieces.size());
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < count; ++i) {
        peer.from_broker.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
        bytes += pieces[i].iov_len;
      }
      output->consume(bytes, place.core->chunks());
    }
    if (place.core->closing(link)) {
      peer.ended = true;
      place.links.erase(found);
      place.errands->push_back([link](ShardCore& core) { core.on_shut(link); });
    } else if (place.core->has_more(link)) {
      place.errands->push_back([link](ShardCore& core) { core.on_room(link); });
    }
  }

  std::shared_ptr<PlainStore> store_;
  Mail mail_;
  std::vector<std::unique_ptr<Place>> places_;
  std::vector<std::unique_ptr<Peer>> peers_;
};

// --- Peer

inline Words Peer::said() {
  world_.run();
  return came();
}

inline Words Peer::came() {
  Words words;
  for (;;) {
    const mqtt::Framing framing = mqtt::next_frame(bytes_of(from_broker), 268'435'460);
    if (framing.status != mqtt::Framing::Status::Complete) break;
    std::string scratch;
    const auto packet = mqtt::decode(framing.frame, version, {}, scratch);
    words.push_back(packet ? words_of(*packet) : "illegal: " + std::string(packet.error().what));
    from_broker.erase(0, framing.size);
  }
  if (ended) words.emplace_back("closed");
  return words;
}

inline Words Peer::drain() {
  Words payloads;
  for (Words words = said(); !words.empty(); words = said()) {
    for (const std::string& word : words) {
      if (word.starts_with("PUBLISH")) {
        const std::size_t payload = word.find('=') + 1;
        payloads.push_back(word.substr(payload, word.find(" q") - payload) +
                           (word.ends_with(" dup") ? " dup" : ""));
        ack(word.find(" q2") == std::string::npos ? mqtt::PacketType::Puback
                                                  : mqtt::PacketType::Pubrec,
            static_cast<std::uint16_t>(std::stoi(word.substr(word.find(" id") + 3))));
      } else if (word.starts_with("PUBREL ")) {
        ack(mqtt::PacketType::Pubcomp, static_cast<std::uint16_t>(std::stoi(word.substr(7))));
      }
    }
  }
  return payloads;
}

inline void Peer::send(const std::string& bytes) {
  to_broker += bytes;
  world_.run();
}

inline Peer& Peer::connect(mqtt::Connect packet) {
  version = packet.version;
  std::string bytes;
  mqtt::append(bytes, packet);
  send(bytes);
  return *this;
}

inline Peer& Peer::join(std::string_view id, bool clean, std::uint32_t expiry) {
  mqtt::Connect packet;
  packet.client_id = id;
  packet.clean_start = clean;
  if (expiry != 0) packet.session_expiry_seconds = expiry;
  return connect(packet);
}

inline void Peer::publish(std::string_view topic, std::string_view payload, int qos,
                          std::uint16_t id, bool retain, std::optional<std::uint32_t> expiry) {
  mqtt::Publish packet;
  packet.topic = topic;
  packet.payload = payload;
  packet.qos = static_cast<QoS>(qos);
  packet.packet_id = id;
  packet.retain = retain;
  packet.expiry_seconds = expiry;
  std::string bytes;
  mqtt::append(bytes, packet, version);
  send_later(bytes);
}

inline void Peer::subscribe(std::uint16_t id, std::string_view filter, int qos) {
  mqtt::Subscribe packet;
  packet.packet_id = id;
  mqtt::SubscribeEntry entry;
  entry.filter = filter;
  entry.options.qos = static_cast<QoS>(qos);
  packet.entries.push_back(entry);
  std::string bytes;
  mqtt::append(bytes, packet, version);
  send_later(bytes);
}

inline void Peer::unsubscribe(std::uint16_t id, std::string_view filter) {
  mqtt::Unsubscribe packet;
  packet.packet_id = id;
  packet.filters.push_back(filter);
  std::string bytes;
  mqtt::append(bytes, packet, version);
  send_later(bytes);
}

inline void Peer::ack(mqtt::PacketType type, std::uint16_t id, ReasonCode code) {
  std::string bytes;
  mqtt::append(bytes, mqtt::Ack{type, id, code, {}, {}}, version);
  send_later(bytes);
}

inline void Peer::disconnect(std::optional<std::uint32_t> expiry, ReasonCode code) {
  mqtt::Disconnect packet;
  packet.code = code;
  packet.session_expiry_seconds = expiry;
  std::string bytes;
  mqtt::append(bytes, packet, version);
  send(bytes);
}

inline void Peer::cut() {
  world_.run();
  cut_now();
}

inline void Peer::cut_now() {
  ShardCore& core = world_.core(shard_);
  core.begin_turn(world_.now);
  core.on_closed(link);
  world_.forget(*this);
  core.end_turn();
  ended = true;
  world_.turn(shard_);
  world_.run();
}

}  // namespace twinmq::core::testing
