#include "mqtt/encode.hpp"

#include <array>

#include "unit/mqtt/wire_text.hpp"

namespace twinmq::mqtt::test {
namespace {

std::string head_bytes(const PublishHead& head, Version version) {
  const std::size_t size = publish_head_size(head, version);
  const auto memory =
      std::make_unique<std::uint8_t[]>(size);  // a byte too many is seen by AddressSanitizer
  const std::uint8_t* end = write_publish_head(head, version, memory.get());
  CHECK(static_cast<std::size_t>(end - memory.get()) == size);
  return {reinterpret_cast<const char*>(memory.get()), size};
}

std::string ack_bytes(PacketType type, PacketId id, ReasonCode code, Version version) {
  std::array<std::uint8_t, kAckSizeMax> memory{};
  const std::uint8_t* end = write_ack(type, id, code, version, memory.data());
  return {reinterpret_cast<const char*>(memory.data()),
          static_cast<std::size_t>(end - memory.data())};
}

}  // namespace

TEST_CASE("the head of a PUBLISH ends where its payload begins") {
  const std::array<std::uint32_t, 2> ids{1, 300};
  PublishHead head;
  head.topic = "a/b";
  head.properties = "\x01\x01";
  head.payload_size = 5;
  head.qos = QoS::AtLeastOnce;
  head.retain = true;
  head.packet_id = 0x0102;
  head.topic_alias = 3;
  head.expiry_seconds = 7U;
  head.subscription_ids = ids;
  CHECK(hex(head_bytes(head, Version::V5)) ==
        hex(wire("33 1c 0003'a/b' 0102 0f 02 00000007 23 0003 0b 01 0b ac02 01 01")));
  CHECK(hex(head_bytes(head, Version::V311)) == hex(wire("33 0c 0003'a/b' 0102")));
  CHECK(hex(head_bytes(head, Version::V31)) == hex(wire("33 0c 0003'a/b' 0102")));
}

TEST_CASE("the Remaining Length of a PUBLISH grows at the specified sizes") {
  struct Case {
    std::size_t payload;
    std::string_view header;
  };
  for (const Case& one :
       {Case{124, "30 7f"}, Case{125, "30 80 01"}, Case{16'380, "30 ff 7f"},
        Case{16'381, "30 80 80 01"}, Case{2'097'148, "30 ff ff 7f"},
        Case{2'097'149, "30 80 80 80 01"}, Case{kRemainingLengthMax - 3, "30 ff ff ff 7f"}}) {
    PublishHead head;
    head.topic = "t";
    head.payload_size = one.payload;
    CHECK(hex(head_bytes(head, Version::V311)) == hex(wire(one.header) + wire("0001't'")));
  }
}

TEST_CASE("a PUBLISH beyond what MQTT can carry has no head") {
  PublishHead head;
  head.topic = "t";
  head.payload_size = kRemainingLengthMax - 2;
  CHECK(publish_head_size(head, Version::V311) == 0);
  head.payload_size = kRemainingLengthMax - 3;
  CHECK(publish_head_size(head, Version::V5) == 0);
  head.payload_size = std::size_t{1} << 40U;
  CHECK(publish_head_size(head, Version::V5) == 0);
  const std::string topic(kTextBytesMax + 1, 't');
  head.payload_size = 0;
  head.topic = topic;
  CHECK(publish_head_size(head, Version::V5) == 0);
}

TEST_CASE("an acknowledgement names its reason only where it is one and can be told") {
  CHECK(hex(ack_bytes(PacketType::Puback, 1, ReasonCode::Success, Version::V5)) ==
        hex(wire("40 02 0001")));
  CHECK(hex(ack_bytes(PacketType::Pubrec, 1, ReasonCode::QuotaExceeded, Version::V5)) ==
        hex(wire("50 03 0001 97")));
  CHECK(hex(ack_bytes(PacketType::Pubrel, 0xFFFE, ReasonCode::Success, Version::V311)) ==
        hex(wire("62 02 fffe")));
  CHECK(hex(ack_bytes(PacketType::Pubcomp, 2, ReasonCode::PacketIdentifierNotFound,
                      Version::V311)) == hex(wire("70 02 0002")));
}

TEST_CASE("a refusal reaches MQTT 3.1.1 as the nearest return code") {
  CHECK(connect_return_code(ReasonCode::Success) == 0);
  CHECK(connect_return_code(ReasonCode::UnsupportedProtocolVersion) == 1);
  CHECK(connect_return_code(ReasonCode::ClientIdentifierNotValid) == 2);
  CHECK(connect_return_code(ReasonCode::ServerBusy) == 3);
  CHECK(connect_return_code(ReasonCode::BadUserNameOrPassword) == 4);
  CHECK(connect_return_code(ReasonCode::Banned) == 5);
  CHECK_FALSE(connect_return_code(ReasonCode::MalformedPacket).has_value());
  CHECK_FALSE(connect_return_code(ReasonCode::ProtocolError).has_value());
  Connack refusal;
  refusal.code = ReasonCode::UnspecifiedError;
  CHECK(hex(encoded(refusal, Version::V311)) == hex(wire("20 02 00 03")));
}

TEST_CASE("what a version lacks is left out") {
  Connack resumed;
  resumed.session_present = true;
  resumed.receive_maximum = std::uint16_t{5};
  CHECK(hex(encoded(resumed, Version::V31)) == hex(wire("20 02 00 00")));
  CHECK(hex(encoded(resumed, Version::V311)) == hex(wire("20 02 01 00")));

  const Suback mixed{1, "why", {{"k", "v"}}, {ReasonCode::GrantedQoS1, ReasonCode::NotAuthorized}};
  CHECK(hex(encoded(mixed, Version::V311)) == hex(wire("90 04 0001 01 80")));
  CHECK(hex(encoded(Unsuback{1, "why", {}, {ReasonCode::Success}}, Version::V311)) ==
        hex(wire("b0 02 0001")));

  Disconnect moved;
  moved.code = ReasonCode::ServerMoved;
  moved.server_reference = "there";
  CHECK(hex(encoded(moved, Version::V311)) == hex(wire("e0 00")));

  Subscribe subscribe;
  subscribe.packet_id = 1;
  subscribe.subscription_id = 5;
  subscribe.entries = {{"a", {QoS::AtLeastOnce, true, true, RetainHandling::DoNotSend}}};
  CHECK(hex(encoded(subscribe, Version::V311)) == hex(wire("82 06 0001 0001'a' 01")));

  const Ack ack{PacketType::Puback, 1, ReasonCode::QuotaExceeded, "full", {}};
  CHECK(hex(encoded(ack, Version::V311)) == hex(wire("40 02 0001")));
}

TEST_CASE("packets are appended behind what is there") {
  std::string out = "x";
  append(out, Pingreq{});
  append(out, Ack{PacketType::Puback, 1, ReasonCode::Success, {}, {}}, Version::V5);
  CHECK(hex(out) == hex(wire("'x' c0 00 40 02 0001")));
}

}  // namespace twinmq::mqtt::test
