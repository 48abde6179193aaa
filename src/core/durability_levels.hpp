#pragma once
// What an acknowledgement of a publish promises, where listeners or topics have levels of their
// own.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/store.hpp>

#include "mqtt/topic.hpp"

namespace twinmq::core {

struct DurabilityLevels {
  Durability otherwise = Durability::Fsync;  ///< of everything that has none of its own
  std::vector<std::string> fsync_filters;    ///< messages to matching topics have this level
  std::vector<std::string> os_filters;
  std::vector<std::string> none_filters;

  /// The strongest level that is meant for the message; `listener` is that of the listener it came
  /// by.
  Durability of(std::string_view topic, std::optional<Durability> listener) const {
    std::optional<Durability> level = listener;
    for (const auto& [filters, theirs] : {std::pair(&fsync_filters, Durability::Fsync),
                                          std::pair(&os_filters, Durability::OperatingSystem),
                                          std::pair(&none_filters, Durability::None)}) {
      const bool meant =
          std::any_of(filters->begin(), filters->end(),
                      [&](const std::string& filter) { return mqtt::matches(filter, topic); });
      if (meant) return level ? std::max(*level, theirs) : theirs;
    }
    return level.value_or(otherwise);
  }
};

}  // namespace twinmq::core
