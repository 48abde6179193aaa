#include "base/hash_index.hpp"

#include <cstdlib>

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
  segments_.clear();
  segments_.push_back({empty_slots(kFirstSlots)});
  table_.assign(1, segments_[0].slots.get());
  segment_at_.assign(1, 0);
  shift_ = 32;
  mask_ = kFirstSlots - 1;
  size_ = 0;
}

std::size_t HashIndex::footprint() const {
  return sizeof(*this) + segments_.size() * (mask_ + 1) * sizeof(Slot) +
         segments_.capacity() * sizeof(Segment) +
         table_.capacity() * (sizeof(Slot*) + sizeof(std::uint32_t));
}

std::unique_ptr<HashIndex::Slot[]> HashIndex::empty_slots(std::uint32_t count) {
  std::unique_ptr<Slot[]> slots(new Slot[count]);
  for (std::uint32_t i = 0; i < count; ++i) slots[i] = {0, kNone};
  return slots;
}

void HashIndex::settle(Slot* slots, std::uint32_t mask, Slot entry) {
  std::uint32_t i = entry.hash & mask;
  while (slots[i].number != kNone) i = (i + 1) & mask;
  slots[i] = entry;
}

void HashIndex::double_only_segment() {
  const std::uint32_t mask = 2 * mask_ + 1;
  auto bigger = empty_slots(mask + 1);
  for (std::uint32_t i = 0; i <= mask_; ++i) {
    if (table_[0][i].number != kNone) settle(bigger.get(), mask, table_[0][i]);
  }
  mask_ = mask;
  segments_[0].slots = std::move(bigger);
  table_[0] = segments_[0].slots.get();
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

  const std::unique_ptr<Slot[]> before = std::move(segments_[old].slots);
  segments_[old].slots = empty_slots(kSegmentSlots);
  segments_[old].used = 0;
  for (std::uint32_t i = 0; i < kSegmentSlots; ++i) {
    if (before[i].number == kNone) continue;
    Segment& segment = segments_[halves(before[i].hash) != 0 ? added : old];
    settle(segment.slots.get(), mask_, before[i]);
    ++segment.used;
  }

  // The old segment's run in the directory: its first depth-1 bits, then one more that tells the
  // halves apart.
  const std::size_t run = std::size_t{1} << (32 - shift_ - depth);
  const std::size_t first = place(hash) / (2 * run) * (2 * run);
  for (std::size_t i = first; i < first + 2 * run; ++i) {
    segment_at_[i] = i < first + run ? old : added;
    table_[i] = segments_[segment_at_[i]].slots.get();
  }
}

}  // namespace twinmq::base
