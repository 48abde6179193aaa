#pragma once
// Topics that only the broker itself publishes to.

#include <string_view>

namespace twinmq::core {

inline bool is_reserved_for_broker(std::string_view topic) {
  if (topic.empty() || topic.front() != '$') return false;
  return topic == "$SYS" || topic.starts_with("$SYS/") || topic.starts_with("$aws/events/") ||
         topic.starts_with("$share/");
}

}  // namespace twinmq::core
