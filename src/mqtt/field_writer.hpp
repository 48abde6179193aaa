#pragma once
// Appends MQTT's fields (section 1.5) to a string: the mirror of FieldReader.

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "mqtt/packets.hpp"
#include "mqtt/property_rules.hpp"

namespace twinmq::mqtt {

constexpr std::size_t varint_size(std::uint32_t value) {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

class FieldWriter {
 public:
  explicit FieldWriter(std::string& out) : out_(out) {}

  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }

  void u16(std::uint16_t value) {
    byte(static_cast<std::uint8_t>(value >> 8U));
    byte(static_cast<std::uint8_t>(value & 0xFFU));
  }

  void u32(std::uint32_t value) {
    u16(static_cast<std::uint16_t>(value >> 16U));
    u16(static_cast<std::uint16_t>(value & 0xFFFFU));
  }

  void varint(std::uint32_t value) {
    for (; value >= 128; value >>= 7U) byte(static_cast<std::uint8_t>(value | 0x80U));
    byte(static_cast<std::uint8_t>(value));
  }

  void raw(std::string_view bytes) { out_.append(bytes); }

  /// At most 65,535 bytes; what is longer is cut, so that the packet stays one.
  void text(std::string_view value) {
    assert(value.size() <= kTextBytesMax);
    value = value.substr(0, kTextBytesMax);
    u16(static_cast<std::uint16_t>(value.size()));
    raw(value);
  }

  /// What `write` writes, with its length as a varint in front.
  template <typename Write>
  void with_length(Write write) {
    const std::size_t start = out_.size();
    write();
    const std::size_t size = out_.size() - start;
    assert(size <= kRemainingLengthMax);
    std::string length;
    FieldWriter(length).varint(static_cast<std::uint32_t>(size));
    out_.insert(start, length);
  }

  /// One whole packet.
  template <typename Write>
  void packet(PacketType type, std::uint8_t flags, Write write_body) {
    byte(static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4U | flags));
    with_length(write_body);
  }

  void number_property(PropertyId id, std::uint32_t value) {
    byte(static_cast<std::uint8_t>(id));
    switch (property_rule(static_cast<std::uint32_t>(id))->kind) {
      case PropertyKind::Flag: byte(static_cast<std::uint8_t>(value)); break;
      case PropertyKind::U16: u16(static_cast<std::uint16_t>(value)); break;
      case PropertyKind::U32: u32(value); break;
      default: varint(value); break;
    }
  }

  template <typename Number>
  void number_property(PropertyId id, const std::optional<Number>& value) {
    if (value) number_property(id, static_cast<std::uint32_t>(*value));
  }

  void text_property(PropertyId id, std::string_view value) {
    byte(static_cast<std::uint8_t>(id));
    text(value);
  }

  void text_property(PropertyId id, const std::optional<std::string_view>& value) {
    if (value) text_property(id, *value);
  }

  void text_property_unless_empty(PropertyId id, std::string_view value) {
    if (!value.empty()) text_property(id, value);
  }

  void user_property(std::string_view name, std::string_view value) {
    text_property(PropertyId::UserProperty, name);
    text(value);
  }

  void user_properties(const UserProperties& properties) {
    for (const auto& [name, value] : properties) user_property(name, value);
  }

 private:
  std::string& out_;
};

}  // namespace twinmq::mqtt
