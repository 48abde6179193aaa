// The one list of what the broker counts.

#include <twinmq/statistics.hpp>

namespace twinmq {
namespace {

using enum Metric;

constexpr std::array<MetricDescription, kMetricCount> kTable{{
    {ConnectionsAccepted, false, "twinmq_connections_accepted_total", "connections",
     "Connections accepted."},
    {ConnectionsRefused, false, "twinmq_connections_refused_total", "connections",
     "Connections closed before CONNECT because a limit was reached."},
    {Handshakes, false, "twinmq_handshakes_total", "connections",
     "Connections that finished the handshakes of TLS, WebSocket or PROXY."},
    {HandshakesFailed, false, "twinmq_handshakes_failed_total", "connections",
     "Connections refused by TLS, WebSocket or PROXY, or too slow in their handshakes."},
    {HandshakesOpen, true, "twinmq_handshakes_open", "connections",
     "Connections in the middle of a handshake."},
    {CertificateExpiry, true, "twinmq_certificate_expiry_timestamp_seconds", "seconds",
     "When the first certificate of the listeners expires, in seconds since 1970; 0: there is "
     "none."},
    {Connections, true, "twinmq_connections", "connections", "Open connections."},
    {ClientsConnected, true, "twinmq_clients_connected", "clients",
     "Clients between CONNACK and their end."},
    {ConnectAccepted, false, "twinmq_connect_accepted_total", "packets",
     "CONNECT packets answered with success."},
    {ConnectRefused, false, "twinmq_connect_refused_total", "packets", "CONNECT packets refused."},
    {Sessions, true, "twinmq_sessions", "sessions", "Sessions, connected or not."},
    {SessionsExpired, false, "twinmq_sessions_expired_total", "sessions",
     "Sessions ended by their expiry."},
    {Takeovers, false, "twinmq_takeovers_total", "sessions",
     "Sessions taken over by a second connection."},
    {Subscriptions, true, "twinmq_subscriptions", "subscriptions",
     "Subscriptions, shared ones included."},
    {SharedSubscriptions, true, "twinmq_shared_subscriptions", "subscriptions",
     "Memberships in share groups."},
    {RetainedMessages, true, "twinmq_retained_messages", "messages", "Retained messages kept."},
    {RetainedBytes, true, "twinmq_retained_bytes", "bytes",
     "Topics and payloads of retained messages."},
    {BytesReceived, false, "twinmq_bytes_received_total", "bytes", "Bytes read from clients."},
    {BytesSent, false, "twinmq_bytes_sent_total", "bytes", "Bytes written to clients."},
    {PacketsReceived, false, "twinmq_packets_received_total", "packets", "MQTT packets received."},
    {PacketsSent, false, "twinmq_packets_sent_total", "packets", "MQTT packets sent."},
    {PublishReceived, false, "twinmq_publish_received_total", "messages",
     "PUBLISH packets received."},
    {PublishSent, false, "twinmq_publish_sent_total", "messages", "PUBLISH packets sent."},
    {PublishPayloadReceived, false, "twinmq_publish_payload_received_bytes_total", "bytes",
     "Payload of PUBLISH packets received."},
    {PublishPayloadSent, false, "twinmq_publish_payload_sent_bytes_total", "bytes",
     "Payload of PUBLISH packets sent."},
    {QueuedMessages, true, "twinmq_queued_messages", "messages", "Messages waiting in sessions."},
    {QueuedBytes, true, "twinmq_queued_bytes", "bytes", "Bytes of messages waiting in sessions."},
    {QueuedOnDisk, true, "twinmq_queued_on_disk", "messages",
     "Messages waiting in sessions that are on disk and not in memory."},
    {QueueReads, false, "twinmq_queue_reads_total", "reads",
     "Parts of queues read back from disk."},
    {QueueStored, false, "twinmq_queue_stored_total", "messages",
     "Messages written to the store for a persistent session."},
    {QueueElided, false, "twinmq_queue_elided_total", "messages",
     "Messages that were not, because the client had acknowledged them before the commit."},
    {DroppedQueueFull, false, "twinmq_dropped_queue_full_total", "messages",
     "Messages dropped because a session's queue was full."},
    {DroppedOutputFull, false, "twinmq_dropped_output_full_total", "messages",
     "QoS 0 messages dropped because a client did not read."},
    {DroppedExpired, false, "twinmq_dropped_expired_total", "messages",
     "Messages that expired while waiting."},
    {DroppedTooLarge, false, "twinmq_dropped_too_large_total", "messages",
     "Messages larger than the receiver's Maximum Packet Size."},
    {DroppedNotAuthorized, false, "twinmq_dropped_not_authorized_total", "messages",
     "Deliveries refused by the authorizer."},
    {DroppedByHost, false, "twinmq_dropped_by_host_total", "messages",
     "Deliveries dropped by the host's filter."},
    {DroppedSessionEnd, false, "twinmq_dropped_session_end_total", "messages",
     "Messages that waited in a session when it ended."},
    {DroppedHops, false, "twinmq_dropped_hops_total", "messages",
     "Messages dropped because services of the broker had set each other off limits.hops_max times."},
    {RefusedQueueFull, false, "twinmq_refused_queue_full_total", "messages",
     "Publishes refused because a receiver's queue was full."},
    {HeldBackMessages, true, "twinmq_held_back_messages", "messages",
     "Publishes answered only when a receiver's queue has room again."},
    {RefusedNotAuthorized, false, "twinmq_refused_not_authorized_total", "requests",
     "Publishes and subscriptions refused by the authorizer."},
    {ProtocolErrors, false, "twinmq_protocol_errors_total", "connections",
     "Connections closed for a malformed or illegal packet."},
    {AuthenticationFailures, false, "twinmq_authentication_failures_total", "connections",
     "Connections refused by the authenticator."},
    {KeepAliveTimeouts, false, "twinmq_keep_alive_timeouts_total", "connections",
     "Connections closed because the client was silent."},
    {WillsPublished, false, "twinmq_wills_published_total", "messages", "Will messages published."},
    {Commits, false, "twinmq_commits_total", "commits", "Batches the store committed."},
    {CommitsFailed, false, "twinmq_commits_failed_total", "commits",
     "Batches the store failed to commit."},
    {StoreWrites, false, "twinmq_store_writes_total", "writes",
     "Writes to the store, each with the commits of all shards that waited."},
    {StoreBytes, false, "twinmq_store_bytes_total", "bytes", "Keys and values written to the store."},
    {StoreSyncs, false, "twinmq_store_syncs_total", "writes",
     "Writes that were synced, because something in them was promised so."},
    {StoreFull, true, "twinmq_store_full", "state",
     "1 while the disk has less room than storage.free_bytes_min."},
    {StoreDurability, true, "twinmq_store_durability", "level",
     "What an acknowledgement promises: 0 none, 1 os, 2 fsync."},
    {RefusedStoreFull, false, "twinmq_refused_store_full_total", "messages",
     "Publishes refused because the disk has no room."},
    {RuleMatched, false, "twinmq_rule_matched_total", "messages", "Messages whose rule acted on them, per rule."},
    {RuleUnmatched, false, "twinmq_rule_unmatched_total", "messages",
     "Messages that WHERE kept from their rule, per rule."},
    {RuleFailed, false, "twinmq_rule_failed_total", "messages",
     "Messages a rule could not evaluate: a limit was reached, or a look-up had no answer."},
    {RuleActionsDone, false, "twinmq_rule_actions_done_total", "actions", "Actions of rules carried out."},
    {RuleActionsFailed, false, "twinmq_rule_actions_failed_total", "actions",
     "Actions of rules that failed."},
    {SinkWaitingEntries, true, "twinmq_sink_waiting_entries", "entries",
     "What waits in durable queues to the outside."},
    {SinkWaitingBytes, true, "twinmq_sink_waiting_bytes", "bytes", "Bytes of the same."},
    {SinkDelivered, false, "twinmq_sink_delivered_total", "entries", "Entries their receivers took."},
    {SinkAttemptsFailed, false, "twinmq_sink_attempts_failed_total", "attempts",
     "Deliveries that are tried again."},
    {SinkDropped, false, "twinmq_sink_dropped_total", "entries", "Entries dropped because a queue was full."},
    {SinkDeadLetters, true, "twinmq_sink_dead_letters", "entries",
     "Entries their receivers refused, kept for replay."},
    {CallbacksSlow, false, "twinmq_callbacks_slow_total", "calls",
     "Host callbacks that took too long."},
    {MailSent, false, "twinmq_mail_sent_total", "letters", "Mail sent between shards."},
    {MailReceived, false, "twinmq_mail_received_total", "letters", "Mail received between shards."},
    {Turns, false, "twinmq_turns_total", "turns", "Turns of the event loops."},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kMetricCount; ++i) {
    if (static_cast<std::size_t>(kTable[i].metric) != i || kTable[i].name.empty()) return false;
  }
  return true;
}
static_assert(in_order(), "the table names every metric, in the order of the enumeration");

}  // namespace

const std::array<MetricDescription, kMetricCount>& metric_table() {
  return kTable;
}

}  // namespace twinmq
