#pragma once
// SinkQueues on the store: a thread per sink reads what is committed, delivers it, and has it
// erased.

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <twinmq/sink.hpp>

#include "sinks/durable_queue.hpp"

namespace twinmq::sinks {

class DurableQueues final : public SinkQueues {
 public:
  explicit DurableQueues(QueueParts parts);
  ~DurableQueues() override;

  void add(std::string name, std::unique_ptr<Sink> sink, SinkOptions options) override;

  /// Deliveries begin, once the broker can commit; and end, before it cannot any more or the store
  /// is closed. An error: some sink has no thread, and does not deliver.
  Result<void> begin();
  void halt();
  /// Ends the deliveries of the sink; what waits stays in the store, unless it is given up.
  void remove(std::string_view name, bool give_up = false);
  bool hand_over(std::string_view sink, std::uint32_t shard, const SinkEntry& entry,
                 Reaction& reaction) override;
  std::vector<SinkStatistics> statistics() const override;
  std::size_t replay(std::string_view sink) override;

 private:
  enum class Phase : std::uint8_t { Waiting, Delivering, Halted };

  std::shared_ptr<DurableQueue> find(std::string_view name) const;

  QueueParts parts_;
  Phase phase_ = Phase::Waiting;
  mutable std::shared_mutex mutex_;
  /// What is removed stays, idle: it alone knows the numbers that entries on their way to the store
  /// have.
  std::unordered_map<std::string, std::shared_ptr<DurableQueue>> queues_;
};

}  // namespace twinmq::sinks
