#pragma once
// Reads from the store beside the storage thread, so that no shard waits for a disk.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <twinmq/store.hpp>

namespace twinmq::storage {

/// A few threads that scan for shards. Every call but the constructor and stop() may come from any
/// thread.
class ReaderPool {
 public:
  struct Request {
    unsigned shard = 0;
    std::uint64_t id = 0;
    StoreRange range;
  };
  struct Answer {
    unsigned shard = 0;
    std::uint64_t id = 0;
    Result<StoreEntries> found;
  };
  /// Called on a reading thread, once per request. A read sees at least what was committed when it
  /// was submitted; answers of one shard may overtake each other.
  using Answered = std::function<void(Answer answer)>;

  ReaderPool(Store& store, unsigned threads, Answered answered);
  ~ReaderPool() { stop(); }

  /// An error: some of the threads are missing.
  const Result<void>& started() const { return started_; }

  void submit(Request request);

  /// Ends the threads after the reads they are at; what still waits is never answered. Idempotent.
  void stop();

 private:
  void serve();

  Store& store_;
  const Answered answered_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Request> waiting_;
  bool stopping_ = false;
  Result<void> started_;
  std::vector<std::thread> threads_;
};

}  // namespace twinmq::storage
