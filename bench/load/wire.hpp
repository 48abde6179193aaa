#pragma once
// What a client of the load generator writes and reads. Deliberately not the broker's own codec: it
// only frames, trusts the broker and costs a few nanoseconds per packet.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/protocol.hpp"

namespace twinmq::load {

using mqtt::PacketType;
using mqtt::Version;
using Bytes = std::vector<std::uint8_t>;

/// One received packet; `body` is what follows the fixed header and points into the read buffer.
struct Packet {
  std::uint8_t first = 0;
  const std::uint8_t* body = nullptr;
  std::size_t size = 0;

  PacketType type() const { return static_cast<PacketType>(first >> 4); }
};

inline constexpr std::size_t kMalformed = SIZE_MAX;

/// Bytes of the first packet in `[at, at + size)`; 0: more are needed; kMalformed: not MQTT.
inline std::size_t next_packet(const std::uint8_t* at, std::size_t size, Packet& packet) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < size; ++i) {
    length |= static_cast<std::size_t>(at[i] & 0x7f) << (7 * (i - 1));
    if ((at[i] & 0x80) == 0) {
      const std::size_t header = i + 1;
      if (size - header < length) return 0;
      packet = Packet{at[0], at + header, length};
      return header + length;
    }
    if (i == 4) return kMalformed;
  }
  return 0;
}

inline std::uint16_t read_u16(const std::uint8_t* at) {
  return static_cast<std::uint16_t>((at[0] << 8) | at[1]);
}

/// A received PUBLISH. `payload` is null if the packet is cut short.
struct Publish {
  std::uint8_t qos = 0;
  bool retain = false;
  std::uint16_t packet_id = 0;
  std::string_view topic;
  const std::uint8_t* payload = nullptr;
  std::size_t payload_size = 0;
};

Publish read_publish(const Packet& packet, Version version);

/// The reason code of a PUBACK, PUBREC, PUBREL or PUBCOMP; 0 (success) when it is left out.
inline std::uint8_t ack_code(const Packet& packet) {
  return packet.size > 2 ? packet.body[2] : std::uint8_t{0};
}

/// What the generator obeys of a CONNACK.
struct Connack {
  std::uint8_t code = 0xff;
  std::uint16_t receive_maximum = 65'535;
};

Connack read_connack(const Packet& packet, Version version);

/// The first reason code at or above 0x80 in a SUBACK; empty when all were granted.
std::optional<std::uint8_t> suback_refusal(const Packet& packet, Version version);

/// What every measured message carries at the start of its payload, in the machine's byte order.
struct Stamp {
  std::uint32_t publisher = 0;
  std::uint32_t sequence = 0;
  std::int64_t sent_ns = 0;  ///< monotonic clock
};
static_assert(sizeof(Stamp) == 16);

/// A PUBLISH whose packet identifier and stamp are filled in per message.
class PublishTemplate {
 public:
  /// `payload_size` >= sizeof(Stamp).
  PublishTemplate(std::string_view topic, std::uint8_t qos, bool retain, std::size_t payload_size,
                  Version version);

  /// Appends the packet with this identifier (ignored at QoS 0) and stamp.
  void append_to(Bytes& out, std::uint16_t packet_id, const Stamp& stamp) const {
    const std::size_t start = out.size();
    out.insert(out.end(), bytes_.begin(), bytes_.end());
    std::uint8_t* packet = out.data() + start;
    if (packet_id_at_ != 0) {
      packet[packet_id_at_] = static_cast<std::uint8_t>(packet_id >> 8);
      packet[packet_id_at_ + 1] = static_cast<std::uint8_t>(packet_id);
    }
    std::memcpy(packet + payload_at_, &stamp, sizeof stamp);
  }

 private:
  Bytes bytes_;
  std::size_t packet_id_at_ = 0;
  std::size_t payload_at_ = 0;
};

/// Keep alive 0 (none). `clean` without session expiry; otherwise a session that is there is
/// resumed, and stays for an hour after the connection (3.1.1: as long as the broker keeps it).
void append_connect(Bytes& out, std::string_view client_id, Version version, bool clean = true);
void append_subscribe(Bytes& out, std::uint16_t packet_id, std::span<const std::string> filters,
                      std::uint8_t qos, Version version);
/// A PUBLISH of QoS 1.
void append_publish(Bytes& out, std::string_view topic, std::uint16_t packet_id,
                    std::string_view payload, Version version);
/// A retained PUBLISH without payload: removes the topic's retained message.
void append_clear_retained(Bytes& out, std::string_view topic, std::uint8_t qos,
                           std::uint16_t packet_id, Version version);

/// PUBACK, PUBREC, PUBREL or PUBCOMP without reason code or properties.
inline void append_ack(Bytes& out, PacketType type, std::uint16_t packet_id) {
  const std::uint8_t flags = type == PacketType::Pubrel ? 2 : 0;
  const std::uint8_t packet[4] = {
      static_cast<std::uint8_t>((static_cast<unsigned>(type) << 4) | flags), 2,
      static_cast<std::uint8_t>(packet_id >> 8), static_cast<std::uint8_t>(packet_id)};
  out.insert(out.end(), packet, packet + sizeof packet);
}

inline void append_disconnect(Bytes& out) {
  out.push_back(0xe0);
  out.push_back(0);
}

}  // namespace twinmq::load
