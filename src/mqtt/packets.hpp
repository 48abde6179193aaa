#pragma once
// One plain struct per packet, one model for MQTT 3.1, 3.1.1 and 5: what a version lacks keeps its
// default. Every view points into the frame it was decoded from (or, for encoding, into the
// caller's memory).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <twinmq/message.hpp>
#include <twinmq/reason_code.hpp>

#include "mqtt/protocol.hpp"

namespace twinmq::mqtt {

using UserProperties = std::vector<std::pair<std::string_view, std::string_view>>;

struct Will {
  std::string_view topic;
  std::string_view payload;
  std::string_view properties;  ///< encoded, as Message::properties()
  QoS qos = QoS::AtMostOnce;
  bool retain = false;
  bool payload_is_text = false;
  std::uint32_t delay_seconds = 0;
  std::optional<std::uint32_t> expiry_seconds;

  bool operator==(const Will&) const = default;
};

struct Connect {
  Version version = Version::V5;
  bool clean_start = true;
  std::uint16_t keep_alive_seconds = 0;
  std::string_view client_id;
  std::optional<Will> will;
  std::optional<std::string_view> username;
  std::optional<std::string_view> password;
  // MQTT 5 properties, section 3.1.2.11
  std::optional<std::uint32_t> session_expiry_seconds;
  std::optional<std::uint16_t> receive_maximum;
  std::optional<std::uint32_t> packet_size_max;
  std::optional<std::uint16_t> topic_alias_maximum;
  bool request_response_information = false;
  bool request_problem_information = true;
  std::optional<std::string_view> authentication_method;
  std::optional<std::string_view> authentication_data;
  UserProperties user_properties;

  bool operator==(const Connect&) const = default;
};

struct Connack {
  bool session_present = false;
  ReasonCode code = ReasonCode::Success;
  // MQTT 5 properties, section 3.2.2.3; absent values are not sent
  std::optional<std::uint32_t> session_expiry_seconds;
  std::optional<std::uint16_t> receive_maximum;
  std::optional<std::uint8_t> qos_max;
  std::optional<bool> retain_available;
  std::optional<std::uint32_t> packet_size_max;
  std::optional<std::string_view> assigned_client_id;
  std::optional<std::uint16_t> topic_alias_maximum;
  std::optional<std::string_view> reason;
  UserProperties user_properties;
  std::optional<bool> wildcard_subscription_available;
  std::optional<bool> subscription_ids_available;
  std::optional<bool> shared_subscription_available;
  std::optional<std::uint16_t> server_keep_alive_seconds;
  std::optional<std::string_view> response_information;
  std::optional<std::string_view> server_reference;
  std::optional<std::string_view> authentication_method;
  std::optional<std::string_view> authentication_data;

  bool operator==(const Connack&) const = default;
};

struct Publish {
  std::string_view topic;  ///< empty with a topic alias: the alias names it
  std::string_view payload;
  std::string_view properties;  ///< encoded, as Message::properties(): the ones that travel on
  QoS qos = QoS::AtMostOnce;
  bool dup = false;
  bool retain = false;
  bool payload_is_text = false;
  PacketId packet_id = 0;         ///< 0 with QoS 0
  std::uint16_t topic_alias = 0;  ///< 0: none
  std::optional<std::uint32_t> expiry_seconds;
  std::vector<std::uint32_t> subscription_ids;  ///< only from a server; empty costs nothing

  bool operator==(const Publish&) const = default;
};

/// PUBACK, PUBREC, PUBREL and PUBCOMP share one form; `type` tells which.
struct Ack {
  PacketType type = PacketType::Puback;
  PacketId packet_id = 0;
  ReasonCode code = ReasonCode::Success;
  std::string_view reason;  ///< empty: none
  UserProperties user_properties;

  bool operator==(const Ack&) const = default;
};

/// Retain Handling, section 3.8.3.1.
enum class RetainHandling : std::uint8_t { Send = 0, SendIfNew = 1, DoNotSend = 2 };

struct SubscriptionOptions {
  QoS qos = QoS::AtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
  RetainHandling retain_handling = RetainHandling::Send;

  bool operator==(const SubscriptionOptions&) const = default;
};

struct SubscribeEntry {
  std::string_view
      filter;  ///< as sent, with a $share prefix if any; not yet checked by the topic rules
  SubscriptionOptions options;

  bool operator==(const SubscribeEntry&) const = default;
};

struct Subscribe {
  PacketId packet_id = 0;
  std::uint32_t subscription_id = 0;  ///< 0: none
  UserProperties user_properties;
  std::vector<SubscribeEntry> entries;

  bool operator==(const Subscribe&) const = default;
};

struct Suback {
  PacketId packet_id = 0;
  std::string_view reason;
  UserProperties user_properties;
  std::vector<ReasonCode> codes;

  bool operator==(const Suback&) const = default;
};

struct Unsubscribe {
  PacketId packet_id = 0;
  UserProperties user_properties;
  std::vector<std::string_view> filters;

  bool operator==(const Unsubscribe&) const = default;
};

struct Unsuback {
  PacketId packet_id = 0;
  std::string_view reason;
  UserProperties user_properties;
  std::vector<ReasonCode> codes;  ///< not on the wire before MQTT 5

  bool operator==(const Unsuback&) const = default;
};

struct Pingreq {
  bool operator==(const Pingreq&) const = default;
};
struct Pingresp {
  bool operator==(const Pingresp&) const = default;
};

struct Disconnect {
  ReasonCode code = ReasonCode::NormalDisconnection;
  std::optional<std::uint32_t> session_expiry_seconds;
  std::string_view reason;
  std::string_view server_reference;
  UserProperties user_properties;

  bool operator==(const Disconnect&) const = default;
};

struct Auth {
  ReasonCode code = ReasonCode::Success;
  std::optional<std::string_view> method;
  std::optional<std::string_view> data;
  std::string_view reason;
  UserProperties user_properties;

  bool operator==(const Auth&) const = default;
};

using Packet = std::variant<Connect, Connack, Publish, Ack, Subscribe, Suback, Unsubscribe,
                            Unsuback, Pingreq, Pingresp, Disconnect, Auth>;

}  // namespace twinmq::mqtt
