// MQTT 5.0, chapter 6: WebSocket as the transport.

#include "conformance/websocket_clauses.hpp"

namespace twinmq::testing {

TEST_CASE(
    "[MQTT-6.0.0-1] over MQTT 5 packets travel in binary frames, and any other data frame ends the "
    "connection",
    "[v5-6][websocket]") {
  packets_travel_in_binary_frames_alone(Version::V5);
}

TEST_CASE("[MQTT-6.0.0-2] over MQTT 5 frames need not align with packets", "[v5-6][websocket]") {
  frames_need_not_align_with_packets(Version::V5);
}

TEST_CASE("[MQTT-6.0.0-4] over MQTT 5 the server selects the sub protocol mqtt",
          "[v5-6][websocket]") {
  the_server_selects_the_sub_protocol();
}

}  // namespace twinmq::testing
