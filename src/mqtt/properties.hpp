#pragma once
// MQTT 5 properties, section 2.2.2: the table of what may stand where, and the forwardable
// properties of a message in their encoded and in their decoded form.

#include <string>
#include <string_view>

#include <twinmq/message.hpp>

namespace twinmq::mqtt {

/// The decoded form of Message::properties(). The input is the house's own and valid by
/// construction.
MessageProperties decode_message_properties(std::string_view encoded);

/// The encoded form, in the order payload format, content type, response topic, correlation data,
/// user properties.
std::string encode_message_properties(const MessageProperties& properties);

}  // namespace twinmq::mqtt
