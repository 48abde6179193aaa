#pragma once
// A message inside a delivery: the one record that is written for every message, by hand (README.md
// says why).
//
//   u8 format (1) · u8 QoS · u8 retain · i64 expiry (wall-clock ms since 1970; INT64_MAX: never)
//   then, each as u32 length and bytes: topic · payload · properties · publisher

#include <string>
#include <string_view>

#include <twinmq/message.hpp>
#include <twinmq/result.hpp>
#include <twinmq/time.hpp>

namespace twinmq::records {

/// `now` turns the monotonic deadline of a message into a moment that means the same after a
/// restart, and back. The publishing session is not kept: it concerns No Local, which was judged
/// when the message was routed.
std::string encode_message(const Message& message, Now now);

/// Error code Corrupt when any length or value does not verify.
Result<MessageRef> decode_message(std::string_view record, Now now);

}  // namespace twinmq::records
