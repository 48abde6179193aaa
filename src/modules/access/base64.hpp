#pragma once
// Base64 with its padding, exactly as RFC 4648 writes it.

#include <optional>
#include <string>
#include <string_view>

namespace twinmq::access {

/// Nothing: the text is empty, or no base64 without white space.
std::optional<std::string> decode_base64(std::string_view text);

std::string encode_base64(std::string_view bytes);

}  // namespace twinmq::access
