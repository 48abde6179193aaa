#include <array>

#include "mqtt/reason_rules.hpp"
#include "unit/mqtt/wire_text.hpp"

namespace twinmq::mqtt::test {
namespace {

struct Fault {
  std::string_view bytes;
  ReasonCode code;
};

void check_faults(Version version, std::initializer_list<Fault> faults) {
  for (const Fault& fault : faults) {
    INFO(fault.bytes << " in version " << static_cast<int>(version));
    CHECK(reason_text(verdict(wire(fault.bytes), version)) == reason_text(fault.code));
  }
}

constexpr auto kMalformed = ReasonCode::MalformedPacket;
constexpr auto kError = ReasonCode::ProtocolError;
constexpr auto kTopic = ReasonCode::TopicNameInvalid;
constexpr auto kVersion = ReasonCode::UnsupportedProtocolVersion;

std::string connect_with_flags(Version version, unsigned flags) {
  const bool v5 = version == Version::V5;
  std::string body = version == Version::V31 ? wire("0006 'MQIsdp'") : wire("0004 'MQTT'");
  body += static_cast<char>(version);
  body += static_cast<char>(flags);
  body += wire(v5 ? "0000 00 0001'c'" : "0000 0001'c'");
  if ((flags & 0x04) != 0) body += wire(v5 ? "00 0001'w' 0001'x'" : "0001'w' 0001'x'");
  if ((flags & 0x80) != 0) body += field("u");
  if ((flags & 0x40) != 0) body += field("p");
  return packet_of(0x10, body);
}

}  // namespace

TEST_CASE("CONNECT is of a version we speak, or says so", "[MQTT-3.1.2-1][MQTT-3.1.2-2]") {
  check_faults(Version::V5, {
                                {"10 0c 0004 'MQTT' 03 02 0000 0000", kVersion},
                                {"10 0c 0004 'MQTT' 06 02 0000 0000", kVersion},
                                {"10 0c 0004 'MQTT' 00 02 0000 0000", kVersion},
                                {"10 0c 0004 'MQTT' 85 02 0000 0000", kVersion},
                                {"10 0c 0004 'mqtt' 04 02 0000 0000", kVersion},
                                {"10 0d 0005 'MQTTx' 04 02 0000 0000", kVersion},
                                {"10 0e 0006 'MQIsdp' 04 02 0000 0000", kVersion},
                                {"10 08 0000 04 02 0000 0000", kVersion},
                                {"10 07 0004 'MQTT' 09", kVersion},
                                {"10 0c 0004 'MQT' ff 04 02 0000 0000", kMalformed},
                                {"10 06 0004 'MQTT'", kMalformed},
                                {"10 00", kMalformed},
                                {"10 0c 0004 'MQTT' 04 02 0000 0000", ReasonCode::Success},
                                {"10 0c 0004 'MQTT' 84 02 0000 0000", ReasonCode::Success},
                                {"10 0e 0006 'MQIsdp' 03 02 0000 0000", ReasonCode::Success},
                                {"10 0e 0006 'MQIsdp' 83 02 0000 0000", ReasonCode::Success},
                            });
}

TEST_CASE("CONNECT flags contradict neither each other nor the version",
          "[MQTT-3.1.2-3][MQTT-3.1.2-11][MQTT-3.1.2-12][MQTT-3.1.2-13][MQTT-3.1.2-22]") {
  for (const Version version : {Version::V31, Version::V311, Version::V5}) {
    for (unsigned flags = 0; flags < 256; ++flags) {
      const bool will = (flags & 0x04) != 0;
      bool legal = (flags & 0x01) == 0 && (flags & 0x18) != 0x18;
      if (!will && (flags & 0x38) != 0) legal = false;
      if (version != Version::V5 && (flags & 0xC0) == 0x40) legal = false;
      INFO("flags " << flags << " in version " << static_cast<int>(version));
      const std::string bytes = connect_with_flags(version, flags);
      REQUIRE(frame_of(bytes).type == PacketType::Connect);
      CHECK(verdict(bytes, version) == (legal ? ReasonCode::Success : kMalformed));
    }
  }
}

TEST_CASE("the texts of CONNECT are UTF-8 and its will has a topic name",
          "[MQTT-3.1.3-4][MQTT-3.1.3-11][MQTT-3.1.3-12]") {
  check_faults(
      Version::V5,
      {
          {"10 0d 0004 'MQTT' 04 02 0000 0001 00", kMalformed},
          {"10 0f 0004 'MQTT' 04 82 0000 0000 0001 ff", kMalformed},
          {"10 0f 0004 'MQTT' 04 06 0000 0000 0000 00", kTopic},
          {"10 11 0004 'MQTT' 04 06 0000 0000 0001'+' 0000", kTopic},
          {"10 11 0004 'MQTT' 04 06 0000 0000 0001'#' 0000", kTopic},
          {"10 11 0004 'MQTT' 04 06 0000 0000 0001 c0 0000", kMalformed},
          {"10 11 0004 'MQTT' 04 06 0000 0000 0001'w' 0000", ReasonCode::Success},
          {"10 14 0004 'MQTT' 05 06 0000 00 0000 02 01 01 0000 0000", kTopic},
          {"10 16 0004 'MQTT' 05 06 0000 00 0000 02 01 01 0001'w' 0001 ff",
           ReasonCode::PayloadFormatInvalid},
          {"10 16 0004 'MQTT' 05 06 0000 00 0000 02 01 00 0001'w' 0001 ff", ReasonCode::Success},
          {"10 16 0004 'MQTT' 05 06 0000 00 0000 02 01 01 0001'w' 0001 00", ReasonCode::Success},
      });
}

TEST_CASE("CONNECT of MQTT 3.1 may lack the user name its flags announce, later versions may not") {
  CHECK(verdict(wire("10 0e 0006 'MQIsdp' 03 c2 0000 0000"), Version::V31) == ReasonCode::Success);
  CHECK(verdict(wire("10 0c 0004 'MQTT' 04 c2 0000 0000"), Version::V311) == kMalformed);
}

TEST_CASE("PUBLISH names a topic by name or alias", "[MQTT-3.3.2-1][MQTT-3.3.2-2][MQTT-4.7.3-1]") {
  check_faults(Version::V311, {
                                  {"30 02 0000", kTopic},
                                  {"30 03 0001'#'", kTopic},
                                  {"30 05 0003'a/+'", kTopic},
                                  {"30 03 0001 00", kMalformed},
                                  {"30 05 0003 eda080", kMalformed},
                                  {"30 02 0001", kMalformed},
                                  {"30 01 00", kMalformed},
                                  {"30 00", kMalformed},
                              });
  check_faults(Version::V5, {
                                {"30 03 0000 00", kTopic},
                                {"30 06 0000 03 23 0001", ReasonCode::Success},
                                {"30 07 0001'+' 03 23 0001", kTopic},
                                {"30 06 0000 03 23 0000", ReasonCode::TopicAliasInvalid},
                                {"30 04 0001 c1 00", kMalformed},
                                {"30 07 0001'a' 02 01 01 ff", ReasonCode::PayloadFormatInvalid},
                                {"30 07 0001'a' 02 01 00 ff", ReasonCode::Success},
                                {"30 07 0001'a' 02 01 01 00", ReasonCode::Success},
                            });
}

TEST_CASE("topic names have no more levels than allowed") {
  const DecodeLimits limits{.topic_levels_max = 3};
  CHECK(verdict(wire("30 07 0005 'a/b/c'"), Version::V311, limits) == ReasonCode::Success);
  CHECK(verdict(wire("30 08 0006 'a/b/c/'"), Version::V311, limits) == kTopic);
  CHECK(verdict(wire("10 15 0004 'MQTT' 04 06 0000 0000 0005 '////a' 0000"), Version::V311,
                limits) == kTopic);
}

TEST_CASE("a packet identifier is there and not 0", "[MQTT-2.2.1-3]") {
  for (const Version version : {Version::V31, Version::V311, Version::V5}) {
    check_faults(version, {{"32 05 0001'a' 0000", kError},
                           {"34 04 0001'a' 00", kMalformed},
                           {"40 02 0000", kError},
                           {"50 02 0000", kError},
                           {"62 02 0000", kError},
                           {"70 02 0000", kError},
                           {"40 00", kMalformed},
                           {"62 01 01", kMalformed},
                           {"82 00", kMalformed},
                           {"a2 01 00", kMalformed}});
  }
  check_faults(Version::V311, {{"82 06 0000 0001'a' 00", kError},
                               {"a2 05 0000 0001'a'", kError},
                               {"90 03 0000 00", kError},
                               {"b0 02 0000", kError}});
  check_faults(Version::V5,
               {{"82 07 0000 00 0001'a' 00", kError}, {"a2 06 0000 00 0001'a'", kError}});
}

TEST_CASE("decode_publish refuses flags that a frame cannot have", "[MQTT-3.3.1-2][MQTT-3.3.1-4]") {
  const std::string body = wire("0001'a' 0001");
  std::string scratch;
  for (const std::uint8_t flags : std::initializer_list<std::uint8_t>{6, 7, 8, 9, 14, 15}) {
    const auto decoded =
        decode_publish({PacketType::Publish, flags, bytes_of(body)}, Version::V311, {}, scratch);
    REQUIRE_FALSE(decoded.has_value());
    CHECK(decoded.error().code == kMalformed);
  }
}

TEST_CASE("SUBSCRIBE and UNSUBSCRIBE have entries with legal options",
          "[MQTT-3.8.3-2][MQTT-3.8.3-4][MQTT-3.8.3-5][MQTT-3.10.3-2]") {
  check_faults(Version::V311, {{"82 02 0001", kError},
                               {"a2 02 0001", kError},
                               {"82 06 0001 0001'a' 03", kMalformed},
                               {"82 06 0001 0001'a' 04", kMalformed},
                               {"82 06 0001 0001'a' 80", kMalformed},
                               {"82 06 0001 0001 ff 00", kMalformed},
                               {"82 05 0001 0001'a'", kMalformed},
                               {"a2 05 0001 0001 ff", kMalformed}});
  check_faults(Version::V5, {{"82 03 0001 00", kError},
                             {"a2 03 0001 00", kError},
                             {"82 07 0001 00 0001'a' 03", kMalformed},
                             {"82 07 0001 00 0001'a' 30", kMalformed},
                             {"82 07 0001 00 0001'a' 40", kMalformed},
                             {"82 07 0001 00 0001'a' 80", kMalformed},
                             {"82 10 0001 00 000a '$share/g/x' 04", kError},
                             {"82 10 0001 00 000a '$share/g/x' 01", ReasonCode::Success}});
}

TEST_CASE("a filter that only breaks the topic rules is left to be answered by its own code") {
  for (const std::string_view filter : {"", "a#", "#/a", "a+/b", "$share//x"}) {
    const std::string entry = field(filter);
    INFO(filter);
    CHECK(verdict(packet_of(0x82, wire("0001 00") + entry + '\0'), Version::V5) ==
          ReasonCode::Success);
    CHECK(verdict(packet_of(0xA2, wire("0001 00") + entry), Version::V5) == ReasonCode::Success);
  }
}

TEST_CASE("entries of one packet are bounded") {
  const DecodeLimits limits{.subscription_entries_max = 2};
  const std::string entry = wire("0001'a' 00");
  CHECK(verdict(packet_of(0x82, wire("0001") + entry + entry), Version::V311, limits) ==
        ReasonCode::Success);
  CHECK(verdict(packet_of(0x82, wire("0001") + entry + entry + entry), Version::V311, limits) ==
        ReasonCode::QuotaExceeded);
  CHECK(verdict(wire("a2 0b 0001 0001'a' 0001'b' 0001'c'"), Version::V311, limits) ==
        ReasonCode::QuotaExceeded);
}

TEST_CASE("what has no body has none, and versions without AUTH know none") {
  for (const Version version : {Version::V31, Version::V311, Version::V5}) {
    check_faults(version, {{"c0 01 00", kMalformed}, {"d0 01 00", kMalformed}});
  }
  check_faults(Version::V311,
               {{"e0 01 00", kMalformed}, {"f0 00", kMalformed}, {"40 03 0001 00", kMalformed}});
}

TEST_CASE("CONNACK is true to itself", "[MQTT-3.2.2-1][MQTT-3.2.2-6]") {
  check_faults(Version::V31, {{"20 02 01 00", kMalformed}, {"20 02 00 06", kError}});
  check_faults(Version::V311,
               {{"20 02 02 00", kMalformed}, {"20 02 01 05", kError}, {"20 02 00 80", kError}});
  check_faults(
      Version::V5,
      {{"20 03 02 00 00", kMalformed}, {"20 03 01 87 00", kError}, {"20 03 00 01 00", kError}});
}

TEST_CASE("each packet takes its own reason codes only",
          "[MQTT-3.2.2-8][MQTT-3.4.2-1][MQTT-3.5.2-1][MQTT-3.6.2-1][MQTT-3.7.2-1][MQTT-3.9.3-2]["
          "MQTT-3.11.3-2]"
          "[MQTT-3.14.2-1][MQTT-3.15.2-1]") {
  struct Row {
    unsigned first_byte;
    std::string before;
    std::string after;
    std::string codes;
  };
  const std::string received = wire("00 10 80 83 87 90 91 97 99");
  const Row rows[] = {
      {0x20, wire("00"), wire("00"),
       wire("00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f")},
      {0x40, wire("0001"), "", received},
      {0x50, wire("0001"), "", received},
      {0x62, wire("0001"), "", wire("00 92")},
      {0x70, wire("0001"), "", wire("00 92")},
      {0x90, wire("0001 00"), "", wire("00 01 02 80 83 87 8f 91 97 9e a1 a2")},
      {0xB0, wire("0001 00"), "", wire("00 11 80 83 87 8f 91")},
      {0xE0, "", "",
       wire("00 04 80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 "
            "a1 a2")},
      {0xF0, "", wire("04 15 0001'm'"), wire("00 18 19")},
  };
  for (const Row& row : rows) {
    for (int code = 0; code < 256; ++code) {
      INFO("packet " << row.first_byte << ", code " << code);
      const bool known = row.codes.find(static_cast<char>(code)) != std::string::npos;
      const std::string body = row.before + static_cast<char>(code) + row.after;
      CHECK(verdict(packet_of(row.first_byte, body), Version::V5) ==
            (known ? ReasonCode::Success : kError));
    }
  }
}

TEST_CASE("SUBACK before MQTT 5 knows four return codes and at least one is there") {
  check_faults(Version::V311,
               {{"90 02 0001", kError}, {"90 03 0001 03", kError}, {"90 03 0001 87", kError}});
  check_faults(Version::V5, {{"90 03 0001 00", kError}, {"b0 03 0001 00", kError}});
  check_faults(Version::V311, {{"b0 03 0001 00", kMalformed}});
}

TEST_CASE("the first fault of a packet is the one that is told") {
  // A broken will topic comes before a broken user name.
  CHECK(verdict(wire("10 14 0004 'MQTT' 04 86 0000 0000 0001'+' 0000 0001 ff"), Version::V311) ==
        kTopic);
  // The version counts before anything that it may have laid out otherwise.
  CHECK(verdict(wire("10 0c 0004 'MQTT' 07 ff ffff ffff"), Version::V5) == kVersion);
}

}  // namespace twinmq::mqtt::test
