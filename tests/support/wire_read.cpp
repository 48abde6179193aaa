// Reads what a server sent, and is as strict as a client may be.

#include <array>
#include <sstream>

#include "support/wire.hpp"

namespace twinmq::testing {
namespace {

using Codes = std::initializer_list<unsigned>;

[[noreturn]] void complain(const std::string& what) {
  throw WireError("the server sent " + what);
}

bool is_utf8(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto first = static_cast<unsigned char>(text[at]);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xC2 && first < 0xE0 ? 2
                               : first >= 0xE0 && first < 0xF0 ? 3
                               : first >= 0xF0 && first < 0xF5 ? 4
                                                               : 0;
    if (length == 0 || first == 0 || at + length > text.size()) return false;
    unsigned point = length == 1 ? first : first & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
      const auto next = static_cast<unsigned char>(text[at + i]);
      if ((next & 0xC0) != 0x80) return false;
      point = (point << 6) | (next & 0x3FU);
    }
    if ((length == 3 && point < 0x800) || (length == 4 && (point < 0x10000 || point > 0x10FFFF)))
      return false;
    if (point >= 0xD800 && point <= 0xDFFF) return false;
    at += length;
  }
  return true;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t left() const { return bytes_.size(); }

  std::string_view take(std::size_t size) {
    if (size > bytes_.size()) complain("a packet whose content is longer than the packet");
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }

  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const char byte : take(size)) value = (value << 8) | static_cast<unsigned char>(byte);
    return value;
  }
  std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
  std::uint16_t two() { return static_cast<std::uint16_t>(number(2)); }

  std::uint32_t variable() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const std::uint8_t next = byte();
      value |= (next & 0x7FU) << shift;
      if ((next & 0x80) == 0) {
        if (next == 0 && shift > 0) complain("a variable byte integer that is not minimal");
        return value;
      }
    }
    complain("a variable byte integer of five bytes");
  }

  std::string binary() { return std::string(take(number(2))); }
  std::string text() {
    std::string value = binary();
    if (!is_utf8(value)) complain("text that is not UTF-8");
    return value;
  }

  std::string rest() { return std::string(take(bytes_.size())); }

 private:
  std::string_view bytes_;
};

Property read_property(Reader& in) {
  const auto id = static_cast<Prop>(in.variable());
  switch (id) {
    case Prop::PayloadFormat:
    case Prop::MaximumQos:
    case Prop::RetainAvailable:
    case Prop::WildcardAvailable:
    case Prop::SubscriptionIdAvailable:
    case Prop::SharedAvailable: {
      const std::uint8_t value = in.byte();
      if (value > 1) complain("a property whose value may only be 0 or 1");
      return {id, std::uint32_t{value}};
    }
    case Prop::ServerKeepAlive:
    case Prop::TopicAliasMaximum: return {id, in.number(2)};
    case Prop::ReceiveMaximum:
    case Prop::TopicAlias: {
      const std::uint32_t value = in.number(2);
      if (value == 0) complain("a Receive Maximum or Topic Alias of 0");
      return {id, value};
    }
    case Prop::MessageExpiry:
    case Prop::SessionExpiry: return {id, in.number(4)};
    case Prop::MaximumPacketSize: {
      const std::uint32_t value = in.number(4);
      if (value == 0) complain("a Maximum Packet Size of 0");
      return {id, value};
    }
    case Prop::SubscriptionId: {
      const std::uint32_t value = in.variable();
      if (value == 0) complain("a Subscription Identifier of 0");
      return {id, value};
    }
    case Prop::CorrelationData:
    case Prop::AuthData: return {id, in.binary()};
    case Prop::User: {
      std::string key = in.text();
      return {id, std::move(key), in.text()};
    }
    case Prop::ContentType:
    case Prop::ResponseTopic:
    case Prop::AssignedClientId:
    case Prop::AuthMethod:
    case Prop::ResponseInformation:
    case Prop::ServerReference:
    case Prop::Reason: return {id, in.text()};
    default:
      complain("a property that no server may send: " + std::to_string(static_cast<int>(id)));
  }
}

Properties read_properties(Reader& in, std::initializer_list<Prop> allowed) {
  Reader block(in.take(in.variable()));
  Properties properties;
  while (block.left() > 0) {
    Property property = read_property(block);
    bool fits = false;
    for (const Prop id : allowed) fits = fits || id == property.id;
    const std::string name = std::to_string(static_cast<int>(property.id));
    if (!fits) complain("property " + name + " in a packet where it does not belong");
    const bool repeats = property.id == Prop::User || property.id == Prop::SubscriptionId;
    if (!repeats && properties.has(property.id)) complain("property " + name + " twice");
    properties.add(std::move(property));
  }
  return properties;
}

