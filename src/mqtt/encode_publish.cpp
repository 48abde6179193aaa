#include <bit>
#include <cassert>
#include <cstring>

#include "mqtt/encode.hpp"
#include "mqtt/field_writer.hpp"

namespace twinmq::mqtt {
namespace {

/// Writes into memory that publish_head_size() has measured.
class Pen {
 public:
  explicit Pen(std::uint8_t* at) : at_(at) {}

  std::uint8_t* position() const { return at_; }
  void byte(unsigned value) { *at_++ = static_cast<std::uint8_t>(value); }
  void property(PropertyId id) { byte(static_cast<unsigned>(id)); }

  void u16(unsigned value) {
    byte(value >> 8U);
    byte(value & 0xFFU);
  }

  void u32(std::uint32_t value) {
    u16(value >> 16U);
    u16(value & 0xFFFFU);
  }

  void varint(std::uint32_t value) {
    for (; value >= 128; value >>= 7U) byte((value & 0x7FU) | 0x80U);
    byte(value);
  }

  void raw(std::string_view bytes) {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }

 private:
  std::uint8_t* at_;
};

struct Sizes {
  std::uint64_t properties = 0;  ///< without the length in front
  std::uint64_t remaining = 0;
};

Sizes measure(const PublishHead& head, Version version) {
  Sizes sizes;
  sizes.remaining =
      2 + head.topic.size() + (head.qos == QoS::AtMostOnce ? 0 : 2) + head.payload_size;
  if (version != Version::V5) return sizes;
  sizes.properties =
      head.properties.size() + (head.expiry_seconds ? 5 : 0) + (head.topic_alias != 0 ? 3 : 0);
  for (const std::uint32_t id : head.subscription_ids) sizes.properties += 1 + varint_size(id);
  if (sizes.properties > kRemainingLengthMax) {
    sizes.remaining = sizes.properties;
  } else {
    sizes.remaining += varint_size(static_cast<std::uint32_t>(sizes.properties)) + sizes.properties;
  }
  return sizes;
}

}  // namespace

std::size_t publish_head_size(const PublishHead& head, Version version) {
  const Sizes sizes = measure(head, version);
  if (sizes.remaining > kRemainingLengthMax || head.topic.size() > kTextBytesMax) return 0;
  return 1 + varint_size(static_cast<std::uint32_t>(sizes.remaining)) + sizes.remaining -
         head.payload_size;
}

std::uint8_t* write_publish_head(const PublishHead& head, Version version, std::uint8_t* out) {
  const Sizes sizes = measure(head, version);
  assert(sizes.remaining <= kRemainingLengthMax && head.topic.size() <= kTextBytesMax);
  Pen pen(out);
  pen.byte(static_cast<unsigned>(PacketType::Publish) << 4U | (head.dup ? 0x08U : 0U) |
           static_cast<unsigned>(head.qos) << 1U | (head.retain ? 0x01U : 0U));
  pen.varint(static_cast<std::uint32_t>(sizes.remaining));
  pen.u16(static_cast<unsigned>(head.topic.size()));
  pen.raw(head.topic);
  if (head.qos != QoS::AtMostOnce) pen.u16(head.packet_id);
  if (version != Version::V5) return pen.position();
  pen.varint(static_cast<std::uint32_t>(sizes.properties));
  if (head.expiry_seconds) {
    pen.property(PropertyId::MessageExpiryInterval);
    pen.u32(*head.expiry_seconds);
  }
  if (head.topic_alias != 0) {
    pen.property(PropertyId::TopicAlias);
    pen.u16(head.topic_alias);
  }
  for (const std::uint32_t id : head.subscription_ids) {
    pen.property(PropertyId::SubscriptionIdentifier);
    pen.varint(id);
  }
  pen.raw(head.properties);
  return pen.position();
}

std::uint8_t* write_ack(PacketType type, PacketId packet_id, ReasonCode code, Version version,
                        std::uint8_t* out) {
  const bool with_code = version == Version::V5 && code != ReasonCode::Success;
  Pen pen(out);
  pen.byte(static_cast<unsigned>(type) << 4U | (type == PacketType::Pubrel ? 0x02U : 0U));
  pen.byte(with_code ? 3 : 2);
  pen.u16(packet_id);
  if (with_code) pen.byte(static_cast<unsigned>(code));
  return pen.position();
}

void append(std::string& out, const Publish& packet, Version version) {
  PublishHead head;
  head.topic = packet.topic;
  head.properties = packet.properties;
  head.payload_size = packet.payload.size();
  head.qos = packet.qos;
  head.dup = packet.dup;
  head.retain = packet.retain;
  head.packet_id = packet.packet_id;
  head.topic_alias = packet.topic_alias;
  head.expiry_seconds = packet.expiry_seconds;
  head.subscription_ids = packet.subscription_ids;
  const std::size_t size = publish_head_size(head, version);
  assert(size != 0);
  if (size == 0) return;
  const std::size_t start = out.size();
  out.resize(start + size);
  write_publish_head(head, version, reinterpret_cast<std::uint8_t*>(out.data() + start));
  out.append(packet.payload);
}

}  // namespace twinmq::mqtt
