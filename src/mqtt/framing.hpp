#pragma once
// Bytes of a connection -> frames. Knows the fixed header (section 2.1) and nothing of what is
// inside.

#include <cstddef>
#include <cstdint>

#include <twinmq/bytes.hpp>
#include <twinmq/reason_code.hpp>

#include "mqtt/protocol.hpp"

namespace twinmq::mqtt {

/// Whether the type exists and may carry these flags: none, or 0010 for PUBREL, SUBSCRIBE and
/// UNSUBSCRIBE [MQTT-2.1.3-1]; for PUBLISH no QoS 3 [MQTT-3.3.1-4] and no DUP with QoS 0
/// [MQTT-3.3.1-2].
constexpr bool flags_allowed(PacketType type, std::uint8_t flags) {
  switch (type) {
    case PacketType::Publish: return (flags & 0x06U) != 0x06U && (flags & 0x0EU) != 0x08U;
    case PacketType::Pubrel:
    case PacketType::Subscribe:
    case PacketType::Unsubscribe: return flags == 0x02;
    default: return static_cast<std::uint8_t>(type) != 0 && flags == 0;
  }
}

/// One whole packet; `body` is what follows the fixed header.
struct Frame {
  PacketType type = PacketType::Connect;
  std::uint8_t flags = 0;  ///< the low four bits of the first byte
  ByteView body;
};

struct Framing {
  enum class Status : std::uint8_t {
    NeedMore,   ///< `size` is the whole packet's size if the fixed header is complete, else 0
    Complete,   ///< `frame` holds the packet, `size` the bytes it used
    Malformed,  ///< `fault` says why: type 0, a Remaining Length that is not minimal or has a fifth
                ///< byte [MQTT-1.5.5-1] (0x81), flags that the type does not allow (0x81)
                ///< [MQTT-2.1.3-1], or a packet above `packet_size_max` (0x95); told from the
                ///< header alone
  };
  Status status = Status::NeedMore;
  ReasonCode fault = ReasonCode::Success;
  std::size_t size = 0;
  Frame frame;
};

/// Looks at the first packet in `bytes`.
Framing next_frame(ByteView bytes, std::uint32_t packet_size_max);

}  // namespace twinmq::mqtt
