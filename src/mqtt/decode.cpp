#include "mqtt/decode.hpp"

#include <utility>

#include "mqtt/property_reader.hpp"

namespace twinmq::mqtt {
namespace {

template <typename T>
Decoded<Packet> as_packet(Decoded<T> decoded) {
  if (!decoded) return std::move(decoded).error();
  return Packet(std::move(decoded).value());
}

template <typename T>
Decoded<Packet> without_body(const Frame& frame) {
  FieldReader in(frame.body);
  return as_packet(finish(in, T{}));
}

}  // namespace

Decoded<Ack> decode_ack(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  Ack packet;
  packet.type = frame.type;
  packet.packet_id = in.packet_id();
  if (version == Version::V5) {
    // Both may be left out from the end: two bytes mean Success, three have no properties.
    if (in.more()) packet.code = read_reason_code(in, frame.type);
    if (in.more()) {
      read_reason_properties(in, place_of(frame.type), packet.reason, packet.user_properties);
    }
  }
  return finish(in, std::move(packet));
}

Decoded<Disconnect> decode_disconnect(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  Disconnect packet;
  if (version == Version::V5) {
    if (in.more()) packet.code = read_reason_code(in, PacketType::Disconnect);
    if (in.more()) {
      PropertyReader properties(in, place::kDisconnect, DecodeLimits{}.user_properties_max);
      while (const Property* property = properties.next()) {
        switch (property->id) {
          case PropertyId::SessionExpiryInterval:
            packet.session_expiry_seconds = property->number;
            break;
          case PropertyId::ReasonString: packet.reason = property->text; break;
          case PropertyId::ServerReference: packet.server_reference = property->text; break;
          default: packet.user_properties.emplace_back(property->text, property->second); break;
        }
      }
    }
  }
  return finish(in, std::move(packet));
}

Decoded<Auth> decode_auth(const Frame& frame) {
  FieldReader in(frame.body);
  Auth packet;
  if (!in.more()) return packet;  // Success without properties, section 3.15.2.1
  packet.code = read_reason_code(in, PacketType::Auth);
  PropertyReader properties(in, place::kAuth, DecodeLimits{}.user_properties_max);
  while (const Property* property = properties.next()) {
    switch (property->id) {
      case PropertyId::AuthenticationMethod: packet.method = property->text; break;
      case PropertyId::AuthenticationData: packet.data = property->text; break;
      case PropertyId::ReasonString: packet.reason = property->text; break;
      default: packet.user_properties.emplace_back(property->text, property->second); break;
    }
  }
  if (!packet.method) in.fail(ReasonCode::ProtocolError, "AUTH without an authentication method");
  return finish(in, std::move(packet));
}

Decoded<Packet> decode(const Frame& frame, Version version, const DecodeLimits& limits,
                       std::string& scratch) {
  switch (frame.type) {
    case PacketType::Connect: return as_packet(decode_connect(frame, limits, scratch));
    case PacketType::Connack: return as_packet(decode_connack(frame, version));
    case PacketType::Publish: return as_packet(decode_publish(frame, version, limits, scratch));
    case PacketType::Puback:
    case PacketType::Pubrec:
    case PacketType::Pubrel:
    case PacketType::Pubcomp: return as_packet(decode_ack(frame, version));
    case PacketType::Subscribe: return as_packet(decode_subscribe(frame, version, limits));
    case PacketType::Suback: return as_packet(decode_suback(frame, version));
    case PacketType::Unsubscribe: return as_packet(decode_unsubscribe(frame, version, limits));
    case PacketType::Unsuback: return as_packet(decode_unsuback(frame, version));
    case PacketType::Pingreq: return without_body<Pingreq>(frame);
    case PacketType::Pingresp: return without_body<Pingresp>(frame);
    case PacketType::Disconnect: return as_packet(decode_disconnect(frame, version));
    case PacketType::Auth:
      if (version == Version::V5) return as_packet(decode_auth(frame));
      break;
  }
  return DecodeError{ReasonCode::MalformedPacket, "the version has no such packet"};
}

}  // namespace twinmq::mqtt
