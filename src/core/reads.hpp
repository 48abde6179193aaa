#pragma once
// Reading the store without waiting for it: a read is an effect, its answer an event of a later
// turn. For what need not be in memory all the time.

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include <twinmq/store.hpp>

#include "core/effects.hpp"

namespace twinmq::core {

class Reads {
 public:
  /// Called once, in a later turn, or destroyed with the shard. What it is about may have gone by
  /// then: remember keys, not pointers.
  using Done = std::function<void(std::uint64_t ticket, Result<StoreEntries>)>;

  explicit Reads(std::vector<Read>& effects) : effects_(effects) {}

  /// Reads the range from a state of the store that holds at least every commit of this shard that
  /// was answered so far. Reads may overtake each other. Returns its ticket, which no other read of
  /// this shard has.
  std::uint64_t ask(StoreRange range, Done done);
  void on_read(std::uint64_t ticket, Result<StoreEntries> found);

 private:
  std::vector<Read>& effects_;
  std::uint64_t tickets_ = 0;
  std::unordered_map<std::uint64_t, Done> waiting_;
};

}  // namespace twinmq::core
