#pragma once
// One sink with its thread: what is committed for it is delivered and then erased. Entries lie in
// lanes, one per shard, so that each has a single writer who numbers them.

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <twinmq/broker.hpp>
#include <twinmq/log.hpp>
#include <twinmq/sink.hpp>
#include <twinmq/store.hpp>

namespace twinmq::sinks {

/// What the queues stand on; everything outlives them.
struct QueueParts {
  Store* store = nullptr;
  /// Has the changes committed and calls `done` once they are safe, on any thread; if they never
  /// are, the call may be missing.
  std::function<void(Batch changes, std::function<void()> done)> write;
  std::function<void(const LogLine&)> log;
  std::function<WallTime()> wall;
  /// By which the pauses between attempts are measured; null: the machine's clock.
  std::function<Instant()> steady;
};

/// Every call may come from any thread; hand_over() only from the shard it names.
class DurableQueue : public std::enable_shared_from_this<DurableQueue> {
 public:
  DurableQueue(const QueueParts& parts, std::string name, std::unique_ptr<Sink> sink,
               SinkOptions options);

  /// An error, which is logged too: it keeps what it is handed, and delivers nothing.
  Result<void> start();
  /// Returns when the thread has ended.
  void stop();
  /// While it is stopped; no sink: it only takes what is still handed over.
  void exchange(std::unique_ptr<Sink> sink, SinkOptions options);
  bool idle() const { return idle_; }
  /// Erases everything that waits, dead letters too. While it is stopped.
  void give_up();

  /// Adds the entry to the reaction's transaction. False: there is no room, and the message is to
  /// be refused.
  bool hand_over(std::uint32_t shard, const SinkEntry& entry, Reaction& reaction);
  SinkStatistics statistics() const;
  /// Puts the dead letters back into the queue and answers how many.
  std::size_t replay();

 private:
  static constexpr std::size_t kLanes = 64;

  struct Waiting {
    std::string key;
    std::size_t bytes = 0;
  };

  void added(std::size_t entries, std::size_t bytes);
  void take_stock();
  void run();
  // False: the queue ends.
  bool wait_for_news();
  bool pause(Milliseconds time);
  bool pause_until(Milliseconds time, const std::function<bool()>& enough);
  bool read(std::vector<Waiting>& places, std::vector<SinkEntry>& batch);
  void forget_heads();
  bool drop_oldest(const std::vector<Waiting>& places);
  bool linger(const std::vector<SinkEntry>& batch);
  void erase(std::span<const Waiting> places);
  void bury(const Waiting& place, const SinkEntry& entry, const std::string& why);
  bool commit(Batch changes);
  void tell_failure(const std::string& why);
  void tell_recovery();
  void log(LogLevel level, std::string_view event, const std::string& detail) const;

  const QueueParts& parts_;
  const std::string name_;
  std::unique_ptr<Sink> sink_;
  SinkOptions options_;  ///< the thread's; shards read the next three
  std::atomic<std::uint64_t> entries_max_{0};
  std::atomic<std::uint64_t> bytes_max_{0};
  std::atomic<SinkFull> full_{SinkFull::Reject};
  std::atomic<bool> idle_{false};
  std::array<std::uint64_t, kLanes> next_{};  ///< each used by its shard alone

  std::atomic<std::uint64_t> lanes_{0};  ///< a bit for each that was ever written

  std::atomic<std::uint64_t> entries_{0};
  std::atomic<std::uint64_t> bytes_{0};
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> dead_{0};
  std::atomic<std::uint64_t> to_drop_{0};
  std::atomic<std::uint64_t> additions_{0};
  std::atomic<bool> from_the_start_{false};

  // Used by the thread alone.
  std::array<std::uint64_t, kLanes> heads_{};  ///< below them nothing was seen lately
  bool hinted_ = false;                        ///< some head is not 0
  std::size_t lane_ = 0;
  bool no_more_fits_ = false;         ///< into the batch that was read
  std::uint64_t additions_read_ = 0;  ///< before it was read

  std::mutex life_;  ///< held while the thread starts and ends
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool news_ = false;
  bool stopping_ = false;
  std::string error_;
  std::thread thread_;
};

}  // namespace twinmq::sinks
