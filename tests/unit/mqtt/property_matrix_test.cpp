// Each property in each place. What is expected is written down packet by packet, as chapter 3 of
// the specification has it; the code holds the same facts property by property, as section 2.2.2.2
// does.

#include <algorithm>
#include <map>

#include "unit/mqtt/wire_text.hpp"

namespace twinmq::mqtt::test {
namespace {

struct Place {
  std::string_view name;
  std::string allowed;  ///< property identifiers
  unsigned first_byte;
  std::string before;  ///< of the property length
  std::string after;   ///< of the properties
};

std::vector<Place> places() {
  const std::string publish = wire("01 02 03 08 09 0b 23 26");
  const std::string ack = wire("1f 26");
  return {
      {"CONNECT", wire("11 15 16 17 19 21 22 26 27"), 0x10, wire("0004 'MQTT' 05 02 0000"),
       wire("0000")},
      {"Will", wire("01 02 03 08 09 18 26"), 0x10, wire("0004 'MQTT' 05 06 0000 00 0000"),
       wire("0001'w' 0000")},
      {"CONNACK", wire("11 12 13 15 16 1a 1c 1f 21 22 24 25 26 27 28 29 2a"), 0x20, wire("00 00"),
       ""},
      {"PUBLISH QoS 0", publish, 0x30, wire("0001'a'"), ""},
      {"PUBLISH QoS 1", publish, 0x32, wire("0001'a' 0001"), ""},
      {"PUBACK", ack, 0x40, wire("0001 00"), ""},
      {"PUBREC", ack, 0x50, wire("0001 00"), ""},
      {"PUBREL", ack, 0x62, wire("0001 00"), ""},
      {"PUBCOMP", ack, 0x70, wire("0001 00"), ""},
      {"SUBSCRIBE", wire("0b 26"), 0x82, wire("0001"), wire("0001'a' 00")},
      {"SUBACK", ack, 0x90, wire("0001"), wire("00")},
      {"UNSUBSCRIBE", wire("26"), 0xA2, wire("0001"), wire("0001'a'")},
      {"UNSUBACK", ack, 0xB0, wire("0001"), wire("00")},
      {"DISCONNECT", wire("11 1c 1f 26"), 0xE0, wire("00"), ""},
      {"AUTH", wire("15 16 1f 26"), 0xF0, wire("18"), ""},
  };
}

/// A legal value of every property, without the identifier.
const std::map<int, std::string>& legal_values() {
  static const std::map<int, std::string> kValues{
      {0x01, wire("01")},       {0x02, wire("00000000")},  {0x03, wire("0000")},
      {0x08, wire("0001'r'")},  {0x09, wire("0001 ff")},   {0x0B, wire("01")},
      {0x11, wire("00000000")}, {0x12, wire("0000")},      {0x13, wire("0000")},
      {0x15, wire("0001'm'")},  {0x16, wire("0001 ff")},   {0x17, wire("01")},
      {0x18, wire("00000000")}, {0x19, wire("01")},        {0x1A, wire("0000")},
      {0x1C, wire("0000")},     {0x1F, wire("0000")},      {0x21, wire("0001")},
      {0x22, wire("0000")},     {0x23, wire("0001")},      {0x24, wire("01")},
      {0x25, wire("01")},       {0x26, wire("0000 0000")}, {0x27, wire("00000001")},
      {0x28, wire("01")},       {0x29, wire("01")},        {0x2A, wire("01")},
  };
  return kValues;
}

std::string legal(int id) {
  return static_cast<char>(id) + legal_values().at(id);
}

std::string with_properties(const Place& place, const std::string& properties) {
  return packet_of(place.first_byte,
                   place.before + static_cast<char>(properties.size()) + properties + place.after);
}

bool allows(const Place& place, int id) {
  return place.allowed.find(static_cast<char>(id)) != std::string::npos;
}

/// What must stand beside a property to make it legal: a method beside authentication data, and in
/// AUTH always.
std::string company(const Place& place, int id) {
  const bool needs_method = (id == 0x16 || place.name == "AUTH") && id != 0x15;
  return needs_method ? legal(0x15) : "";
}

}  // namespace

TEST_CASE("every property is taken where it belongs and malformed elsewhere", "[2.2.2.2]") {
  REQUIRE(legal_values().size() == 27);
  for (const Place& place : places()) {
    for (const auto& [id, value] : legal_values()) {
      INFO(place.name << ", property " << id);
      const ReasonCode expected =
          allows(place, id) ? ReasonCode::Success : ReasonCode::MalformedPacket;
      CHECK(
          verdict(with_properties(place, legal(id) + (allows(place, id) ? company(place, id) : "")),
                  Version::V5) == expected);
    }
  }
}

TEST_CASE("an identifier that names no property is malformed", "[2.2.2.2]") {
  for (const Place& place : places()) {
    for (int id = 0; id < 256; ++id) {
      if (legal_values().contains(id)) continue;
      INFO(place.name << ", property " << id);
      CHECK(verdict(with_properties(place, static_cast<char>(id) + std::string(4, '\0')),
                    Version::V5) == ReasonCode::MalformedPacket);
    }
    // The identifier is a varint and has but one form.
    CHECK(verdict(with_properties(place, wire("a6 00 0000 0000")), Version::V5) ==
          ReasonCode::MalformedPacket);
  }
}

TEST_CASE("only user properties, and subscription identifiers of PUBLISH, may repeat",
          "[2.2.2.2]") {
  for (const Place& place : places()) {
    for (const char c : place.allowed) {
      const int id = static_cast<unsigned char>(c);
      const bool repeatable = id == 0x26 || (id == 0x0B && (place.first_byte & 0xF0) == 0x30);
      INFO(place.name << ", property " << id);
      CHECK(verdict(with_properties(place, legal(id) + legal(id) + company(place, id)),
                    Version::V5) == (repeatable ? ReasonCode::Success : ReasonCode::ProtocolError));
    }
  }
}

TEST_CASE("a value that breaks off within its property length is malformed", "[2.2.2.2]") {
  for (const Place& place : places()) {
    for (const char c : place.allowed) {
      const std::string whole = legal(static_cast<unsigned char>(c));
      for (std::size_t size = 1; size < whole.size(); ++size) {
        INFO(place.name << ": " << hex(whole.substr(0, size)));
        CHECK(verdict(with_properties(place, whole.substr(0, size)), Version::V5) ==
              ReasonCode::MalformedPacket);
      }
    }
  }
}

TEST_CASE("a property length beyond the packet is malformed", "[2.2.2-1]") {
  for (const Place& place : places()) {
    INFO(place.name);
    const std::string body = place.before + static_cast<char>(place.after.size() + 1) + place.after;
    CHECK(verdict(packet_of(place.first_byte, body), Version::V5) == ReasonCode::MalformedPacket);
    CHECK(verdict(packet_of(place.first_byte, place.before + wire("80 00") + place.after),
                  Version::V5) == ReasonCode::MalformedPacket);
  }
}

TEST_CASE("values that the specification forbids have its reason code") {
  struct Case {
    std::string_view property;
    ReasonCode code;
  };
  const Case cases[] = {
      {"01 02", ReasonCode::ProtocolError},           // Payload Format Indicator
      {"08 0000", ReasonCode::ProtocolError},         // Response Topic
      {"08 0001'+'", ReasonCode::ProtocolError},      // [MQTT-3.3.2-14]
      {"08 0003'a/#'", ReasonCode::ProtocolError},    //
      {"08 0001 00", ReasonCode::MalformedPacket},    // [MQTT-3.3.2-13]
      {"03 0002 c328", ReasonCode::MalformedPacket},  // [MQTT-3.3.2-19]
      {"0b 00", ReasonCode::ProtocolError},           // Subscription Identifier
      {"0b 8000", ReasonCode::MalformedPacket},       //
      {"0b ffffffff01", ReasonCode::MalformedPacket},
      {"12 0001 ff", ReasonCode::MalformedPacket},  // Assigned Client Identifier
      {"15 0001 ff", ReasonCode::MalformedPacket},  // Authentication Method
      {"16 0000", ReasonCode::ProtocolError},       // data without method
      {"17 02", ReasonCode::ProtocolError},         // Request Problem Information
      {"19 ff", ReasonCode::ProtocolError},         // Request Response Information
      {"1f 0003 eda080", ReasonCode::MalformedPacket},
      {"21 0000", ReasonCode::ProtocolError},            // Receive Maximum
      {"23 0000", ReasonCode::TopicAliasInvalid},        // [MQTT-3.3.2-8]
      {"24 02", ReasonCode::ProtocolError},              // Maximum QoS
      {"25 02", ReasonCode::ProtocolError},              // Retain Available
      {"26 0001 ff 0000", ReasonCode::MalformedPacket},  // [MQTT-1.5.7-1]
      {"26 0000 0001 00", ReasonCode::MalformedPacket},
      {"27 00000000", ReasonCode::ProtocolError},  // Maximum Packet Size
      {"28 02", ReasonCode::ProtocolError},
      {"29 02", ReasonCode::ProtocolError},
      {"2a 02", ReasonCode::ProtocolError},
  };
  for (const Place& place : places()) {
    for (const Case& one : cases) {
      const std::string property = wire(one.property);
      if (!allows(place, static_cast<unsigned char>(property[0]))) continue;
      if (property[0] == 0x16 && place.name == "AUTH") continue;
      INFO(place.name << ": " << one.property);
      const std::string bytes = with_properties(
          place, property + (place.name == "AUTH" && property[0] != 0x15 ? legal(0x15) : ""));
      CHECK(verdict(bytes, Version::V5) == one.code);
    }
  }
}

TEST_CASE("AUTH names its method", "[3.15.2.2.2]") {
  CHECK(verdict(wire("f0 02 18 00"), Version::V5) == ReasonCode::ProtocolError);
  CHECK(verdict(wire("f0 06 18 04 16 0001 00"), Version::V5) == ReasonCode::ProtocolError);
  CHECK(verdict(wire("f0 01 18"), Version::V5) == ReasonCode::MalformedPacket);
}

TEST_CASE("user properties beyond the limit exceed a quota") {
  const DecodeLimits limits{.user_properties_max = 2};
  for (const Place& place : places()) {
    const unsigned type = place.first_byte >> 4;
    if (type != 1 && type != 3 && type != 8 && type != 10)
      continue;  // what has no limits of its own
    INFO(place.name);
    CHECK(verdict(with_properties(place, legal(0x26) + legal(0x26)), Version::V5, limits) ==
          ReasonCode::Success);
    CHECK(verdict(with_properties(place, legal(0x26) + legal(0x26) + legal(0x26)), Version::V5,
                  limits) == ReasonCode::QuotaExceeded);
  }
}

}  // namespace twinmq::mqtt::test
