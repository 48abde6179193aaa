#pragma once
// What the broker counts, and what it can tell of its sessions. Registered once, here: $SYS, the
// library and later exporters read the same table.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/message.hpp>

namespace twinmq {

enum class Metric : std::uint8_t {
  ConnectionsAccepted,
  ConnectionsRefused,
  Handshakes,
  HandshakesFailed,
  HandshakesOpen,
  CertificateExpiry,
  Connections,
  ClientsConnected,
  ConnectAccepted,
  ConnectRefused,
  Sessions,
  SessionsExpired,
  Takeovers,
  Subscriptions,
  SharedSubscriptions,
  RetainedMessages,
  RetainedBytes,
  BytesReceived,
  BytesSent,
  PacketsReceived,
  PacketsSent,
  PublishReceived,
  PublishSent,
  PublishPayloadReceived,
  PublishPayloadSent,
  QueuedMessages,
  QueuedBytes,
  QueuedOnDisk,
  QueueReads,
  QueueStored,
  QueueElided,
  DroppedQueueFull,
  DroppedOutputFull,
  DroppedExpired,
  DroppedTooLarge,
  DroppedNotAuthorized,
  DroppedByHost,
  DroppedSessionEnd,
  DroppedHops,
  RefusedQueueFull,
  HeldBackMessages,
  RefusedNotAuthorized,
  ProtocolErrors,
  AuthenticationFailures,
  KeepAliveTimeouts,
  WillsPublished,
  Commits,
  CommitsFailed,
  StoreWrites,
  StoreBytes,
  StoreSyncs,
  StoreFull,
  StoreDurability,
  RefusedStoreFull,
  RuleMatched,
  RuleUnmatched,
  RuleFailed,
  RuleActionsDone,
  RuleActionsFailed,
  SinkWaitingEntries,
  SinkWaitingBytes,
  SinkDelivered,
  SinkAttemptsFailed,
  SinkDropped,
  SinkDeadLetters,
  CallbacksSlow,
  MailSent,
  MailReceived,
  Turns,
  kCount,
};

struct MetricDescription {
  Metric metric;
  bool gauge;             ///< goes up and down; otherwise it only grows
  std::string_view name;  ///< "twinmq_publish_received_total"
  std::string_view unit;  ///< "messages", "bytes", …
  std::string_view help;
};

inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::kCount);

/// The table, in the order of the enumeration.
const std::array<MetricDescription, kMetricCount>& metric_table();

/// A value per metric.
struct Statistics {
  std::array<std::uint64_t, kMetricCount> values{};
  std::uint64_t uptime_seconds = 0;

  std::uint64_t operator[](Metric metric) const { return values[static_cast<std::size_t>(metric)]; }
  std::uint64_t& operator[](Metric metric) { return values[static_cast<std::size_t>(metric)]; }
};

struct SessionInfo {
  std::string client_id;
  std::string principal;
  std::string peer;      ///< empty while disconnected
  std::string listener;  ///< empty while disconnected
  bool connected = false;
  std::uint8_t protocol_level = 0;  ///< 3, 4 or 5; 0 while disconnected
  std::uint16_t keep_alive_seconds = 0;
  std::uint32_t expiry_seconds = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t queued_messages = 0;  ///< waiting and in flight
  std::uint64_t queued_bytes = 0;
  std::uint64_t inflight = 0;
};

/// What became of the calls of a plugin.
struct PluginStatistics {
  std::string name;
  std::uint64_t calls = 0;
  std::uint64_t errors = 0;    ///< failed, exceptions included
  std::uint64_t timeouts = 0;  ///< without answer at the deadline
  bool disabled = false;       ///< a call hung
};

struct SubscriptionInfo {
  std::string filter;  ///< with its $share prefix
  QoS qos = QoS::AtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint32_t subscription_id = 0;
};

}  // namespace twinmq
