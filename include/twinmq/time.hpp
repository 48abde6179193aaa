#pragma once
// Points in time. The inside of the broker reads no clock: the shell says what time it is.

#include <chrono>

namespace twinmq {

using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

/// Monotonic time: deadlines, keep alive, message expiry.
using Instant = std::chrono::time_point<std::chrono::steady_clock, Milliseconds>;

/// Wall-clock time: what must mean the same after a restart.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Milliseconds>;

/// "No deadline".
inline constexpr Instant kNever = Instant::max();

/// Both clocks, read once per turn of a shard.
struct Now {
  Instant steady{};
  WallTime wall{};
};

}  // namespace twinmq
