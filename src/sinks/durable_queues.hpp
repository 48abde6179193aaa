#pragma once
// SinkQueues on the store: a thread per sink reads what is committed, delivers it, and has it erased.

#include <cstdint>
#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <twinmq/broker.hpp>
#include <twinmq/log.hpp>
#include <twinmq/sink.hpp>
#include <twinmq/store.hpp>

namespace twinmq::sinks {

/// What the queues stand on; everything outlives them.
struct QueueParts {
  Store* store = nullptr;
  /// Has the changes committed and calls `done` once they are safe, on any thread; if they never are,
  /// the call may be missing.
  std::function<void(Batch changes, std::function<void()> done)> write;
  std::function<void(const LogLine&)> log;
  std::function<WallTime()> wall;
  /// By which the pauses between attempts are measured; null: the machine's clock.
  std::function<Instant()> steady;
};

class DurableQueues final : public SinkQueues {
 public:
  explicit DurableQueues(QueueParts parts);
  ~DurableQueues() override;

  void add(std::string name, std::unique_ptr<Sink> sink, SinkOptions options) override;

  /// Deliveries begin, once the broker can commit; and end, before it cannot any more or the store is closed.
  /// An error: some sink has no thread, and does not deliver.
  Result<void> begin();
  void halt();
  /// Ends the deliveries of the sink; what waits stays in the store, unless it is given up.
  void remove(std::string_view name, bool give_up = false);
  bool hand_over(std::string_view sink, std::uint32_t shard, const SinkEntry& entry,
                 Reaction& reaction) override;
  std::vector<SinkStatistics> statistics() const override;
  std::size_t replay(std::string_view sink) override;

 private:
  class Queue;
  std::shared_ptr<Queue> find(std::string_view name) const;

  /// What is removed stays here, idle: it alone knows the numbers that entries on their way to the store have.

  QueueParts parts_;
  enum class Phase : std::uint8_t { Waiting, Delivering, Halted };
  Phase phase_ = Phase::Waiting;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Queue>> queues_;
};

}  // namespace twinmq::sinks
