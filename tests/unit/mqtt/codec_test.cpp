// What holds for every packet, told once for all of packet_cases().

#include <algorithm>

#include "unit/mqtt/packet_cases.hpp"

namespace twinmq::mqtt::test {
namespace {

Decoded<Packet> decode_exact(const Frame& frame, std::string_view body, Version version) {
  const ExactBytes exact(body);
  std::string scratch;
  return decode({frame.type, frame.flags, exact.view()}, version, {}, scratch);
}

}  // namespace

TEST_CASE("a packet is encoded to the bytes of the specification") {
  for (const PacketCase& one : packet_cases()) {
    if (one.decode_only) continue;
    INFO(one.name << " in version " << static_cast<int>(one.version));
    CHECK(hex(encoded(one.packet, one.version)) == hex(one.bytes));
  }
}

TEST_CASE("the bytes of the specification are decoded to the packet") {
  for (const PacketCase& one : packet_cases()) {
    INFO(one.name << " in version " << static_cast<int>(one.version));
    std::string scratch;
    const Decoded<Packet> decoded = decode(frame_of(one.bytes), one.version, {}, scratch);
    if (!decoded) FAIL(decoded.error().what);
    CHECK(decoded.value() == one.packet);
  }
}

TEST_CASE("a packet that has not wholly arrived needs more") {
  for (const PacketCase& one : packet_cases()) {
    INFO(one.name);
    for (std::size_t size = 0; size < one.bytes.size(); ++size) {
      const ExactBytes exact(std::string_view(one.bytes).substr(0, size));
      const Framing framing = next_frame(exact.view(), kAnySize);
      CHECK(framing.status == Framing::Status::NeedMore);
      CHECK(framing.size == (size < 2 ? 0 : one.bytes.size()));
    }
  }
}

TEST_CASE("a body cut short is refused, except where the specification lets its end be missing") {
  for (const PacketCase& one : packet_cases()) {
    const Frame frame = frame_of(one.bytes);
    for (std::size_t size = 0; size < frame.body.size(); ++size) {
      INFO(one.name << " in version " << static_cast<int>(one.version) << " cut to " << size);
      const Decoded<Packet> decoded =
          decode_exact(frame, text_of(frame.body.subspan(0, size)), one.version);
      const auto& cuts = one.legal_cuts;
      CHECK(decoded.has_value() == (std::find(cuts.begin(), cuts.end(), size) != cuts.end()));
    }
  }
}

TEST_CASE("a byte too many is refused") {
  for (const PacketCase& one : packet_cases()) {
    const Frame frame = frame_of(one.bytes);
    // The payload of PUBLISH and the codes of the acknowledgements simply grow; other ends are
    // fixed.
    if (frame.type == PacketType::Publish || frame.type == PacketType::Suback) continue;
    if (one.version == Version::V5 && (frame.type == PacketType::Unsuback || one.bytes.size() < 6))
      continue;
    INFO(one.name << " in version " << static_cast<int>(one.version));
    const Decoded<Packet> decoded =
        decode_exact(frame, std::string(text_of(frame.body)) + '\0', one.version);
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().code == ReasonCode::MalformedPacket);
  }
}

TEST_CASE("whatever one byte of a body is changed to gives a packet or a reason") {
  for (const PacketCase& one : packet_cases()) {
    const Frame frame = frame_of(one.bytes);
    std::string body(text_of(frame.body));
    for (char& byte : body) {
      const char original = byte;
      for (int value = 0; value < 256; ++value) {
        byte = static_cast<char>(value);
        const Decoded<Packet> decoded = decode_exact(frame, body, one.version);
        if (decoded) continue;
        const bool has_reason = is_failure(decoded.error().code) && !decoded.error().what.empty();
        if (!has_reason) FAIL(one.name << ": " << hex(body));
      }
      byte = original;
    }
  }
}

TEST_CASE("a decoded packet, encoded and decoded once more, is the same") {
  for (const PacketCase& one : packet_cases()) {
    INFO(one.name);
    const std::string bytes = encoded(one.packet, one.version);
    std::string scratch;
    const Decoded<Packet> again = decode(frame_of(bytes), one.version, {}, scratch);
    REQUIRE(again.has_value());
    CHECK(again.value() == one.packet);
  }
}

}  // namespace twinmq::mqtt::test
