#include "records/session_record.hpp"

#include <utility>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"
#include "records/message_record.hpp"
#include "records/message_table.hpp"

namespace twinmq::records {

namespace {

constexpr std::uint8_t kDeliveryFormat = 1;

// Where the message of a delivery is.
enum class Place : std::uint8_t { Here = 0, Nowhere = 1, Elsewhere = 2 };

constexpr const char* kSessionTable = "tmqS";
constexpr const char* kSubscriptionTable = "tmqU";
constexpr const char* kOwedTable = "tmqO";

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

Error corrupt(std::string_view what) {
  return {ErrorCode::Corrupt, std::string(what) + " does not verify"};
}

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

std::string delivery_rest(std::uint64_t sequence) {
  return big_endian(sequence);
}
std::string received_rest(std::uint16_t packet_id) {
  return big_endian(packet_id);
}

std::string owed_key(std::uint64_t number) {
  return kOwedPrefix + big_endian(number);
}
std::string common_message_key(std::uint64_t number) {
  return kCommonMessagePrefix + big_endian(number);
}

std::optional<SessionKeyParts> parse_session_key(std::string_view key) {
  if (key.size() < 4 || key[0] != kSessionPrefix) return std::nullopt;
  const std::size_t size = from_big_endian(key.substr(1, 2));
  if (key.size() < 4 + size) return std::nullopt;
  const auto kind = static_cast<std::uint8_t>(key[3 + size]);
  if (kind > static_cast<std::uint8_t>(SessionRecordKind::Received)) return std::nullopt;
  return SessionKeyParts{key.substr(3, size), static_cast<SessionRecordKind>(kind),
                         key.substr(4 + size)};
}

std::string encode_session(const StoredSession& session, Now now) {
  flatbuffers::FlatBufferBuilder builder;
  flatbuffers::Offset<table::Will> will;
  if (session.will) {
    const auto message = add_message(builder, *session.will->message, now);
    table::WillBuilder added(builder);
    added.add_message(message);
    added.add_delay_seconds(session.will->delay_seconds);
    if (session.will->expiry_seconds) added.add_expiry_seconds(*session.will->expiry_seconds);
    will = added.Finish();
  }
  const auto principal = add_bytes(builder, session.principal);
  table::SessionBuilder added(builder);
  added.add_principal(principal);
  added.add_expiry_seconds(session.expiry_seconds);
  if (session.disconnected_at)
    added.add_disconnected_at(session.disconnected_at->time_since_epoch().count());
  added.add_will(will);
  added.add_shared(session.shared);
  builder.Finish(added.Finish(), kSessionTable);
  return taken(builder);
}

Result<StoredSession> decode_session(const SessionKeyParts& key, std::string_view record, Now now) {
  const Verified<table::Session> stored(record, kSessionTable);
  if (!stored) return corrupt("a session record");
  StoredSession session;
  session.client_id = key.client_id;
  session.principal = view(stored->principal());
  session.expiry_seconds = stored->expiry_seconds();
  session.shared = stored->shared();
  if (const auto at = stored->disconnected_at()) {
    if (!is_wall_time(*at)) return corrupt("a session record");
    session.disconnected_at = WallTime(Milliseconds(*at));
  }
  if (const table::Will* const will = stored->will()) {
    auto message = read_message(*will->message(), now);
    if (!message) return message.error();
    session.will = StoredWill{std::move(*message), will->delay_seconds(), std::nullopt};
    if (const auto expiry = will->expiry_seconds()) session.will->expiry_seconds = *expiry;
  }
  return session;
}

std::string encode_subscription(const StoredSubscription& subscription) {
  flatbuffers::FlatBufferBuilder builder(64);
  builder.Finish(table::CreateSubscription(builder, static_cast<std::uint8_t>(subscription.qos),
                                           subscription.no_local, subscription.retain_as_published,
                                           subscription.subscription_id),
                 kSubscriptionTable);
  return taken(builder);
}

Result<StoredSubscription> decode_subscription(const SessionKeyParts& key,
                                               std::string_view record) {
  const Verified<table::Subscription> stored(record, kSubscriptionTable);
  if (!stored || stored->qos() > 2 || key.rest.empty()) return corrupt("a subscription record");
  return StoredSubscription{std::string(key.rest), static_cast<QoS>(stored->qos()),
                            stored->no_local(), stored->retain_as_published(),
                            stored->subscription_id()};
}

std::string encode_delivery(const StoredDelivery& delivery, Now now) {
  const Place place = delivery.released              ? Place::Nowhere
                      : delivery.common_message != 0 ? Place::Elsewhere
                                                     : Place::Here;
  base::ByteWriter out;
  out.number(kDeliveryFormat);
  out.number(static_cast<std::uint8_t>(delivery.qos));
  out.flag(delivery.retain);
  out.number(static_cast<std::uint8_t>(place));
  if (place == Place::Elsewhere) {
    out.number(delivery.common_message);
    out.number(static_cast<std::uint32_t>(delivery.message->footprint()));
  }
  out.number(static_cast<std::uint32_t>(delivery.subscription_ids.size()));
  for (const std::uint32_t id : delivery.subscription_ids) out.number(id);
  out.text(delivery.share);
  if (place == Place::Here) out.text(encode_message(*delivery.message, now));
  return out.take();
}

Result<StoredDelivery> decode_delivery(const SessionKeyParts& key, std::string_view record,
                                       Now now) {
  base::ByteReader in(record);
  if (in.number<std::uint8_t>() != kDeliveryFormat || key.rest.size() != 8) in.reject();
  StoredDelivery delivery;
  delivery.sequence = from_big_endian(key.rest);
  const auto qos = in.number<std::uint8_t>();
  delivery.qos = static_cast<QoS>(qos);
  delivery.retain = in.flag();
  const auto place = static_cast<Place>(in.number<std::uint8_t>());
  delivery.released = place == Place::Nowhere;
  if (place == Place::Elsewhere) {
    delivery.common_message = in.number<std::uint64_t>();
    in.number<std::uint32_t>();
    if (delivery.common_message == 0) in.reject();
  }
  const auto ids = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < ids && in.ok(); ++i)
    delivery.subscription_ids.push_back(in.number<std::uint32_t>());
  delivery.share = in.text();
  if (!in.ok() || qos < 1 || qos > 2 || place > Place::Elsewhere)
    return corrupt("a delivery record");
  if (place == Place::Elsewhere && in.finished())
    return Error{ErrorCode::Corrupt, "its message is not in the store"};
  if (place != Place::Nowhere) {
    auto message = decode_message(place == Place::Here ? in.text() : in.rest(), now);
    if (!message) return message.error();
    delivery.message = std::move(*message);
  }
  if (!in.finished()) return corrupt("a delivery record");
  return delivery;
}

DeliveryOutline outline_of(std::string_view record) {
  base::ByteReader in(record);
  const bool known = in.number<std::uint8_t>() == kDeliveryFormat;
  in.number<std::uint16_t>();
  if (!known || static_cast<Place>(in.number<std::uint8_t>()) != Place::Elsewhere)
    return {0, record.size()};
  const auto number = in.number<std::uint64_t>();
  const auto bytes = in.number<std::uint32_t>();
  return in.ok() ? DeliveryOutline{number, bytes} : DeliveryOutline{};
}

std::string common_message_of(std::string_view record) {
  const std::uint64_t number = outline_of(record).common_message;
  return number == 0 ? std::string() : common_message_key(number);
}

std::string encode_owed(const OwedMessage& owed, Now now) {
  flatbuffers::FlatBufferBuilder builder;
  const auto share = add_bytes(builder, owed.share);
  const auto message = add_message(builder, *owed.message, now);
  builder.Finish(table::CreateOwed(builder, share, message), kOwedTable);
  return taken(builder);
}

Result<OwedMessage> decode_owed(std::string_view key, std::string_view record, Now now) {
  const Verified<table::Owed> stored(record, kOwedTable);
  if (!stored || key.size() != 9) return corrupt("an owed message's record");
  auto message = read_message(*stored->message(), now);
  if (!message) return message.error();
  return OwedMessage{from_big_endian(key.substr(1)), std::string(view(stored->share())),
                     std::move(*message)};
}

Result<std::uint64_t> common_message_number(std::string_view key) {
  if (key.size() != 9 || key[0] != kCommonMessagePrefix)
    return corrupt("the key of a common message");
  return from_big_endian(key.substr(1));
}

Result<std::uint64_t> sequence_of(const SessionKeyParts& key) {
  if (key.rest.size() != 8) return corrupt("the key of a delivery");
  return from_big_endian(key.rest);
}

Result<std::uint16_t> decode_received(const SessionKeyParts& key) {
  if (key.rest.size() != 2) return corrupt("the key of a received packet identifier");
  return static_cast<std::uint16_t>(from_big_endian(key.rest));
}

}  // namespace twinmq::records
