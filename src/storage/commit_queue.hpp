#pragma once
// The storage thread: gathers what all shards submitted, writes it as one batch, answers all.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <twinmq/store.hpp>

namespace twinmq::storage {

/// Watches how much room the disk has: after writes, and all the time while it is full.
struct RoomWatch {
  std::uint64_t bytes_min = 0;
  /// The disk has less room than that, or again more. On the storage thread.
  std::function<void(bool full, std::uint64_t bytes)> changed;
};

/// One broker's queue of commits, and the only user of its store while it runs. Every call but the
/// constructor and stop() may come from any thread.
class CommitQueue {
 public:
  struct Answer {
    unsigned shard = 0;
    std::uint64_t id = 0;
    bool durable = false;
  };
  /// Called on the storage thread after each write, with one answer per commit in the order of
  /// submission; `failure` is empty unless the store failed.
  using Answered =
      std::function<void(const std::vector<Answer>& answers, const std::string& failure)>;

  CommitQueue(Store& store, Answered answered, RoomWatch room = {});
  ~CommitQueue() { stop(); }

  /// An error: there is no storage thread, and nothing will ever be written.
  const Result<void>& started() const { return started_; }

  /// The write it becomes part of has at least this durability.
  void submit(unsigned shard, std::uint64_t id, Batch batch, Durability durability);

  /// Runs the job on the storage thread, when everything submitted before it is written. The job
  /// may use the store, and may block.
  void run(std::function<void(Store&)> job);

  /// In a job, after a failure: until then every commit fails without reaching the store, because
  /// shards go on for a moment after one of them failed.
  Result<void> reopen();

  /// Writes to the store so far, and bytes of keys and values in them.
  std::uint64_t writes() const { return writes_.load(std::memory_order_relaxed); }
  /// Those of them that were synced.
  std::uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  bool full() const { return full_.load(std::memory_order_relaxed); }

  /// Writes what was submitted, runs the jobs that wait, and ends the thread. Idempotent.
  void stop();

 private:
  struct Submitted {
    unsigned shard;
    std::uint64_t id;
    Batch batch;
    Durability durability;
  };
  void serve();
  void write(std::vector<Submitted>& work);
  void look_at_room();

  Store& store_;
  const Answered answered_;
  const RoomWatch room_;
  std::chrono::steady_clock::time_point room_seen_{};
  std::atomic<bool> full_{false};
  std::atomic<std::uint64_t> writes_{0};
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> bytes_{0};

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Submitted> submitted_;
  std::vector<std::function<void(Store&)>> jobs_;
  bool stopping_ = false;
  bool failed_ = false;  ///< the storage thread's own
  Result<void> started_;
  std::thread thread_;
};

}  // namespace twinmq::storage
