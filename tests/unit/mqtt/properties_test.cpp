#include "mqtt/properties.hpp"

#include "unit/mqtt/wire_text.hpp"

namespace twinmq::mqtt::test {

TEST_CASE("the properties of a message keep their values and order") {
  MessageProperties properties;
  properties.payload_is_text = true;
  properties.content_type = "text/plain";
  properties.response_topic = "reply/to";
  properties.correlation_data = std::string("\0\xff", 2);
  properties.user_properties = {{"b", "1"}, {"a", "2"}, {"b", "3"}, {"", ""}};
  const std::string encoded = encode_message_properties(properties);
  CHECK(hex(encoded) ==
        hex(wire("01 01 03 000a 'text/plain' 08 0008 'reply/to' 09 0002 00ff 26 0001'b' 0001'1'"
                 "26 0001'a' 0001'2' 26 0001'b' 0001'3' 26 0000 0000")));
  const MessageProperties again = decode_message_properties(encoded);
  CHECK(again.payload_is_text);
  CHECK(again.content_type == properties.content_type);
  CHECK(again.response_topic == properties.response_topic);
  CHECK(again.correlation_data == properties.correlation_data);
  CHECK(again.user_properties == properties.user_properties);
}

TEST_CASE("a message without properties has none encoded") {
  CHECK(encode_message_properties({}).empty());
  const MessageProperties none = decode_message_properties({});
  CHECK_FALSE(none.payload_is_text);
  CHECK(none.user_properties.empty());
}

}  // namespace twinmq::mqtt::test
