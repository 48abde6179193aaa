#include "records/message_record.hpp"

#include <limits>

#include "base/byte_reader.hpp"
#include "base/byte_writer.hpp"

namespace twinmq::records {

namespace {
constexpr std::uint8_t kFormat = 1;
constexpr std::int64_t kForever = std::numeric_limits<std::int64_t>::max();
// Some 140,000 years around 1970: damaged bytes must not overflow the sums below.
constexpr std::int64_t kExpiryMax = std::int64_t{1} << 52;

bool is_expiry(std::int64_t wall) {
  return wall == kForever || (-kExpiryMax <= wall && wall <= kExpiryMax);
}
}  // namespace

std::string encode_message(const Message& message, Now now) {
  base::ByteWriter out;
  out.number(kFormat);
  out.number(static_cast<std::uint8_t>(message.qos()));
  out.flag(message.retain());
  out.signed_number(
      message.expires_at() == kNever
          ? kForever
          : (now.wall + (message.expires_at() - now.steady)).time_since_epoch().count());
  out.text(message.topic());
  out.text(message.payload());
  out.text(message.properties());
  out.text(message.publisher());
  return out.take();
}

Result<MessageRef> decode_message(std::string_view record, Now now) {
  base::ByteReader in(record);
  const auto format = in.number<std::uint8_t>();
  const auto qos = in.number<std::uint8_t>();
  MessageParts parts;
  parts.retain = in.flag();
  const std::int64_t expiry = in.signed_number();
  parts.topic = in.text();
  parts.payload = in.text();
  parts.properties = in.text();
  parts.publisher = in.text();
  if (!in.finished() || format != kFormat || qos > 2 || !is_expiry(expiry) || parts.topic.empty() ||
      parts.topic.size() > 65'535 || parts.publisher.size() > 65'535)
    return Error{ErrorCode::Corrupt, "a message record does not verify"};
  parts.qos = static_cast<QoS>(qos);
  if (expiry != kForever)
    parts.expires_at = now.steady + (WallTime(Milliseconds(expiry)) - now.wall);
  return Message::make(parts);
}

}  // namespace twinmq::records
