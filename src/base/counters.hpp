#pragma once
// The counters of one shard: written by its thread alone, read by anybody at any time.

#include <atomic>
#include <cstdint>

#include <twinmq/statistics.hpp>

namespace twinmq::base {

class Counters {
 public:
  /// Only the owning thread calls these: a plain add, no locked instruction.
  void add(Metric metric, std::uint64_t amount = 1) {
    auto& value = values_[static_cast<std::size_t>(metric)];
    value.store(value.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void subtract(Metric metric, std::uint64_t amount = 1) { add(metric, ~amount + 1); }

  std::uint64_t operator[](Metric metric) const {
    return values_[static_cast<std::size_t>(metric)].load(std::memory_order_relaxed);
  }

  /// Adds these values to a sum.
  void add_to(Statistics& sum) const {
    for (std::size_t i = 0; i < kMetricCount; ++i)
      sum.values[i] += values_[i].load(std::memory_order_relaxed);
  }

 private:
  std::array<std::atomic<std::uint64_t>, kMetricCount> values_{};
};

}  // namespace twinmq::base
