#include "modules/rules/seen_message.hpp"

#include "mqtt/properties.hpp"

namespace twinmq::rules {
namespace {

std::string_view without_port(std::string_view peer) {
  if (peer.starts_with('[')) return peer.substr(1, peer.find(']') - 1);
  const std::size_t colon = peer.rfind(':');
  return colon == std::string_view::npos ? peer : peer.substr(0, colon);
}

}  // namespace

SeenMessage::SeenMessage(const Envelope& from, std::string_view topic, std::int64_t now,
                         std::string_view account, json::Arena& document)
    : envelope(from), payload(bytes_of(from.payload), document), trace_id(from.trace_id) {
  event.trace_id = &trace_id;
  event.account_id = account;
  event.topic = topic;
  event.now = now;
  if (!from.publisher.empty()) event.client_id = from.publisher;
  event.user_name = from.principal;
  event.principal = from.principal;
  event.source_ip = without_port(from.peer);
  event.qos = from.qos;
  event.retain = from.retain;
  if (!from.properties.empty()) read_properties();
}

void SeenMessage::read_properties() {
  properties = mqtt::decode_message_properties(envelope.properties);
  for (const auto& [name, value] : properties.user_properties)
    user_properties.push_back({name, value});
  event.user_properties = user_properties;
  event.payload_is_utf8 = properties.payload_is_text;
  if (!properties.content_type.empty()) event.content_type = properties.content_type;
  if (!properties.response_topic.empty()) event.response_topic = properties.response_topic;
  if (!properties.correlation_data.empty())
    event.correlation_data = bytes_of(properties.correlation_data);
}

}  // namespace twinmq::rules
