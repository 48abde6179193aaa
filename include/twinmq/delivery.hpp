#pragma once
// The host's first word on what a client publishes, and its last on a delivery.

#include <optional>
#include <string>
#include <string_view>

#include <twinmq/message.hpp>

namespace twinmq {

/// Called on the shard's thread for each receiver of each message; must not block.
class DeliveryFilter {
 public:
  enum class Verdict : std::uint8_t {
    Deliver,
    Modify,  ///< `payload` replaces the payload for this receiver alone
    Drop,    ///< counted as dropped by the host; the publisher is not told
  };

  virtual ~DeliveryFilter() = default;

  virtual Verdict on_deliver(std::string_view receiver_client_id, const Message& message,
                             std::string& payload) = 0;
};

/// What a client publishes. Views are valid during the call.
struct PublishedMessage {
  std::string_view topic;
  std::string_view payload;
  std::string_view client_id;
  std::string_view principal;
  QoS qos;
  bool retain;
};

/// Called on the shard's thread for each PUBLISH of a client that may publish it, before anybody
/// else sees the message; must not block. Wills and what the host publishes do not come here.
class PublishFilter {
 public:
  enum class Verdict : std::uint8_t {
    Keep,
    Modify,  ///< `payload` replaces the payload
    Drop,    ///< it goes nowhere; the publisher is told that all is well
    Refuse,  ///< it goes nowhere; the publisher is told 0x83
  };

  virtual ~PublishFilter() = default;

  virtual Verdict on_publish(const PublishedMessage& message, std::string& payload) = 0;
};

}  // namespace twinmq
