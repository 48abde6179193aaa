#pragma once
// What a statement is evaluated over: one message and what is known about it.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <twinmq/bytes.hpp>

#include "json/read.hpp"

namespace twinmq::sql {

struct UserProperty {
  std::string_view name;
  std::string_view value;
};

/// A payload that is read as JSON at most once, when the first statement asks.
class Payload {
 public:
  /// The bytes and the arena outlive the payload and every value that comes from it.
  Payload(ByteView bytes, json::Arena& arena) : bytes_(bytes), arena_(arena) {}

  /// An element that was read already, for conditions over documents.
  Payload(json::Value value, json::Arena& arena) : arena_(arena), read_(true) {
    result_.value = value;
  }

  ByteView bytes() const { return bytes_; }
  std::string_view text() const { return text_of(bytes_); }

  const json::ReadResult& json() {
    if (!read_) {
      result_ = json::read(text(), arena_);
      read_ = true;
    }
    return result_;
  }

 private:
  ByteView bytes_;
  json::Arena& arena_;
  json::ReadResult result_;
  bool read_ = false;
};

/// Views only; what they show outlives the evaluation and its result.
struct Event {
  std::string_view topic;  ///< without the prefix of Basic Ingest
  std::int64_t now = 0;    ///< milliseconds since 1970
  std::string_view client_id = "n/a";
  std::string_view user_name;  ///< empty: none
  std::string_view principal;  ///< empty: as user_name
  std::string_view source_ip;
  std::string_view account_id = "123456789012";
  std::string* trace_id =
      nullptr;  ///< empty until somebody asks, then the same for all; null: none
  std::uint8_t qos = 0;
  bool retain = false;
  std::span<const UserProperty> user_properties;
  std::optional<std::string_view> content_type;
  std::optional<std::string_view> response_topic;
  std::optional<ByteView> correlation_data;
  bool payload_is_utf8 = false;  ///< payload format indicator 1
};

}  // namespace twinmq::sql
