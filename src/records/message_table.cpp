#include "records/message_table.hpp"

#include <limits>

namespace twinmq::records {

namespace {

constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kWallMax = std::int64_t{1} << 52;
constexpr std::size_t kTextMax = 65'535;

}  // namespace

bool is_wall_time(std::int64_t milliseconds) {
  return -kWallMax <= milliseconds && milliseconds <= kWallMax;
}

flatbuffers::Offset<Bytes> add_bytes(flatbuffers::FlatBufferBuilder& builder,
                                     std::string_view bytes) {
  if (bytes.empty()) return {};
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

flatbuffers::Offset<table::Message> add_message(flatbuffers::FlatBufferBuilder& builder,
                                                const Message& message, Now now) {
  const auto topic = add_bytes(builder, message.topic());
  const auto payload = add_bytes(builder, message.payload());
  const auto properties = add_bytes(builder, message.properties());
  const auto publisher = add_bytes(builder, message.publisher());
  const std::int64_t expires_at =
      message.expires_at() == kNever
          ? kForever
          : (now.wall + (message.expires_at() - now.steady)).time_since_epoch().count();
  return table::CreateMessage(builder, topic, payload, properties, publisher,
                              static_cast<std::uint8_t>(message.qos()), message.retain(),
                              expires_at);
}

std::string_view view(const Bytes* bytes) {
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

Result<MessageRef> read_message(const table::Message& message, Now now) {
  MessageParts parts;
  parts.topic = view(message.topic());
  parts.payload = view(message.payload());
  parts.properties = view(message.properties());
  parts.publisher = view(message.publisher());
  parts.retain = message.retain();
  const std::int64_t expiry = message.expires_at();
  if (message.qos() > 2 || (expiry != kForever && !is_wall_time(expiry)) || parts.topic.empty() ||
      parts.topic.size() > kTextMax || parts.publisher.size() > kTextMax)
    return Error{ErrorCode::Corrupt, "a message in a record does not verify"};
  parts.qos = static_cast<QoS>(message.qos());
  if (expiry != kForever)
    parts.expires_at = now.steady + (WallTime(Milliseconds(expiry)) - now.wall);
  return Message::make(parts);
}

}  // namespace twinmq::records
