// Every record of the store, as a damaged disk may hand it out: the first byte says which, the rest
// is key and value.

#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/require.hpp"
#include "records/key_runs.hpp"
#include "records/message_record.hpp"
#include "records/retained_record.hpp"
#include "records/session_record.hpp"

using namespace twinmq;
using namespace twinmq::records;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Now now{Instant(Milliseconds(1'000)), WallTime(Milliseconds(1'700'000'000'000))};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t key_size = static_cast<unsigned char>(text[1]);
  const std::string_view key = text.substr(2, key_size);
  const std::string_view value = text.substr(2 + key.size());
  const auto parts = parse_session_key(key);
  static_cast<void>(run_prefix(key));
  switch (text[0] % 6) {
    case 0:
      // What was read is written and read again.
      if (const auto read = decode_retained(key, value, now))
        TWINMQ_REQUIRE(decode_retained(key, encode_retained(**read, now), now).has_value());
      break;
    case 1:
      if (const auto read = decode_owed(key, value, now))
        TWINMQ_REQUIRE(decode_owed(key, encode_owed(*read, now), now).has_value());
      break;
    case 2:
      if (!parts) break;
      if (const auto read = decode_session(*parts, value, now))
        TWINMQ_REQUIRE(decode_session(*parts, encode_session(*read, now), now).has_value());
      break;
    case 3:
      if (!parts) break;
      if (const auto read = decode_subscription(*parts, value))
        TWINMQ_REQUIRE(decode_subscription(*parts, encode_subscription(*read)).has_value());
      break;
    case 4:
      if (!parts) break;
      static_cast<void>(common_message_of(value));
      if (const auto read = decode_delivery(*parts, value, now)) {
        std::string again = encode_delivery(*read, now);
        if (read->common_message != 0) {
          TWINMQ_REQUIRE(common_message_of(again) == common_message_key(read->common_message));
          again += encode_message(*read->message, now);
        }
        TWINMQ_REQUIRE(decode_delivery(*parts, again, now).has_value());
      }
      break;
    default:
      if (parts) static_cast<void>(decode_received(*parts).has_value());
      break;
  }
  return 0;
}
