#pragma once
// Packets and their bytes, side by side.

#include <string>
#include <string_view>
#include <vector>

#include "mqtt/packets.hpp"
#include "unit/mqtt/wire_text.hpp"

namespace twinmq::mqtt::test {

struct PacketCase {
  std::string_view name;
  Version version;
  Packet packet;
  std::string bytes;
  /// Bodies shorter than this one that are packets too, by their length.
  std::vector<std::size_t> legal_cuts = {};
  bool decode_only = false;  ///< the encoder writes the same packet in another, shorter way
};

/// Every packet type in every version that has it, with few and with all fields.
const std::vector<PacketCase>& packet_cases();

}  // namespace twinmq::mqtt::test
