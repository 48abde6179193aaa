// MQTT 5.0, chapter 6: WebSocket as the transport.

#include "conformance/raw_websocket.hpp"

namespace twinmq::testing {

TEST_CASE(
    "[MQTT-6.0.0-1] over MQTT 5 packets travel in binary frames, and any other data frame ends the "
    "connection",
    "[v5-6][websocket]") {
  Broker broker;
  RawWebSocket good(broker);
  good.send(kBinary, connect_packet({.client_id = "a"}, Version::V5));
  const RawWebSocket::Frame ack = good.next();
  CHECK(ack.first == kBinary);
  CHECK(ack.payload.substr(0, 1) == "\x20");
  good.send(kBinary, pingreq_packet());
  CHECK(good.next().first == kBinary);
  RawWebSocket bad(broker);
  bad.send(kText, connect_packet({.client_id = "b"}, Version::V5));
  CHECK(bad.next().first == kClose);
  CHECK(bad.ends());
  // In the middle of a session, too.
  good.send(kText, pingreq_packet());
  CHECK(good.next().first == kClose);
  CHECK(good.ends());
}

TEST_CASE("[MQTT-6.0.0-2] over MQTT 5 frames need not align with packets", "[v5-6][websocket]") {
  Broker broker;
  RawWebSocket client(broker);
  for (const char byte : connect_packet({.client_id = "a"}, Version::V5))
    client.send(kBinary, std::string(1, byte));
  CHECK(client.packets(1) == 0x20);
  const std::string publish =
      publish_packet({.topic = "t", .payload = "x", .qos = 1, .id = 1}, Version::V5);
  client.send(kBinary, publish + pingreq_packet() + publish.substr(0, 3));
  client.send(kBinary, publish.substr(3) + pingreq_packet());
  CHECK(client.packets(4) == 0xD0);
}

TEST_CASE("[MQTT-6.0.0-4] over MQTT 5 the server selects the sub protocol mqtt",
          "[v5-6][websocket]") {
  Broker broker;
  CHECK(RawWebSocket(broker).protocol() == "mqtt");
  CHECK(RawWebSocket(broker, "chat, mqtt").protocol() == "mqtt");
}

}  // namespace twinmq::testing
