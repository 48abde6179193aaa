#include <optional>
#include <utility>

#include "mqtt/decode.hpp"
#include "mqtt/message_property_reader.hpp"

namespace twinmq::mqtt {
namespace {

/// The Connect Flags of section 3.1.2.3, bit by bit.
struct ConnectFlags {
  explicit ConnectFlags(std::uint8_t bits)
      : reserved((bits & 0x01U) != 0),
        clean_start((bits & 0x02U) != 0),
        will((bits & 0x04U) != 0),
        will_qos(static_cast<std::uint8_t>(bits >> 3U & 0x03U)),
        will_retain((bits & 0x20U) != 0),
        password((bits & 0x40U) != 0),
        username((bits & 0x80U) != 0) {}

  bool reserved;
  bool clean_start;
  bool will;
  std::uint8_t will_qos;
  bool will_retain;
  bool password;
  bool username;
};

std::optional<Version> version_of(std::string_view name, std::uint8_t level) {
  // Bridges of Mosquitto set the high bit of the levels of 3.1 and 3.1.1.
  constexpr std::uint8_t kBridge = 0x80;
  if (name == "MQIsdp" && (level & ~kBridge) == 3) return Version::V31;
  if (name == "MQTT" && (level & ~kBridge) == 4) return Version::V311;
  if (name == "MQTT" && level == 5) return Version::V5;
  return std::nullopt;
}

void check_flags(FieldReader& in, const ConnectFlags& flags, Version version) {
  const auto refuse = [&](std::string_view what) { in.fail(ReasonCode::MalformedPacket, what); };
  if (flags.reserved) refuse("the reserved connect flag is set");
  if (!flags.will && flags.will_qos != 0) refuse("will QoS without a will");
  if (!flags.will && flags.will_retain) refuse("will retain without a will");
  if (flags.will_qos == 3) refuse("the will has QoS 3");
  if (version != Version::V5 && flags.password && !flags.username)
    refuse("a password without user name");
}

void read_connect_properties(FieldReader& in, const DecodeLimits& limits, Connect& packet) {
  PropertyReader properties(in, place::kConnect, limits.user_properties_max);
  while (const Property* property = properties.next()) {
    switch (property->id) {
      case PropertyId::SessionExpiryInterval:
        packet.session_expiry_seconds = property->number;
        break;
      case PropertyId::ReceiveMaximum:
        packet.receive_maximum = static_cast<std::uint16_t>(property->number);
        break;
      case PropertyId::MaximumPacketSize: packet.packet_size_max = property->number; break;
      case PropertyId::TopicAliasMaximum:
        packet.topic_alias_maximum = static_cast<std::uint16_t>(property->number);
        break;
      case PropertyId::RequestResponseInformation:
        packet.request_response_information = property->number == 1;
        break;
      case PropertyId::RequestProblemInformation:
        packet.request_problem_information = property->number == 1;
        break;
      case PropertyId::AuthenticationMethod: packet.authentication_method = property->text; break;
      case PropertyId::AuthenticationData: packet.authentication_data = property->text; break;
      default: packet.user_properties.emplace_back(property->text, property->second); break;
    }
  }
  if (packet.authentication_data && !packet.authentication_method) {
    in.fail(ReasonCode::ProtocolError, "authentication data without a method");
  }
}

Will read_will(FieldReader& in, const ConnectFlags& flags, Version version,
               const DecodeLimits& limits, std::string& scratch) {
  Will will;
  will.qos = static_cast<QoS>(flags.will_qos);
  will.retain = flags.will_retain;
  if (version == Version::V5) {
    PropertyReader properties(in, place::kWill, limits.user_properties_max);
    TravellingProperties travelling(properties.block(), scratch);
    while (const Property* property = properties.next()) {
      if (property->id == PropertyId::WillDelayInterval) {
        will.delay_seconds = property->number;
      } else {
        travelling.on_message_property(in, *property, will);
      }
    }
    will.properties = travelling.encoded();
  }
  will.topic = in.binary();
  if (!is_valid_topic_name(will.topic, limits.topic_levels_max)) fail_topic_name(in, will.topic);
  will.payload = in.binary();
  if (will.payload_is_text) check_payload_is_text(in, will.payload);
  return will;
}

}  // namespace

Decoded<Connect> decode_connect(const Frame& frame, const DecodeLimits& limits,
                                std::string& scratch) {
  FieldReader in(frame.body);
  const std::string_view name = in.text();
  const std::uint8_t level = in.byte();
  const std::optional<Version> version = version_of(name, level);
  if (!version) {
    // The rest is not looked at: another version may have laid it out otherwise.
    in.fail(ReasonCode::UnsupportedProtocolVersion, "neither MQTT 3.1, 3.1.1 nor 5.0");
    return in.fault();
  }
  Connect packet;
  packet.version = *version;
  const ConnectFlags flags(in.byte());
  check_flags(in, flags, packet.version);
  packet.clean_start = flags.clean_start;
  packet.keep_alive_seconds = in.u16();
  if (packet.version == Version::V5) read_connect_properties(in, limits, packet);
  packet.client_id = in.text();
  if (flags.will) packet.will = read_will(in, flags, packet.version, limits, scratch);
  // MQTT 3.1 allows that what the flags announce is missing at the end of the packet (its
  // section 3.1).
  const bool may_lack = packet.version == Version::V31;
  if (flags.username && (in.more() || !may_lack)) packet.username = in.text();
  if (flags.password && (in.more() || !may_lack)) packet.password = in.binary();
  return finish(in, std::move(packet));
}

}  // namespace twinmq::mqtt
