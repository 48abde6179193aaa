#include "base/hash_index.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

namespace twinmq::base {

namespace {

constexpr std::uint32_t kSegmentSlots = 1024;
constexpr std::uint32_t kFirstSlots = 8;

// 2^21 segments hold 1,800 million entries and leave the low bits, which choose the slot, to
// themselves.
constexpr unsigned kDepthMax = 21;

bool is_full(std::uint32_t used, std::uint32_t mask) {
  return used >= (mask + 1) - (mask + 1) / 8;
}

}  // namespace

HashIndex::HashIndex() : full_(kSegmentSlots * sizeof(Slot)) {
  clear();
}

void HashIndex::insert(std::uint32_t hash, std::uint32_t number) {
  while (is_full(segments_[segment_at_[place(hash)]].used, mask_)) grow(hash);
  settle(slots(hash), mask_, {hash, number});
  ++segments_[segment_at_[place(hash)]].used;
  ++size_;
}

bool HashIndex::erase(std::uint32_t hash, std::uint32_t number) {
  Slot* const slot = slots(hash);
  std::uint32_t hole = hash & mask_;
  while (slot[hole].hash != hash || slot[hole].number != number) {
    if (slot[hole].number == kNone) return false;
    hole = (hole + 1) & mask_;
  }
  // Entries behind the hole move into it where that brings them nearer to their own place: no
  // tombstones.
  for (std::uint32_t i = (hole + 1) & mask_; slot[i].number != kNone; i = (i + 1) & mask_) {
    if (((i - slot[i].hash) & mask_) >= ((i - hole) & mask_)) {
      slot[hole] = slot[i];
      hole = i;
    }
  }
  slot[hole] = {0, kNone};
  --segments_[segment_at_[place(hash)]].used;
  if (--size_ == 0 && segments_.size() > 1) clear();
  return true;
}

void HashIndex::clear() {
  full_.shrink_to(0);
  segments_.clear();
  segments_.push_back({empty_slots(kFirstSlots)});
  table_.assign(1, segments_[0].slots);
  segment_at_.assign(1, 0);
  shift_ = 32;
  mask_ = kFirstSlots - 1;
  size_ = 0;
}

std::size_t HashIndex::footprint() const {
  return sizeof(*this) + full_.footprint(kSegmentSlots * sizeof(Slot)) +
         (small_ ? (mask_ + 1) * sizeof(Slot) : 0) + segments_.capacity() * sizeof(Segment) +
         table_.capacity() * (sizeof(table_[0]) + sizeof(segment_at_[0]));
}

// Fewer than those of a full segment take the place of the ones before.
HashIndex::Slot* HashIndex::empty_slots(std::uint32_t count) {
  if (count < kSegmentSlots) small_ = std::make_unique_for_overwrite<Slot[]>(count);
  Slot* const slots = count < kSegmentSlots ? small_.get() : reinterpret_cast<Slot*>(full_.add());
  std::uninitialized_fill_n(slots, count, Slot{0, kNone});
  return slots;
}

void HashIndex::settle(Slot* slots, std::uint32_t mask, Slot entry) {
  std::uint32_t i = entry.hash & mask;
  while (slots[i].number != kNone) i = (i + 1) & mask;
  slots[i] = entry;
}

void HashIndex::double_only_segment() {
  const std::unique_ptr<Slot[]> before = std::move(small_);
  const std::uint32_t count = mask_ + 1;
  mask_ = 2 * count - 1;
  Slot* const bigger = empty_slots(2 * count);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (before[i].number != kNone) settle(bigger, mask_, before[i]);
  }
  segments_[0].slots = bigger;
  table_[0] = bigger;
}

void HashIndex::grow(std::uint32_t hash) {
  if (mask_ + 1 < kSegmentSlots) return double_only_segment();
  const std::uint32_t old = segment_at_[place(hash)];
  if (segments_[old].depth == 32 - shift_) {
    if (32 - shift_ == kDepthMax)
      std::abort();  // the hash is broken: evenly spread it does not come here
    --shift_;
    std::vector<Slot*> table(table_.size() * 2);
    std::vector<std::uint32_t> segment_at(table.size());
    for (std::size_t i = 0; i < table.size(); ++i) {
      table[i] = table_[i / 2];
      segment_at[i] = segment_at_[i / 2];
    }
    table_ = std::move(table);
    segment_at_ = std::move(segment_at);
  }
  const unsigned depth = ++segments_[old].depth;
  const auto added = static_cast<std::uint32_t>(segments_.size());
  segments_.push_back({empty_slots(kSegmentSlots), 0, depth});
  const auto halves = [depth](std::uint32_t h) { return (h >> (32 - depth)) & 1; };

  std::array<Slot, kSegmentSlots> before;
  Slot* const slots = segments_[old].slots;
  std::copy_n(slots, kSegmentSlots, before.begin());
  std::fill_n(slots, kSegmentSlots, Slot{0, kNone});
  segments_[old].used = 0;
  for (const Slot& entry : before) {
    if (entry.number == kNone) continue;
    Segment& segment = segments_[halves(entry.hash) != 0 ? added : old];
    settle(segment.slots, mask_, entry);
    ++segment.used;
  }

  // The old segment's run in the directory: its first depth-1 bits, then one more that tells the
  // halves apart.
  const std::size_t run = std::size_t{1} << (32 - shift_ - depth);
  const std::size_t first = place(hash) / (2 * run) * (2 * run);
  for (std::size_t i = first; i < first + 2 * run; ++i) {
    segment_at_[i] = i < first + run ? old : added;
    table_[i] = segments_[segment_at_[i]].slots;
  }
}

}  // namespace twinmq::base
