#include "sim/sim_broker.hpp"

#include <sys/uio.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <utility>

#include "core/settle.hpp"
#include "modules/retained/retained_module.hpp"
#include "modules/sessions/session_module.hpp"
#include "modules/shadow/shadow_service.hpp"

namespace twinmq::sim {

namespace {
constexpr int kRoundsMax = 4;  // as the real shell: then the loop goes on
constexpr std::uint64_t kPatience =
    400;  // steps until a closing link that cannot be flushed is given up
}  // namespace

// --- Life

void SimBroker::start(unsigned shards) {
  wants_reload_ = false;
  build(shards);
}

void SimBroker::build(unsigned shards) {
  ++builds_;
  mail_ = std::make_unique<core::Mail>(shards);
  for (core::ShardId id = 0; id < shards; ++id) {
    posts_.push_back(std::make_unique<Post>());
    Post& post = *posts_.back();
    post.id = id;
    core::ShardParts parts;
    parts.id = id;
    parts.shards = shards;
    parts.mqtt = mqtt;
    parts.limits = limits;
    parts.mail = mail_.get();
    parts.retained = std::make_unique<retained::RetainedModule>(
        retained::RetainedLimits{limits.retained_messages_max, limits.retained_bytes_max}, builds_);
    if (doors.retained) parts.retained = doors.retained(std::move(parts.retained));
    parts.journal = std::make_unique<sessions::SessionModule>();
    if (doors.journal) parts.journal = doors.journal(std::move(parts.journal));
    if (shadow) {
      std::unique_ptr<Service> service =
          std::make_unique<shadow::ShadowService>(*shadow, shadow->cache_bytes);
      if (doors.shadows) service = doors.shadows(std::move(service));
      parts.services.push_back(std::move(service));
    }
    parts.counters = &post.counters;
    parts.post = [&post](std::function<void(core::ShardCore&)> errand) {
      post.errands.push_back(std::move(errand));
    };
    if (trace) {
      parts.log = [this, id](const LogLine& line) {
        say("shard " + std::to_string(id) + ": " + std::string(line.event) + ' ' +
            std::string(line.detail));
      };
    }
    parts.seed = builds_ << 8;
    post.core = std::make_unique<core::ShardCore>(std::move(parts));
  }
  for (const auto& post : posts_) {
    if (const auto restored = post->core->restore(store_, clock_.now()); !restored) {
      std::fprintf(stderr, "sim: restore failed: %s\n", restored.error().detail.c_str());
      std::abort();
    }
  }
  std::vector<core::ShardCore*> cores;
  for (const auto& post : posts_) cores.push_back(post->core.get());
  static_cast<void>(core::settle(cores, *mail_, clock_.now(), [&](const Batch& batch) {
    return store_.commit(batch, Durability::Fsync);
  }));
}

void SimBroker::crash() {
  say("crash");
  cut_all(random_.chance(0.5));
  posts_.clear();
  mail_.reset();
  store_.crash(random_);
}

void SimBroker::reload() {
  say("reload");
  const unsigned shards = this->shards();
  cut_all(random_.chance(0.5));
  posts_.clear();
  mail_.reset();
  static_cast<void>(store_.reopen());
  start(shards);
}

void SimBroker::cut_all(bool lose_output) {
  const auto cut = [&](Wire& wire) {
    if (lose_output) wire.to_client.clear();
    wire.to_server.clear();
    wire.server_shut = true;
    wire.left(clock_.truth.count());
  };
  for (const auto& post : posts_) {
    for (const Line& line : post->lines) cut(*line.wire);
    for (const Arrival& arrival : post->arrivals) cut(*arrival.wire);
  }
}

// --- A turn

void SimBroker::enter(Post& post) {
  if (post.in_turn) return;
  post.core->begin_turn(clock_.now());
  post.in_turn = true;
}

void SimBroker::turn(core::ShardId shard, bool everything) {
  Post& post = *posts_[shard];
  if (everything && post.core->wants_turn()) ++activity_;
  enter(post);
  for (auto& errand : std::exchange(post.errands, {})) errand(*post.core);
  if (everything || random_.chance(0.8)) {
    if (mail_->has_mail(shard)) ++activity_;
    post.core->on_mail();
    move_links(post);
  }
  accept(post, everything);
  receive(post, everything);
  answer(post, everything);
  read(post, everything);
  if (post.core->next_deadline() <= clock_.now().steady) post.core->on_time();
  if (!post.core->effects().reads.empty()) ++activity_;
  flush_blocked(post);
  finish(post);
}

void SimBroker::accept(Post& post, bool everything) {
  auto& arriving = network_.arriving();
  for (std::size_t i = 0; i < arriving.size();) {
    if (arriving[i]->accepted_by % shards() != post.id || !(everything || random_.chance(0.5))) {
      ++i;
      continue;
    }
    const std::shared_ptr<Wire> wire = arriving[i];
    arriving.erase(arriving.begin() + static_cast<std::ptrdiff_t>(i));
    ++activity_;
    core::LinkOrigin origin;
    origin.peer = "wire " + std::to_string(wire->number);
    origin.anonymous_allowed = true;
    post.lines.push_back({wire, post.core->open(std::move(origin))});
  }
  for (std::size_t i = 0; i < post.arrivals.size();) {
    if (!(everything || random_.chance(0.3))) {
      ++i;
      continue;
    }
    Arrival arrival = std::move(post.arrivals[i]);
    post.arrivals.erase(post.arrivals.begin() + static_cast<std::ptrdiff_t>(i));
    ++activity_;
    // Its CONNECT must not come behind a later one of the same client: the world keeps no account
    // of that.
    if (arrival.wire->reset) {
      arrival.wire->server_shut = true;
      arrival.wire->left(clock_.truth.count());
      continue;
    }
    const core::LinkKey key = post.core->adopt(std::move(arrival.origin), std::move(arrival.bytes));
    Line line{std::move(arrival.wire), key};
    line.paused = !post.core->reading(key);
    post.lines.push_back(std::move(line));
  }
}

void SimBroker::receive(Post& post, bool everything) {
  std::vector<core::LinkKey> keys;
  for (const Line& line : post.lines) keys.push_back(line.key);
  for (std::size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[random_.below(i)]);
  for (const core::LinkKey key : keys) {
    if (!everything && random_.chance(0.3)) continue;
    if (Line* line = find(post, key)) receive_from(post, *line, everything);
  }
}

void SimBroker::receive_from(Post& post, Line& line, bool everything) {
  const std::shared_ptr<Wire> wire = line.wire;
  const core::LinkKey key = line.key;
  if (wire->reset) {
    ++activity_;
    post.core->on_closed(key);
    return close_line(post, key);
  }
  if (line.paused || line.close_by != 0 || wire->stalled_to_server > network_.steps) return;
  if (!wire->to_server.empty()) {
    std::size_t count = wire->to_server.size();
    if (!everything && random_.chance(0.3)) count = 1 + random_.below(count);
    const std::string bytes = wire->to_server.substr(0, count);
    wire->to_server.erase(0, count);
    ++activity_;
    post.core->on_bytes(key, bytes_of(bytes));
    move_links(post);
    if (Line* still = find(post, key)) still->paused = !post.core->reading(key);
  } else if (wire->client_shut) {
    ++activity_;
    post.core->on_closed(key);
    close_line(post, key);
  }
}

void SimBroker::answer(Post& post, bool everything) {
  while (!post.answers.empty() && (everything || random_.chance(0.7))) {
    const SimStore::Answer answer = post.answers.front();
    post.answers.pop_front();
    ++activity_;
    post.core->on_committed(answer.id, answer.durable);
  }
}

// As readers do: each read sees the store of some moment after it was asked for, and they overtake
// each other.
void SimBroker::read(Post& post, bool everything) {
  for (core::Read& wanted : std::exchange(post.core->effects().reads, {}))
    post.reads.push_back({wanted.ticket, std::move(wanted.range), std::nullopt});
  if (!post.reads.empty()) ++activity_;
  for (std::size_t i = 0; i < post.reads.size();) {
    Reading& reading = post.reads[i];
    if (!reading.found && (everything || random_.chance(0.3)))
      reading.found = store_.read(reading.range);
    if (!reading.found || !(everything || random_.chance(0.3))) {
      ++i;
      continue;
    }
    Reading done = std::move(reading);
    post.reads.erase(post.reads.begin() + static_cast<std::ptrdiff_t>(i));
    post.core->on_read(done.ticket, std::move(*done.found));
  }
}

void SimBroker::move_links(Post& post) {
  for (core::MovedLink& moved : std::exchange(post.core->effects().moved, {})) {
    Line* const line = find(post, moved.link);
    if (!line) continue;
    posts_[moved.to]->arrivals.push_back(
        {line->wire, std::move(moved.origin), std::move(moved.bytes)});
    std::erase_if(post.lines, [&](const Line& each) { return each.key == moved.link; });
  }
}

void SimBroker::finish(Post& post) {
  core::Effects& effects = post.core->effects();
  for (int round = 0; round < kRoundsMax; ++round) {
    if (post.in_turn) {
      if (doors.mail) doors.mail(*mail_, post.id);
      post.in_turn = false;
      post.core->end_turn();
    }
    take_commit(post);
    wants_reload_ |= effects.reload;
    flush_touched(post);
    if (!post.in_turn) return;
  }
  post.in_turn = false;
  post.core->end_turn();
  take_commit(post);
}

void SimBroker::take_commit(Post& post) {
  auto& commit = post.core->effects().commit;
  if (!commit) return;
  ++activity_;
  const std::uint64_t id = commit->id;
  store_.submit(post.id, id, std::move(commit->batch));
  commit.reset();
  if (doors.answer_at_once) post.answers.push_back({post.id, id, true});
}

// --- Output

// In the order of the wires, each once.
void SimBroker::flush_touched(Post& post) {
  auto& touched = post.core->effects().touched;
  while (!touched.empty()) {
    const std::vector<core::LinkKey> some = std::exchange(touched, {});
    std::map<std::uint32_t, core::LinkKey> keys;
    for (const core::LinkKey key : some)
      if (const Line* line = find(post, key)) keys.emplace(line->wire->number, key);
    for (const auto& [number, key] : keys) flush(post, key);
  }
}

// As net::Connections does: write what is there, ask for more only when nothing is left, shut when
// the core is done.
void SimBroker::flush(Post& post, core::LinkKey key) {
  Line* line = find(post, key);
  if (!line) return;
  Wire& wire = *line->wire;
  line->blocked = false;
  for (int i = 0; i < kRoundsMax && !line->blocked; ++i) {
    base::OutBuffer* const output = post.core->output(key);
    if (!output) return;
    if (output->empty()) {
      if (!post.core->has_more(key)) break;
      enter(post);
      post.core->on_room(key);
      if (output->empty()) break;
    }
    iovec parts[8];
    const std::size_t count = output->gather(parts, 8);
    std::size_t sent = 0;
    for (std::size_t part = 0; part < count && !line->blocked; ++part) {
      const std::size_t room = wire.to_client.size() < network_.room_to_client
                                   ? network_.room_to_client - wire.to_client.size()
                                   : 0;
      const std::size_t taken = std::min(room, parts[part].iov_len);
      if (!wire.client_gone)
        wire.to_client.append(static_cast<const char*>(parts[part].iov_base), taken);
      sent += taken;
      line->blocked = taken < parts[part].iov_len;
    }
    if (sent > 0) ++activity_;
    output->consume(sent, post.core->chunks());
  }
  const base::OutBuffer* const output = post.core->output(key);
  // Much output may still wait with nothing in its way: the socket's interest in room brings the
  // rest.
  line->blocked = !output->empty();
  line->paused = !post.core->reading(key);
  if (!post.core->closing(key)) return;
  line->wire->left(clock_.truth.count());
  if (!line->blocked) {
    ++activity_;
    enter(post);
    post.core->on_shut(key);
    close_line(post, key);
  } else if (line->close_by == 0) {
    line->close_by = network_.steps + kPatience;
  }
}

void SimBroker::flush_blocked(Post& post) {
  std::vector<core::LinkKey> ready;
  std::vector<core::LinkKey> late;
  for (const Line& line : post.lines) {
    if (line.close_by != 0 && line.close_by <= network_.steps) {
      late.push_back(line.key);
    } else if (line.blocked &&
               (line.wire->to_client.size() < network_.room_to_client || line.wire->client_gone)) {
      ready.push_back(line.key);
    }
  }
  for (const core::LinkKey key : ready) flush(post, key);
  for (const core::LinkKey key : late) {
    enter(post);
    post.core->on_closed(key);
    close_line(post, key);
  }
}

void SimBroker::close_line(Post& post, core::LinkKey key) {
  Line* const line = find(post, key);
  if (!line) return;
  line->wire->server_shut = true;
  line->wire->left(clock_.truth.count());
  line->wire->to_server.clear();
  std::erase_if(post.lines, [&](const Line& each) { return each.key == key; });
}

SimBroker::Line* SimBroker::find(Post& post, core::LinkKey key) {
  for (Line& line : post.lines)
    if (line.key == key) return &line;
  return nullptr;
}

// --- Storage

void SimBroker::store_some(bool everything) {
  const std::size_t waiting = store_.waiting();
  if (waiting == 0) return;
  ++activity_;
  for (const SimStore::Answer& answer :
       store_.sync(everything ? waiting : 1 + random_.below(waiting)))
    if (!doors.answer_at_once) posts_[answer.shard]->answers.push_back(answer);
}

void SimBroker::store_fails() {
  say("the store fails");
  for (const SimStore::Answer& answer : store_.fail())
    if (!doors.answer_at_once) posts_[answer.shard]->answers.push_back(answer);
}

// --- Looking in

std::uint64_t SimBroker::sum(Metric metric) const {
  std::uint64_t total = 0;
  for (const auto& post : posts_) total += post->counters[metric];
  return total;
}

std::string SimBroker::unrest() const {
  if (store_.waiting() > 0) return "commits wait";
  for (const auto& post : posts_) {
    const std::string shard = "shard " + std::to_string(post->id);
    if (mail_->has_mail(post->id)) return shard + " has mail";
    for (core::ShardId to = 0; to < posts_.size(); ++to)
      if (to != post->id && mail_->backlog(post->id, to) > 0) return shard + " has letters to post";
    if (post->core->wants_turn()) return shard + " wants a turn";
    if (!post->reads.empty() || !post->core->effects().reads.empty())
      return shard + " waits for a read";
    if (!post->arrivals.empty()) return shard + " has links that arrive";
    for (const Line& line : post->lines) {
      const std::string name = shard + ", wire " + std::to_string(line.wire->number);
      if (!line.wire->to_server.empty()) return name + " has bytes that the broker does not read";
      if (line.blocked) return name + " has output that does not leave";
      if (line.paused) return name + " is not read";
    }
  }
  return {};
}

}  // namespace twinmq::sim
