#include "modules/rules/drop_events.hpp"

#include <algorithm>
#include <utility>

#include "json/write.hpp"

namespace twinmq::rules {
namespace {

constexpr Milliseconds kBetween{1000};

}  // namespace

std::string_view name_of(DroppedMessage::Reason reason) {
  constexpr std::string_view kNames[DroppedMessage::kReasons] = {
      "queue_full", "queue_refused",  "output_full", "expired",
      "too_large",  "not_authorized", "by_host",     "hops"};
  return kNames[static_cast<std::size_t>(reason)];
}

void DropEvents::on_drop(const DroppedMessage& message) {
  if (message.topic.starts_with(kEventTopics)) return;
  Untold& untold = untold_[static_cast<std::size_t>(message.reason)];
  if (untold.count++ > 0) return;
  untold.client_id = message.client_id;
  untold.topic = message.topic;
}

Instant DropEvents::next_deadline() const {
  Instant next = kNever;
  for (const Untold& untold : untold_)
    if (untold.count > 0) next = std::min(next, untold.earliest);
  return next;
}

void DropEvents::on_time(Reaction& reaction) {
  const Now now = host_->now();
  for (std::size_t i = 0; i < untold_.size(); ++i) {
    Untold& untold = untold_[i];
    if (untold.count == 0 || untold.earliest > now.steady) continue;
    const std::string_view reason = name_of(static_cast<DroppedMessage::Reason>(i));
    const std::string topic = std::string(kEventTopics) + "dropped/" + std::string(reason);
    untold.earliest = now.steady + kBetween;
    const std::uint64_t count = std::exchange(untold.count, 0);
    if (!host_->has_receivers(topic)) continue;
    std::string payload = "{\"reason\":";
    json::write_text(reason, payload);
    payload += ",\"clientId\":";
    json::write_text(untold.client_id, payload);
    payload += ",\"topic\":";
    json::write_text(untold.topic, payload);
    payload += ",\"count\":" + std::to_string(count);
    payload += ",\"timestamp\":" + std::to_string(now.wall.time_since_epoch().count()) + "}";
    MessageParts parts;
    parts.topic = topic;
    parts.payload = payload;
    parts.qos = QoS::AtLeastOnce;
    reaction.publish(parts);
  }
}

}  // namespace twinmq::rules
