#pragma once
// Topic names and filters: what is legal, how they match, and the $share prefix (section 4.7
// and 4.8.2).

#include <cstdint>
#include <optional>
#include <string_view>

namespace twinmq::mqtt {

/// Well-formed UTF-8 without surrogates and without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]. Empty is
/// valid.
bool is_valid_text(std::string_view text);

/// Well-formed UTF-8 as RFC 3629 has it, U+0000 included: what a payload declared as text must be.
bool is_well_formed_utf8(std::string_view text);

/// A legal topic name: not empty, at most 65,535 bytes, valid text, no wildcard, at most
/// `levels_max` levels.
bool is_valid_topic_name(std::string_view name, std::uint32_t levels_max);

/// A legal topic filter, without a $share prefix [MQTT-4.7.1-1] [MQTT-4.7.1-2].
bool is_valid_topic_filter(std::string_view filter, std::uint32_t levels_max);

bool has_wildcard(std::string_view filter);

/// Whether the filter matches the name; a leading wildcard does not match a leading $
/// [MQTT-4.7.2-1].
bool matches(std::string_view filter, std::string_view name);

/// Whether everything `inner` can match is matched by `outer` too, for access rules.
bool covers(std::string_view outer, std::string_view inner);

/// The two halves of "$share/name/filter".
struct SharedFilter {
  std::string_view share_name;
  std::string_view filter;
};

bool is_shared(std::string_view filter);

/// Empty when the share name is empty or has a wildcard, or no filter follows [MQTT-4.8.2-1]
/// [MQTT-4.8.2-2].
std::optional<SharedFilter> parse_shared(std::string_view filter);

}  // namespace twinmq::mqtt
