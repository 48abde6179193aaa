#pragma once
// What PUBLISH and the Will of a CONNECT have in common: properties that travel on with the
// message, topic name, declared text.

#include <string>
#include <string_view>

#include "mqtt/property_reader.hpp"

namespace twinmq::mqtt {

/// Gathers the encoded properties that travel on with a message. While they stand side by side they
/// are only pointed at; once others stand between them they are copied to `scratch`, in their
/// order.
class TravellingProperties {
 public:
  TravellingProperties(std::string_view block, std::string& scratch)
      : block_(block), scratch_(scratch) {}

  /// Puts a property that PUBLISH and Will share where it belongs; refuses a response topic that is
  /// empty or has a wildcard [MQTT-3.3.2-14].
  template <typename Message>
  void on_message_property(FieldReader& in, const Property& property, Message& message) {
    switch (property.id) {
      case PropertyId::MessageExpiryInterval: message.expiry_seconds = property.number; return;
      case PropertyId::PayloadFormatIndicator:
        message.payload_is_text = property.number == 1;
        break;
      case PropertyId::ResponseTopic:
        if (property.text.empty() || has_wildcard(property.text)) {
          in.fail(ReasonCode::ProtocolError, "the response topic is not a topic name");
        }
        break;
      default: break;
    }
    add(property);
  }

  std::string_view encoded() const {
    return copied_ ? std::string_view(scratch_) : block_.substr(begin_, end_ - begin_);
  }

 private:
  void add(const Property& property) {
    if (!copied_ && (begin_ == end_ || end_ == property.begin)) {
      if (begin_ == end_) begin_ = property.begin;
      end_ = property.end;
      return;
    }
    if (!copied_) scratch_.assign(block_.substr(begin_, end_ - begin_));
    copied_ = true;
    scratch_.append(block_.substr(property.begin, property.end - property.begin));
  }

  std::string_view block_;
  std::string& scratch_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool copied_ = false;
};

/// `topic` is not a legal topic name: says whether already its text is none.
inline void fail_topic_name(FieldReader& in, std::string_view topic) {
  if (!is_valid_text(topic)) {
    in.fail(ReasonCode::MalformedPacket, "the topic name is not valid UTF-8");
  } else if (topic.empty()) {
    in.fail(ReasonCode::TopicNameInvalid, "the topic name is empty");
  } else if (has_wildcard(topic)) {
    in.fail(ReasonCode::TopicNameInvalid, "the topic name has a wildcard");
  } else {
    in.fail(ReasonCode::TopicNameInvalid, "the topic name has too many levels");
  }
}

inline void check_payload_is_text(FieldReader& in, std::string_view payload) {
  if (!is_well_formed_utf8(payload)) {
    in.fail(ReasonCode::PayloadFormatInvalid, "the payload is not the UTF-8 it is said to be");
  }
}

}  // namespace twinmq::mqtt
