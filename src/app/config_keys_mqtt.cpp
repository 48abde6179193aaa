// [mqtt] and [limits]: what the protocol leaves open, and how much of everything there may be.

#include "app/config_key_rows.hpp"

namespace twinmq::app {

std::vector<ConfigKey> mqtt_keys() {
  using M = MqttConfig;
  constexpr auto mqtt = &Config::mqtt;
  return {
      number<mqtt, &M::receive_maximum>(
          "mqtt.receive_maximum", 1, 65535,
          "Unacknowledged QoS 1 and 2 messages accepted from one client."),
      number<mqtt, &M::inflight_max>(
          "mqtt.inflight_max", 1, 65535,
          "Unacknowledged QoS 1 and 2 messages sent to one client, whatever its "
          "protocol version."),
      number<mqtt, &M::topic_alias_maximum>("mqtt.topic_alias_maximum", 0, 65535,
                                            "Topic aliases a client may set; 0: none."),
      number<mqtt, &M::topic_alias_send_max>(
          "mqtt.topic_alias_send_max", 0, 65535,
          "Topic aliases the broker sets towards a client that allows them; 0: none."),
      number<mqtt, &M::keep_alive_max>(
          "mqtt.keep_alive_max", 0, 65535,
          "Longest keep alive in seconds, and what a client gets that asked for "
          "none; 0: whatever the client asks."),
      number<mqtt, &M::packet_size_max>("mqtt.packet_size_max", 1024, kPacketBytesMax,
                                        "Largest packet accepted from a client, in bytes."),
      number<mqtt, &M::qos_max>("mqtt.qos_max", 0, 2, "Highest QoS a client may publish with."),
      key_of<mqtt, &M::retain_available>("mqtt.retain_available",
                                         "Whether clients may publish retained messages."),
      key_of<mqtt, &M::wildcard_available>("mqtt.wildcard_available",
                                           "Whether clients may subscribe with + and #."),
      key_of<mqtt, &M::shared_available>("mqtt.shared_available",
                                         "Whether clients may subscribe with $share."),
      number<mqtt, &M::session_expiry_max>(
          "mqtt.session_expiry_max", 0, kU32Max,
          "Longest life of a session without connection, in seconds; 4294967295: no limit."),
      number<mqtt, &M::session_expiry_v3>("mqtt.session_expiry_v3", 0, kU32Max,
                                          "The same for MQTT 3.1 and 3.1.1 clients with clean "
                                          "session 0, which cannot say how long."),
      number<mqtt, &M::client_id_bytes_max>("mqtt.client_id_bytes_max", 23, 65535,
                                            "Longest client identifier, in bytes."),
      key_of<mqtt, &M::receive_maximum_enforced>("mqtt.receive_maximum_enforced",
                                                 "Whether a client that exceeds receive_maximum is "
                                                 "closed (0x93); false: it is logged and served."),
  };
}

std::vector<ConfigKey> limits_keys() {
  using L = LimitsConfig;
  constexpr auto limits = &Config::limits;
  return {
      number<limits, &L::connections_max>("limits.connections_max", 1, kU32Max,
                                          "Connections at the same time, over all listeners."),
      number<limits, &L::connections_per_address_max>(
          "limits.connections_per_address_max", 0, kU32Max,
          "Connections of one client address at the same time, the address a trusted proxy tells "
          "counting as the "
          "client's; 0: no limit."),
      number<limits, &L::connect_timeout_seconds>(
          "limits.connect_timeout_seconds", 1, 3600,
          "Time from accepting a connection to its CONNECT, in seconds."),
      number<limits, &L::handshake_timeout_seconds>("limits.handshake_timeout_seconds", 1, 3600,
                                                    "Time from accepting a connection to the end "
                                                    "of its handshakes (TLS, WebSocket, PROXY), in "
                                                    "seconds."),
      number<limits, &L::handshakes_max>(
          "limits.handshakes_max", 1, kU32Max,
          "Connections in their handshakes at the same time; further clients wait to be accepted."),
      number<limits, &L::connect_packet_size_max>(
          "limits.connect_packet_size_max", 1024, kPacketBytesMax,
          "Largest packet before the client is authenticated, in bytes."),
      number<limits, &L::authentication_timeout_seconds>(
          "limits.authentication_timeout_seconds", 1, 3600,
          "Time an authenticator may take, its exchange with the client included, in seconds."),
      number<limits, &L::queue_messages_max>(
          "limits.queue_messages_max", 1, kU32Max,
          "Messages waiting for one session, those in flight included."),
      number<limits, &L::queue_bytes_max>("limits.queue_bytes_max", 1024, kI64Max,
                                          "Bytes of messages waiting for one session."),
      number<limits, &L::queue_messages_total_max>(
          "limits.queue_messages_total_max", 1, kI64Max,
          "Messages waiting for all sessions together; each shard has its part of it."),
      number<limits, &L::queue_bytes_total_max>(
          "limits.queue_bytes_total_max", 1024, kI64Max,
          "Bytes of messages waiting for all sessions together; each shard has its part of it."),
      number<limits, &L::queue_memory_bytes>(
          "limits.queue_memory_bytes", 0, kI64Max,
          "Bytes of all waiting messages together that are kept in memory; beyond it, what is "
          "stored and "
          "nobody is about to get is read back from disk when its client takes it."),
      number<limits, &L::output_bytes_max>("limits.output_bytes_max", 4096, kI64Max,
                                           "Encoded bytes that one client's socket has not taken "
                                           "yet; beyond it QoS 0 messages are dropped."),
      key_of<limits, &L::queue_full_v3>("limits.queue_full_v3",
                                        "What an MQTT 3.1.1 publisher meets when a session's queue "
                                        "is full: close (no acknowledgement, so "
                                        "nothing acknowledged is lost) or accept (acknowledged; "
                                        "the drop is counted and logged)."),
      key_of<limits, &L::queue_back_pressure>(
          "limits.queue_back_pressure",
          "Topic filters: where such a message of a client meets a session's full queue, it still "
          "enters, but its "
          "publisher is answered only when the queue has room again. Asked before the two below."),
      key_of<limits, &L::queue_drop_oldest>("limits.queue_drop_oldest",
                                            "Topic filters: where such a message meets a full "
                                            "queue, the oldest one there that is not yet on its "
                                            "way is dropped for it, counted and logged. Anything "
                                            "else is refused, as the publisher is told."),
      key_of<limits, &L::queue_drop_newest>(
          "limits.queue_drop_newest",
          "Topic filters: such a message is dropped where it meets a full queue, counted and "
          "logged, and its "
          "publisher is told of success. queue_drop_oldest is asked first."),
      number<limits, &L::subscriptions_max>("limits.subscriptions_max", 1, kU32Max,
                                            "Subscriptions of one session."),
      number<limits, &L::subscribe_entries_max>("limits.subscribe_entries_max", 1, kU32Max,
                                                "Topic filters in one SUBSCRIBE or UNSUBSCRIBE."),
      number<limits, &L::topic_levels_max>("limits.topic_levels_max", 1, 65535,
                                           "Levels of a topic name or topic filter."),
      number<limits, &L::user_properties_max>("limits.user_properties_max", 0, kU32Max,
                                              "User properties in one packet."),
      number<limits, &L::retained_messages_max>("limits.retained_messages_max", 0, kI64Max,
                                                "Retained messages kept."),
      number<limits, &L::retained_bytes_max>("limits.retained_bytes_max", 0, kI64Max,
                                             "Bytes of retained messages kept."),
      number<limits, &L::turn_packets_max>(
          "limits.turn_packets_max", 1, kU32Max,
          "Packets handled of one connection before others get their turn."),
      number<limits, &L::callback_warning_milliseconds>(
          "limits.callback_warning_milliseconds", 1, 3'600'000,
          "A host program's callback that takes longer than this is named in the log, in "
          "milliseconds."),
      number<limits, &L::hops_max>(
          "limits.hops_max", 1, 255,
          "Messages in a row that rules and shadows may set off; what is beyond is dropped."),
      number<limits, &L::log_repeats_max>("limits.log_repeats_max", 0, kU32Max,
                                          "Log lines of one kind about clients that are refused, "
                                          "closed or lost, in ten seconds and "
                                          "shard; the rest is counted."),
  };
}

}  // namespace twinmq::app
