#include "app/shard_set.hpp"

#include <poll.h>

#include <algorithm>
#include <random>
#include <utility>

#include "core/settle.hpp"

namespace twinmq::app {
namespace {

constexpr Milliseconds kReopenDelay{1000};
constexpr Milliseconds kQuietStep{2};
constexpr unsigned kReaders = 2;

}  // namespace

ShardSet::ShardSet(Plan plan) : plan_(std::move(plan)), group_(plan_.limits) {
  group_.handshake_limit = Milliseconds(Seconds(plan_.limits.handshake_timeout_seconds));
  group_.log = plan_.log;
  group_.http_options = plan_.http_options;
  group_.http = plan_.http;
  group_.reload = [this] { recover(); };
  group_.inline_store = plan_.store;
}

Result<std::shared_ptr<ShardSet>> ShardSet::start(Plan plan) {
  std::shared_ptr<ShardSet> set(new ShardSet(std::move(plan)));
  const auto driver =
      set->plan_.on_caller ? net::EventLoop::Driver::Caller : net::EventLoop::Driver::OwnThread;
  for (core::ShardId id = 0; id < set->plan_.shards; ++id) {
    Result<std::unique_ptr<ShardThread>> shard = ShardThread::create(id, driver, set->group_);
    if (!shard) return shard.error();
    set->group_.inboxes.push_back((*shard)->inbox());
    set->shards_.push_back(std::move(*shard));
  }
  if (const Result<void> opened = set->open_listeners(); !opened) return opened.error();
  Result<std::vector<BuiltCore>> built = set->build();
  if (!built && built.error().code == ErrorCode::Corrupt) {
    // Reopening sets aside what is damaged.
    if (const Result<void> mended = set->plan_.store->reopen(); !mended) return mended.error();
    built = set->build();
  }
  if (!built) return built.error();

  if (const Result<void> started = set->start_storage(); !started) return started.error();
  if (set->plan_.sys && set->plan_.sys_interval > Seconds(0)) {
    set->shards_.front()->set_periodic(
        set->plan_.sys_interval,
        [set = set.get()](ShardThread& thread) { set->publish_system_topics(thread); });
  }
  set->install(std::move(*built));
  for (const auto& shard : set->shards_) {
    if (set->plan_.on_caller) {
      shard->adopt_thread();
    } else {
      const Result<void> started = shard->start_thread();
      if (!started) return started.error();
    }
  }
  return set;
}

// A store in memory that one shard has for itself is written and read at once.
Result<void> ShardSet::start_storage() {
  if (plan_.keeps_records && !(plan_.store_is_memory && plan_.shards == 1)) {
    queue_ = std::make_unique<storage::CommitQueue>(
        *plan_.store,
        [this](const std::vector<storage::CommitQueue::Answer>& answers,
               const std::string& failure) {
          if (!failure.empty()) log(LogLevel::Error, "commit failed", "reason=\"" + failure + "\"");
          for (const auto& answer : answers)
            group_.inboxes[answer.shard]->answer(CommitAnswer{answer.id, answer.durable});
        },
        storage::RoomWatch{plan_.free_bytes_min,
                           [this](bool full, std::uint64_t bytes) { tell_room(full, bytes); }});
    if (!queue_->started()) return queue_->started().error();
    group_.submit = [queue = queue_.get()](core::ShardId shard, core::Commit commit) {
      queue->submit(shard, commit.id, std::move(commit.batch), commit.durability);
    };
  }
  if (queue_ && !plan_.store_is_memory) {
    readers_ = std::make_unique<storage::ReaderPool>(
        *plan_.store, kReaders, [this](storage::ReaderPool::Answer answer) {
          group_.inboxes[answer.shard]->answer(ReadAnswer{answer.id, std::move(answer.found)});
        });
    if (!readers_->started()) return readers_->started().error();
    group_.read = [readers = readers_.get()](core::ShardId shard, std::uint64_t id,
                                             StoreRange range) {
      readers->submit({shard, id, std::move(range)});
    };
  }
  return {};
}

ShardSet::~ShardSet() {
  stop(Milliseconds(0));
}

Result<std::vector<BuiltCore>> ShardSet::build() {
  const Now now = read_clocks();
  const auto mail = std::make_shared<core::Mail>(size());
  std::random_device chance;
  std::vector<BuiltCore> built;
  for (const auto& shard : shards_) {
    core::ShardParts parts = plan_.parts(shard->id());
    parts.id = shard->id();
    parts.shards = size();
    parts.mail = mail.get();
    parts.counters = &shard->counters();
    parts.post = [inbox =
                      std::weak_ptr(shard->inbox())](std::function<void(core::ShardCore&)> errand) {
      if (const auto there = inbox.lock()) {
        there->post([errand = std::move(errand)](ShardThread& thread) { errand(*thread.core()); });
      }
    };
    parts.log = plan_.log;
    parts.store_full = store_full_;
    parts.seed = (std::uint64_t{chance()} << 32) | chance();
    built.push_back({mail, std::make_unique<core::ShardCore>(std::move(parts))});
  }
  for (BuiltCore& each : built) {
    if (const Result<void> restored = each.core->restore(*plan_.store, now); !restored)
      return restored.error();
  }
  std::vector<core::ShardCore*> cores;
  for (const BuiltCore& each : built) cores.push_back(each.core.get());
  const auto commit = [this](const Batch& batch) {
    return plan_.store->commit(batch, plan_.durability);
  };
  if (const Result<void> settled = core::settle(cores, *mail, now, commit); !settled)
    return settled.error();
  return built;
}

void ShardSet::install(std::vector<BuiltCore> built) {
  const std::vector<net::Listener*> listeners = serving();
  for (std::size_t i = 0; i < shards_.size(); ++i)
    shards_[i]->install(std::move(built[i]), listeners);
}

void ShardSet::announce() {
  std::string listeners;
  for (const auto& listener : listeners_) {
    if (!listeners.empty()) listeners += ' ';
    listeners += listener->url();
  }
  log(LogLevel::Info, "ready", "listeners=\"" + listeners + "\" shards=" + std::to_string(size()));
}

void ShardSet::tell_room(bool full, std::uint64_t bytes) {
  store_full_ = full;
  log(full ? LogLevel::Error : LogLevel::Info, full ? "disk full" : "disk has room again",
      "free_bytes=" + std::to_string(bytes) +
          " free_bytes_min=" + std::to_string(plan_.free_bytes_min) +
          (full ? " action=\"messages that would have to be stored are refused\"" : ""));
  for (const auto& shard : shards_) {
    shard->inbox()->order([this](ShardThread& thread) {
      if (core::ShardCore* const core = thread.core()) core->set_store_full(store_full_);
    });
  }
}

// --- Recovery

// A commit failed: nobody knows what the shards hold beyond the store. Every connection closes, and
// all shards begin again from what is stored.
void ShardSet::recover() {
  if (recovering_.exchange(true)) return;
  log(LogLevel::Error, "storage failed",
      "action=\"all connections close, sessions are read back from the store\"");
  halted_ = 0;
  for (const auto& shard : shards_) {
    shard->inbox()->order([this](ShardThread& thread) {
      thread.halt();
      if (++halted_ < size()) return;
      if (queue_) {
        queue_->run([this](Store&) { rebuild(); });
      } else {
        rebuild();
      }
    });
  }
}

void ShardSet::rebuild() {
  for (;;) {
    Result<void> reopened = queue_ ? queue_->reopen() : plan_.store->reopen();
    Result<std::vector<BuiltCore>> built =
        reopened ? build() : Result<std::vector<BuiltCore>>(reopened.error());
    if (built) {
      auto shared = std::make_shared<std::vector<BuiltCore>>(std::move(*built));
      recovering_ = false;
      for (const auto& shard : shards_) {
        // The listeners of that moment: a reload may come in between.
        shard->inbox()->order([this, shared](ShardThread& thread) {
          thread.install(std::move((*shared)[thread.id()]), serving());
        });
      }
      log(LogLevel::Info, "storage recovered", "shards=" + std::to_string(size()));
      return;
    }
    log(LogLevel::Error, "storage recovery failed", "reason=\"" + built.error().detail + "\"");
    std::unique_lock lock(stop_mutex_);
    if (stop_changed_.wait_for(lock, kReopenDelay, [this] { return stopping_; })) return;
  }
}

// --- Stopping

void ShardSet::stop(Milliseconds deadline) {
  {
    const std::scoped_lock lock(stop_mutex_);
    if (std::exchange(stopping_, true)) return;
    stop_changed_.notify_all();
  }
  const Instant until = read_clocks().steady + deadline;
  for (const auto& shard : shards_) {
    shard->inbox()->order([](ShardThread& thread) { thread.close_down(); });
  }
  const bool turns = turns_here();
  while (read_clocks().steady < until && !all_quiet()) {
    if (!turns) std::this_thread::sleep_for(kQuietStep);
  }
  // On another thread than the loop's: whatever turn runs there ends first, and none follows.
  std::unique_lock turning(turn_mutex_, std::defer_lock);
  if (plan_.on_caller && !turns) turning.lock();
  for (const auto& shard : shards_) {
    shard->stop_thread();
    shard->inbox()->close();
  }
  // What was submitted is written, whether anybody still waits for it or not.
  if (queue_) queue_->stop();
  if (readers_) readers_->stop();
  for (const auto& shard : shards_) shard->halt();
  const std::scoped_lock lock(stop_mutex_);
  stopped_ = true;
}

// Twice in a row, because the last letter of one shard may have given another one work.
bool ShardSet::all_quiet() {
  for (int round = 0; round < 2; ++round) {
    for (const auto& shard : shards_) {
      const Reply<bool> reply;
      shard->inbox()->order(
          [promise = reply.promise()](ShardThread& thread) { promise.give(thread.quiet()); });
      if (!await(reply, Milliseconds(50)) || !reply.take().value_or(false)) return false;
    }
  }
  return true;
}

// --- The rest

void ShardSet::for_each_inbox(const Inbox::Errand& errand) {
  for (const auto& shard : shards_) shard->inbox()->post(errand);
}

void ShardSet::set_connection_limits(const LimitsConfig& limits) {
  group_.connections.total.set_max(limits.connections_max);
  group_.connections.handshakes.set_max(limits.handshakes_max);
  group_.connections.addresses.set_max(limits.connections_per_address_max);
  const Milliseconds patience = Seconds(limits.handshake_timeout_seconds);
  group_.handshake_limit = patience;
  for_each_inbox(
      [patience](ShardThread& thread) { thread.connections().set_handshake_limit(patience); });
}

Statistics ShardSet::statistics() const {
  Statistics sum;
  for (const auto& shard : shards_) shard->counters().add_to(sum);
  if (queue_) {
    sum[Metric::StoreWrites] = queue_->writes();
    sum[Metric::StoreBytes] = queue_->bytes();
    sum[Metric::StoreSyncs] = queue_->syncs();
    sum[Metric::StoreFull] = queue_->full();
  }
  sum[Metric::StoreDurability] = static_cast<std::uint64_t>(plan_.durability);
  plan_.complete_statistics(sum);
  return sum;
}

void ShardSet::publish_system_topics(ShardThread& thread) {
  plan_.sys->publish(statistics(), thread.now(),
                     [&](std::string_view topic, std::string_view payload) {
                       MessageParts message;
                       message.topic = topic;
                       message.payload = payload;
                       message.retain = true;
                       thread.publish(message, {});
                     });
}

void ShardSet::turn() {
  const std::scoped_lock lock(turn_mutex_);
  {
    const std::scoped_lock stop_lock(stop_mutex_);
    if (stopped_) return;
  }
  turning_ = true;
  shards_.front()->turn();
  turning_ = false;
}

bool ShardSet::may_wait() const {
  if (plan_.on_caller) return !(turning_ && shards_.front()->on_this_thread());
  return std::none_of(shards_.begin(), shards_.end(),
                      [](const auto& shard) { return shard->on_this_thread(); });
}

void ShardSet::poll_and_turn() {
  pollfd ready{fd(), POLLIN, 0};
  ::poll(&ready, 1, static_cast<int>(kQuietStep.count()));
  turn();
}

void ShardSet::log(LogLevel level, std::string_view event, const std::string& detail) const {
  if (plan_.log) plan_.log({level, event, detail});
}

}  // namespace twinmq::app
