#include "mqtt/property_reader.hpp"

#include "mqtt/reason_rules.hpp"

namespace twinmq::mqtt {

const Property* PropertyReader::read() {
  property_.begin = in_.position();
  const PropertyRule* rule = property_rule(in_.varint());
  if (rule == nullptr || (rule->allowed & place_) == 0) {
    return fail(ReasonCode::MalformedPacket, "a property does not belong to the packet");
  }
  const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(rule->id);
  if ((seen_ & bit) != 0 && (rule->repeatable & place_) == 0) {
    return fail(ReasonCode::ProtocolError, "a property appears twice");
  }
  seen_ |= bit;
  property_.id = rule->id;
  read_value(*rule);
  if (in_.failed()) return fail(in_.fault().code, in_.fault().what);
  property_.end = in_.position();
  return &property_;
}

void PropertyReader::read_value(const PropertyRule& rule) {
  switch (rule.kind) {
    case PropertyKind::Flag:
      property_.number = in_.byte();
      if (property_.number > 1)
        in_.fail(ReasonCode::ProtocolError, "a property is neither 0 nor 1");
      break;
    case PropertyKind::U16: property_.number = in_.u16(); break;
    case PropertyKind::U32: property_.number = in_.u32(); break;
    case PropertyKind::Varint: property_.number = in_.varint(); break;
    case PropertyKind::Text: property_.text = in_.text(); return;
    case PropertyKind::Binary: property_.text = in_.binary(); return;
    case PropertyKind::Pair:
      property_.text = in_.text();
      property_.second = in_.text();
      if (user_properties_left_ == 0) {
        in_.fail(ReasonCode::QuotaExceeded, "too many user properties");
      } else {
        --user_properties_left_;
      }
      return;
  }
  if (property_.number == 0 && rule.zero_fault != ReasonCode::Success) {
    in_.fail(rule.zero_fault, "a property is 0");
  }
}

const Property* PropertyReader::fail(ReasonCode code, std::string_view what) {
  in_.fail(code, what);
  // A varint or value that broke off is the first fault and counts before what follows from it.
  packet_.fail(in_.fault().code, in_.fault().what);
  return nullptr;
}

void read_reason_properties(FieldReader& in, PropertyPlaces place, std::string_view& reason,
                            UserProperties& user_properties) {
  PropertyReader properties(in, place, DecodeLimits{}.user_properties_max);
  while (const Property* property = properties.next()) {
    if (property->id == PropertyId::ReasonString) {
      reason = property->text;
    } else {
      user_properties.emplace_back(property->text, property->second);
    }
  }
}

ReasonCode read_reason_code(FieldReader& in, PacketType type) {
  const std::uint8_t code = in.byte();
  if (!reason_allowed(type, code)) {
    in.fail(ReasonCode::ProtocolError, "the packet has no such reason code");
  }
  return static_cast<ReasonCode>(code);
}

}  // namespace twinmq::mqtt
