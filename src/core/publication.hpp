#pragma once
// A message on its way through the router: views while nobody needs to keep it, a Message once
// somebody does.

#include <string_view>

#include <twinmq/message.hpp>

namespace twinmq::core {

/// Lives on the stack of one routing call. The views outlive the call; receivers that keep the
/// message call shared(), which copies it once for all of them.
class Publication {
 public:
  explicit Publication(const MessageParts& parts) : parts_(parts) {}
  explicit Publication(MessageRef message)
      : parts_(message->parts()), message_(std::move(message)) {}

  std::string_view topic() const { return parts_.topic; }
  std::string_view payload() const { return parts_.payload; }
  std::string_view properties() const { return parts_.properties; }
  QoS qos() const { return parts_.qos; }
  bool retain() const { return parts_.retain; }
  Instant expires_at() const { return parts_.expires_at; }
  std::uint64_t publisher_session() const { return parts_.publisher_session; }
  std::uint8_t hops() const { return parts_.hops; }
  const MessageParts& parts() const { return parts_; }

  const MessageRef& shared() {
    if (!message_) {
      message_ = Message::make(parts_);
      parts_ = message_->parts();
    }
    return message_;
  }

  /// What a message does not say about its publisher, for services; empty: not known. The texts
  /// outlive the publication.
  std::string_view principal() const { return principal_; }
  std::string_view peer() const { return peer_; }
  void set_publisher(std::string_view principal, std::string_view peer) {
    principal_ = principal;
    peer_ = peer;
  }

  /// A message of its own for another thread: references are counted without atomics.
  MessageRef copy_for_mail() const { return Message::make(parts_); }

 private:
  MessageParts parts_;
  MessageRef message_;
  std::string_view principal_;
  std::string_view peer_;
};

}  // namespace twinmq::core
