#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "storage/commit_queue.hpp"
#include "storage/memory_store.hpp"

namespace {

using namespace twinmq;
using storage::CommitQueue;

Batch put(std::string_view key, std::string_view value) {
  Batch batch;
  batch.put(key, value);
  return batch;
}

// Holds commits back until told, and can be made to fail.
class GatedStore final : public Store {
 public:
  Result<void> commit(const Batch& batch, Durability durability) override {
    std::unique_lock lock(mutex);
    ++commits;
    level = durability;
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
    if (failing) return Error{ErrorCode::StorageFailed, "the disk is full"};
    return inner.commit(batch, durability);
  }
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override {
    return inner.scan(from, to, visit);
  }
  Result<void> reopen() override { return {}; }
  Durability durability_max() const override { return Durability::Fsync; }
  std::uint64_t room() const override { return bytes_free; }

  void wait_for_commits(int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return commits >= count; });
  }
  void release() {
    const std::scoped_lock lock(mutex);
    open = true;
    changed.notify_all();
  }

  storage::MemoryStore inner;
  std::mutex mutex;
  std::condition_variable changed;
  int commits = 0;
  std::atomic<Durability> level{Durability::None};
  std::atomic<std::uint64_t> bytes_free{1000};
  bool open = true;
  bool failing = false;
};

// Collects answers; the queue is stopped before they are looked at.
struct Answers {
  std::vector<CommitQueue::Answer> all;
  std::vector<std::string> failures;
  CommitQueue::Answered sink() {
    return [this](const std::vector<CommitQueue::Answer>& answers, const std::string& failure) {
      all.insert(all.end(), answers.begin(), answers.end());
      if (!failure.empty()) failures.push_back(failure);
    };
  }
};

TEST_CASE("commits of all shards that wait are written as one and answered in order") {
  GatedStore store;
  store.open = false;
  Answers answers;
  CommitQueue queue(store, answers.sink());
  queue.submit(0, 1, put("first", "1"), Durability::None);
  store.wait_for_commits(1);
  for (unsigned shard = 0; shard < 4; ++shard)
    queue.submit(shard, 10 + shard, put("k", std::to_string(shard)), Durability::None);
  store.release();
  queue.stop();

  CHECK(store.commits == 2);
  REQUIRE(answers.all.size() == 5);
  for (unsigned shard = 0; shard < 4; ++shard) {
    CHECK(answers.all[1 + shard].shard == shard);
    CHECK(answers.all[1 + shard].id == 10 + shard);
    CHECK(answers.all[1 + shard].durable);
  }
  std::string last;
  REQUIRE(store.scan("k", "l", [&](std::string_view, std::string_view value) {
    last = value;
    return true;
  }));
  CHECK(last == "3");
}

TEST_CASE("after a failure nothing reaches the store until it was reopened") {
  GatedStore store;
  store.failing = true;
  Answers answers;
  CommitQueue queue(store, answers.sink());
  queue.submit(0, 1, put("lost", "1"), Durability::None);
  store.wait_for_commits(1);
  queue.submit(1, 1, put("late", "1"), Durability::None);
  queue.run([&](Store&) {
    store.failing = false;
    CHECK(queue.reopen().has_value());
  });
  queue.submit(0, 2, put("kept", "1"), Durability::None);
  queue.stop();

  REQUIRE(answers.all.size() >= 2);
  CHECK_FALSE(answers.all[0].durable);
  CHECK(answers.failures == std::vector<std::string>{"the disk is full"});
  bool lost = false;
  REQUIRE(store.scan("l", "m", [&](std::string_view, std::string_view) {
    lost = true;
    return true;
  }));
  CHECK_FALSE(lost);
}

TEST_CASE(
    "a disk that fills up and has room again is told, each once, without waiting for a commit") {
  GatedStore store;
  store.bytes_free = 99;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<bool> told;
  CommitQueue queue(store, Answers().sink(), {100, [&](bool full, std::uint64_t) {
                                                const std::scoped_lock lock(mutex);
                                                told.push_back(full);
                                                changed.notify_all();
                                              }});
  const auto wait_for = [&](std::size_t count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return told.size() >= count; });
  };
  wait_for(1);
  CHECK(queue.full());
  store.bytes_free = 105;  // too little to be called room again
  store.bytes_free = 500;
  wait_for(2);
  queue.stop();
  CHECK(told == std::vector<bool>{true, false});
  CHECK_FALSE(queue.full());
}

TEST_CASE(
    "a write has the strongest durability of what is in it, and is never left out of the log") {
  GatedStore store;
  Answers answers;
  CommitQueue queue(store, answers.sink());
  for (const auto& [asked, expected] :
       {std::pair(Durability::None, Durability::OperatingSystem),
        std::pair(Durability::OperatingSystem, Durability::OperatingSystem),
        std::pair(Durability::Fsync, Durability::Fsync)}) {
    const int before = store.commits;
    queue.submit(0, 1, put("a", "1"), asked);
    store.wait_for_commits(before + 1);
    CHECK(store.level == expected);
  }
  queue.stop();
  CHECK(queue.writes() == 3);
  CHECK(queue.syncs() == 1);
}

TEST_CASE("stopping writes what was submitted before") {
  storage::MemoryStore store;
  Answers answers;
  CommitQueue queue(store, answers.sink());
  for (std::uint64_t id = 1; id <= 100; ++id)
    queue.submit(0, id, put("n", std::to_string(id)), Durability::None);
  queue.stop();
  REQUIRE(answers.all.size() == 100);
  CHECK(answers.all.back().id == 100);
}

}  // namespace
