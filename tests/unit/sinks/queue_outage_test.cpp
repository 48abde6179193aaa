// The queue's whole life by a clock of its own: an hour without the receiver, and crashes of broker
// and disk.
#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/prng.hpp"
#include "plain_store.hpp"
#include "sinks/durable_queues.hpp"

using namespace twinmq;
using namespace twinmq::sinks;
using namespace twinmq::sinks::testing;

namespace {

constexpr std::uint32_t kShards = 3;

// What is committed waits for sync(); a crash loses any suffix of what waits.
class LaggingStore final : public PlainStore {
 public:
  void submit(Batch changes, std::function<void()> done) {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back({std::move(changes), std::move(done)});
  }
  void sync(std::size_t count) {
    std::vector<std::function<void()>> safe;
    {
      const std::scoped_lock lock(mutex_);
      for (; count > 0 && !waiting_.empty(); --count) {
        apply(waiting_.front().changes);
        safe.push_back(std::move(waiting_.front().done));
        waiting_.pop_front();
      }
    }
    for (const auto& done : safe) done();
  }
  void crash(base::Prng& random) {
    const std::scoped_lock lock(mutex_);
    for (std::size_t kept = random.below(waiting_.size() + 1); kept > 0; --kept) {
      apply(waiting_.front().changes);
      waiting_.pop_front();
    }
    waiting_.clear();
  }
  bool is_empty() const {
    const std::scoped_lock lock(mutex_);
    return entries_.empty() && waiting_.empty();
  }

 private:
  struct Submitted {
    Batch changes;
    std::function<void()> done;
  };

  std::deque<Submitted> waiting_;
};

// Counts for each shard what came first; the rest is checked at once.
class StrictReceiver {
 public:
  SinkVerdict take(std::span<const SinkEntry> batch) {
    const std::scoped_lock lock(mutex_);
    ++attempts_;
    if (down_) return {SinkVerdict::Kind::Retry, 0, "down"};
    for (const SinkEntry& entry : batch) {
      const auto shard = static_cast<std::size_t>(entry.payload[0] - '0');
      const std::uint64_t number = std::stoull(entry.payload.substr(2));
      if (number > came_[shard]) in_order_ = false;
      if (number == came_[shard]) ++came_[shard];
    }
    return {SinkVerdict::Kind::Delivered, batch.size(), {}};
  }
  void be_up() {
    const std::scoped_lock lock(mutex_);
    down_ = false;
  }
  std::uint64_t came(std::size_t shard) const {
    const std::scoped_lock lock(mutex_);
    return came_[shard];
  }
  std::uint64_t attempts() const {
    const std::scoped_lock lock(mutex_);
    return attempts_;
  }
  bool in_order() const {
    const std::scoped_lock lock(mutex_);
    return in_order_;
  }

 private:
  mutable std::mutex mutex_;
  std::array<std::uint64_t, kShards> came_{};
  std::uint64_t attempts_ = 0;
  bool in_order_ = true;
  bool down_ = true;
};

class Door final : public Sink {
 public:
  explicit Door(StrictReceiver& receiver) : receiver_(receiver) {}
  SinkVerdict deliver(std::span<const SinkEntry> batch) override { return receiver_.take(batch); }

 private:
  StrictReceiver& receiver_;
};

// A broker on which each shard is given numbers in order, and again those that were not safe when
// it died.
struct World {
  explicit World(std::uint64_t seed) : random(seed) { start(); }

  void start() {
    QueueParts parts;
    parts.store = &store;
    parts.write = [this](Batch changes, std::function<void()> done) {
      store.submit(std::move(changes), std::move(done));
    };
    parts.wall = [] { return WallTime(Milliseconds(0)); };
    parts.steady = [this] {
      const std::int64_t time = now;
      seen = time;
      return Instant(Milliseconds(time));
    };
    queues = std::make_unique<DurableQueues>(std::move(parts));
    queues->add("s", std::make_unique<Door>(receiver), {});
    REQUIRE(queues->begin().has_value());
    next = *safe;
  }
  void crash() {
    queues.reset();
    store.crash(random);
    // What was on its way and survived may come although nobody was told; it is sent again.
    start();
  }
  /// Time passes, and a queue that pauses has seen it.
  void pass(std::int64_t milliseconds) {
    const bool pauses = queues->statistics().front().waiting_entries > 0;
    now += milliseconds;
    while (pauses && seen != now) std::this_thread::yield();
  }
  void hand_over(std::uint32_t shard) {
    auto transaction = std::make_shared<PlainReaction>();
    SinkEntry entry;
    entry.payload = std::to_string(shard) + "/" + std::to_string(next[shard]++);
    REQUIRE(queues->hand_over("s", shard, entry, *transaction));
    store.submit(transaction->records(), [transaction, shard, told = safe] {
      ++(*told)[shard];
      transaction->settle();
    });
  }

  base::Prng random;
  std::atomic<std::int64_t> now{0};
  std::atomic<std::int64_t> seen{0};
  LaggingStore store;
  StrictReceiver receiver;
  std::unique_ptr<DurableQueues> queues;
  std::array<std::uint64_t, kShards> next{};
  std::shared_ptr<std::array<std::uint64_t, kShards>> safe =
      std::make_shared<std::array<std::uint64_t, kShards>>();
};

}  // namespace

TEST_CASE(
    "an hour without the receiver and a crash every five minutes lose nothing and keep the order") {
  World world(GENERATE(range(std::uint64_t{1}, std::uint64_t{6})));
  std::uint64_t crashes = 0;
  for (int step = 0; step < 360; ++step) {
    world.pass(10'000);
    for (std::uint64_t count = world.random.below(20); count > 0; --count)
      world.hand_over(static_cast<std::uint32_t>(world.random.below(kShards)));
    world.store.sync(world.random.below(25));
    if (world.random.below(30) == 0) {
      world.crash();
      ++crashes;
    }
  }
  CHECK(crashes > 3);
  // Half a second, then twice as long each time up to a minute: no flood, and no end.
  CHECK(world.receiver.attempts() > 50);
  CHECK(world.receiver.attempts() < 60 + (crashes + 1) * 10);
  world.receiver.be_up();
  while (!world.store.is_empty()) {
    world.now += 10'000;
    world.store.sync(100);
    std::this_thread::yield();
  }
  for (std::size_t shard = 0; shard < kShards; ++shard)
    CHECK(world.receiver.came(shard) == world.next[shard]);
  CHECK(world.receiver.in_order());
}
