// The clients: those inside this process, and what is told of all sessions.

#include <algorithm>
#include <iterator>
#include <utility>

#include "app/broker.hpp"
#include "app/host_client.hpp"
#include "app/local_link.hpp"
#include "app/reply.hpp"
#include "app/stream.hpp"
#include "mqtt/properties.hpp"
#include "mqtt/topic.hpp"

namespace twinmq::app {
namespace {

bool fits(std::string_view text) {
  return text.size() <= mqtt::kTextBytesMax && mqtt::is_valid_text(text);
}

/// What is wrong with the host's message; Success: nothing.
ReasonCode fault_of(const HostPublish& message, const Config& config) {
  if (!mqtt::is_valid_topic_name(message.topic, config.limits.topic_levels_max))
    return ReasonCode::TopicNameInvalid;
  if (message.topic.size() + message.payload.size() > config.mqtt.packet_size_max)
    return ReasonCode::PacketTooLarge;
  const MessageProperties& properties = message.properties;
  const bool legal =
      fits(properties.content_type) && fits(properties.response_topic) &&
      properties.correlation_data.size() <= mqtt::kTextBytesMax &&
      std::all_of(properties.user_properties.begin(), properties.user_properties.end(),
                  [](const auto& each) { return fits(each.first) && fits(each.second); });
  if (!legal) return ReasonCode::MalformedPacket;
  if (message.retain && !config.mqtt.retain_available) return ReasonCode::RetainNotSupported;
  if (static_cast<std::uint8_t>(message.qos) > config.mqtt.qos_max)
    return ReasonCode::QoSNotSupported;
  return ReasonCode::Success;
}

}  // namespace

// --- In-process clients

void HouseBroker::publish(HostPublish message, std::function<void(const PublishOutcome&)> done) {
  const auto set = running();
  ReasonCode fault = ReasonCode::ServerUnavailable;
  if (set) {
    const std::scoped_lock lock(mutex_);
    fault = fault_of(message, config_);
  }
  if (fault != ReasonCode::Success) return complete(done, {fault, 0, Durability::None});
  const core::ShardId home = set->home_of(message.topic);
  const bool posted =
      set->inbox(home)->post([this, message = std::make_shared<HostPublish>(std::move(message)),
                              done](ShardThread& thread) { publish_on(thread, *message, done); });
  if (!posted) complete(done, {ReasonCode::ServerUnavailable, 0, Durability::None});
}

void HouseBroker::publish_on(ShardThread& thread, const HostPublish& message,
                             const std::function<void(const PublishOutcome&)>& done) {
  Authorizer* const authorizer = authorizer_of(thread.id());
  if (message.as && authorizer != nullptr &&
      !authorizer->may(*message.as, Action::Publish, message.topic, message.qos, message.retain)) {
    thread.counters().add(Metric::RefusedNotAuthorized);
    return complete(done, {ReasonCode::NotAuthorized, 0, Durability::None});
  }
  const std::string properties = mqtt::encode_message_properties(message.properties);
  MessageParts parts;
  parts.topic = message.topic;
  parts.payload = message.payload;
  parts.properties = properties;
  if (message.as) parts.publisher = message.as->client_id;
  parts.qos = message.qos;
  parts.retain = message.retain;
  if (message.expiry_seconds)
    parts.expires_at = thread.now().steady + Seconds(*message.expiry_seconds);
  if (!done) return thread.publish(parts, {});
  Durability promised = Durability::None;
  if (const auto kept = store(); kept && message.qos != QoS::AtMostOnce)
    promised = std::min(thread.core()->durability_of(message.topic), kept->durability_max());
  thread.publish(parts, [this, done, promised](const core::HostPublished& published) {
    complete(done, {published.code, published.matched,
                    is_failure(published.code) ? Durability::None : promised});
  });
}

void HouseBroker::complete(const std::function<void(const PublishOutcome&)>& done,
                           PublishOutcome outcome) const {
  if (!done) return;
  std::shared_ptr<CallbackThreads> callbacks;
  std::shared_ptr<CallbackThreads::Strand> strand;
  {
    const std::scoped_lock lock(mutex_);
    callbacks = callbacks_;
    strand = outcomes_;
  }
  if (callbacks && callbacks->post(strand, [done, outcome] { done(outcome); })) return;
  done(outcome);
}

Result<std::unique_ptr<HostSubscription>> HouseBroker::subscribe(
    HostSubscribe options, std::function<void(const HostDelivery&, AckToken)> callback) {
  const auto set = running();
  if (!set) return not_running();
  if (!set->may_wait()) {
    return Error{ErrorCode::InvalidArgument,
                 "subscribe() waits and cannot be called inside a turn of the broker"};
  }
  if (options.receive_maximum == 0)
    return Error{ErrorCode::InvalidArgument, "receive_maximum must not be 0"};
  if (options.client_id.empty()) {
    options.client_id = "host-" + std::to_string(instance_) + "-" + std::to_string(++host_clients_);
  }
  std::shared_ptr<CallbackThreads> callbacks;
  {
    const std::scoped_lock lock(mutex_);
    callbacks = callbacks_;
  }
  const std::string client_id = options.client_id;
  const auto client =
      std::make_shared<HostClient>(std::move(options), std::move(callback), std::move(callbacks),
                                   [log = log_](const LogLine& line) { (*log)(line); });
  auto subscription = std::make_unique<ClientSubscription>(client);
  const Reply<Result<void>> reply;
  client->start(
      set->inbox(set->home_of(client_id)),
      [promise = reply.promise()](Result<void> result) { promise.give(std::move(result)); });
  if (!set->await(reply))
    return Error{ErrorCode::Unavailable, "the broker did not answer the subscription"};
  const std::optional<Result<void>> result = reply.take();
  if (!result) return not_running();
  if (!*result) return result->error();
  return Result<std::unique_ptr<HostSubscription>>(std::move(subscription));
}

Result<std::shared_ptr<StreamHandle>> HouseBroker::accept(std::unique_ptr<HostStream> stream,
                                                          std::string listener, bool anonymous) {
  const auto set = running();
  if (!set) return not_running();
  const auto link = std::make_shared<LocalLink>(std::make_shared<StreamEnd>(std::move(stream)));
  core::LinkOrigin origin;
  origin.listener = std::move(listener);
  origin.anonymous_allowed = anonymous;
  if (!link->open(set->inbox(0), std::move(origin))) return not_running();
  return Result<std::shared_ptr<StreamHandle>>(std::make_shared<LinkHandle>(link));
}

// --- Sessions

bool HouseBroker::kick(std::string_view client_id, ReasonCode code) {
  const auto set = running();
  if (!set) return false;
  const Reply<bool> reply;
  set->inbox(set->home_of(client_id))
      ->post([promise = reply.promise(), client = std::string(client_id),
              code](ShardThread& thread) { promise.give(thread.core()->kick(client, code)); });
  return set->await(reply) && reply.take().value_or(false);
}

std::vector<SessionInfo> HouseBroker::sessions() const {
  std::vector<SessionInfo> all;
  const auto set = running();
  if (!set) return all;
  std::vector<Reply<std::vector<SessionInfo>>> replies(set->size());
  for (core::ShardId shard = 0; shard < set->size(); ++shard) {
    set->inbox(shard)->post([promise = replies[shard].promise()](ShardThread& thread) {
      promise.give(thread.core()->sessions());
    });
  }
  for (const auto& reply : replies) {
    if (!set->await(reply)) continue;
    if (auto part = reply.take()) std::move(part->begin(), part->end(), std::back_inserter(all));
  }
  return all;
}

std::vector<SubscriptionInfo> HouseBroker::subscriptions(std::string_view client_id) const {
  const auto set = running();
  if (!set) return {};
  const Reply<std::vector<SubscriptionInfo>> reply;
  set->inbox(set->home_of(client_id))
      ->post([promise = reply.promise(), client = std::string(client_id)](ShardThread& thread) {
        promise.give(thread.core()->subscriptions(client));
      });
  if (!set->await(reply)) return {};
  return reply.take().value_or(std::vector<SubscriptionInfo>());
}

}  // namespace twinmq::app
