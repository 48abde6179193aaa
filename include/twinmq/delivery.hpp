#pragma once
// The host's last word on a delivery.

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

}  // namespace twinmq
