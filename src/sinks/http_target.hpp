#pragma once
// Which addresses HTTP sinks may reach.

#include <string>
#include <vector>

#include <twinmq/result.hpp>

namespace twinmq::sinks {

/// A target is an address: one whose path ends with '/' allows what lies below it, with whatever
/// query; any other its own path alone, with whatever query unless it has one itself. The error
/// says why it is none.
Result<void> check_http_target(const std::string& target);

/// Whether one of the targets allows the address, compared part by part as libcurl reads them:
/// scheme, host without regard to case, port, and whole segments of the path. Refused whatever the
/// targets say: a user or password, blanks, control characters and backslashes, and the segments
/// "." and "..", also when they are percent-encoded, however often. The error says why.
Result<void> check_http_address(const std::string& url, const std::vector<std::string>& targets);

/// Whether an address that begins with what stands before the first "${" of the text can be allowed
/// at all.
Result<void> check_http_template(const std::string& text, const std::vector<std::string>& targets);

}  // namespace twinmq::sinks
