#pragma once
// Keeps a line that somebody outside can cause at will from filling the log.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <twinmq/time.hpp>

namespace twinmq::base {

/// Of each event, at most `lines` lines in `period`. Used by one thread. Events are the fixed names
/// of log lines, so that there are few and they outlive the throttle.
class LogThrottle {
 public:
  explicit LogThrottle(std::uint32_t lines = 20, Milliseconds period = Milliseconds(10'000))
      : lines_(lines), period_(period) {}

  void set_lines(std::uint32_t lines) { lines_ = lines; }

  /// Whether the line may be written; if so, how many of its event were left out since the last one
  /// written.
  std::optional<std::uint64_t> admit(std::string_view event, Instant now) {
    Count& count = count_of(event, now);
    if (now - count.since >= period_) {
      count.since = now;
      count.written = 0;
    }
    if (count.written >= lines_) {
      ++count.left_out;
      return std::nullopt;
    }
    ++count.written;
    const std::uint64_t left_out = count.left_out;
    count.left_out = 0;
    return left_out;
  }

 private:
  struct Count {
    std::string_view event;
    Instant since;
    std::uint32_t written = 0;
    std::uint64_t left_out = 0;
  };

  Count& count_of(std::string_view event, Instant now) {
    for (Count& count : counts_) {
      if (count.event == event) return count;
    }
    return counts_.emplace_back(Count{event, now});
  }

  std::uint32_t lines_;
  Milliseconds period_;
  std::vector<Count> counts_;
};

}  // namespace twinmq::base
