#pragma once
// Frame -> packet. A decoded packet is legal by itself: strings are UTF-8 without U+0000
// [MQTT-1.5.4-1], properties belong to the packet and appear as often as allowed (section 2.2.2.2),
// reserved bits are as prescribed, nothing is left over, topic names and filters obey section 4.7.
// What depends on the connection's state (an alias beyond the maximum, a packet the peer may not
// send now) is the link's business.

#include <cstdint>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>

#include "mqtt/framing.hpp"
#include "mqtt/packets.hpp"

namespace twinmq::mqtt {

/// Why a packet is refused: the MQTT 5 reason code (MalformedPacket, ProtocolError,
/// TopicNameInvalid, …) and words for log and reason string; `what` points to a literal.
struct DecodeError {
  ReasonCode code = ReasonCode::MalformedPacket;
  std::string_view what;
};

template <typename T>
using Decoded = Result<T, DecodeError>;

/// Bounds on what one packet may carry; beyond them: QuotaExceeded.
struct DecodeLimits {
  std::uint32_t user_properties_max = 1000;
  std::uint32_t topic_levels_max = 128;
  std::uint32_t subscription_entries_max = 10'000;
};

/// CONNECT decides the version itself. A wrong protocol name or level is
/// UnsupportedProtocolVersion.
Decoded<Connect> decode_connect(const Frame& frame, const DecodeLimits& limits,
                                std::string& scratch);

/// The hot one. `scratch` is overwritten when the forwardable properties must be copied out from
/// between others; the result then points into it.
Decoded<Publish> decode_publish(const Frame& frame, Version version, const DecodeLimits& limits,
                                std::string& scratch);

/// PUBACK, PUBREC, PUBREL, PUBCOMP.
Decoded<Ack> decode_ack(const Frame& frame, Version version);

Decoded<Subscribe> decode_subscribe(const Frame& frame, Version version,
                                    const DecodeLimits& limits);
Decoded<Unsubscribe> decode_unsubscribe(const Frame& frame, Version version,
                                        const DecodeLimits& limits);
Decoded<Disconnect> decode_disconnect(const Frame& frame, Version version);
Decoded<Auth> decode_auth(const Frame& frame);

/// What a server sends, for clients, tests and tools.
Decoded<Connack> decode_connack(const Frame& frame, Version version);
Decoded<Suback> decode_suback(const Frame& frame, Version version);
Decoded<Unsuback> decode_unsuback(const Frame& frame, Version version);

/// Any packet in either direction, by its type. `scratch` as for decode_publish.
Decoded<Packet> decode(const Frame& frame, Version version, const DecodeLimits& limits,
                       std::string& scratch);

}  // namespace twinmq::mqtt
