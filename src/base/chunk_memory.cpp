#include "base/chunk_memory.hpp"

#include <algorithm>
#include <cstdint>

#include <sys/mman.h>

#include "base/assert.hpp"

namespace twinmq::base {

std::byte* ChunkMemory::add() {
  if (single_.size() < chunks_per_region()) {
    single_.emplace_back(new std::byte[chunk_bytes_]);
    return chunks_.emplace_back(single_.back().get());
  }
  const std::size_t in_region = chunks_.size() % chunks_per_region();
  if (in_region == 0) regions_.push_back(new_region());
  return chunks_.emplace_back(regions_.back().get() + in_region * chunk_bytes_);
}

void ChunkMemory::shrink_to(std::size_t chunks) {
  if (chunks >= chunks_.size()) return;
  chunks_.resize(chunks);
  single_.resize(std::min(chunks, chunks_per_region()));
  const std::size_t in_regions = chunks - single_.size();
  regions_.resize((in_regions + chunks_per_region() - 1) / chunks_per_region());
}

std::size_t ChunkMemory::footprint(std::size_t used_in_last) const {
  const std::size_t lists = chunks_.capacity() * sizeof(chunks_[0]) +
                            single_.capacity() * sizeof(single_[0]) +
                            regions_.capacity() * sizeof(regions_[0]);
  if (chunks_.empty()) return lists;
  if (regions_.empty()) return lists + (single_.size() - 1) * chunk_bytes_ + used_in_last;
  return lists + (1 + regions_.size()) * kRegionBytes;
}

// Aligned as a large page must be: twice as much is taken, and what lies around the region goes
// back.
ChunkMemory::Region ChunkMemory::new_region() {
  void* const taken =
      ::mmap(nullptr, 2 * kRegionBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  TWINMQ_ASSERT(taken != MAP_FAILED);  // no more than `new` can go on without memory
  auto* const begin = static_cast<std::byte*>(taken);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % kRegionBytes;
  if (before > 0) ::munmap(begin, before);
  ::munmap(begin + before + kRegionBytes, kRegionBytes - before);
  // Small pages serve where the system has no others.
  ::madvise(begin + before, kRegionBytes, MADV_HUGEPAGE);
  return Region(begin + before);
}

void ChunkMemory::Unmap::operator()(std::byte* region) const {
  ::munmap(region, kRegionBytes);
}

}  // namespace twinmq::base
