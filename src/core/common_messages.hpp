#pragma once
// Long messages that several persistent sessions wait for: each lies in the store once, and its
// deliveries refer to it by a number. Of what was written since the start the deliveries are
// counted; what a restart or the end of a session left uncounted is found by looking through the
// store, now and then.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include <twinmq/message.hpp>
#include <twinmq/result.hpp>
#include <twinmq/store.hpp>

#include "base/timing_wheel.hpp"

namespace twinmq::core {

struct Shard;

class CommonMessages {
 public:
  /// Shorter payloads are written with each delivery: reading them back is then one access.
  static constexpr std::size_t kPayloadMin = 1024;

  explicit CommonMessages(Shard& shard);

  /// Finds where numbers go on.
  Result<void> restore(Store& store);

  /// The last message of the deliveries that are being written.
  struct Written {
    MessageRef message;
    std::uint64_t number = 0;
  };
  /// One delivery of the message is written into the batch: the number it refers to it by, under
  /// which the message is in the same batch. 0: the delivery has the message itself.
  std::uint64_t add_delivery(const MessageRef& message, Written& last, Batch& batch);
  /// A delivery that refers to the message is erased, or no longer refers to it, in the open batch.
  void remove_delivery(std::uint64_t number);
  /// Deliveries vanish that nobody knows in detail.
  void lose_track();

  /// Every message below `next()` that is not about to be committed has all its deliveries in the
  /// store.
  std::uint64_t next() const { return next_; }
  void on_timer();

 private:
  // Messages come and go in the order of their numbers, by and large.
  static constexpr std::uint64_t kRun = 64;
  struct Run {
    std::array<std::uint32_t, kRun> deliveries{};
    std::uint32_t messages = 0;  ///< with deliveries
  };
  void want_look();
  void begin_look();
  void look_on();
  void on_unused(Instant asked, const Result<StoreEntries>& found);
  void forget(std::uint64_t number);

  Shard& shard_;
  std::uint64_t next_;
  bool any_ = false;                ///< there have been such messages
  std::optional<StoreRange> look_;  ///< under way
  bool wants_look_ = false;
  std::uint64_t uncounted_below_ =
      0;  ///< of messages with lower numbers more deliveries may be counted than there are
  std::unordered_map<std::uint64_t, std::unique_ptr<Run>> runs_;
  base::Timer timer_;
};

}  // namespace twinmq::core
