#include "mqtt/framing.hpp"

#include "unit/mqtt/wire_text.hpp"

namespace twinmq::mqtt::test {
namespace {

Framing look_at(std::string_view bytes, std::uint32_t packet_size_max = kAnySize) {
  const ExactBytes exact(bytes);
  return next_frame(exact.view(), packet_size_max);
}

bool malformed(const Framing& framing, ReasonCode fault) {
  return framing.status == Framing::Status::Malformed && framing.fault == fault;
}

}  // namespace

TEST_CASE("frames follow one another in a stream") {
  const std::string stream = wire("c0 00 40 02 0001");
  const Framing first = next_frame(bytes_of(stream), kAnySize);
  REQUIRE(first.status == Framing::Status::Complete);
  CHECK(first.size == 2);
  CHECK(first.frame.type == PacketType::Pingreq);
  const Framing second = next_frame(bytes_of(stream).subspan(first.size), kAnySize);
  REQUIRE(second.status == Framing::Status::Complete);
  CHECK(second.frame.type == PacketType::Puback);
  CHECK(second.frame.body.size() == 2);
  CHECK(next_frame(bytes_of(stream).subspan(6), kAnySize).status == Framing::Status::NeedMore);
}

TEST_CASE("the Remaining Length is understood at the edges of its sizes", "[MQTT-1.5.5-1]") {
  struct Case {
    std::string_view bytes;
    std::size_t size;
  };
  for (const Case& one :
       {Case{"30 01", 3}, Case{"30 7f", 129}, Case{"30 80 01", 131}, Case{"30 ff 7f", 16'386},
        Case{"30 80 80 01", 16'388}, Case{"30 ff ff 7f", 2'097'155},
        Case{"30 80 80 80 01", 2'097'157}, Case{"30 ff ff ff 7f", 268'435'460}}) {
    INFO(one.bytes);
    const Framing framing = look_at(wire(one.bytes));
    CHECK(framing.status == Framing::Status::NeedMore);
    CHECK(framing.size == one.size);
  }
  for (const std::string_view bytes : {"30", "30 80", "30 ff ff", "30 ff ff ff"}) {
    CHECK(look_at(wire(bytes)).status == Framing::Status::NeedMore);
    CHECK(look_at(wire(bytes)).size == 0);
  }
}

TEST_CASE("a Remaining Length that is too long is refused as soon as it is seen",
          "[MQTT-1.5.5-1]") {
  for (const std::string_view bytes : {"30 80 00", "30 80 80 00", "30 80 80 80 00", "30 ff 00",
                                       "30 80 80 80 80", "30 ff ff ff ff", "30 80 80 80 80 01"}) {
    INFO(bytes);
    CHECK(malformed(look_at(wire(bytes)), ReasonCode::MalformedPacket));
  }
}

TEST_CASE("a packet above the limit is refused from its header", "[MQTT-3.2.2-15]") {
  CHECK(look_at(wire("30 03"), 5).status == Framing::Status::NeedMore);
  CHECK(look_at(wire("30 03 0001'a'"), 5).status == Framing::Status::Complete);
  CHECK(malformed(look_at(wire("30 04"), 5), ReasonCode::PacketTooLarge));
  CHECK(malformed(look_at(wire("30 ff ff ff 7f"), 1'000'000), ReasonCode::PacketTooLarge));
}

TEST_CASE("each type allows exactly its flags", "[MQTT-2.1.3-1][MQTT-3.3.1-2][MQTT-3.3.1-4]") {
  const std::string_view publish =
      "1111 1100 0011 1100";  // one digit per value, blanks not counted
  std::string publish_flags;
  for (const char c : publish) {
    if (c != ' ') publish_flags.push_back(c);
  }
  for (unsigned first = 0; first < 256; ++first) {
    const unsigned type = first >> 4;
    const unsigned flags = first & 15;
    bool legal = flags == 0;
    if (type == 0) legal = false;
    if (type == 6 || type == 8 || type == 10) legal = flags == 2;
    if (type == 3) legal = publish_flags[flags] == '1';
    INFO("first byte " << first);
    const Framing framing = look_at(std::string(1, static_cast<char>(first)));
    CHECK(framing.status == (legal ? Framing::Status::NeedMore : Framing::Status::Malformed));
    if (!legal) CHECK(framing.fault == ReasonCode::MalformedPacket);
  }
}

TEST_CASE("every packet type has its name of the specification") {
  CHECK(packet_type_text(PacketType::Connect) == "CONNECT");
  CHECK(packet_type_text(PacketType::Pubcomp) == "PUBCOMP");
  CHECK(packet_type_text(PacketType::Auth) == "AUTH");
}

TEST_CASE("reason codes have the names of the specification, other bytes are unknown") {
  CHECK(reason_text(ReasonCode::Success) == "Success");
  CHECK(reason_text(ReasonCode::SessionTakenOver) == "Session taken over");
  CHECK(reason_text(ReasonCode::WildcardSubscriptionsNotSupported) ==
        "Wildcard Subscriptions not supported");
  CHECK(reason_text(static_cast<ReasonCode>(0x55)) == "Unknown");
}

}  // namespace twinmq::mqtt::test
