#include "base/block_pool.hpp"

#include <algorithm>
#include <cstring>

namespace twinmq::base {

BlockPool::Handle BlockPool::allocate(std::size_t bytes) {
  const std::uint32_t units = round_up(bytes);
  ++blocks_;
  Handle& free = free_[class_of(units)];
  if (free != kNone) {
    const Handle handle = free;
    std::memcpy(&free, at(handle), sizeof free);
    return handle;
  }
  if (next_unit_ + units > kChunkUnits) {
    chunks_.add();
    next_unit_ = chunks_.size() == 1 ? 1 : 0;  // handle 0 stays unused
  }
  const auto chunk = static_cast<Handle>(chunks_.size() - 1);
  const Handle handle = chunk << kUnitBits | next_unit_;
  next_unit_ += units;
  return handle;
}

void BlockPool::release(Handle handle, std::size_t bytes) {
  if (--blocks_ == 0) {
    // Everything is free: the memory goes back, but for one chunk.
    chunks_.shrink_to(1);
    next_unit_ = 1;
    free_.fill(kNone);
    return;
  }
  Handle& free = free_[class_of(round_up(bytes))];
  std::memcpy(at(handle), &free, sizeof free);
  free = handle;
}

std::size_t BlockPool::footprint() const {
  return sizeof(*this) + chunks_.footprint(next_unit_ * kUnit);
}

std::uint32_t BlockPool::round_up(std::size_t bytes) {
  const auto units = static_cast<std::uint32_t>((bytes + kUnit - 1) / kUnit);
  if (units <= kFineUnits) return std::max(units, 1U);
  // Eight classes to each doubling: at most an eighth is wasted.
  const auto step = static_cast<unsigned>(std::bit_width(units)) - 4;
  return (units + (1U << step) - 1) >> step << step;
}

std::size_t BlockPool::class_of(std::uint32_t units) {
  if (units <= kFineUnits) return units;
  const auto width = static_cast<unsigned>(std::bit_width(units));
  return kFineUnits + 1 + (width - 7) * 8 + (units >> (width - 4) & 7);
}

}  // namespace twinmq::base
