// A stream of packets. The first byte chooses the version and the limits. Whatever is decoded must
// be encoded to bytes that are decoded to the same packet, and nothing may be read outside of a
// frame.

#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <variant>

#include "fuzz/require.hpp"
#include "mqtt/decode.hpp"
#include "mqtt/encode.hpp"
#include "mqtt/properties.hpp"

namespace twinmq::mqtt {
namespace {

constexpr std::uint32_t kPacketSizeMax = 1 << 20;

std::string encoded(const Packet& packet, Version version) {
  std::string out;
  std::visit(
      [&](const auto& any) {
        if constexpr (requires { append(out, any, version); }) {
          append(out, any, version);
        } else {
          append(out, any);
        }
      },
      packet);
  return out;
}

/// Message properties that travel on can be taken apart and put together.
void check_properties(std::string_view properties) {
  const MessageProperties decoded = decode_message_properties(properties);
  const std::string once = encode_message_properties(decoded);
  TWINMQ_REQUIRE(once.size() <= properties.size());
  TWINMQ_REQUIRE(encode_message_properties(decode_message_properties(once)) == once);
}

void check_packet(const Packet& packet, Version version) {
  if (const auto* publish = std::get_if<Publish>(&packet)) check_properties(publish->properties);
  if (const auto* connect = std::get_if<Connect>(&packet)) {
    version = connect->version;
    if (connect->will) check_properties(connect->will->properties);
  }
  const std::string once = encoded(packet, version);
  const Framing framing = next_frame(bytes_of(once), 0xFFFF'FFFF);
  TWINMQ_REQUIRE(framing.status == Framing::Status::Complete && framing.size == once.size());
  std::string scratch;
  const Decoded<Packet> again = decode(framing.frame, version, {}, scratch);
  TWINMQ_REQUIRE(again.has_value());
  TWINMQ_REQUIRE(again.value() == packet);
  TWINMQ_REQUIRE(encoded(again.value(), version) == once);
}

void decode_stream(ByteView bytes, Version version, const DecodeLimits& limits) {
  while (true) {
    const Framing framing = next_frame(bytes, kPacketSizeMax);
    TWINMQ_REQUIRE((framing.status == Framing::Status::Malformed) == is_failure(framing.fault));
    if (framing.status != Framing::Status::Complete) return;
    TWINMQ_REQUIRE(framing.size <= bytes.size() && framing.size > framing.frame.body.size());
    bytes = bytes.subspan(framing.size);

    const std::size_t size = framing.frame.body.size();
    const auto body = std::make_unique<std::uint8_t[]>(size);  // ends where its memory ends
    if (size != 0) std::memcpy(body.get(), framing.frame.body.data(), size);
    std::string scratch;
    const Decoded<Packet> packet = decode(
        {framing.frame.type, framing.frame.flags, {body.get(), size}}, version, limits, scratch);
    if (packet) {
      check_packet(packet.value(), version);
    } else {
      TWINMQ_REQUIRE(is_failure(packet.error().code) && !packet.error().what.empty());
    }
  }
}

}  // namespace
}  // namespace twinmq::mqtt

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinmq::mqtt;
  if (size == 0) return 0;
  constexpr Version kVersions[] = {Version::V5, Version::V311, Version::V31, Version::V5};
  DecodeLimits limits;
  if ((data[0] & 0x04U) != 0) limits = {3, 4, 2};
  decode_stream({data + 1, size - 1}, kVersions[data[0] & 0x03U], limits);
  return 0;
}
