#include <utility>

#include "mqtt/decode.hpp"
#include "mqtt/property_reader.hpp"

namespace twinmq::mqtt {
namespace {

void check_entries(FieldReader& in, std::size_t count, const DecodeLimits& limits) {
  if (count > limits.subscription_entries_max) {
    in.fail(ReasonCode::QuotaExceeded, "too many topic filters in one packet");
  }
}

/// Section 3.8.3.1; before MQTT 5 only the QoS, all other bits 0.
SubscriptionOptions read_options(FieldReader& in, Version version) {
  const std::uint8_t bits = in.byte();
  const std::uint8_t reserved = version == Version::V5 ? 0xC0 : 0xFC;
  const std::uint8_t qos = bits & 0x03U;
  const auto retain_handling = static_cast<std::uint8_t>(bits >> 4U & 0x03U);
  if ((bits & reserved) != 0)
    in.fail(ReasonCode::MalformedPacket, "a reserved subscription option is set");
  if (qos == 3) in.fail(ReasonCode::MalformedPacket, "a subscription with QoS 3");
  if (retain_handling == 3) in.fail(ReasonCode::MalformedPacket, "retain handling 3");
  return {static_cast<QoS>(qos), (bits & 0x04U) != 0, (bits & 0x08U) != 0,
          static_cast<RetainHandling>(retain_handling)};
}

void read_codes(FieldReader& in, PacketType type, Version version, std::vector<ReasonCode>& codes) {
  if (!in.more()) in.fail(ReasonCode::ProtocolError, "no reason code");
  while (in.more()) {
    const ReasonCode code = read_reason_code(in, type);
    if (version != Version::V5 && is_failure(code) && code != ReasonCode::UnspecifiedError) {
      in.fail(ReasonCode::ProtocolError, "the packet has no such return code");
    }
    codes.push_back(code);
  }
}

}  // namespace

Decoded<Subscribe> decode_subscribe(const Frame& frame, Version version,
                                    const DecodeLimits& limits) {
  FieldReader in(frame.body);
  Subscribe packet;
  packet.packet_id = in.packet_id();
  if (version == Version::V5) {
    PropertyReader properties(in, place::kSubscribe, limits.user_properties_max);
    while (const Property* property = properties.next()) {
      if (property->id == PropertyId::SubscriptionIdentifier) {
        packet.subscription_id = property->number;
      } else {
        packet.user_properties.emplace_back(property->text, property->second);
      }
    }
  }
  if (!in.more()) in.fail(ReasonCode::ProtocolError, "SUBSCRIBE without a topic filter");
  while (in.more()) {
    SubscribeEntry entry;
    entry.filter = in.text();
    entry.options = read_options(in, version);
    if (entry.options.no_local && is_shared(entry.filter)) {
      in.fail(ReasonCode::ProtocolError, "no local on a shared subscription");  // [MQTT-3.8.3-4]
    }
    packet.entries.push_back(entry);
    check_entries(in, packet.entries.size(), limits);
  }
  return finish(in, std::move(packet));
}

Decoded<Unsubscribe> decode_unsubscribe(const Frame& frame, Version version,
                                        const DecodeLimits& limits) {
  FieldReader in(frame.body);
  Unsubscribe packet;
  packet.packet_id = in.packet_id();
  if (version == Version::V5) {
    PropertyReader properties(in, place::kUnsubscribe, limits.user_properties_max);
    while (const Property* property = properties.next()) {
      packet.user_properties.emplace_back(property->text, property->second);
    }
  }
  if (!in.more()) in.fail(ReasonCode::ProtocolError, "UNSUBSCRIBE without a topic filter");
  while (in.more()) {
    packet.filters.push_back(in.text());
    check_entries(in, packet.filters.size(), limits);
  }
  return finish(in, std::move(packet));
}

Decoded<Suback> decode_suback(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  Suback packet;
  packet.packet_id = in.packet_id();
  if (version == Version::V5) {
    read_reason_properties(in, place::kSuback, packet.reason, packet.user_properties);
  }
  read_codes(in, PacketType::Suback, version, packet.codes);
  return finish(in, std::move(packet));
}

Decoded<Unsuback> decode_unsuback(const Frame& frame, Version version) {
  FieldReader in(frame.body);
  Unsuback packet;
  packet.packet_id = in.packet_id();
  if (version == Version::V5) {
    read_reason_properties(in, place::kUnsuback, packet.reason, packet.user_properties);
    read_codes(in, PacketType::Unsuback, version, packet.codes);
  }
  return finish(in, std::move(packet));
}

}  // namespace twinmq::mqtt
