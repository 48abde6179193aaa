#pragma once
// An application message: what a publisher sent, once, for however many receivers.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/time.hpp>

namespace twinmq {

/// Quality of Service, section 4.3.
enum class QoS : std::uint8_t { AtMostOnce = 0, AtLeastOnce = 1, ExactlyOnce = 2 };

/// The MQTT 5.0 properties of a message that travel with it to every receiver, decoded.
struct MessageProperties {
  bool payload_is_text = false;  ///< Payload Format Indicator 1 [MQTT-3.3.2-4]
  std::string content_type;      ///< empty: absent
  std::string response_topic;    ///< empty: absent
  std::string correlation_data;  ///< empty: absent
  std::vector<std::pair<std::string, std::string>> user_properties;  ///< in the publisher's order
};

/// What it takes to make a Message; every view is copied.
struct MessageParts {
  std::string_view topic;
  std::string_view payload;
  std::string_view properties;  ///< encoded: see Message::properties()
  std::string_view publisher;   ///< client identifier of the publisher; empty for the broker itself
  std::uint64_t publisher_session =
      0;  ///< identity of the publishing session, 0: none (for No Local)
  QoS qos = QoS::AtMostOnce;
  bool retain = false;
  Instant expires_at = kNever;
  std::uint8_t hops = 0;  ///< services of the broker between a client's message and this one
};

class MessageRef;

/// One application message, immutable once made. Topic, properties and payload lie behind the
/// object in one allocation. The count of references is plain: a message belongs to one thread at a
/// time, and only a message with a single reference may change hands. Memory of small messages is
/// kept per thread (thread_local) for the next ones, at most 2.3 MB, until the thread ends.
class Message {
 public:
  static MessageRef make(const MessageParts& parts);

  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  std::string_view topic() const { return {text(), topic_size_}; }

  /// The forwardable MQTT 5.0 properties as encoded on the wire, without the length in front:
  /// Payload Format Indicator, Content Type, Response Topic, Correlation Data and User Properties
  /// in the order they came. Message Expiry Interval, Topic Alias and Subscription Identifier are
  /// never in it: they differ by receiver.
  std::string_view properties() const { return {text() + topic_size_, properties_size_}; }

  std::string_view payload() const {
    return {text() + topic_size_ + properties_size_, payload_size_};
  }

  /// Client identifier of the publisher, empty when the broker itself or the host program
  /// published.
  std::string_view publisher() const {
    return {text() + topic_size_ + properties_size_ + payload_size_, publisher_size_};
  }

  std::uint64_t publisher_session() const { return publisher_session_; }
  QoS qos() const { return qos_; }
  bool retain() const { return retain_; }
  std::uint8_t hops() const { return hops_; }

  /// Moment at which an undelivered copy is dropped [MQTT-3.3.2-5]; kNever when it does not expire.
  Instant expires_at() const { return expires_at_; }
  bool expired(Instant now) const { return expires_at_ <= now; }

  /// Bytes this message occupies in memory.
  std::size_t footprint() const {
    return sizeof(Message) + topic_size_ + properties_size_ + payload_size_ + publisher_size_;
  }

  MessageParts parts() const {
    return {topic(), payload(), properties(), publisher(), publisher_session_,
            qos_,    retain_,   expires_at_,  hops_};
  }

 private:
  friend class MessageRef;
  explicit Message(const MessageParts& parts);
  const char* text() const { return reinterpret_cast<const char*>(this + 1); }

  std::uint32_t references_ = 0;
  std::uint32_t payload_size_;
  std::uint32_t properties_size_;
  std::uint16_t topic_size_;
  std::uint16_t publisher_size_;
  std::uint64_t publisher_session_;
  Instant expires_at_;
  QoS qos_;
  bool retain_;
  std::uint8_t hops_;
};

/// Shared ownership of a Message within one thread.
class MessageRef {
 public:
  MessageRef() = default;
  MessageRef(const MessageRef& other) : message_(other.message_) {
    if (message_) ++message_->references_;
  }
  MessageRef(MessageRef&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessageRef& operator=(MessageRef other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessageRef() {
    if (message_ && --message_->references_ == 0) destroy(message_);
  }

  explicit operator bool() const { return message_ != nullptr; }
  const Message& operator*() const { return *message_; }
  const Message* operator->() const { return message_; }
  const Message* get() const { return message_; }
  bool unique() const { return message_ && message_->references_ == 1; }

 private:
  friend class Message;
  explicit MessageRef(Message* message) : message_(message) { ++message_->references_; }
  static void destroy(Message* message);

  Message* message_ = nullptr;
};

}  // namespace twinmq
