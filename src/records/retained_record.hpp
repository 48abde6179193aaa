#pragma once
// A retained message as it lies in the store: key 'r' and the topic, value a table Retained
// (records.fbs).

#include <cstdint>
#include <string>
#include <string_view>

#include <twinmq/message.hpp>
#include <twinmq/result.hpp>
#include <twinmq/time.hpp>

namespace twinmq::records {

inline constexpr char kRetainedPrefix = 'r';

std::string encode_retained(const Message& message, Now now);
/// Corrupt unless everything verifies and the topic is the one of the key.
Result<MessageRef> decode_retained(std::string_view key, std::string_view record, Now now);

/// When the message was set, in wall-clock milliseconds since 1970; 0: not known.
std::int64_t retained_set_at(std::string_view record);

}  // namespace twinmq::records
