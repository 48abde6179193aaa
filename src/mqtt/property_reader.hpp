#pragma once
// Walks the properties of one packet by the rules of the table and tells each that is legal.

#include <cstdint>
#include <string_view>

#include "mqtt/field_reader.hpp"
#include "mqtt/packets.hpp"
#include "mqtt/property_rules.hpp"

namespace twinmq::mqtt {

/// One property; `number` or `text` holds the value, a pair is `text` and `second`. It occupies the
/// bytes from `begin` to `end` of the property block.
struct Property {
  PropertyId id = PropertyId::UserProperty;
  std::uint32_t number = 0;
  std::string_view text;
  std::string_view second;
  std::size_t begin = 0;
  std::size_t end = 0;
};

class PropertyReader {
 public:
  /// Takes the property length and the block behind it from `packet`, which must outlive the
  /// reader. A fault in a property becomes the packet's.
  PropertyReader(FieldReader& packet, PropertyPlaces place, std::uint32_t user_properties_max)
      : packet_(packet),
        block_(packet.take(packet.varint())),
        in_(bytes_of(block_)),
        place_(place),
        user_properties_left_(user_properties_max) {}

  PropertyReader(const PropertyReader&) = delete;
  PropertyReader& operator=(const PropertyReader&) = delete;

  /// The next property, valid until the next call; null at the end or after a fault.
  const Property* next() { return in_.more() ? read() : nullptr; }

  /// The whole block, without its length.
  std::string_view block() const { return block_; }

 private:
  const Property* read();
  void read_value(const PropertyRule& rule);
  const Property* fail(ReasonCode code, std::string_view what);

  FieldReader& packet_;
  std::string_view block_;
  FieldReader in_;
  PropertyPlaces place_;
  std::uint32_t user_properties_left_;
  std::uint64_t seen_ = 0;  ///< bit n: property n was there
  Property property_;
};

/// The properties that acknowledgements of every kind share.
void read_reason_properties(FieldReader& in, PropertyPlaces place, std::string_view& reason,
                            UserProperties& user_properties);

/// Reads a reason code that the packet may carry.
ReasonCode read_reason_code(FieldReader& in, PacketType type);

}  // namespace twinmq::mqtt
