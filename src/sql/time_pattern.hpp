#pragma once
// Times as text, by the patterns of Joda-Time and of Java's DateTimeFormatter.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "sql/time_zone.hpp"

namespace twinmq::sql {

/// The time as Joda-Time writes it, in English. Nothing: the pattern has a letter of no meaning, a
/// quote that does not close, or the year is beyond 9999.
std::optional<std::string> format_time(std::string_view pattern, std::int64_t milliseconds,
                                       const TimeZone& zone);

/// Milliseconds since 1970 of a text in the form that the pattern describes; what the pattern
/// leaves out is 1970-01-01 00:00:00 UTC. `zones` finds zones that the text names.
std::optional<std::int64_t> read_time(
    std::string_view text, std::string_view pattern,
    const std::function<const TimeZone*(std::string_view)>& zones);

struct Civil {
  std::int64_t year = 1970;
  int month = 1;
  int day = 1;
};

std::int64_t days_of(const Civil& date);
Civil civil_of(std::int64_t days);

}  // namespace twinmq::sql
