#pragma once
// Digests of texts.

#include <optional>
#include <string>
#include <string_view>

namespace twinmq::sql {

/// The digest's bytes. `algorithm`: md2, md5, sha1, sha224, sha256, sha384 or sha512; nothing for
/// others.
std::optional<std::string> digest(std::string_view algorithm, std::string_view text);

/// HMAC (RFC 2104) with one of the above but md2.
std::optional<std::string> keyed_digest(std::string_view algorithm, std::string_view key,
                                        std::string_view text);

}  // namespace twinmq::sql
