#include "wire.hpp"

namespace twinmq::load {
namespace {

void append_u16(Bytes& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

void append_varint(Bytes& out, std::size_t value) {
  do {
    const auto digit = static_cast<std::uint8_t>(value & 0x7f);
    value >>= 7;
    out.push_back(value != 0 ? static_cast<std::uint8_t>(digit | 0x80) : digit);
  } while (value != 0);
}

void append_text(Bytes& out, std::string_view text) {
  append_u16(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

// Returns false when the bytes end first.
bool read_varint(const std::uint8_t*& at, const std::uint8_t* end, std::size_t& value) {
  value = 0;
  for (unsigned shift = 0; shift <= 21 && at != end; shift += 7) {
    const std::uint8_t digit = *at++;
    value |= static_cast<std::size_t>(digit & 0x7f) << shift;
    if ((digit & 0x80) == 0) return true;
  }
  return false;
}

// Size of the property value at `at`, section 2.2.2.2; 0 for an unknown identifier.
std::size_t property_size(std::uint8_t id, const std::uint8_t* at, const std::uint8_t* end) {
  const auto text = [end](const std::uint8_t* from) -> std::size_t {
    return end - from < 2 ? 0 : std::size_t{2} + read_u16(from);
  };
  switch (id) {
    case 0x24:
    case 0x25:
    case 0x28:
    case 0x29:
    case 0x2a: return 1;
    case 0x13:
    case 0x21:
    case 0x22: return 2;
    case 0x11:
    case 0x27: return 4;
    case 0x12:
    case 0x15:
    case 0x16:
    case 0x1a:
    case 0x1c:
    case 0x1f: return text(at);
    case 0x26: {
      const std::size_t name = text(at);
      if (name == 0 || static_cast<std::size_t>(end - at) < name) return 0;
      return name + text(at + name);
    }
    default: return 0;
  }
}

}  // namespace

Publish read_publish(const Packet& packet, Version version) {
  Publish publish;
  publish.qos = (packet.first >> 1) & 3;
  publish.retain = (packet.first & 1) != 0;
  const std::uint8_t* at = packet.body;
  const std::uint8_t* end = at + packet.size;
  if (packet.size < 2) return publish;
  const std::size_t topic_size = read_u16(at);
  const std::size_t need = 2 + topic_size + (publish.qos > 0 ? 2U : 0U);
  if (packet.size < need) return publish;
  publish.topic = {reinterpret_cast<const char*>(at + 2), topic_size};
  at += 2 + topic_size;
  if (publish.qos > 0) {
    publish.packet_id = read_u16(at);
    at += 2;
  }
  if (version == Version::V5) {
    std::size_t properties = 0;
    if (!read_varint(at, end, properties)) return publish;
    if (static_cast<std::size_t>(end - at) < properties) return publish;
    at += properties;
  }
  publish.payload = at;
  publish.payload_size = static_cast<std::size_t>(end - at);
  return publish;
}

Connack read_connack(const Packet& packet, Version version) {
  Connack connack;
  if (packet.size < 2) return connack;
  connack.code = packet.body[1];
  if (version != Version::V5) return connack;
  const std::uint8_t* at = packet.body + 2;
  const std::uint8_t* end = packet.body + packet.size;
  std::size_t length = 0;
  if (!read_varint(at, end, length)) return connack;
  while (at != end) {
    const std::uint8_t id = *at++;
    const std::size_t size = property_size(id, at, end);
    if (size == 0 || static_cast<std::size_t>(end - at) < size) break;
    if (id == 0x21) connack.receive_maximum = read_u16(at);
    at += size;
  }
  return connack;
}

std::optional<std::uint8_t> suback_refusal(const Packet& packet, Version version) {
  const std::uint8_t* at = packet.body;
  const std::uint8_t* end = at + packet.size;
  if (packet.size < 3) return std::uint8_t{0x80};
  at += 2;
  if (version == Version::V5) {
    std::size_t properties = 0;
    if (!read_varint(at, end, properties)) return std::uint8_t{0x80};
    at += properties;
  }
  for (; at < end; ++at) {
    if (*at >= 0x80) return *at;
  }
  return std::nullopt;
}

PublishTemplate::PublishTemplate(std::string_view topic, std::uint8_t qos, bool retain,
                                 std::size_t payload_size, Version version) {
  const std::size_t properties = version == Version::V5 ? 1 : 0;
  const std::size_t packet_id = qos > 0 ? 2 : 0;
  bytes_.push_back(static_cast<std::uint8_t>(0x30 | (qos << 1) | (retain ? 1 : 0)));
  append_varint(bytes_, 2 + topic.size() + packet_id + properties + payload_size);
  append_text(bytes_, topic);
  if (qos > 0) {
    packet_id_at_ = bytes_.size();
    append_u16(bytes_, 0);
  }
  if (properties != 0) bytes_.push_back(0);
  payload_at_ = bytes_.size();
  bytes_.resize(payload_at_ + payload_size, std::uint8_t{'x'});
}

void append_connect(Bytes& out, std::string_view client_id, Version version, bool clean) {
  static constexpr std::uint8_t kExpiry[] = {5, 0x11, 0, 0, 0x0e, 0x10};  // 3,600 s
  const std::string_view name = version == Version::V31 ? "MQIsdp" : "MQTT";
  const std::size_t properties = version != Version::V5 ? 0 : clean ? 1 : sizeof kExpiry;
  out.push_back(0x10);
  append_varint(out, 2 + name.size() + 4 + properties + 2 + client_id.size());
  append_text(out, name);
  out.push_back(static_cast<std::uint8_t>(version));
  out.push_back(clean ? 0x02 : 0x00);
  append_u16(out, 0);  // no keep alive
  if (properties == 1) out.push_back(0);
  if (properties > 1) out.insert(out.end(), std::begin(kExpiry), std::end(kExpiry));
  append_text(out, client_id);
}

void append_subscribe(Bytes& out, std::uint16_t packet_id, std::span<const std::string> filters,
                      std::uint8_t qos, Version version) {
  const std::size_t properties = version == Version::V5 ? 1 : 0;
  std::size_t size = 2 + properties;
  for (const std::string& filter : filters) size += 2 + filter.size() + 1;
  out.push_back(0x82);
  append_varint(out, size);
  append_u16(out, packet_id);
  if (properties != 0) out.push_back(0);
  for (const std::string& filter : filters) {
    append_text(out, filter);
    out.push_back(qos);
  }
}

void append_publish(Bytes& out, std::string_view topic, std::uint16_t packet_id,
                    std::string_view payload, Version version) {
  const std::size_t properties = version == Version::V5 ? 1 : 0;
  out.push_back(0x32);
  append_varint(out, 4 + topic.size() + properties + payload.size());
  append_text(out, topic);
  append_u16(out, packet_id);
  if (properties != 0) out.push_back(0);
  out.insert(out.end(), payload.begin(), payload.end());
}

void append_clear_retained(Bytes& out, std::string_view topic, std::uint8_t qos,
                           std::uint16_t packet_id, Version version) {
  const std::size_t properties = version == Version::V5 ? 1 : 0;
  out.push_back(static_cast<std::uint8_t>(0x31 | (qos << 1)));
  append_varint(out, 2 + topic.size() + (qos > 0 ? 2U : 0U) + properties);
  append_text(out, topic);
  if (qos > 0) append_u16(out, packet_id);
  if (properties != 0) out.push_back(0);
}

}  // namespace twinmq::load
