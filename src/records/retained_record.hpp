#pragma once
// A retained message as it lies in the store: key 'r' and the topic, value a table Retained
// (records.fbs).

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

}  // namespace twinmq::records
