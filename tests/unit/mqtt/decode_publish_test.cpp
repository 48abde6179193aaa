#include "unit/mqtt/wire_text.hpp"

namespace twinmq::mqtt::test {
namespace {

bool lies_in(std::string_view part, std::string_view whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

}  // namespace

TEST_CASE("properties that travel on are pointed at where they stand side by side") {
  const std::string forwardable = wire("03 0001'c' 26 0001'k' 0001'v' 01 01");
  for (const std::string& others : {std::string(), wire("23 0005"), wire("02 00000001 23 0005")}) {
    for (const bool in_front : {true, false}) {
      const std::string block = in_front ? others + forwardable : forwardable + others;
      const std::string bytes =
          packet_of(0x30, field("a") + static_cast<char>(block.size()) + block + "text");
      std::string scratch = "untouched";
      const Decoded<Publish> decoded = decode_publish(frame_of(bytes), Version::V5, {}, scratch);
      REQUIRE(decoded.has_value());
      CHECK(hex(decoded->properties) == hex(forwardable));
      CHECK(lies_in(decoded->properties, bytes));
      CHECK(scratch == "untouched");
    }
  }
}

TEST_CASE("properties that travel on are gathered in their order from between others",
          "[MQTT-3.3.2-18]") {
  const std::string block =
      wire("26 0001'a' 0000 02 00000009 26 0001'b' 0000 23 0005 03 0001'c' 26 0001'a' 0001'2'");
  const std::string bytes = packet_of(0x30, field("t") + static_cast<char>(block.size()) + block);
  std::string scratch;
  const Decoded<Publish> decoded = decode_publish(frame_of(bytes), Version::V5, {}, scratch);
  REQUIRE(decoded.has_value());
  CHECK(hex(decoded->properties) ==
        hex(wire("26 0001'a' 0000 26 0001'b' 0000 03 0001'c' 26 0001'a' 0001'2'")));
  CHECK(lies_in(decoded->properties, scratch));
  CHECK(decoded->expiry_seconds == 9U);
  CHECK(decoded->topic_alias == 5);
}

TEST_CASE("views of a packet point into its frame") {
  const std::string bytes = wire("32 09 0003'a/b' 000a 'hi'");
  std::string scratch;
  const Decoded<Publish> decoded = decode_publish(frame_of(bytes), Version::V311, {}, scratch);
  REQUIRE(decoded.has_value());
  CHECK(lies_in(decoded->topic, bytes));
  CHECK(lies_in(decoded->payload, bytes));
}

TEST_CASE("a topic of the largest size is legal") {
  const std::string topic(kTextBytesMax, 't');
  Publish packet;
  packet.topic = topic;
  std::string bytes;
  append(bytes, packet, Version::V5);
  std::string scratch;
  const Decoded<Publish> decoded = decode_publish(frame_of(bytes), Version::V5, {}, scratch);
  REQUIRE(decoded.has_value());
  CHECK(decoded->topic == topic);
}

}  // namespace twinmq::mqtt::test
