#include "base/timing_wheel.hpp"

#include <algorithm>
#include <bit>

namespace twinmq::base {

namespace {

using wheel_detail::Node;

// Ticks are milliseconds shifted so that the earliest instant is tick 0.
constexpr std::int64_t kTickOffset = std::int64_t{1} << 55;
constexpr std::int64_t kTickMax = (std::int64_t{1} << 56) - 1;

std::uint64_t tick_of(Instant instant) {
  const std::int64_t milliseconds = std::clamp<std::int64_t>(instant.time_since_epoch().count(),
                                                             -kTickOffset, kTickMax - kTickOffset);
  return static_cast<std::uint64_t>(milliseconds + kTickOffset);
}

Instant instant_of(std::uint64_t tick) {
  return Instant(Milliseconds(static_cast<std::int64_t>(tick) - kTickOffset));
}

bool empty(const Node& slot) {
  return slot.next == &slot;
}

}  // namespace

Instant Timer::deadline() const {
  return instant_of(tick());
}

TimingWheel::TimingWheel() {
  for (Level& level : levels_)
    for (Node& slot : level.slots) slot.next = slot.previous = &slot;
}

TimingWheel::~TimingWheel() {
  for (Level& level : levels_)
    for (Node& slot : level.slots)
      while (!empty(slot)) static_cast<Timer*>(slot.next)->unlink();
}

void TimingWheel::arm(Timer& timer, Instant deadline) {
  if (deadline == kNever) return disarm(timer);
  const std::uint64_t tick = tick_of(deadline);
  if (timer.armed()) {
    // A keep-alive moves with every packet, nearly always later: it may wait in its earlier slot,
    // and is put where it belongs when that slot is reached.
    const bool later = tick >= timer.tick();
    if (!later) timer.unlink();
    timer.set_tick(tick);
    if (later) return;
  } else {
    timer.set_tick(tick);
  }
  link(timer);
}

Instant TimingWheel::next_deadline() const {
  for (unsigned level = 0; level < kLevels; ++level) {
    for (std::uint64_t occupied = levels_[level].occupied; occupied; occupied &= occupied - 1) {
      const auto slot = static_cast<unsigned>(std::countr_zero(occupied));
      if (!empty(levels_[level].slots[slot])) return instant_of(start_of(level, slot));
    }
  }
  return kNever;
}

Timer* TimingWheel::pop_due(Instant now) {
  const std::uint64_t target = std::max(now_, tick_of(now));
  for (unsigned level = 0; level < kLevels;) {
    std::uint64_t& occupied = levels_[level].occupied;
    if (!occupied) {
      ++level;
      continue;
    }
    const auto index = static_cast<unsigned>(std::countr_zero(occupied));
    Node& slot = levels_[level].slots[index];
    if (empty(slot)) {
      occupied &= occupied - 1;
      continue;
    }
    const std::uint64_t start = start_of(level, index);
    if (start > target) break;
    now_ = start;
    if (level == 0) {
      auto& timer = *static_cast<Timer*>(slot.next);
      timer.unlink();
      if (timer.tick() <= now_) return &timer;
      link(timer);
    } else {
      occupied &= occupied - 1;
      cascade(slot);
      level = 0;
    }
  }
  now_ = target;
  return nullptr;
}

void TimingWheel::cascade(Node& slot) {
  while (!empty(slot)) {
    auto& timer = *static_cast<Timer*>(slot.next);
    timer.unlink();
    link(timer);
  }
}

void TimingWheel::link(Timer& timer) {
  const std::uint64_t tick = std::max(timer.tick(), now_);
  const unsigned level = (static_cast<unsigned>(std::bit_width((tick ^ now_) | 1)) - 1) / kBits;
  const auto index = static_cast<unsigned>(tick >> (level * kBits)) % kSlots;
  levels_[level].occupied |= std::uint64_t{1} << index;
  Node& slot = levels_[level].slots[index];
  timer.next = &slot;
  timer.previous = slot.previous;
  slot.previous->next = &timer;
  slot.previous = &timer;
}

std::uint64_t TimingWheel::start_of(unsigned level, unsigned slot) const {
  const unsigned shift = level * kBits;
  const std::uint64_t above =
      shift + kBits >= 64 ? 0 : (now_ >> (shift + kBits)) << (shift + kBits);
  return above | (std::uint64_t{slot} << shift);
}

}  // namespace twinmq::base
