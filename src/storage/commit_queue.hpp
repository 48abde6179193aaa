#pragma once
// The storage thread: gathers what all shards submitted, writes it as one batch, answers all.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <twinmq/store.hpp>

namespace twinmq::storage {

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

  CommitQueue(Store& store, Durability durability, Answered answered);
  ~CommitQueue() { stop(); }

  void submit(unsigned shard, std::uint64_t id, Batch batch);

  /// Runs the job on the storage thread, when everything submitted before it is written. The job
  /// may use the store, and may block.
  void run(std::function<void(Store&)> job);

  /// In a job, after a failure: until then every commit fails without reaching the store, because
  /// shards go on for a moment after one of them failed.
  Result<void> reopen();

  /// Writes what was submitted, runs the jobs that wait, and ends the thread. Idempotent.
  void stop();

 private:
  struct Submitted {
    unsigned shard;
    std::uint64_t id;
    Batch batch;
  };
  void serve();
  void write(std::vector<Submitted>& work);

  Store& store_;
  const Durability durability_;
  const Answered answered_;

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Submitted> submitted_;
  std::vector<std::function<void(Store&)>> jobs_;
  bool stopping_ = false;
  bool failed_ = false;  ///< the storage thread's own
  std::thread thread_;
};

}  // namespace twinmq::storage
