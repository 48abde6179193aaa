#pragma once
// Memory that messages have left behind.

#include <cstddef>

namespace twinmq {

/// The allocator keeps what is freed for the threads that freed it, in a region for each. After a
/// long queue has drained that is most of the process; look() gives it back to the system. Used by
/// one thread; a program that embeds the broker has its own allocator, and its own mind about this.
class FreeMemory {
 public:
  /// Before threads start: those besides so many shards share two regions, for most of them seldom
  /// run.
  explicit FreeMemory(std::size_t shards);

  /// To be called every few seconds. Costs microseconds, unless much has become free since it last
  /// gave back: then it holds each thread that allocates for some milliseconds.
  void look();

 private:
  std::size_t known_ = 0;  ///< bytes free in the allocator, given back already
};

}  // namespace twinmq
