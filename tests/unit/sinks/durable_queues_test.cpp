#include "sinks/durable_queues.hpp"

#include <catch2/catch.hpp>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "plain_store.hpp"
#include "records/sink_record.hpp"

using namespace twinmq;
using namespace twinmq::sinks;
using namespace twinmq::sinks::testing;

namespace {

// Takes what it is told to take, and remembers.
struct Receiver {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> taken;
  std::vector<std::size_t> batches;
  bool down = false;
  std::string refused;

  void wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    REQUIRE(
        changed.wait_for(lock, std::chrono::seconds(60), [&] { return taken.size() >= count; }));
  }
  void set_down(bool value) {
    const std::scoped_lock lock(mutex);
    down = value;
  }
};

class ScriptedSink final : public Sink {
 public:
  explicit ScriptedSink(Receiver& receiver) : receiver_(receiver) {}
  SinkVerdict deliver(std::span<const SinkEntry> batch) override {
    const std::scoped_lock lock(receiver_.mutex);
    if (receiver_.down) return {SinkVerdict::Kind::Retry, 0, "down"};
    std::size_t done = 0;
    for (const SinkEntry& entry : batch) {
      if (entry.payload == receiver_.refused) {
        receiver_.changed.notify_all();
        return {SinkVerdict::Kind::Refused, done, "not wanted"};
      }
      receiver_.taken.push_back(entry.payload);
      ++done;
    }
    receiver_.batches.push_back(done);
    receiver_.changed.notify_all();
    return {SinkVerdict::Kind::Delivered, done, {}};
  }

 private:
  Receiver& receiver_;
};

struct Bench {
  PlainStore store;
  Receiver receiver;
  std::unique_ptr<DurableQueues> queues;

  void start(SinkOptions options = {}) {
    QueueParts parts;
    parts.store = &store;
    parts.write = [this](const Batch& changes, const std::function<void()>& done) {
      (void)store.commit(changes, Durability::None);
      done();
    };
    parts.wall = [] { return WallTime(Milliseconds(1'000'000)); };
    queues = std::make_unique<DurableQueues>(std::move(parts));
    options.retry_min = Milliseconds(1);
    options.retry_max = Milliseconds(4);
    queues->add("s", std::make_unique<ScriptedSink>(receiver), options);
    REQUIRE(queues->begin().has_value());
  }
  bool put(const std::string& payload, std::uint32_t shard = 0) {
    PlainReaction reaction;
    SinkEntry entry;
    entry.id = "id-" + payload;
    entry.payload = payload;
    if (!queues->hand_over("s", shard, entry, reaction)) return false;
    REQUIRE(reaction.commit(store));
    return true;
  }
  SinkStatistics figures() { return queues->statistics().front(); }
  void wait_until_empty() {
    while (store.size() > 0) std::this_thread::yield();
  }
};

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> all;
  for (int i = from; i < to; ++i) all.push_back(std::to_string(i));
  return all;
}

}  // namespace

TEST_CASE("a batch waits to be filled, and no longer than until it is") {
  SinkOptions options;
  options.linger = Milliseconds(10'000'000);
  options.batch_entries_max = 5;
  const bool by_bytes = GENERATE(false, true);
  if (by_bytes) options.batch_bytes_max = 200;
  Bench bench;
  bench.start(options);
  const std::string payload(by_bytes ? 150 : 1, 'p');
  for (int i = 0; i < (by_bytes ? 2 : 5); ++i) REQUIRE(bench.put(payload));
  bench.receiver.wait_for(by_bytes ? 2 : 5);
  if (!by_bytes) CHECK(bench.receiver.batches == std::vector<std::size_t>{5});
}

TEST_CASE("what is handed over is delivered in order, in batches, and leaves nothing behind") {
  Bench bench;
  bench.start({.batch_entries_max = 10});
  for (const auto& each : numbers(0, 100)) REQUIRE(bench.put(each));
  bench.receiver.wait_for(100);
  CHECK(bench.receiver.taken == numbers(0, 100));
  for (const std::size_t batch : bench.receiver.batches) CHECK(batch <= 10);
  bench.wait_until_empty();
}

TEST_CASE("while a sink is down nothing is lost, and afterwards everything comes in order") {
  Bench bench;
  bench.receiver.set_down(true);
  bench.start();
  for (const auto& each : numbers(0, 250)) REQUIRE(bench.put(each));
  while (bench.figures().attempts_failed < 3) std::this_thread::yield();
  CHECK(bench.figures().failing);
  CHECK(bench.figures().last_error == "down");
  bench.receiver.set_down(false);
  bench.receiver.wait_for(250);
  CHECK(bench.receiver.taken == numbers(0, 250));
  bench.wait_until_empty();
}

