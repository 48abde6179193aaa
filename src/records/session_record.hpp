#pragma once
// What the store holds of sessions: one record for the session, one per subscription, delivery and
// received packet identifier. All keys of a session begin with its client identifier, so that one
// range ends it:
//
//   's' · u16 length of the client identifier (big endian) · client identifier · kind · rest
//
//   kind 0x00 session            value: table Session
//   kind 0x01 subscription       rest: topic filter            value: table Subscription
//   kind 0x02 delivery           rest: u64 sequence, big endian  value: delivery record
//   kind 0x03 received QoS 2 id  rest: u16 packet identifier, big endian  value: empty
//
// (tables: records.fbs) and one for each message that outlived its session and is still to be
// routed:
//
//   'o' · u64 number (big endian)   value: table Owed
//
// and one for each long message that several sessions wait for:
//
//   'm' · u64 number (big endian)   value: message

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <twinmq/result.hpp>
#include <twinmq/session_journal.hpp>

namespace twinmq::records {

enum class SessionRecordKind : std::uint8_t {
  Session = 0,
  Subscription = 1,
  Delivery = 2,
  Received = 3
};

/// Of everything in the store; README.md says what changed from one to the next.
inline constexpr unsigned kFormat = 2;

inline constexpr char kSessionPrefix = 's';
inline constexpr char kOwedPrefix = 'o';
inline constexpr char kCommonMessagePrefix = 'm';

/// The client identifier may be 65,535 bytes; the two length bytes keep one client's keys from
/// being a prefix of another's.
std::string session_key(std::string_view client_id, SessionRecordKind kind,
                        std::string_view rest = {});
/// First key behind everything the session has.
std::string session_end(std::string_view client_id);
std::string delivery_rest(std::uint64_t sequence);
std::string received_rest(std::uint16_t packet_id);
std::string owed_key(std::uint64_t number);
std::string common_message_key(std::uint64_t number);

/// The parts of a key; views into it.
struct SessionKeyParts {
  std::string_view client_id;
  SessionRecordKind kind;
  std::string_view rest;
};
std::optional<SessionKeyParts> parse_session_key(std::string_view key);

std::string encode_session(const StoredSession& session, Now now);
std::string encode_subscription(const StoredSubscription& subscription);
std::string encode_delivery(const StoredDelivery& delivery, Now now);
std::string encode_owed(const OwedMessage& owed, Now now);

Result<StoredSession> decode_session(const SessionKeyParts& key, std::string_view record, Now now);
Result<StoredSubscription> decode_subscription(const SessionKeyParts& key, std::string_view record);
/// A delivery that refers to a common message has that message's record right behind its own.
Result<StoredDelivery> decode_delivery(const SessionKeyParts& key, std::string_view record,
                                       Now now);
/// What a delivery's record tells without being decoded whole; nothing of a damaged one.
struct DeliveryOutline {
  std::uint64_t common_message = 0;  ///< 0: the message, if any, is in the record
  std::uint64_t bytes = 0;           ///< of the message and what comes with it
};
DeliveryOutline outline_of(std::string_view record);
/// The key of the common message that the delivery has; empty: it has none.
std::string common_message_of(std::string_view record);
/// Of a delivery's key.
Result<std::uint64_t> sequence_of(const SessionKeyParts& key);
Result<std::uint16_t> decode_received(const SessionKeyParts& key);
Result<std::uint64_t> common_message_number(std::string_view key);
Result<OwedMessage> decode_owed(std::string_view key, std::string_view record, Now now);

}  // namespace twinmq::records
