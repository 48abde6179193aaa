#pragma once
// The table of section 2.2.2.2: which property may stand in which packet, in which form and how
// often.

#include <array>
#include <cstdint>

#include <twinmq/reason_code.hpp>

#include "mqtt/protocol.hpp"

namespace twinmq::mqtt {

enum class PropertyId : std::uint8_t {
  PayloadFormatIndicator = 0x01,
  MessageExpiryInterval = 0x02,
  ContentType = 0x03,
  ResponseTopic = 0x08,
  CorrelationData = 0x09,
  SubscriptionIdentifier = 0x0B,
  SessionExpiryInterval = 0x11,
  AssignedClientIdentifier = 0x12,
  ServerKeepAlive = 0x13,
  AuthenticationMethod = 0x15,
  AuthenticationData = 0x16,
  RequestProblemInformation = 0x17,
  WillDelayInterval = 0x18,
  RequestResponseInformation = 0x19,
  ResponseInformation = 0x1A,
  ServerReference = 0x1C,
  ReasonString = 0x1F,
  ReceiveMaximum = 0x21,
  TopicAliasMaximum = 0x22,
  TopicAlias = 0x23,
  MaximumQoS = 0x24,
  RetainAvailable = 0x25,
  UserProperty = 0x26,
  MaximumPacketSize = 0x27,
  WildcardSubscriptionAvailable = 0x28,
  SubscriptionIdentifierAvailable = 0x29,
  SharedSubscriptionAvailable = 0x2A,
};

enum class PropertyKind : std::uint8_t {
  Flag,  ///< a byte; the value of every such property is 0 or 1
  U16,
  U32,
  Varint,
  Text,
  Binary,
  Pair,  ///< two texts
};

/// Places where properties stand: bit n for packet type n, bit 0 for the Will of a CONNECT.
using PropertyPlaces = std::uint16_t;

constexpr PropertyPlaces place_of(PacketType type) {
  return static_cast<PropertyPlaces>(1U << static_cast<unsigned>(type));
}

namespace place {
inline constexpr PropertyPlaces kNone = 0;
inline constexpr PropertyPlaces kWill = 1;
inline constexpr PropertyPlaces kConnect = place_of(PacketType::Connect);
inline constexpr PropertyPlaces kConnack = place_of(PacketType::Connack);
inline constexpr PropertyPlaces kPublish = place_of(PacketType::Publish);
inline constexpr PropertyPlaces kAcks =
    place_of(PacketType::Puback) | place_of(PacketType::Pubrec) | place_of(PacketType::Pubrel) |
    place_of(PacketType::Pubcomp);
inline constexpr PropertyPlaces kSubscribe = place_of(PacketType::Subscribe);
inline constexpr PropertyPlaces kSuback = place_of(PacketType::Suback);
inline constexpr PropertyPlaces kUnsubscribe = place_of(PacketType::Unsubscribe);
inline constexpr PropertyPlaces kUnsuback = place_of(PacketType::Unsuback);
inline constexpr PropertyPlaces kDisconnect = place_of(PacketType::Disconnect);
inline constexpr PropertyPlaces kAuth = place_of(PacketType::Auth);
inline constexpr PropertyPlaces kMessage = kPublish | kWill;
inline constexpr PropertyPlaces kEverywhere = kConnect | kConnack | kPublish | kWill | kAcks |
                                              kSubscribe | kSuback | kUnsubscribe | kUnsuback |
                                              kDisconnect | kAuth;
}  // namespace place

struct PropertyRule {
  PropertyId id;
  PropertyKind kind;
  PropertyPlaces allowed;
  PropertyPlaces repeatable = place::kNone;
  ReasonCode zero_fault = ReasonCode::Success;  ///< what a value of 0 is; Success: legal
};

inline constexpr std::array kPropertyRules = [] {
  using enum PropertyId;
  using enum PropertyKind;
  using namespace place;
  constexpr auto kError = ReasonCode::ProtocolError;
  return std::to_array<PropertyRule>({
      {PayloadFormatIndicator, Flag, kMessage},
      {MessageExpiryInterval, U32, kMessage},
      {ContentType, Text, kMessage},
      {ResponseTopic, Text, kMessage},
      {CorrelationData, Binary, kMessage},
      {SubscriptionIdentifier, Varint, kPublish | kSubscribe, kPublish, kError},
      {SessionExpiryInterval, U32, kConnect | kConnack | kDisconnect},
      {AssignedClientIdentifier, Text, kConnack},
      {ServerKeepAlive, U16, kConnack},
      {AuthenticationMethod, Text, kConnect | kConnack | kAuth},
      {AuthenticationData, Binary, kConnect | kConnack | kAuth},
      {RequestProblemInformation, Flag, kConnect},
      {WillDelayInterval, U32, kWill},
      {RequestResponseInformation, Flag, kConnect},
      {ResponseInformation, Text, kConnack},
      {ServerReference, Text, kConnack | kDisconnect},
      {ReasonString, Text, kConnack | kAcks | kSuback | kUnsuback | kDisconnect | kAuth},
      {ReceiveMaximum, U16, kConnect | kConnack, kNone, kError},
      {TopicAliasMaximum, U16, kConnect | kConnack},
      {TopicAlias, U16, kPublish, kNone, ReasonCode::TopicAliasInvalid},
      {MaximumQoS, Flag, kConnack},
      {RetainAvailable, Flag, kConnack},
      {UserProperty, Pair, kEverywhere, kEverywhere},
      {MaximumPacketSize, U32, kConnect | kConnack, kNone, kError},
      {WildcardSubscriptionAvailable, Flag, kConnack},
      {SubscriptionIdentifierAvailable, Flag, kConnack},
      {SharedSubscriptionAvailable, Flag, kConnack},
  });
}();
static_assert(kPropertyRules.size() == 27);

inline constexpr std::uint32_t kPropertyIdMax = 0x2A;

/// The rule of an identifier, or null when there is no such property.
constexpr const PropertyRule* property_rule(std::uint32_t id) {
  constexpr auto kIndex = [] {
    std::array<std::uint8_t, kPropertyIdMax + 1> index{};
    for (std::size_t i = 0; i < kPropertyRules.size(); ++i) {
      index[static_cast<std::size_t>(kPropertyRules[i].id)] = static_cast<std::uint8_t>(i + 1);
    }
    return index;
  }();
  if (id > kPropertyIdMax || kIndex[id] == 0) return nullptr;
  return &kPropertyRules[kIndex[id] - 1U];
}

}  // namespace twinmq::mqtt
