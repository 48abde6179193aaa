#pragma once
// Packet -> bytes, for a version. PUBLISH and the four acknowledgements, which a broker sends by
// the million, are written into memory the caller provides; all others are appended to a string.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mqtt/packets.hpp"

namespace twinmq::mqtt {

/// A PUBLISH up to its payload. Fields that MQTT 3.1.1 lacks are ignored for it.
struct PublishHead {
  std::string_view topic;       ///< empty when the alias is already known to the receiver
  std::string_view properties;  ///< encoded, as Message::properties()
  std::size_t payload_size = 0;
  QoS qos = QoS::AtMostOnce;
  bool dup = false;
  bool retain = false;
  PacketId packet_id = 0;
  std::uint16_t topic_alias = 0;                    ///< 0: none
  std::optional<std::uint32_t> expiry_seconds;      ///< remaining [MQTT-3.3.2-6]
  std::span<const std::uint32_t> subscription_ids;  ///< [MQTT-3.3.4-3]
};

/// Bytes of the head: fixed header, topic, packet identifier, properties. The whole packet is this
/// and the payload. 0: the packet would exceed the largest Remaining Length.
std::size_t publish_head_size(const PublishHead& head, Version version);

/// Writes exactly publish_head_size() bytes and returns the position behind them.
std::uint8_t* write_publish_head(const PublishHead& head, Version version, std::uint8_t* out);

/// Largest size of an acknowledgement without properties.
inline constexpr std::size_t kAckSizeMax = 5;

/// Writes a PUBACK, PUBREC, PUBREL or PUBCOMP without properties; the reason code is on the wire
/// only in MQTT 5 and only when it is not Success. Returns the position behind it.
std::uint8_t* write_ack(PacketType type, PacketId packet_id, ReasonCode code, Version version,
                        std::uint8_t* out);

/// Appends the packet. Reason strings and user properties are written as given: the caller has
/// applied the client's Maximum Packet Size and Request Problem Information.
void append(std::string& out, const Connect& packet);
void append(std::string& out, const Connack& packet, Version version);
void append(std::string& out, const Publish& packet, Version version);
void append(std::string& out, const Ack& packet, Version version);
void append(std::string& out, const Subscribe& packet, Version version);
void append(std::string& out, const Suback& packet, Version version);
void append(std::string& out, const Unsubscribe& packet, Version version);
void append(std::string& out, const Unsuback& packet, Version version);
void append(std::string& out, const Pingreq& packet);
void append(std::string& out, const Pingresp& packet);
void append(std::string& out, const Disconnect& packet,
            Version version);  ///< nothing before MQTT 5 but the header
void append(std::string& out, const Auth& packet);

/// CONNACK's return code for MQTT 3.1.1 that says the same as `code`; empty where 3.1.1 has none
/// and the connection closes without CONNACK [MQTT-3.2.2-6].
std::optional<std::uint8_t> connect_return_code(ReasonCode code);

}  // namespace twinmq::mqtt
