#include "support/wire.hpp"

namespace twinmq::testing {
namespace {

enum class Form { Byte, Two, Four, Varint, Text, Pair };

Form form_of(Prop id) {
  switch (id) {
    case Prop::PayloadFormat:
    case Prop::RequestProblem:
    case Prop::RequestResponse:
    case Prop::MaximumQos:
    case Prop::RetainAvailable:
    case Prop::WildcardAvailable:
    case Prop::SubscriptionIdAvailable:
    case Prop::SharedAvailable: return Form::Byte;
    case Prop::ServerKeepAlive:
    case Prop::ReceiveMaximum:
    case Prop::TopicAliasMaximum:
    case Prop::TopicAlias: return Form::Two;
    case Prop::MessageExpiry:
    case Prop::SessionExpiry:
    case Prop::WillDelay:
    case Prop::MaximumPacketSize: return Form::Four;
    case Prop::SubscriptionId: return Form::Varint;
    case Prop::User: return Form::Pair;
    default: return Form::Text;
  }
}

bool v5(Version version) {
  return version == Version::V5;
}

}  // namespace

bool Properties::has(Prop id) const {
  for (const Property& property : list_) {
    if (property.id == id) return true;
  }
  return false;
}

std::optional<std::uint32_t> Properties::number(Prop id) const {
  for (const Property& property : list_) {
    if (property.id == id) return property.number;
  }
  return {};
}

std::optional<std::string> Properties::text(Prop id) const {
  for (const Property& property : list_) {
    if (property.id == id) return property.text;
  }
  return {};
}

std::vector<std::uint32_t> Properties::numbers(Prop id) const {
  std::vector<std::uint32_t> found;
  for (const Property& property : list_) {
    if (property.id == id) found.push_back(property.number);
  }
  return found;
}

std::vector<std::pair<std::string, std::string>> Properties::user() const {
  std::vector<std::pair<std::string, std::string>> found;
  for (const Property& property : list_) {
    if (property.id == Prop::User) found.emplace_back(property.text, property.value);
  }
  return found;
}

std::string u8(unsigned value) {
  return std::string(1, static_cast<char>(value & 0xFF));
}
std::string u16(unsigned value) {
  return u8(value >> 8) + u8(value);
}
std::string u32(std::uint32_t value) {
  return u16(value >> 16) + u16(value & 0xFFFF);
}

std::string varint(std::uint32_t value) {
  std::string bytes;
  do {
    const unsigned low = value & 0x7F;
    value >>= 7;
    bytes += u8(low | (value ? 0x80U : 0U));
  } while (value);
  return bytes;
}

std::string field(std::string_view text) {
  return u16(static_cast<unsigned>(text.size())) + std::string(text);
}

std::string property_bytes(const Properties& properties) {
  std::string bytes;
  for (const Property& property : properties) {
    bytes += u8(static_cast<unsigned>(property.id));
    switch (form_of(property.id)) {
      case Form::Byte: bytes += u8(property.number); break;
      case Form::Two: bytes += u16(property.number); break;
      case Form::Four: bytes += u32(property.number); break;
      case Form::Varint: bytes += varint(property.number); break;
      case Form::Text: bytes += field(property.text); break;
      case Form::Pair: bytes += field(property.text) + field(property.value); break;
    }
  }
  return bytes;
}

std::string property_block(const Properties& properties) {
  const std::string bytes = property_bytes(properties);
  return varint(static_cast<std::uint32_t>(bytes.size())) + bytes;
}

std::string packet(unsigned first_byte, std::string_view body) {
  return u8(first_byte) + varint(static_cast<std::uint32_t>(body.size())) + std::string(body);
}

std::string connect_packet(const ConnectOptions& options, Version version) {
  unsigned flags = options.clean ? 0x02U : 0U;
  if (options.will) flags |= 0x04U | (options.will->qos << 3) | (options.will->retain ? 0x20U : 0U);
  if (options.password) flags |= 0x40U;
  if (options.username) flags |= 0x80U;
  std::string body =
      field(options.protocol_name.value_or(version == Version::V31 ? "MQIsdp" : "MQTT"));
  body += u8(options.protocol_level.value_or(static_cast<unsigned>(version)));
  body += u8(options.flags.value_or(flags)) + u16(options.keep_alive);
  if (v5(version)) body += property_block(options.properties);
  body += field(options.client_id.value_or(""));
  if (options.will) {
    if (v5(version)) body += property_block(options.will->properties);
    body += field(options.will->topic) + field(options.will->payload);
  }
  if (options.username) body += field(*options.username);
  if (options.password) body += field(*options.password);
  return packet(0x10, body);
}

std::string publish_packet(const PublishOptions& options, Version version) {
  const unsigned flags = (options.dup ? 8U : 0U) | (options.qos << 1) | (options.retain ? 1U : 0U);
  std::string body = field(options.topic);
  if (options.qos > 0) body += u16(options.id);
  if (v5(version)) body += property_block(options.properties);
  return packet(0x30 | flags, body + options.payload);
}

std::string subscribe_packet(std::uint16_t id, const std::vector<Filter>& filters, Version version,
                             const Properties& properties) {
  std::string body = u16(id);
  if (v5(version)) body += property_block(properties);
  for (const Filter& entry : filters) {
    const unsigned options = entry.qos | (entry.no_local ? 4U : 0U) |
                             (entry.retain_as_published ? 8U : 0U) | (entry.retain_handling << 4);
    body += field(entry.filter) + u8(options);
  }
  return packet(0x82, body);
}

std::string unsubscribe_packet(std::uint16_t id, const std::vector<std::string>& filters,
                               Version version, const Properties& properties) {
  std::string body = u16(id);
  if (v5(version)) body += property_block(properties);
  for (const std::string& filter : filters) body += field(filter);
  return packet(0xA2, body);
}

std::string ack_packet(AckType type, std::uint16_t id, unsigned code, Version version,
                       const Properties& properties) {
  std::string body = u16(id);
  if (v5(version) && (code != 0 || !properties.empty())) {
    body += u8(code);
    if (!properties.empty()) body += property_block(properties);
  }
  return packet((static_cast<unsigned>(type) << 4) | (type == AckType::Pubrel ? 2U : 0U), body);
}

std::string pingreq_packet() {
  return packet(0xC0);
}

std::string disconnect_packet(unsigned code, Version version, const Properties& properties) {
  std::string body;
  if (v5(version) && (code != 0 || !properties.empty())) body = u8(code);
  if (v5(version) && !properties.empty()) body += property_block(properties);
  return packet(0xE0, body);
}

std::string auth_packet(unsigned code, const Properties& properties) {
  return packet(0xF0, u8(code) + property_block(properties));
}

}  // namespace twinmq::testing
