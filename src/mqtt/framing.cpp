#include "mqtt/framing.hpp"

namespace twinmq::mqtt {
namespace {

constexpr std::size_t kLengthBytesMax = 4;

Framing malformed(ReasonCode fault) {
  Framing framing;
  framing.status = Framing::Status::Malformed;
  framing.fault = fault;
  return framing;
}

}  // namespace

Framing next_frame(ByteView bytes, std::uint32_t packet_size_max) {
  if (bytes.empty()) return {};
  const auto type = static_cast<PacketType>(bytes[0] >> 4U);
  const std::uint8_t flags = bytes[0] & 0x0FU;
  if (!flags_allowed(type, flags)) return malformed(ReasonCode::MalformedPacket);

  std::uint32_t length = 0;
  std::size_t header = 1;
  while (true) {
    if (header > kLengthBytesMax) return malformed(ReasonCode::MalformedPacket);
    if (header == bytes.size()) return {};
    const std::uint8_t byte = bytes[header];
    length |= (byte & 0x7FU) << (7 * (header - 1));
    ++header;
    if ((byte & 0x80U) != 0) continue;
    if (byte == 0 && header > 2) return malformed(ReasonCode::MalformedPacket);
    break;
  }

  Framing framing;
  framing.size = header + length;
  if (framing.size > packet_size_max) return malformed(ReasonCode::PacketTooLarge);
  if (framing.size > bytes.size()) return framing;
  framing.status = Framing::Status::Complete;
  framing.frame = {type, flags, bytes.subspan(header, length)};
  return framing;
}

}  // namespace twinmq::mqtt
