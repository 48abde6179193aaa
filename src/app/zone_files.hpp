#pragma once
// The system's time zones.

#include <optional>
#include <string>
#include <string_view>

namespace twinmq::app {

/// The TZif file of a zone such as Europe/Berlin. Nothing: there is none, or the name leaves the
/// folder.
std::optional<std::string> read_zone_file(std::string_view name);

}  // namespace twinmq::app
