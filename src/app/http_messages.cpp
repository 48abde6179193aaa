// Publishing and retained messages over HTTP.

#include <utility>

#include <nlohmann/json.hpp>

#include "app/http_call.hpp"
#include "modules/access/base64.hpp"
#include "mqtt/properties.hpp"
#include "mqtt/topic.hpp"
#include "records/retained_record.hpp"

namespace twinmq::app {

using Json = nlohmann::json;

// Why the message is not sound; nothing: it is.
std::optional<std::string> HttpCall::read_properties(MessageProperties& properties,
                                                     std::optional<std::uint32_t>& expiry) {
  properties.content_type = parameter("contentType").value_or("");
  properties.response_topic = parameter("responseTopic").value_or("");
  if (const auto text = parameter("messageExpiry")) {
    expiry = read_http_number(*text);
    if (!expiry) return "Invalid messageExpiry";
  }
  if (const std::string* data = request_.header("x-amz-mqtt5-correlation-data")) {
    const auto decoded = access::decode_base64(*data);
    if (!decoded) return "Invalid correlation data";
    properties.correlation_data = *decoded;
  }
  if (const std::string* format = request_.header("x-amz-mqtt5-payload-format-indicator")) {
    if (*format != "UTF8_DATA" && *format != "UNSPECIFIED_BYTES")
      return "Invalid payload format indicator";
    properties.payload_is_text = *format == "UTF8_DATA";
  }
  if (const std::string* encoded = request_.header("x-amz-mqtt5-user-properties")) {
    const auto decoded = access::decode_base64(*encoded);
    const Json list = decoded ? Json::parse(*decoded, nullptr, false) : Json();
    if (!list.is_array()) return "Invalid user properties";
    for (const Json& each : list) {
      if (!each.is_object() || each.size() != 1 || !each.begin().value().is_string())
        return "Invalid user properties";
      properties.user_properties.emplace_back(each.begin().key(),
                                              each.begin().value().get<std::string>());
    }
  }
  return std::nullopt;
}

void HttpCall::serve_publish(ShardThread& thread, std::string topic) {
  HostPublish message;
  const std::string qos = parameter("qos").value_or("0");
  if (qos != "0" && qos != "1") return refuse(thread, 400, "Invalid qos");
  const std::string retain = parameter("retain").value_or("false");
  if (retain != "true" && retain != "false") return refuse(thread, 400, "Invalid retain");
  message.qos = qos == "1" ? QoS::AtLeastOnce : QoS::AtMostOnce;
  message.retain = retain == "true";
  if (const auto fault = read_properties(message.properties, message.expiry_seconds))
    return refuse(thread, 400, *fault);
  if (thread.core()->reserved(topic, message.retain) ||
      !may(Action::Publish, topic, message.qos, message.retain)) {
    thread.counters().add(Metric::RefusedNotAuthorized);
    return refuse(thread, 403, "Forbidden");
  }
  message.topic = std::move(topic);
  message.payload = request_.body;
  message.as = identity_;
  doors_->publish(std::move(message), [self = shared_from_this()](const PublishOutcome& outcome) {
    switch (outcome.code) {
      case ReasonCode::Success:
      case ReasonCode::NoMatchingSubscribers: return self->answer_later(200, R"({"message":"OK"})");
      case ReasonCode::NotAuthorized: return self->refuse_later(403, "Forbidden");
      case ReasonCode::TopicNameInvalid: return self->refuse_later(400, "Invalid topic");
      case ReasonCode::PacketTooLarge:
        return self->refuse_later(413, "The payload exceeds the maximum size allowed");
      case ReasonCode::QuotaExceeded: return self->refuse_later(429, "Too many requests");
      case ReasonCode::ServerUnavailable: return self->refuse_later(503, "The broker stops");
      default: return self->refuse_later(400, "The message is not sound");
    }
  });
}

void HttpCall::serve_retained(ShardThread& thread, std::string topic) {
  if (!may(Action::Receive, topic)) return refuse(thread, 403, "Forbidden");
  const std::string key = std::string(1, records::kRetainedPrefix) + topic;
  const Now now = thread.now();
  on_shard(topic, [self = shared_from_this(), key, now](ShardThread& home) {
    home.core()->read({key, key + '\0', 1}, [self, key, now](Result<StoreEntries> found) {
      if (!found) return self->refuse_later(500, "Internal service failure");
      if (found->entries.empty())
        return self->refuse_later(404, "There is no retained message for this topic");
      const Result<MessageRef> kept =
          records::decode_retained(key, found->entries.front().second, now);
      if (!kept || (*kept)->expired(now.steady))
        return self->refuse_later(404, "There is no retained message for this topic");
      const Message& message = **kept;
      Json body = {{"topic", message.topic()},
                   {"payload", access::encode_base64(message.payload())},
                   {"qos", static_cast<int>(message.qos())},
                   {"lastModifiedTime", records::retained_set_at(found->entries.front().second)}};
      self->answer_later(200, body.dump());
    });
  });
}

void HttpCall::serve_retained_list(ShardThread& thread) {
  std::uint32_t size = 200;
  if (const auto asked = parameter("maxResults")) {
    const auto number = read_http_number(*asked);
    if (!number || *number < 1 || *number > 200) return refuse(thread, 400, "Invalid maxResults");
    size = *number;
  }
  std::string from(1, records::kRetainedPrefix);
  if (const auto token = parameter("nextToken")) {
    const auto topic = access::decode_base64(*token);
    if (!topic) return refuse(thread, 400, "Invalid nextToken");
    from += *topic + '\0';
  }
  const Now now = thread.now();
  on_shard(from, [self = shared_from_this(), from, size, now](ShardThread& home) {
    const StoreRange range{from, std::string(1, records::kRetainedPrefix + 1), size};
    home.core()->read(range, [self, now](Result<StoreEntries> found) {
      if (!found) return self->refuse_later(500, "Internal service failure");
      Json topics = Json::array();
      for (const auto& [key, record] : found->entries) {
        const Result<MessageRef> kept = records::decode_retained(key, record, now);
        if (key.size() > 1 && key[1] == '$') continue;  // facts of the broker and its services
        if (!kept || (*kept)->expired(now.steady) || !self->may(Action::Receive, (*kept)->topic()))
          continue;
        topics.push_back({{"topic", (*kept)->topic()},
                          {"payloadSize", (*kept)->payload().size()},
                          {"qos", static_cast<int>((*kept)->qos())},
                          {"lastModifiedTime", records::retained_set_at(record)}});
      }
      Json body = {{"retainedTopics", std::move(topics)}};
      if (found->more)
        body["nextToken"] = access::encode_base64(found->entries.back().first.substr(1));
      self->answer_later(200, body.dump());
    });
  });
}

}  // namespace twinmq::app