void check_code(unsigned code, Codes defined, const char* where) {
  for (const unsigned candidate : defined) {
    if (candidate == code) return;
  }
  complain(std::string("an undefined reason code in ") + where + ": " + std::to_string(code));
}

// The tables of sections 3.2.2.2, 3.4.2.1, 3.6.2.1, 3.9.3, 3.11.3 and 3.14.2.1 (server side).
constexpr Codes kConnackCodes = {0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
                                 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
constexpr Codes kPubackCodes = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
constexpr Codes kPubrelCodes = {0x00, 0x92};
constexpr Codes kSubackCodes = {0x00, 0x01, 0x02, 0x80, 0x83, 0x87,
                                0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2};
constexpr Codes kUnsubackCodes = {0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91};
constexpr Codes kDisconnectCodes = {0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E,
                                    0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A,
                                    0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2};

Connack read_connack(Reader& in, Version version) {
  Connack packet;
  packet.flags = in.byte();
  packet.session_present = (packet.flags & 1) != 0;
  packet.code = in.byte();
  if (version != Version::V5) {
    if (packet.code > 5) complain("an undefined CONNACK return code");
    return packet;
  }
  check_code(packet.code, kConnackCodes, "CONNACK");
  packet.properties = read_properties(
      in, {Prop::SessionExpiry, Prop::ReceiveMaximum, Prop::MaximumQos, Prop::RetainAvailable,
           Prop::MaximumPacketSize, Prop::AssignedClientId, Prop::TopicAliasMaximum, Prop::Reason,
           Prop::User, Prop::WildcardAvailable, Prop::SubscriptionIdAvailable,
           Prop::SharedAvailable, Prop::ServerKeepAlive, Prop::ResponseInformation,
           Prop::ServerReference, Prop::AuthMethod, Prop::AuthData});
  return packet;
}

Publish read_publish(Reader& in, unsigned flags, Version version) {
  Publish packet;
  packet.qos = (flags >> 1) & 3;
  packet.dup = (flags & 8) != 0;
  packet.retain = (flags & 1) != 0;
  if (packet.qos == 3) complain("a PUBLISH of QoS 3");
  if (packet.qos == 0 && packet.dup) complain("a PUBLISH of QoS 0 with DUP");
  packet.topic = in.text();
  if (packet.topic.find_first_of("+#") != std::string::npos)
    complain("a topic name with a wildcard");
  if (packet.qos > 0) {
    packet.id = in.two();
    if (packet.id == 0) complain("packet identifier 0");
  }
  if (version == Version::V5) {
    packet.properties = read_properties(
        in, {Prop::PayloadFormat, Prop::MessageExpiry, Prop::TopicAlias, Prop::ResponseTopic,
             Prop::CorrelationData, Prop::User, Prop::SubscriptionId, Prop::ContentType});
  }
  if (packet.topic.empty() && !packet.properties.has(Prop::TopicAlias))
    complain("an empty topic name");
  packet.payload = in.rest();
  return packet;
}

template <typename T>
T read_ack(Reader& in, Version version, Codes defined, const char* name) {
  T packet;
  packet.id = in.two();
  if (packet.id == 0) complain("packet identifier 0");
  if (version != Version::V5 || in.left() == 0) return packet;
  packet.code = in.byte();
  check_code(packet.code, defined, name);
  if (in.left() > 0) packet.properties = read_properties(in, {Prop::Reason, Prop::User});
  return packet;
}

Suback read_suback(Reader& in, Version version) {
  Suback packet;
  packet.id = in.two();
  if (version == Version::V5) packet.properties = read_properties(in, {Prop::Reason, Prop::User});
  while (in.left() > 0) {
    packet.codes.push_back(in.byte());
    if (version == Version::V5) {
      check_code(packet.codes.back(), kSubackCodes, "SUBACK");
    } else {
      check_code(packet.codes.back(), {0, 1, 2, 0x80}, "SUBACK");
    }
  }
  return packet;
}

Unsuback read_unsuback(Reader& in, Version version) {
  Unsuback packet;
  packet.id = in.two();
  if (version != Version::V5) return packet;
  packet.properties = read_properties(in, {Prop::Reason, Prop::User});
  while (in.left() > 0) {
    packet.codes.push_back(in.byte());
    check_code(packet.codes.back(), kUnsubackCodes, "UNSUBACK");
  }
  return packet;
}

Disconnect read_disconnect(Reader& in) {
  Disconnect packet;
  if (in.left() == 0) return packet;
  packet.code = in.byte();
  check_code(packet.code, kDisconnectCodes, "DISCONNECT");
  if (in.left() > 0)
    packet.properties = read_properties(in, {Prop::Reason, Prop::User, Prop::ServerReference});
  return packet;
}

Auth read_auth(Reader& in) {
  Auth packet;
  if (in.left() == 0) return packet;
  packet.code = in.byte();
  check_code(packet.code, {0x00, 0x18}, "AUTH");
  if (in.left() > 0) {
    packet.properties =
        read_properties(in, {Prop::AuthMethod, Prop::AuthData, Prop::Reason, Prop::User});
  }
  return packet;
}

Packet read(unsigned first_byte, Reader& in, Version version) {
  const unsigned type = first_byte >> 4;
  const unsigned flags = first_byte & 0x0F;
  const unsigned prescribed = type == 6 ? 2 : 0;
  if (type != 3 && flags != prescribed) complain("fixed header flags that are not as prescribed");
  switch (type) {
    case 2: return read_connack(in, version);
    case 3: return read_publish(in, flags, version);
    case 4: return read_ack<Puback>(in, version, kPubackCodes, "PUBACK");
    case 5: return read_ack<Pubrec>(in, version, kPubackCodes, "PUBREC");
    case 6: return read_ack<Pubrel>(in, version, kPubrelCodes, "PUBREL");
    case 7: return read_ack<Pubcomp>(in, version, kPubrelCodes, "PUBCOMP");
    case 9: return read_suback(in, version);
    case 11: return read_unsuback(in, version);
    case 13: return Pingresp{};
    case 14:
      if (version == Version::V5) return read_disconnect(in);
      break;
    case 15:
      if (version == Version::V5) return read_auth(in);
      break;
    default: break;
  }
  complain("a packet of type " + std::to_string(type));
}

struct Describe {
  std::ostringstream out;

  void properties(const Properties& list) {
    for (const Property& property : list) {
      out << " p" << static_cast<int>(property.id) << "=" << property.number;
      if (!property.text.empty()) out << property.text.substr(0, 60);
      if (!property.value.empty()) out << ":" << property.value.substr(0, 60);
    }
  }
  void ack(const char* name, const Ack& packet) {
    out << name << " id=" << packet.id << " code=" << int{packet.code};
    properties(packet.properties);
  }
  void codes(const char* name, std::uint16_t id, const std::vector<std::uint8_t>& list) {
    out << name << " id=" << id << " codes=";
    for (const std::uint8_t code : list) out << int{code} << " ";
  }

  void operator()(const Connack& packet) {
    out << "CONNACK present=" << packet.session_present << " code=" << int{packet.code};
    properties(packet.properties);
  }
  void operator()(const Publish& packet) {
    out << "PUBLISH topic=" << packet.topic.substr(0, 60)
        << " payload=" << packet.payload.substr(0, 60) << " qos=" << packet.qos
        << " dup=" << packet.dup << " retain=" << packet.retain << " id=" << packet.id;
    properties(packet.properties);
  }
  void operator()(const Puback& packet) { ack("PUBACK", packet); }
  void operator()(const Pubrec& packet) { ack("PUBREC", packet); }
  void operator()(const Pubrel& packet) { ack("PUBREL", packet); }
  void operator()(const Pubcomp& packet) { ack("PUBCOMP", packet); }
  void operator()(const Suback& packet) { codes("SUBACK", packet.id, packet.codes); }
  void operator()(const Unsuback& packet) { codes("UNSUBACK", packet.id, packet.codes); }
  void operator()(const Pingresp&) { out << "PINGRESP"; }
  void operator()(const Disconnect& packet) {
    out << "DISCONNECT code=" << int{packet.code};
    properties(packet.properties);
  }
  void operator()(const Auth& packet) {
    out << "AUTH code=" << int{packet.code};
    properties(packet.properties);
  }
};

}  // namespace

std::optional<Packet> take_packet(std::string& bytes, Version version) {
  std::size_t length = 0;
  std::size_t at = 1;
  for (unsigned shift = 0;; shift += 7, ++at) {
    if (at >= bytes.size()) return {};
    if (shift > 21) complain("a Remaining Length of five bytes");
    const auto next = static_cast<unsigned char>(bytes[at]);
    length |= (next & 0x7FUL) << shift;
    if ((next & 0x80) == 0) break;
  }
  ++at;
  if (bytes.size() < at + length) return {};
  Reader in(std::string_view(bytes).substr(at, length));
  Packet packet = read(static_cast<unsigned char>(bytes[0]), in, version);
  if (in.left() > 0) complain("a packet with bytes left over");
  if (auto* publish = std::get_if<Publish>(&packet)) publish->size = at + length;
  bytes.erase(0, at + length);
  return packet;
}

std::string describe(const Packet& packet) {
  Describe describe;
  std::visit(describe, packet);
  return describe.out.str();
}

}  // namespace twinmq::testing
