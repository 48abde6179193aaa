#pragma once
// The door to the outside: what a service hands over here is written with the message that caused
// it, and delivered by a thread of its own until the sink took it. Nothing is lost while the sink
// is down.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/service.hpp>
#include <twinmq/time.hpp>

namespace twinmq {

/// One thing to deliver.
struct SinkEntry {
  std::string
      id;  ///< the same at every attempt, also after a restart: receivers recognise duplicates
  std::string topic;
  std::string content_type;  ///< empty: the sink's own
  std::string payload;
  WallTime at{};    ///< when it was handed over
  std::string url;  ///< HTTP: where this one goes; empty: the sink's own address
  std::vector<std::pair<std::string, std::string>>
      headers;  ///< HTTP: of this one, beside the sink's own
};

/// What became of a batch.
struct SinkVerdict {
  enum class Kind : std::uint8_t {
    Delivered,  ///< the first `count` entries are safe at the receiver
    Retry,      ///< nobody's fault: try again later, none is lost
    Refused,    ///< the first entry will never be taken: it becomes a dead letter
  };
  Kind kind = Kind::Retry;
  std::size_t count = 0;
  std::string why;  ///< for the log
};

/// Delivers batches, one at a time, on the thread of its queue; may block. Nothing may be thrown.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual SinkVerdict deliver(std::span<const SinkEntry> batch) = 0;
  /// Any thread: the delivery at work shall end soon, with Retry.
  virtual void cancel() {}
};

/// What a full queue does with one more entry.
enum class SinkFull : std::uint8_t {
  Reject,      ///< the publisher is told 0x97
  DropOldest,  ///< the oldest entry goes, counted
  DropNewest,  ///< the new entry goes, counted
};

struct SinkOptions {
  std::size_t batch_entries_max = 100;
  std::size_t batch_bytes_max = 1024 * 1024;
  Milliseconds linger{0};  ///< waits that long for a batch to fill
  Milliseconds retry_min{500};
  Milliseconds retry_max{60'000};
  std::uint64_t entries_max = 1'000'000;
  std::uint64_t bytes_max = 1024ULL * 1024 * 1024;
  SinkFull full = SinkFull::Reject;
  std::uint64_t dead_letters_max = 10'000;
};

struct SinkStatistics {
  std::string name;
  std::uint64_t waiting_entries = 0;
  std::uint64_t waiting_bytes = 0;
  std::uint64_t delivered = 0;
  std::uint64_t attempts_failed = 0;
  std::uint64_t dropped = 0;
  std::uint64_t dead_letters = 0;  ///< kept in the store
  bool failing = false;            ///< the last attempt failed
  std::string last_error;
};

/// The durable queues, one per sink. add() and remove() on the thread that starts and stops the
/// broker; hand_over() on shard threads; the rest on any.
class SinkQueues {
 public:
  virtual ~SinkQueues() = default;

  /// Whatever the store holds for the name from earlier runs is delivered first.
  virtual void add(std::string name, std::unique_ptr<Sink> sink, SinkOptions options) = 0;

  /// Adds the entry to the transaction. False: there is no room, and `full` is Reject; call
  /// Reaction::refuse(). Entries of one shard are delivered in the order in which they were handed
  /// over.
  virtual bool hand_over(std::string_view sink, std::uint32_t shard, const SinkEntry& entry,
                         Reaction& reaction) = 0;

  virtual std::vector<SinkStatistics> statistics() const = 0;

  /// Dead letters go back into their queue. How many.
  virtual std::size_t replay(std::string_view sink) = 0;
};

}  // namespace twinmq
