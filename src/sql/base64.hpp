#pragma once
// Bytes as text: base64 (RFC 4648, with padding) and hexadecimal digits.

#include <optional>
#include <string>
#include <string_view>

namespace twinmq::sql {

std::string to_base64(std::string_view bytes);
/// Nothing: the text is no base64. Without padding is taken too.
std::optional<std::string> from_base64(std::string_view text);

std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view text);

}  // namespace twinmq::sql
