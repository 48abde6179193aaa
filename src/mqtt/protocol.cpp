#include "mqtt/protocol.hpp"

#include <array>

namespace twinmq::mqtt {

std::string_view packet_type_text(PacketType type) {
  constexpr std::array<std::string_view, 16> kTexts{
      "Reserved", "CONNECT",  "CONNACK",    "PUBLISH", "PUBACK",      "PUBREC",
      "PUBREL",   "PUBCOMP",  "SUBSCRIBE",  "SUBACK",  "UNSUBSCRIBE", "UNSUBACK",
      "PINGREQ",  "PINGRESP", "DISCONNECT", "AUTH"};
  return kTexts[static_cast<std::uint8_t>(type) & 0x0F];
}

}  // namespace twinmq::mqtt
