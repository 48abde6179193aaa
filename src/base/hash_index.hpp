#pragma once
// 32-bit hash -> 32-bit number, many millions of them, without a pause when the table grows: the
// table is a directory of small open-addressing segments, and a full segment splits in two
// (extendible hashing). What the numbers mean, and whether two keys with the same hash are equal,
// only the caller knows.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/chunk_memory.hpp"

namespace twinmq::base {

class HashIndex {
 public:
  /// Never a stored number; the answer when nothing fits.
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;

  HashIndex();
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  /// Fetches the memory that find() and candidate() will look at.
  void prefetch(std::uint32_t hash) const { __builtin_prefetch(slots(hash) + (hash & mask_)); }

  /// The number stored under `hash` for which `is(number)` answers true.
  template <typename Is>
  std::uint32_t find(std::uint32_t hash, Is&& is) const {
    const Slot* const slot = slots(hash);
    for (std::uint32_t i = hash & mask_; slot[i].number != kNone; i = (i + 1) & mask_) {
      if (slot[i].hash == hash && is(slot[i].number)) return slot[i].number;
    }
    return kNone;
  }

  /// The first number stored under `hash`: most often the right one, for prefetching what it names.
  std::uint32_t candidate(std::uint32_t hash) const {
    return find(hash, [](std::uint32_t) { return true; });
  }

  /// The caller has made sure that the key is not in the table.
  void insert(std::uint32_t hash, std::uint32_t number);
  /// False when the pair is not in the table.
  bool erase(std::uint32_t hash, std::uint32_t number);
  void clear();

  /// Every number, in no order. The table must not change meanwhile.
  template <typename Visit>
  void for_each(Visit&& visit) const {
    for (const Segment& segment : segments_) {
      for (std::uint32_t i = 0; i <= mask_; ++i) {
        if (segment.slots[i].number != kNone) visit(segment.slots[i].number);
      }
    }
  }

  std::size_t size() const { return size_; }
  std::size_t footprint() const;

 private:
  struct Slot {
    std::uint32_t hash;
    std::uint32_t number;
  };
  struct Segment {
    Slot* slots;
    std::uint32_t used = 0;
    unsigned depth = 0;  ///< how many leading bits of the hash all its entries share
  };

  std::size_t place(std::uint32_t hash) const { return std::uint64_t{hash} >> shift_; }
  Slot* slots(std::uint32_t hash) const { return table_[place(hash)]; }
  Slot* empty_slots(std::uint32_t count);
  static void settle(Slot* slots, std::uint32_t mask, Slot entry);
  void grow(std::uint32_t hash);
  void double_only_segment();

  std::vector<Slot*> table_;               ///< by the leading bits of the hash: a segment's slots
  std::vector<std::uint32_t> segment_at_;  ///< the same: which segment
  std::vector<Segment> segments_;
  std::unique_ptr<Slot[]> small_;  ///< slots of a single segment that has not its full size yet
  ChunkMemory full_;               ///< slots of all others
  unsigned shift_ = 32;
  std::uint32_t mask_ =
      0;  ///< a single segment begins small and doubles; afterwards all have full size
  std::size_t size_ = 0;
};

}  // namespace twinmq::base
