#pragma once
// The table of section 2.4: which reason code may stand in which packet, whoever sends it.

#include <array>
#include <cstdint>

#include <twinmq/reason_code.hpp>

#include "mqtt/protocol.hpp"

namespace twinmq::mqtt {

struct ReasonRule {
  std::uint8_t code;
  std::uint16_t packets;  ///< bit n for packet type n
};

inline constexpr std::array kReasonRules = [] {
  constexpr auto kBit = [](PacketType type) {
    return static_cast<std::uint16_t>(1U << static_cast<unsigned>(type));
  };
  constexpr std::uint16_t kConnack = kBit(PacketType::Connack);
  constexpr std::uint16_t kReceived = kBit(PacketType::Puback) | kBit(PacketType::Pubrec);
  constexpr std::uint16_t kReleased = kBit(PacketType::Pubrel) | kBit(PacketType::Pubcomp);
  constexpr std::uint16_t kSuback = kBit(PacketType::Suback);
  constexpr std::uint16_t kUnsuback = kBit(PacketType::Unsuback);
  constexpr std::uint16_t kDisconnect = kBit(PacketType::Disconnect);
  constexpr std::uint16_t kAuth = kBit(PacketType::Auth);
  return std::to_array<ReasonRule>({
      {0x00, kConnack | kReceived | kReleased | kSuback | kUnsuback | kDisconnect | kAuth},
      {0x01, kSuback},
      {0x02, kSuback},
      {0x04, kDisconnect},
      {0x10, kReceived},
      {0x11, kUnsuback},
      {0x18, kAuth},
      {0x19, kAuth},
      {0x80, kConnack | kReceived | kSuback | kUnsuback | kDisconnect},
      {0x81, kConnack | kDisconnect},
      {0x82, kConnack | kDisconnect},
      {0x83, kConnack | kReceived | kSuback | kUnsuback | kDisconnect},
      {0x84, kConnack},
      {0x85, kConnack},
      {0x86, kConnack},
      {0x87, kConnack | kReceived | kSuback | kUnsuback | kDisconnect},
      {0x88, kConnack},
      {0x89, kConnack | kDisconnect},
      {0x8A, kConnack},
      {0x8B, kDisconnect},
      {0x8C, kConnack | kDisconnect},
      {0x8D, kDisconnect},
      {0x8E, kDisconnect},
      {0x8F, kSuback | kUnsuback | kDisconnect},
      {0x90, kConnack | kReceived | kDisconnect},
      {0x91, kReceived | kSuback | kUnsuback},
      {0x92, kReleased},
      {0x93, kDisconnect},
      {0x94, kDisconnect},
      {0x95, kConnack | kDisconnect},
      {0x96, kDisconnect},
      {0x97, kConnack | kReceived | kSuback | kDisconnect},
      {0x98, kDisconnect},
      {0x99, kConnack | kReceived | kDisconnect},
      {0x9A, kConnack | kDisconnect},
      {0x9B, kConnack | kDisconnect},
      {0x9C, kConnack | kDisconnect},
      {0x9D, kConnack | kDisconnect},
      {0x9E, kSuback | kDisconnect},
      {0x9F, kConnack | kDisconnect},
      {0xA0, kDisconnect},
      {0xA1, kSuback | kDisconnect},
      {0xA2, kSuback | kDisconnect},
  });
}();

constexpr bool reason_allowed(PacketType type, std::uint8_t code) {
  constexpr auto kPackets = [] {
    std::array<std::uint16_t, 256> packets{};
    for (const ReasonRule& rule : kReasonRules) packets[rule.code] = rule.packets;
    return packets;
  }();
  return (unsigned{kPackets[code]} >> static_cast<unsigned>(type) & 1U) != 0;
}

}  // namespace twinmq::mqtt
