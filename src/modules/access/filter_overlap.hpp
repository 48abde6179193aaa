#pragma once
// When two topic filters can both match one topic name.

#include <string_view>

namespace twinmq::access {

/// Whether some topic name is matched by both filters, exactly: a leading wildcard and a leading $
/// never meet [MQTT-4.7.2-1], and "a/#" includes "a". Both are valid filters without $share prefix.
/// Symmetric.
bool overlaps(std::string_view left, std::string_view right);

}  // namespace twinmq::access
