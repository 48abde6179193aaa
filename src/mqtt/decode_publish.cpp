#include <utility>

#include "mqtt/decode.hpp"
#include "mqtt/message_property_reader.hpp"

namespace twinmq::mqtt {
namespace {

void read_properties(FieldReader& in, const DecodeLimits& limits, std::string& scratch,
                     Publish& packet) {
  if (in.skip_zero()) return;
  PropertyReader properties(in, place::kPublish, limits.user_properties_max);
  TravellingProperties travelling(properties.block(), scratch);
  while (const Property* property = properties.next()) {
    switch (property->id) {
      case PropertyId::TopicAlias:
        packet.topic_alias = static_cast<std::uint16_t>(property->number);
        break;
      case PropertyId::SubscriptionIdentifier:
        packet.subscription_ids.push_back(property->number);
        break;
      default: travelling.on_message_property(in, *property, packet); break;
    }
  }
  packet.properties = travelling.encoded();
}

void check_topic(FieldReader& in, const DecodeLimits& limits, const Publish& packet) {
  if (packet.topic.empty() ? packet.topic_alias != 0
                           : is_valid_topic_name(packet.topic, limits.topic_levels_max)) {
    return;
  }
  fail_topic_name(in, packet.topic);
}

}  // namespace

Decoded<Publish> decode_publish(const Frame& frame, Version version, const DecodeLimits& limits,
                                std::string& scratch) {
  // Filled in place and the only thing returned: moving a packet costs more than reading it.
  Decoded<Publish> result{Publish{}};
  Publish& packet = *result;
  FieldReader in(frame.body);
  if (!flags_allowed(PacketType::Publish, frame.flags)) {
    in.fail(ReasonCode::MalformedPacket, "QoS 3, or DUP with QoS 0");
  }
  packet.dup = (frame.flags & 0x08U) != 0;
  packet.qos = static_cast<QoS>(frame.flags >> 1U & 0x03U);
  packet.retain = (frame.flags & 0x01U) != 0;
  packet.topic = in.binary();
  if (version != Version::V5) check_topic(in, limits, packet);
  if (packet.qos != QoS::AtMostOnce) packet.packet_id = in.packet_id();
  if (version == Version::V5) {
    read_properties(in, limits, scratch, packet);
    check_topic(in, limits, packet);
  }
  packet.payload = in.rest();
  if (packet.payload_is_text) check_payload_is_text(in, packet.payload);
  if (in.failed()) result = in.fault();
  return result;
}

}  // namespace twinmq::mqtt
