#pragma once
// What chapter 6 of either version asks of WebSocket.

#include "conformance/raw_websocket.hpp"

namespace twinmq::testing {

/// [MQTT-6.0.0-1]
inline void packets_travel_in_binary_frames_alone(Version version) {
  Broker broker;
  RawWebSocket good(broker);
  good.send(kBinary, connect_packet({.client_id = "a"}, version));
  const RawWebSocket::Frame ack = good.next();
  CHECK(ack.first == kBinary);
  CHECK(ack.payload.substr(0, 1) == "\x20");
  good.send(kBinary, pingreq_packet());
  CHECK(good.next().first == kBinary);
  RawWebSocket bad(broker);
  bad.send(kText, connect_packet({.client_id = "b"}, version));
  CHECK(bad.next().first == kClose);
  CHECK(bad.ends());
  // In the middle of a session, too.
  good.send(kText, pingreq_packet());
  CHECK(good.next().first == kClose);
  CHECK(good.ends());
}

/// [MQTT-6.0.0-2]
inline void frames_need_not_align_with_packets(Version version) {
  Broker broker;
  RawWebSocket client(broker);
  for (const char byte : connect_packet({.client_id = "a"}, version))
    client.send(kBinary, std::string(1, byte));
  CHECK(client.packets(1) == 0x20);
  const std::string publish =
      publish_packet({.topic = "t", .payload = "x", .qos = 1, .id = 1}, version);
  client.send(kBinary, publish + pingreq_packet() + publish.substr(0, 3));
  client.send(kBinary, publish.substr(3) + pingreq_packet());
  CHECK(client.packets(4) == 0xD0);
}

/// [MQTT-6.0.0-4]
inline void the_server_selects_the_sub_protocol() {
  Broker broker;
  CHECK(RawWebSocket(broker).protocol() == "mqtt");
  CHECK(RawWebSocket(broker, "chat, mqtt").protocol() == "mqtt");
}

}  // namespace twinmq::testing
