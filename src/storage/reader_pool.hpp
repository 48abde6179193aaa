#pragma once
// Reads from the store beside the storage thread, so that no shard waits for a disk.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
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
    std::string from;
    std::string to;  ///< the first key that is no longer wanted; empty: no end
    std::size_t entries_max = 1000;
    std::size_t bytes_max = 1 << 20;  ///< of keys and values; the first entry is always read
  };
  struct Answer {
    unsigned shard = 0;
    std::uint64_t id = 0;
    std::vector<std::pair<std::string, std::string>> entries;
    bool more = false;    ///< a limit ended the reading; go on behind the last entry
    std::string failure;  ///< empty unless the store failed; entries hold what came before
  };
  /// Called on a reading thread, once per request. A read sees at least what was committed when it
  /// was submitted; answers of one shard may overtake each other.
  using Answered = std::function<void(Answer answer)>;

  ReaderPool(Store& store, unsigned threads, Answered answered);
  ~ReaderPool() { stop(); }

  void submit(Request request);

  /// Ends the threads after the reads they are at; what still waits is never answered. Idempotent.
  void stop();

 private:
  void serve();
  Answer read(const Request& request);

  Store& store_;
  const Answered answered_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Request> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace twinmq::storage
