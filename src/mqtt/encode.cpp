#include "mqtt/encode.hpp"

#include "mqtt/field_writer.hpp"

namespace twinmq::mqtt {
namespace {

constexpr std::uint8_t kFlagsReserved = 0x02;  // of PUBREL, SUBSCRIBE and UNSUBSCRIBE

std::uint8_t connect_flags(const Connect& packet) {
  unsigned flags = packet.clean_start ? 0x02U : 0U;
  if (packet.will) {
    flags |=
        0x04U | static_cast<unsigned>(packet.will->qos) << 3U | (packet.will->retain ? 0x20U : 0U);
  }
  if (packet.password) flags |= 0x40U;
  if (packet.username) flags |= 0x80U;
  return static_cast<std::uint8_t>(flags);
}

void write_properties(FieldWriter& to, const Connect& packet) {
  to.number_property(PropertyId::SessionExpiryInterval, packet.session_expiry_seconds);
  to.number_property(PropertyId::ReceiveMaximum, packet.receive_maximum);
  to.number_property(PropertyId::MaximumPacketSize, packet.packet_size_max);
  to.number_property(PropertyId::TopicAliasMaximum, packet.topic_alias_maximum);
  if (packet.request_response_information)
    to.number_property(PropertyId::RequestResponseInformation, 1);
  if (!packet.request_problem_information)
    to.number_property(PropertyId::RequestProblemInformation, 0);
  to.text_property(PropertyId::AuthenticationMethod, packet.authentication_method);
  to.text_property(PropertyId::AuthenticationData, packet.authentication_data);
  to.user_properties(packet.user_properties);
}

void write_properties(FieldWriter& to, const Will& will) {
  if (will.delay_seconds != 0)
    to.number_property(PropertyId::WillDelayInterval, will.delay_seconds);
  to.number_property(PropertyId::MessageExpiryInterval, will.expiry_seconds);
  to.raw(will.properties);
}

void write_properties(FieldWriter& to, const Connack& packet) {
  to.number_property(PropertyId::SessionExpiryInterval, packet.session_expiry_seconds);
  to.number_property(PropertyId::ReceiveMaximum, packet.receive_maximum);
  to.number_property(PropertyId::MaximumQoS, packet.qos_max);
  to.number_property(PropertyId::RetainAvailable, packet.retain_available);
  to.number_property(PropertyId::MaximumPacketSize, packet.packet_size_max);
  to.text_property(PropertyId::AssignedClientIdentifier, packet.assigned_client_id);
  to.number_property(PropertyId::TopicAliasMaximum, packet.topic_alias_maximum);
  to.text_property(PropertyId::ReasonString, packet.reason);
  to.user_properties(packet.user_properties);
  to.number_property(PropertyId::WildcardSubscriptionAvailable,
                     packet.wildcard_subscription_available);
  to.number_property(PropertyId::SubscriptionIdentifierAvailable,
                     packet.subscription_ids_available);
  to.number_property(PropertyId::SharedSubscriptionAvailable, packet.shared_subscription_available);
  to.number_property(PropertyId::ServerKeepAlive, packet.server_keep_alive_seconds);
  to.text_property(PropertyId::ResponseInformation, packet.response_information);
  to.text_property(PropertyId::ServerReference, packet.server_reference);
  to.text_property(PropertyId::AuthenticationMethod, packet.authentication_method);
  to.text_property(PropertyId::AuthenticationData, packet.authentication_data);
}

void write_properties(FieldWriter& to, const Disconnect& packet) {
  to.number_property(PropertyId::SessionExpiryInterval, packet.session_expiry_seconds);
  to.text_property_unless_empty(PropertyId::ReasonString, packet.reason);
  to.text_property_unless_empty(PropertyId::ServerReference, packet.server_reference);
  to.user_properties(packet.user_properties);
}

void write_properties(FieldWriter& to, const Auth& packet) {
  to.text_property(PropertyId::AuthenticationMethod, packet.method);
  to.text_property(PropertyId::AuthenticationData, packet.data);
  to.text_property_unless_empty(PropertyId::ReasonString, packet.reason);
  to.user_properties(packet.user_properties);
}

void write_properties(FieldWriter& to, const Subscribe& packet) {
  if (packet.subscription_id != 0) {
    to.number_property(PropertyId::SubscriptionIdentifier, packet.subscription_id);
  }
  to.user_properties(packet.user_properties);
}

void write_properties(FieldWriter& to, const Unsubscribe& packet) {
  to.user_properties(packet.user_properties);
}

/// Acknowledgements: Ack, Suback, Unsuback.
template <typename Packet>
void write_properties(FieldWriter& to, const Packet& packet) {
  to.text_property_unless_empty(PropertyId::ReasonString, packet.reason);
  to.user_properties(packet.user_properties);
}

template <typename Packet>
void write_property_block(FieldWriter& to, const Packet& packet) {
  to.with_length([&] { write_properties(to, packet); });
}

/// Reason code and properties where both may be left out from the end, once there is nothing to
/// tell.
template <typename Packet>
void write_outcome(FieldWriter& to, const Packet& packet, bool has_properties) {
  if (has_properties || packet.code != ReasonCode::Success)
    to.byte(static_cast<std::uint8_t>(packet.code));
  if (has_properties) write_property_block(to, packet);
}

std::uint8_t options_byte(const SubscriptionOptions& options, Version version) {
  unsigned bits = static_cast<unsigned>(options.qos);
  if (version == Version::V5) {
    bits |= (options.no_local ? 0x04U : 0U) | (options.retain_as_published ? 0x08U : 0U) |
            static_cast<unsigned>(options.retain_handling) << 4U;
  }
  return static_cast<std::uint8_t>(bits);
}

}  // namespace

void append(std::string& out, const Connect& packet) {
  FieldWriter to(out);
  const bool v5 = packet.version == Version::V5;
  to.packet(PacketType::Connect, 0, [&] {
    to.text(packet.version == Version::V31 ? "MQIsdp" : "MQTT");
    to.byte(static_cast<std::uint8_t>(packet.version));
    to.byte(connect_flags(packet));
    to.u16(packet.keep_alive_seconds);
    if (v5) write_property_block(to, packet);
    to.text(packet.client_id);
    if (packet.will) {
      if (v5) write_property_block(to, *packet.will);
      to.text(packet.will->topic);
      to.text(packet.will->payload);
    }
    if (packet.username) to.text(*packet.username);
    if (packet.password) to.text(*packet.password);
  });
}

void append(std::string& out, const Connack& packet, Version version) {
  FieldWriter to(out);
  to.packet(PacketType::Connack, 0, [&] {
    const bool session_present = packet.session_present && version != Version::V31;
    to.byte(session_present ? 1 : 0);
    if (version == Version::V5) {
      to.byte(static_cast<std::uint8_t>(packet.code));
      write_property_block(to, packet);
    } else {
      constexpr std::uint8_t kServerUnavailable = 3;
      to.byte(connect_return_code(packet.code).value_or(kServerUnavailable));
    }
  });
}

void append(std::string& out, const Ack& packet, Version version) {
  FieldWriter to(out);
  const std::uint8_t flags = packet.type == PacketType::Pubrel ? kFlagsReserved : 0;
  to.packet(packet.type, flags, [&] {
    to.u16(packet.packet_id);
    if (version != Version::V5) return;
    write_outcome(to, packet, !packet.reason.empty() || !packet.user_properties.empty());
  });
}

void append(std::string& out, const Subscribe& packet, Version version) {
  FieldWriter to(out);
  to.packet(PacketType::Subscribe, kFlagsReserved, [&] {
    to.u16(packet.packet_id);
    if (version == Version::V5) write_property_block(to, packet);
    for (const SubscribeEntry& entry : packet.entries) {
      to.text(entry.filter);
      to.byte(options_byte(entry.options, version));
    }
  });
}

void append(std::string& out, const Suback& packet, Version version) {
  FieldWriter to(out);
  to.packet(PacketType::Suback, 0, [&] {
    to.u16(packet.packet_id);
    if (version == Version::V5) write_property_block(to, packet);
    for (const ReasonCode code : packet.codes) {
      const bool one_failure_for_all = version != Version::V5 && is_failure(code);
      to.byte(static_cast<std::uint8_t>(one_failure_for_all ? ReasonCode::UnspecifiedError : code));
    }
  });
}

void append(std::string& out, const Unsubscribe& packet, Version version) {
  FieldWriter to(out);
  to.packet(PacketType::Unsubscribe, kFlagsReserved, [&] {
    to.u16(packet.packet_id);
    if (version == Version::V5) write_property_block(to, packet);
    for (const std::string_view filter : packet.filters) to.text(filter);
  });
}

void append(std::string& out, const Unsuback& packet, Version version) {
  FieldWriter to(out);
  to.packet(PacketType::Unsuback, 0, [&] {
    to.u16(packet.packet_id);
    if (version != Version::V5) return;
    write_property_block(to, packet);
    for (const ReasonCode code : packet.codes) to.byte(static_cast<std::uint8_t>(code));
  });
}

void append(std::string& out, const Pingreq&) {
  FieldWriter(out).packet(PacketType::Pingreq, 0, [] {});
}

void append(std::string& out, const Pingresp&) {
  FieldWriter(out).packet(PacketType::Pingresp, 0, [] {});
}

void append(std::string& out, const Disconnect& packet, Version version) {
  FieldWriter to(out);
  to.packet(PacketType::Disconnect, 0, [&] {
    if (version != Version::V5) return;
    write_outcome(to, packet,
                  packet.session_expiry_seconds || !packet.reason.empty() ||
                      !packet.server_reference.empty() || !packet.user_properties.empty());
  });
}

void append(std::string& out, const Auth& packet) {
  FieldWriter to(out);
  to.packet(PacketType::Auth, 0, [&] {
    if (packet == Auth{}) return;
    to.byte(static_cast<std::uint8_t>(packet.code));
    write_property_block(to, packet);
  });
}

std::optional<std::uint8_t> connect_return_code(ReasonCode code) {
  switch (code) {
    case ReasonCode::Success: return 0;
    case ReasonCode::UnsupportedProtocolVersion: return 1;
    case ReasonCode::ClientIdentifierNotValid: return 2;
    case ReasonCode::UnspecifiedError:
    case ReasonCode::ImplementationSpecificError:
    case ReasonCode::ServerUnavailable:
    case ReasonCode::ServerBusy:
    case ReasonCode::ServerShuttingDown:
    case ReasonCode::QuotaExceeded:
    case ReasonCode::UseAnotherServer:
    case ReasonCode::ServerMoved:
    case ReasonCode::ConnectionRateExceeded: return 3;
    case ReasonCode::BadUserNameOrPassword:
    case ReasonCode::BadAuthenticationMethod: return 4;
    case ReasonCode::NotAuthorized:
    case ReasonCode::Banned: return 5;
    default: return std::nullopt;
  }
}

}  // namespace twinmq::mqtt
