#include "mqtt/properties.hpp"

#include "mqtt/field_reader.hpp"
#include "mqtt/field_writer.hpp"

namespace twinmq::mqtt {

MessageProperties decode_message_properties(std::string_view encoded) {
  MessageProperties properties;
  FieldReader in(bytes_of(encoded));
  while (in.more()) {
    switch (static_cast<PropertyId>(in.byte())) {
      case PropertyId::PayloadFormatIndicator: properties.payload_is_text = in.byte() == 1; break;
      case PropertyId::ContentType: properties.content_type = in.binary(); break;
      case PropertyId::ResponseTopic: properties.response_topic = in.binary(); break;
      case PropertyId::CorrelationData: properties.correlation_data = in.binary(); break;
      case PropertyId::UserProperty: {
        const std::string_view name = in.binary();
        const std::string_view value = in.binary();
        properties.user_properties.emplace_back(name, value);
        break;
      }
      default: return properties;
    }
  }
  return properties;
}

std::string encode_message_properties(const MessageProperties& properties) {
  std::string encoded;
  FieldWriter to(encoded);
  if (properties.payload_is_text) to.number_property(PropertyId::PayloadFormatIndicator, 1);
  to.text_property_unless_empty(PropertyId::ContentType, properties.content_type);
  to.text_property_unless_empty(PropertyId::ResponseTopic, properties.response_topic);
  to.text_property_unless_empty(PropertyId::CorrelationData, properties.correlation_data);
  for (const auto& [name, value] : properties.user_properties) to.user_property(name, value);
  return encoded;
}

}  // namespace twinmq::mqtt
