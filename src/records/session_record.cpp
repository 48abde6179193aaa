#include "records/session_record.hpp"

#include <utility>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "records/message_record.hpp"

namespace twinmq::records {

namespace {

constexpr std::uint8_t kFormat = 1;

// Keys sort by their bytes, so numbers in them are big endian.
template <typename T>
std::string big_endian(T value) {
  std::string bytes(sizeof(T), '\0');
  for (std::size_t i = 0; i < sizeof(T); ++i)
    bytes[sizeof(T) - 1 - i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
  return bytes;
}

std::uint64_t from_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = (value << 8) | static_cast<unsigned char>(byte);
  return value;
}

Error corrupt(std::string_view what) { return {ErrorCode::Corrupt, std::string(what) + " does not verify"}; }

}  // namespace

std::string session_key(std::string_view client_id, SessionRecordKind kind, std::string_view rest) {
  std::string key(1, kSessionPrefix);
  key += big_endian(static_cast<std::uint16_t>(client_id.size()));
  key += client_id;
  key += static_cast<char>(kind);
  key += rest;
  return key;
}

std::string session_end(std::string_view client_id) {
  std::string key = session_key(client_id, SessionRecordKind::Received);
  key.back() = '\xff';
  return key;
}

std::string delivery_rest(std::uint64_t sequence) { return big_endian(sequence); }
std::string received_rest(std::uint16_t packet_id) { return big_endian(packet_id); }

std::string owed_key(std::uint64_t number) { return kOwedPrefix + big_endian(number); }

std::optional<SessionKeyParts> parse_session_key(std::string_view key) {
  if (key.size() < 4 || key[0] != kSessionPrefix) return std::nullopt;
  const std::size_t size = from_big_endian(key.substr(1, 2));
  if (key.size() < 4 + size) return std::nullopt;
  const auto kind = static_cast<std::uint8_t>(key[3 + size]);
  if (kind > static_cast<std::uint8_t>(SessionRecordKind::Received)) return std::nullopt;
  return SessionKeyParts{key.substr(3, size), static_cast<SessionRecordKind>(kind), key.substr(4 + size)};
}

std::string encode_session(const StoredSession& session, Now now) {
  base::ByteWriter out;
  out.number(kFormat);
  out.text(session.principal);
  out.number(session.expiry_seconds);
  out.flag(session.disconnected_at.has_value());
  out.signed_number(session.disconnected_at ? session.disconnected_at->time_since_epoch().count() : 0);
  out.flag(session.will.has_value());
  if (session.will) {
    out.number(session.will->delay_seconds);
    out.flag(session.will->expiry_seconds.has_value());
    out.number(session.will->expiry_seconds.value_or(0));
    out.text(encode_message(*session.will->message, now));
  }
  return out.take();
}

Result<StoredSession> decode_session(const SessionKeyParts& key, std::string_view record, Now now) {
  base::ByteReader in(record);
  if (in.number<std::uint8_t>() != kFormat) in.reject();
  StoredSession session;
  session.client_id = key.client_id;
  session.principal = in.text();
  session.expiry_seconds = in.number<std::uint32_t>();
  const bool disconnected = in.flag();
  const std::int64_t at = in.signed_number();
  if (disconnected) session.disconnected_at = WallTime(Milliseconds(at));
  if (in.flag()) {
    StoredWill will;
    will.delay_seconds = in.number<std::uint32_t>();
    const bool expires = in.flag();
    const auto expiry = in.number<std::uint32_t>();
    if (expires) will.expiry_seconds = expiry;
    auto message = decode_message(in.text(), now);
    if (!message) return message.error();
    will.message = std::move(*message);
    session.will = std::move(will);
  }
  if (!in.finished()) return corrupt("a session record");
  return session;
}

std::string encode_subscription(const StoredSubscription& subscription) {
  base::ByteWriter out;
  out.number(kFormat);
  out.number(static_cast<std::uint8_t>(subscription.qos));
  out.flag(subscription.no_local);
  out.flag(subscription.retain_as_published);
  out.number(subscription.subscription_id);
  return out.take();
}

Result<StoredSubscription> decode_subscription(const SessionKeyParts& key, std::string_view record) {
  base::ByteReader in(record);
  if (in.number<std::uint8_t>() != kFormat) in.reject();
  StoredSubscription subscription;
  subscription.filter = key.rest;
  const auto qos = in.number<std::uint8_t>();
  subscription.qos = static_cast<QoS>(qos);
  subscription.no_local = in.flag();
  subscription.retain_as_published = in.flag();
  subscription.subscription_id = in.number<std::uint32_t>();
  if (!in.finished() || qos > 2 || subscription.filter.empty()) return corrupt("a subscription record");
  return subscription;
}

std::string encode_delivery(const StoredDelivery& delivery, Now now) {
  base::ByteWriter out;
  out.number(kFormat);
  out.number(static_cast<std::uint8_t>(delivery.qos));
  out.flag(delivery.retain);
  out.flag(delivery.released);
  out.number(static_cast<std::uint32_t>(delivery.subscription_ids.size()));
  for (const std::uint32_t id : delivery.subscription_ids) out.number(id);
  out.text(delivery.share);
  if (!delivery.released) out.text(encode_message(*delivery.message, now));
  return out.take();
}

Result<StoredDelivery> decode_delivery(const SessionKeyParts& key, std::string_view record, Now now) {
  base::ByteReader in(record);
  if (in.number<std::uint8_t>() != kFormat || key.rest.size() != 8) in.reject();
  StoredDelivery delivery;
  delivery.sequence = from_big_endian(key.rest);
  const auto qos = in.number<std::uint8_t>();
  delivery.qos = static_cast<QoS>(qos);
  delivery.retain = in.flag();
  delivery.released = in.flag();
  const auto ids = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < ids && in.ok(); ++i) delivery.subscription_ids.push_back(in.number<std::uint32_t>());
  delivery.share = in.text();
  if (!delivery.released) {
    auto message = decode_message(in.text(), now);
    if (!message) return message.error();
    delivery.message = std::move(*message);
  }
  if (!in.finished() || qos < 1 || qos > 2) return corrupt("a delivery record");
  return delivery;
}

std::string encode_owed(const OwedMessage& owed, Now now) {
  base::ByteWriter out;
  out.number(kFormat);
  out.text(owed.share);
  out.text(encode_message(*owed.message, now));
  return out.take();
}

Result<OwedMessage> decode_owed(std::string_view key, std::string_view record, Now now) {
  base::ByteReader in(record);
  if (in.number<std::uint8_t>() != kFormat || key.size() != 9) in.reject();
  OwedMessage owed;
  owed.number = from_big_endian(key.substr(1));
  owed.share = in.text();
  auto message = decode_message(in.text(), now);
  if (!message) return message.error();
  owed.message = std::move(*message);
  if (!in.finished()) return corrupt("an owed message's record");
  return owed;
}

Result<std::uint16_t> decode_received(const SessionKeyParts& key) {
  if (key.rest.size() != 2) return corrupt("the key of a received packet identifier");
  return static_cast<std::uint16_t>(from_big_endian(key.rest));
}

}  // namespace twinmq::records