TEST_CASE("what waits at the end is delivered by the next run, and numbers go on behind it") {
  Bench bench;
  bench.receiver.set_down(true);
  bench.start();
  for (const auto& each : numbers(0, 30)) REQUIRE(bench.put(each));
  bench.queues.reset();
  CHECK(bench.store.size() == 30);
  bench.start();
  CHECK(bench.figures().waiting_entries == 30);
  for (const auto& each : numbers(30, 40)) REQUIRE(bench.put(each));
  bench.receiver.set_down(false);
  bench.receiver.wait_for(40);
  CHECK(bench.receiver.taken == numbers(0, 40));
  bench.wait_until_empty();
}

TEST_CASE("an entry that is refused becomes a dead letter, and can be replayed") {
  Bench bench;
  bench.receiver.refused = "3";
  bench.start();
  for (const auto& each : numbers(0, 6)) REQUIRE(bench.put(each));
  bench.receiver.wait_for(5);
  while (bench.store.size() > 1) std::this_thread::yield();
  CHECK(bench.figures().dead_letters == 1);
  {
    const std::scoped_lock lock(bench.receiver.mutex);
    bench.receiver.refused.clear();
  }
  CHECK(bench.queues->replay("s") == 1);
  bench.receiver.wait_for(6);
  CHECK(bench.receiver.taken.back() == "3");
  bench.wait_until_empty();
}

TEST_CASE("a full queue refuses, or drops the newest or the oldest, as it is told") {
  const SinkFull policy = GENERATE(SinkFull::Reject, SinkFull::DropNewest, SinkFull::DropOldest);
  Bench bench;
  bench.receiver.set_down(true);
  SinkOptions options;
  options.entries_max = 3;
  options.full = policy;
  bench.start(options);
  for (const auto& each : numbers(0, 3)) REQUIRE(bench.put(each));
  CHECK(bench.put("3") == (policy != SinkFull::Reject));
  CHECK(bench.figures().dropped == (policy == SinkFull::Reject ? 0 : 1));
  bench.receiver.set_down(false);
  bench.receiver.wait_for(3);
  CHECK(bench.receiver.taken == (policy == SinkFull::DropOldest ? numbers(1, 4) : numbers(0, 3)));
  bench.wait_until_empty();
}

TEST_CASE("entries of several shards all arrive, each shard's in order") {
  Bench bench;
  bench.start({.batch_entries_max = 7});
  for (int i = 0; i < 100; ++i)
    REQUIRE(bench.put(std::to_string(i % 4) + "/" + std::to_string(i / 4),
                      static_cast<std::uint32_t>(i % 4)));
  bench.receiver.wait_for(100);
  std::map<std::string, int> next;
  for (const std::string& each : bench.receiver.taken) {
    const std::string shard = each.substr(0, 1);
    CHECK(std::stoi(each.substr(2)) == next[shard]++);
  }
  bench.wait_until_empty();
}

TEST_CASE("an entry that was numbered early and committed late is delivered too") {
  Bench bench;
  bench.start();
  PlainReaction late;
  SinkEntry entry;
  entry.payload = "late";
  REQUIRE(bench.queues->hand_over("s", 0, entry, late));
  REQUIRE(bench.put("early"));
  bench.receiver.wait_for(1);
  REQUIRE(late.commit(bench.store));
  bench.receiver.wait_for(2);
  CHECK(bench.receiver.taken == std::vector<std::string>{"early", "late"});
  bench.wait_until_empty();
}

TEST_CASE("a damaged entry is left out and does not stop the others") {
  Bench bench;
  Batch damaged;
  damaged.put(records::sink_key(records::kSinkPrefix, "s", 0, 0), "nonsense");
  REQUIRE(bench.store.commit(damaged, Durability::None));
  bench.start();
  REQUIRE(bench.put("whole"));
  bench.receiver.wait_for(1);
  CHECK(bench.receiver.taken == std::vector<std::string>{"whole"});
  bench.wait_until_empty();
}

TEST_CASE("a queue that gets another sink goes on with what waits, in order") {
  Bench bench;
  bench.receiver.set_down(true);
  bench.start();
  for (const auto& each : numbers(0, 5)) REQUIRE(bench.put(each));
  Receiver other;
  bench.queues->add("s", std::make_unique<ScriptedSink>(other), {});
  for (const auto& each : numbers(5, 10)) REQUIRE(bench.put(each));
  other.wait_for(10);
  CHECK(other.taken == numbers(0, 10));
  bench.wait_until_empty();
}

TEST_CASE("a removed queue keeps what waits until it is added again, or gives it up") {
  const bool give_up = GENERATE(false, true);
  Bench bench;
  bench.receiver.set_down(true);
  bench.start();
  for (const auto& each : numbers(0, 5)) REQUIRE(bench.put(each));
  bench.queues->remove("s", give_up);
  CHECK(bench.queues->statistics().empty());
  CHECK(bench.store.size() == (give_up ? 0 : 5));
  REQUIRE(bench.put("5"));  // on its way when the queue was removed
  bench.receiver.set_down(false);
  bench.queues->add("s", std::make_unique<ScriptedSink>(bench.receiver), {});
  bench.receiver.wait_for(give_up ? 1 : 6);
  CHECK(bench.receiver.taken == (give_up ? numbers(5, 6) : numbers(0, 6)));
  bench.wait_until_empty();
}
