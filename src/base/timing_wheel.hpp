#pragma once
// A million deadlines behind one clock: a hierarchical timing wheel with ticks of one millisecond,
// whose entries are embedded in the objects that wait.

#include <array>
#include <cstddef>
#include <cstdint>

#include <twinmq/time.hpp>

namespace twinmq::base {

class TimingWheel;

namespace wheel_detail {
struct Node {
  Node* next = nullptr;
  Node* previous = nullptr;
};
}  // namespace wheel_detail

/// One deadline, a member of the object that waits for it. When it is due, kind() and owner() tell
/// what to do and with whom; both are the owner's choice. Never moves while armed; its end disarms
/// it, and must not come after the end of the wheel while armed.
class Timer : private wheel_detail::Node {
 public:
  explicit Timer(void* owner = nullptr, std::uint8_t kind = 0) : packed_(kind), owner_(owner) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() {
    if (armed()) unlink();
  }

  bool armed() const { return next != nullptr; }
  /// When it is (or was last) due. Deadlines further than a million years away are brought to that.
  Instant deadline() const;
  std::uint8_t kind() const { return static_cast<std::uint8_t>(packed_); }
  void* owner() const { return owner_; }
  template <typename T>
  T& owner_as() const {
    return *static_cast<T*>(owner_);
  }

 private:
  friend class TimingWheel;
  std::uint64_t tick() const { return packed_ >> 8; }
  void set_tick(std::uint64_t tick) { packed_ = (tick << 8) | (packed_ & 0xff); }
  void unlink() {
    previous->next = next;
    next->previous = previous;
    next = previous = nullptr;
  }

  std::uint64_t packed_;  // the tick in the upper 56 bits, the kind in the lower 8
  void* owner_;
};
static_assert(sizeof(Timer) == 32);

/// Owned by one thread. Reads no clock: pop_due() is told the time.
class TimingWheel {
 public:
  TimingWheel();
  TimingWheel(const TimingWheel&) = delete;
  TimingWheel& operator=(const TimingWheel&) = delete;
  /// Disarms what is still armed.
  ~TimingWheel();

  /// Arms the timer, or moves its deadline if it is armed here. O(1); moving a deadline later only
  /// writes to the timer itself. kNever disarms. A deadline in the past is due at the next
  /// pop_due().
  void arm(Timer& timer, Instant deadline);

  /// Does nothing to a timer that is not armed. O(1).
  void disarm(Timer& timer) {
    if (timer.armed()) timer.unlink();
  }

  /// When pop_due() next has work: never after the earliest deadline, possibly before; kNever when
  /// nothing is armed.
  Instant next_deadline() const;

  /// One timer whose deadline is at or before `now`, disarmed; null: no more. Deadlines come in
  /// their order, equal ones in any order. What is armed between two calls counts too. A time
  /// before the last one told counts as the last one. Costs nothing for the time that passed, only
  /// for timers: each is moved at most ten times.
  Timer* pop_due(Instant now);

 private:
  // Six bits of a 56-bit tick per level. A timer waits on the level of the highest digit in which
  // its tick differs from now_, in the slot of that digit. So lower levels come before higher ones,
  // slots never wrap around, and no timer is beyond the last level.
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1u << kBits;
  static constexpr unsigned kLevels = 10;

  struct Level {
    std::uint64_t occupied = 0;  // a bit per slot; may be set for a slot that disarming has emptied
    std::array<wheel_detail::Node, kSlots> slots;
  };

  void link(Timer& timer);
  void cascade(wheel_detail::Node& slot);
  std::uint64_t start_of(unsigned level, unsigned slot) const;

  std::uint64_t now_ = 0;  // no timer waits in a slot before this tick
  std::array<Level, kLevels> levels_;
};

}  // namespace twinmq::base
