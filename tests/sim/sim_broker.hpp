#pragma once
// The broker's shell for a simulated world: shards stepped on one thread, with simulated sockets,
// storage and time. What src/app and src/net do with threads and system calls is done here in an
// order drawn from the seed.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <twinmq/config.hpp>
#include <twinmq/service.hpp>
#include <twinmq/time.hpp>

#include "base/counters.hpp"
#include "base/prng.hpp"
#include "core/shard_core.hpp"
#include "sim/sim_network.hpp"
#include "sim/sim_store.hpp"

namespace twinmq::sim {

/// Both clocks of the simulated machine. `truth` is what really passes; the others are read from
/// it.
struct SimClock {
  Milliseconds truth{0};
  Milliseconds steady_start{0};  ///< where the monotonic clock of this process began
  Milliseconds wall_error{0};
  Milliseconds last_jump{-1};  ///< when the wall clock was last set

  Now now() const {
    return {Instant(truth + steady_start),
            WallTime(Milliseconds(1'700'000'000'000) + truth + wall_error)};
  }
};

/// What stands between the core and what it is built on: nothing, or a planted fault.
struct Doors {
  std::function<std::unique_ptr<SessionJournal>(std::unique_ptr<SessionJournal>)> journal;
  std::function<std::unique_ptr<RetainedMessages>(std::unique_ptr<RetainedMessages>)> retained;
  std::function<std::unique_ptr<Service>(std::unique_ptr<Service>)> shadows;
  std::function<void(core::Mail&, core::ShardId from)>
      mail;                     ///< at the end of each turn, before the mail leaves
  bool answer_at_once = false;  ///< commits are answered before they are written
};

class SimBroker {
 public:
  SimBroker(SimStore& store, SimNetwork& network, SimClock& clock, base::Prng& random)
      : store_(store), network_(network), clock_(clock), random_(random) {}

  MqttConfig mqtt;
  LimitsConfig limits;
  std::optional<ShadowConfig> shadow;  ///< cache_bytes: of each shard
  Doors doors;
  std::function<void(const std::string&)> trace;

  /// Builds this many shards from what the store holds.
  void start(unsigned shards);
  /// The process ends without warning.
  void crash();
  /// One turn of one shard. With `everything` it takes all there is; otherwise as much as the seed
  /// says.
  void turn(core::ShardId shard, bool everything);
  /// The storage thread writes some of what waits, or fails to.
  void store_some(bool everything);
  void store_fails();

  unsigned shards() const { return static_cast<unsigned>(posts_.size()); }
  /// A commit failed: every shard must be built anew. The world calls reload() when it likes to.
  bool wants_reload() const { return wants_reload_; }
  void reload();

  /// Changes whenever anything moved: to see that nothing does any more.
  std::uint64_t activity() const { return activity_; }

  core::ShardCore& core(core::ShardId shard) { return *posts_[shard]->core; }
  std::uint64_t sum(Metric metric) const;
  /// Empty when no letter waits, no commit is open and every link is at rest.
  std::string unrest() const;

 private:
  struct Line {  // a wire as its shard's shell has it
    std::shared_ptr<Wire> wire;
    core::LinkKey key;
    bool paused = false;
    bool blocked = false;
    std::uint64_t close_by =
        0;  ///< step at which a closing link that cannot flush is given up; 0: not closing
  };
  struct Arrival {
    std::shared_ptr<Wire> wire;
    core::LinkOrigin origin;
    std::string bytes;
  };
  struct Reading {
    std::uint64_t ticket;
    StoreRange range;
    std::optional<Result<StoreEntries>> found;  ///< read, not yet told
  };
  struct Post {  // one shard and its shell
    core::ShardId id = 0;
    base::Counters counters;
    std::vector<Line> lines;
    std::vector<Arrival> arrivals;
    std::deque<SimStore::Answer> answers;
    std::vector<Reading> reads;
    std::vector<std::function<void(core::ShardCore&)>> errands;
    std::unique_ptr<core::ShardCore> core;
    bool in_turn = false;
  };

  void build(unsigned shards);
  void cut_all(bool lose_output);
  void enter(Post& post);
  void accept(Post& post, bool everything);
  void receive(Post& post, bool everything);
  void receive_from(Post& post, Line& line, bool everything);
  void answer(Post& post, bool everything);
  void read(Post& post, bool everything);
  void move_links(Post& post);
  void finish(Post& post);
  void take_commit(Post& post);
  void flush_touched(Post& post);
  void flush(Post& post, core::LinkKey key);
  void flush_blocked(Post& post);
  void close_line(Post& post, core::LinkKey key);
  Line* find(Post& post, core::LinkKey key);
  void say(const std::string& text) const {
    if (trace) trace(text);
  }

  SimStore& store_;
  SimNetwork& network_;
  SimClock& clock_;
  base::Prng& random_;
  std::unique_ptr<core::Mail> mail_;
  std::vector<std::unique_ptr<Post>> posts_;
  bool wants_reload_ = false;
  std::uint64_t activity_ = 0;
  std::uint64_t builds_ = 0;
};

}  // namespace twinmq::sim
