// Link's part for PUBLISH: alias, quota, rights, routing, and the answer. Section 3.3 and 4.3.

#include <algorithm>
#include <utility>

#include "core/home_topics.hpp"
#include "core/link.hpp"
#include "core/pending_connect.hpp"
#include "core/reserved_topics.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"
#include "mqtt/encode.hpp"

namespace twinmq::core {

using mqtt::PacketType;

void Link::on_publish(const mqtt::Frame& frame) {
  mqtt::DecodeLimits limits;
  limits.user_properties_max = shard_.parts.limits.user_properties_max;
  limits.topic_levels_max = shard_.parts.limits.topic_levels_max;
  auto decoded = mqtt::decode_publish(frame, version_, limits, shard_.scratch);
  if (!decoded) return refuse(decoded.error());
  mqtt::Publish& packet = *decoded;
  if (shard_.shards() > 1 && waits_for_fence(packet)) return;
  shard_.counters.add(Metric::PublishReceived);
  shard_.counters.add(Metric::PublishPayloadReceived, packet.payload.size());

  if (!is_allowed(packet) || !resolve_alias(packet)) return;
  if (packet.qos == QoS::ExactlyOnce && session_->has_received(packet.packet_id))
    return answer_copy(packet.packet_id);
  if (!keeps_receive_maximum(packet)) return;
  if (const auto refusal = judge_publish(packet)) return refuse_publish(packet, *refusal);
  if (shard_.parts.store_full && may_be_stored(packet)) return refuse_for_room(packet);

  std::string payload;
  if (shard_.parts.publish_filter != nullptr && !origin_.host) {
    const auto answer = filter_publish(packet, payload);
    if (answer) return answer_unrouted(packet, *answer);
  }
  route(packet);
}

// By the protocol, and by what this server offers.
bool Link::is_allowed(mqtt::Publish& packet) {
  if (!packet.subscription_ids.empty()) {  // [MQTT-3.3.4-6]
    refuse(
        {ReasonCode::ProtocolError, "a client may not send a Subscription Identifier in PUBLISH"});
    return false;
  }
  if (static_cast<std::uint8_t>(packet.qos) > shard_.parts.mqtt.qos_max) {
    disconnect(ReasonCode::QoSNotSupported, "QoS above the maximum");
    return false;
  }
  if (packet.retain && !shard_.offers_retain()) {
    if (v5()) {
      disconnect(ReasonCode::RetainNotSupported, "retained messages are not offered");
      return false;
    }
    packet.retain = false;  // MQTT 3.1.1 has no way to say so
  }
  return true;
}

// [MQTT-4.3.3-10]; what the store does not have yet is not acknowledged to a copy either.
void Link::answer_copy(mqtt::PacketId id) {
  if (session_->is_settled(id)) return acknowledge(PacketType::Pubrec, id, ReasonCode::Success);
  owe(PacketType::Pubrec, id);
}

bool Link::keeps_receive_maximum(const mqtt::Publish& packet) {
  if (packet.qos == QoS::AtMostOnce || !v5()) return true;
  if (unanswered_ + session_->received_here() < shard_.parts.mqtt.receive_maximum) return true;
  if (shard_.parts.mqtt.receive_maximum_enforced) {
    disconnect(ReasonCode::ReceiveMaximumExceeded,
               "more messages unacknowledged than Receive Maximum");
    return false;
  }
  shard_.log_of_strangers(LogLevel::Warning, "receive maximum exceeded", who());
  return true;
}

void Link::route(const mqtt::Publish& packet) {
  MessageParts parts;
  parts.topic = packet.topic;
  parts.payload = packet.payload;
  parts.properties = packet.properties;
  if (!origin_.host) parts.publisher = session_->client_id();
  parts.publisher_session = session_->number();
  parts.qos = packet.qos;
  parts.retain = packet.retain;
  if (packet.expiry_seconds) parts.expires_at = shard_.now.steady + Seconds(*packet.expiry_seconds);
  Publication publication(parts);
  if (shard_.services.any() && !origin_.host)
    publication.set_publisher(session_->principal(), origin_.peer);

  Batch records;
  const Waiter waiter = waiter_for(packet, records);
  const auto outcome = goes_by_home(packet)
                           ? shard_.router.publish_at_home(publication, waiter, &records)
                           : shard_.router.publish(publication, waiter, &records);
  if (packet.qos == QoS::AtMostOnce) return;
  const PacketType type = packet.qos == QoS::AtLeastOnce ? PacketType::Puback : PacketType::Pubrec;
  if (outcome) return answer_publish(type, packet.packet_id, *outcome, std::nullopt);
  if (type == PacketType::Puback) {
    ++unanswered_;
  } else {
    session_->await_settlement(packet.packet_id);
  }
  owe(type, packet.packet_id);
}

// Who is told how the message fared: the promise that route() owes next. What a QoS 2 message
// changes in its session is added to the records.
Waiter Link::waiter_for(const mqtt::Publish& packet, Batch& records) {
  Waiter waiter;
  if (packet.qos == QoS::AtMostOnce) return waiter;
  waiter.kind = Waiter::Kind::Link;
  waiter.link = key;
  waiter.token = first_promise_ + promises_.size();
  waiter.durability = shard_.parts.durability.of(packet.topic, origin_.durability);
  if (packet.qos == QoS::AtLeastOnce) return waiter;
  waiter.session = session_->key;
  waiter.received = packet.packet_id;
  waiter.new_if_refused = v5() || shard_.parts.limits.queue_full_v3 == QueueFullV3::Close;
  session_->add_received(packet.packet_id);
  if (session_->persistent())
    shard_.parts.journal->received(session_->client_id(), packet.packet_id, records);
  return waiter;
}

bool Link::resolve_alias(mqtt::Publish& packet) {
  if (packet.topic_alias == 0) return true;
  if (packet.topic_alias > shard_.parts.mqtt.topic_alias_maximum) {  // [MQTT-3.3.2-9]
    disconnect(ReasonCode::TopicAliasInvalid, "topic alias above the maximum");
    return false;
  }
  if (!aliases_in_) aliases_in_ = std::make_unique<IncomingAliases>();
  if (!packet.topic.empty()) {
    aliases_in_->set(packet.topic_alias, packet.topic);
    return true;
  }
  packet.topic = aliases_in_->topic(packet.topic_alias);
  if (!packet.topic.empty()) return true;
  refuse({ReasonCode::ProtocolError, "a topic alias that was never set"});
  return false;
}

std::optional<ReasonCode> Link::judge_publish(const mqtt::Publish& packet) {
  if (origin_.host) return std::nullopt;
  if (is_reserved_for_broker(packet.topic) || shard_.services.forbid(packet.topic, packet.retain))
    return ReasonCode::NotAuthorized;
  if (shard_.authorizer && session_->identity &&
      !shard_.authorizer->may(*session_->identity, Action::Publish, packet.topic, packet.qos,
                              packet.retain))
    return ReasonCode::NotAuthorized;
  return std::nullopt;
}

// The answer to a message that goes nowhere; what replaces its payload lives in `payload`.
std::optional<ReasonCode> Link::filter_publish(mqtt::Publish& packet, std::string& payload) {
  const PublishedMessage message{packet.topic,          packet.payload, session_->client_id(),
                                 session_->principal(), packet.qos,     packet.retain};
  switch (shard_.parts.publish_filter->on_publish(message, payload)) {
    case PublishFilter::Verdict::Keep: return std::nullopt;
    case PublishFilter::Verdict::Modify: packet.payload = payload; return std::nullopt;
    case PublishFilter::Verdict::Drop: return ReasonCode::Success;
    case PublishFilter::Verdict::Refuse: break;
  }
  return ReasonCode::ImplementationSpecificError;
}

// Whether anybody's queue takes it is known only after routing; then it would be too late to refuse
// it for all.
bool Link::may_be_stored(const mqtt::Publish& packet) const {
  return (shard_.parts.journal && packet.qos != QoS::AtMostOnce) ||
         (shard_.parts.retained && packet.retain);
}

void Link::refuse_for_room(const mqtt::Publish& packet) {
  shard_.counters.add(Metric::RefusedStoreFull);
  if (packet.qos == QoS::AtMostOnce) return;
  const PacketType type = packet.qos == QoS::AtLeastOnce ? PacketType::Puback : PacketType::Pubrec;
  answer_publish(type, packet.packet_id, {ReasonCode::QuotaExceeded, 0}, std::nullopt);
}

void Link::refuse_publish(const mqtt::Publish& packet, ReasonCode code) {
  shard_.counters.add(Metric::RefusedNotAuthorized);
  answer_unrouted(packet, code);
}

// MQTT 3.1.1 has no negative acknowledgement: the message is acknowledged and goes nowhere
// [MQTT-3.3.5-2].
void Link::answer_unrouted(const mqtt::Publish& packet, ReasonCode code) {
  if (packet.qos == QoS::AtLeastOnce) acknowledge(PacketType::Puback, packet.packet_id, code);
  if (packet.qos == QoS::ExactlyOnce) acknowledge(PacketType::Pubrec, packet.packet_id, code);
}

// The first retained message of a topic must not overtake what this connection sent to the topic
// directly: it waits until every shard has read that.
bool Link::waits_for_fence(const mqtt::Publish& packet) {
  if (!packet.retain || !shard_.parts.retained || !direct_since_fence_) return false;
  const std::string_view topic =
      packet.topic.empty() && aliases_in_ ? aliases_in_->topic(packet.topic_alias) : packet.topic;
  if (home_of(topic, shard_.shards()) == shard_.id ||
      (home_topics_ && home_topics_->contains(topic)))
    return false;
  hold(kHoldFence);
  again_ = true;
  Subscriptions::Ticket ticket;
  ticket.link = key;
  ticket.fence = true;
  shard_.subscriptions.wait(std::move(ticket), false, {});
  return true;
}

void Link::on_fence_passed() {
  direct_since_fence_ = false;
  let_go(kHoldFence);
}

// A retained message goes by way of its topic's home, and so does what follows it on this
// connection.
bool Link::goes_by_home(const mqtt::Publish& packet) {
  if (shard_.shards() == 1 || !shard_.parts.retained) return false;
  if (!packet.retain && !home_topics_) {
    direct_since_fence_ = true;
    return false;
  }
  if (home_of(packet.topic, shard_.shards()) == shard_.id) return false;
  if (packet.retain) {
    if (!home_topics_) home_topics_ = std::make_unique<HomeTopics>();
    home_topics_->add(packet.topic);
    return true;
  }
  if (home_topics_ && home_topics_->contains(packet.topic)) return true;
  direct_since_fence_ = true;
  return false;
}

// --- Answers

void Link::on_published(std::uint64_t promise, const Outcome& outcome) {
  if (promise < first_promise_ || phase_ == Phase::Closing) return;
  const Promise& owed = promises_[static_cast<std::size_t>(promise - first_promise_)];
  answer_publish(owed.type, owed.packet_id, outcome, promise);
}

void Link::on_received_settled(mqtt::PacketId id, const Outcome& outcome) {
  for (std::uint64_t promise = first_promise_;
       phase_ != Phase::Closing && promise < first_promise_ + promises_.size();
       promise = std::max(promise + 1, first_promise_)) {
    const Promise& owed = promises_[static_cast<std::size_t>(promise - first_promise_)];
    if (!owed.kept && owed.type == PacketType::Pubrec && owed.packet_id == id)
      answer_publish(PacketType::Pubrec, id, outcome, promise);
  }
}

void Link::answer_publish(PacketType type, mqtt::PacketId id, const Outcome& outcome,
                          std::optional<std::uint64_t> promise) {
  ReasonCode code = outcome.code;
  if (code == ReasonCode::QuotaExceeded && !v5()) {
    if (shard_.parts.limits.queue_full_v3 == QueueFullV3::Close) {
      if (type == PacketType::Pubrec) session_->forget_received(id);
      return disconnect(code, "the queue of a receiver is full");
    }
    shard_.counters.add(Metric::DroppedQueueFull);
    code = ReasonCode::Success;
  }
  if (is_failure(code) && type == PacketType::Pubrec)
    session_->forget_received(id);  // [MQTT-4.3.3-9]
  if (promise) return keep_promise(*promise, code);
  acknowledge(type, id, code);
}

std::uint64_t Link::owe(PacketType type, mqtt::PacketId id, std::unique_ptr<std::string> packet) {
  Promise& promise = promises_.push_back({});
  promise.type = type;
  promise.packet_id = id;
  promise.packet = std::move(packet);
  return first_promise_ + promises_.size() - 1;
}

// Sent at once when nothing is owed before it [MQTT-4.6.0-2].
void Link::acknowledge(PacketType type, mqtt::PacketId id, ReasonCode code) {
  if (promises_.empty()) return send_ack(type, id, code);
  if (type == PacketType::Puback) ++unanswered_;
  keep_promise(owe(type, id), code);
}

void Link::keep_promise(std::uint64_t promise, ReasonCode code) {
  if (promise < first_promise_ || phase_ == Phase::Closing) return;
  Promise& owed = promises_[static_cast<std::size_t>(promise - first_promise_)];
  owed.kept = true;
  owed.code = code;
  send_kept_promises();
}

void Link::send_kept_promises() {
  while (!promises_.empty() && promises_.front().kept) {
    const Promise& owed = promises_.front();
    if (owed.packet) {
      send(*owed.packet);
    } else {
      send_ack(owed.type, owed.packet_id, owed.code);
      if (owed.type == PacketType::Puback) --unanswered_;
    }
    promises_.pop_front();
    ++first_promise_;
  }
  if (promises_.size() <= kPromisesMore / 2) let_go(kHoldPromises);
}

}  // namespace twinmq::core
