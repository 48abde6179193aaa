#include <array>
#include <utility>

#include "mqtt/decode.hpp"
#include "mqtt/property_reader.hpp"

namespace twinmq::mqtt {
namespace {

void read_property(const Property& property, Connack& packet) {
  const bool yes = property.number == 1;
  const auto small = static_cast<std::uint16_t>(property.number);
  switch (property.id) {
    case PropertyId::SessionExpiryInterval: packet.session_expiry_seconds = property.number; break;
    case PropertyId::ReceiveMaximum: packet.receive_maximum = small; break;
    case PropertyId::MaximumQoS: packet.qos_max = static_cast<std::uint8_t>(property.number); break;
    case PropertyId::RetainAvailable: packet.retain_available = yes; break;
    case PropertyId::MaximumPacketSize: packet.packet_size_max = property.number; break;
    case PropertyId::AssignedClientIdentifier: packet.assigned_client_id = property.text; break;
    case PropertyId::TopicAliasMaximum: packet.topic_alias_maximum = small; break;
    case PropertyId::ReasonString: packet.reason = property.text; break;
    case PropertyId::WildcardSubscriptionAvailable:
      packet.wildcard_subscription_available = yes;
      break;
    case PropertyId::SubscriptionIdentifierAvailable:
      packet.subscription_ids_available = yes;
      break;
    case PropertyId::SharedSubscriptionAvailable: packet.shared_subscription_available = yes; break;
    case PropertyId::ServerKeepAlive: packet.server_keep_alive_seconds = small; break;
    case PropertyId::ResponseInformation: packet.response_information = property.text; break;
    case PropertyId::ServerReference: packet.server_reference = property.text; break;
    case PropertyId::AuthenticationMethod: packet.authentication_method = property.text; break;
    case PropertyId::AuthenticationData: packet.authentication_data = property.text; break;
    default: packet.user_properties.emplace_back(property.text, property.second); break;
  }
}

void read_properties(FieldReader& in, Connack& packet) {
  PropertyReader properties(in, place::kConnack, DecodeLimits{}.user_properties_max);
  while (const Property* property = properties.next()) read_property(*property, packet);
  if (packet.authentication_data && !packet.authentication_method) {
    in.fail(ReasonCode::ProtocolError, "authentication data without a method");
  }
}

/// The return codes of MQTT 3.1.1, section 3.2.2.3.
ReasonCode read_return_code(FieldReader& in) {
  constexpr std::array kCodes{
      ReasonCode::Success,
      ReasonCode::UnsupportedProtocolVersion,
      ReasonCode::ClientIdentifierNotValid,
      ReasonCode::ServerUnavailable,
      ReasonCode::BadUserNameOrPassword,
      ReasonCode::NotAuthorized,
  };
  const std::uint8_t code = in.byte();
  if (code < kCodes.size()) return kCodes[code];
  in.fail(ReasonCode::ProtocolError, "the packet has no such return code");
  return ReasonCode::UnspecifiedError;
}

}  // namespace

Decoded<Connack> decode_connack(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  Connack packet;
  const std::uint8_t flags = in.byte();
  // MQTT 3.1 leaves the whole byte unused.
  if (flags > (version == Version::V31 ? 0 : 1)) {
    in.fail(ReasonCode::MalformedPacket, "a reserved acknowledge flag is set");
  }
  packet.session_present = flags == 1;
  packet.code =
      version == Version::V5 ? read_reason_code(in, PacketType::Connack) : read_return_code(in);
  if (packet.session_present && packet.code != ReasonCode::Success) {
    in.fail(ReasonCode::ProtocolError, "a refusal with a session present");  // [MQTT-3.2.2-6]
  }
  if (version == Version::V5) read_properties(in, packet);
  return finish(in, std::move(packet));
}

}  // namespace twinmq::mqtt
