#pragma once
// The constants of the wire: packet types, protocol versions, sizes.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace twinmq::mqtt {

/// Protocol level as CONNECT carries it. MQTT 3.1 ("MQIsdp") differs from 3.1.1 in the name and in
/// what a client identifier may be.
enum class Version : std::uint8_t { V31 = 3, V311 = 4, V5 = 5 };

enum class PacketType : std::uint8_t {
  Connect = 1,
  Connack = 2,
  Publish = 3,
  Puback = 4,
  Pubrec = 5,
  Pubrel = 6,
  Pubcomp = 7,
  Subscribe = 8,
  Suback = 9,
  Unsubscribe = 10,
  Unsuback = 11,
  Pingreq = 12,
  Pingresp = 13,
  Disconnect = 14,
  Auth = 15,
};

std::string_view packet_type_text(PacketType type);

/// A packet identifier; 0 stands for "none" and is never on the wire [MQTT-2.2.1-3].
using PacketId = std::uint16_t;

/// Largest Remaining Length, section 1.5.5.
inline constexpr std::uint32_t kRemainingLengthMax = 268'435'455;
inline constexpr std::uint32_t kSubscriptionIdMax = 268'435'455;
inline constexpr std::size_t kTextBytesMax = 65'535;

}  // namespace twinmq::mqtt
