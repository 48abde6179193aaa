#include "free_memory.hpp"

#include <malloc.h>

#include <algorithm>

namespace twinmq {

namespace {
constexpr std::size_t kWorthwhile = 32 * 1024 * 1024;
}  // namespace

FreeMemory::FreeMemory([[maybe_unused]] std::size_t shards) {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, static_cast<int>(shards + 2));
#endif
}

void FreeMemory::look() {
#ifdef __GLIBC__
  const std::size_t free = mallinfo2().fordblks;
  known_ = std::min(known_, free);
  if (free - known_ < kWorthwhile) return;
  malloc_trim(0);
  known_ = mallinfo2().fordblks;
#endif
}

}  // namespace twinmq
