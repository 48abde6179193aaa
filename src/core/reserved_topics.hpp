#pragma once
// Topics that only the broker itself publishes to.

#include <string_view>

namespace twinmq::core {

inline bool is_reserved_for_broker(std::string_view topic) {
  if (topic.empty() || topic.front() != '$') return false;
  return topic == "$SYS" || topic.starts_with("$SYS/") || topic.starts_with("$aws/events/") ||
         topic.starts_with("$twinmq/events/") || topic.starts_with("$share/");
}

/// What the broker tells of itself is true of this run only: its retained values are never stored.
inline bool is_of_this_run_only(std::string_view topic) {
  return topic.starts_with("$SYS/");
}

}  // namespace twinmq::core
