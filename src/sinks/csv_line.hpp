#pragma once
// JSON objects as lines of CSV.

#include <string>
#include <string_view>
#include <vector>

#include <twinmq/result.hpp>

namespace twinmq::sinks {

/// Both without the line's end. Fields with a comma, a quote or a line break stand between quotes,
/// quotes in them doubled (RFC 4180).
std::string csv_header(const std::vector<std::string>& columns);

/// The members of the object in the order of the columns: texts as they are, anything else as JSON,
/// and empty what is absent or null. The error: the payload is no JSON object.
Result<std::string> csv_line(std::string_view payload, const std::vector<std::string>& columns);

}  // namespace twinmq::sinks
