#pragma once
// Bytes of a connection -> frames. Knows the fixed header (section 2.1) and nothing of what is inside.

#include <cstddef>
#include <cstdint>

#include <twinmq/bytes.hpp>
#include <twinmq/reason_code.hpp>

#include "mqtt/protocol.hpp"

namespace twinmq::mqtt {

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
    Malformed,  ///< `fault` says why: type 0, a Remaining Length that is not minimal or has a fifth byte
                ///< [MQTT-1.5.5-1] (0x81), flags that the type does not allow (0x81) [MQTT-2.1.3-1], or a
                ///< packet above `packet_size_max` (0x95); told from the header alone
  };
  Status status = Status::NeedMore;
  ReasonCode fault = ReasonCode::Success;
  std::size_t size = 0;
  Frame frame;
};

/// Looks at the first packet in `bytes`.
Framing next_frame(ByteView bytes, std::uint32_t packet_size_max);

}  // namespace twinmq::mqtt
