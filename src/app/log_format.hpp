#pragma once
// Log lines as bytes.

#include <string>
#include <string_view>

#include <twinmq/broker.hpp>
#include <twinmq/time.hpp>

namespace twinmq::app {

/// "2000-01-31T23:59:59.123Z info client connected client=sensor-7", without a line end.
std::string log_text(const LogLine& line, WallTime now);

/// The same as one JSON object. Each pair of the detail becomes a member; bare numbers and truth
/// values become JSON's, everything else a string. A detail that is not made of pairs becomes the
/// member "detail".
std::string log_json(const LogLine& line, WallTime now);

std::string_view log_level_word(LogLevel level);

}  // namespace twinmq::app
