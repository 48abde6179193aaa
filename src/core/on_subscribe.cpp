// Link's part for SUBSCRIBE and UNSUBSCRIBE: rights, $share, retained messages. Sections 3.8
// to 3.11.

#include <algorithm>
#include <utility>

#include "core/home_topics.hpp"
#include "core/link.hpp"
#include "core/pending_connect.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"
#include "mqtt/encode.hpp"
#include "mqtt/topic.hpp"

namespace twinmq::core {

void Link::on_subscribe(const mqtt::Frame& frame) {
  mqtt::DecodeLimits limits;
  limits.user_properties_max = shard_.parts.limits.user_properties_max;
  limits.subscription_entries_max = shard_.parts.limits.subscribe_entries_max;
  const auto packet = mqtt::decode_subscribe(frame, version_, limits);
  if (!packet) return refuse(packet.error());
  for (const mqtt::SubscribeEntry& entry : packet->entries)
    if (entry.options.no_local && mqtt::is_shared(entry.filter))  // [MQTT-3.8.3-4]
      return refuse({ReasonCode::ProtocolError, "No Local on a shared subscription"});

  Subscriptions::Ticket ticket;
  std::vector<ShardId> share_homes;
  bool stored = false;
  mqtt::Suback suback;
  suback.packet_id = packet->packet_id;
  ticket.replays = ++shard_.replay_groups;
  for (const mqtt::SubscribeEntry& entry : packet->entries)
    suback.codes.push_back(
        subscribe(entry, packet->subscription_id, stored, ticket.replays, share_homes));

  const auto refused = std::find_if(suback.codes.begin(), suback.codes.end(), is_failure);
  if (refused != suback.codes.end() && problem_information_) suback.reason = reason_text(*refused);
  auto bytes = std::make_unique<std::string>();
  mqtt::append(*bytes, suback, version_);
  if (bytes->size() > client_packet_size_max_) {  // [MQTT-3.9.2-1]
    suback.reason = {};
    bytes->clear();
    mqtt::append(*bytes, suback, version_);
  }
  ticket.link = key;
  ticket.promise = owe(mqtt::PacketType::Suback, packet->packet_id, std::move(bytes));
  shard_.subscriptions.wait(std::move(ticket), stored, share_homes);
}

ReasonCode Link::subscribe(const mqtt::SubscribeEntry& entry, std::uint32_t subscription_id,
                           bool& stored, std::uint64_t replays, std::vector<ShardId>& share_homes) {
  const ReasonCode refusal = judge_subscribe(entry);
  if (refusal != ReasonCode::Success) return refusal;
  const auto granted = static_cast<QoS>(
      std::min(static_cast<std::uint8_t>(entry.options.qos), shard_.parts.mqtt.qos_max));
  bool replaced = false;
  if (mqtt::is_shared(entry.filter)) {
    const std::string share(entry.filter.substr(entry.filter.find('/') + 1));
    mqtt::SubscriptionOptions options = entry.options;
    options.qos = granted;
    replaced = !session_->change_shared()
                    .insert_or_assign(share, Session::Shared{options, subscription_id})
                    .second;
    if (!replaced) shard_.counters.add(Metric::SharedSubscriptions);
    session_->joined_group();
    shard_.share_groups.join(share, session_->key, granted, options.retain_as_published, true,
                             subscription_id);
    const ShardId home = home_of(share, shard_.shards());
    if (home != shard_.id) share_homes.push_back(home);
  } else {
    const TopicTree::Added added = shard_.subscriptions.enter(
        entry.filter, {session_, subscription_id, granted, entry.options.no_local,
                       entry.options.retain_as_published});
    replaced = added.replaced;
    if (!replaced) session_->filters().push_back(added.filter);
    const mqtt::RetainHandling handling = entry.options.retain_handling;
    if (handling == mqtt::RetainHandling::Send ||
        (handling == mqtt::RetainHandling::SendIfNew && !replaced))
      open_replays({std::string(entry.filter), granted, subscription_id,
                    replays});  // [MQTT-3.3.1-9] [MQTT-3.3.1-10]
  }
  if (!replaced) shard_.counters.add(Metric::Subscriptions);
  if (session_->persistent()) {
    stored = true;
    const StoredSubscription record{std::string(entry.filter), granted, entry.options.no_local,
                                    entry.options.retain_as_published, subscription_id};
    shard_.parts.journal->subscribed(session_->client_id(), record,
                                     shard_.transactions.open_batch());
  }
  note(ClientEvent::Kind::Subscribed, entry.filter);
  return static_cast<ReasonCode>(granted);
}

ReasonCode Link::judge_subscribe(const mqtt::SubscribeEntry& entry) {
  std::string_view filter = entry.filter;
  if (mqtt::is_shared(filter)) {
    if (!shard_.parts.mqtt.shared_available) return ReasonCode::SharedSubscriptionsNotSupported;
    const auto shared = mqtt::parse_shared(filter);
    if (!shared) return ReasonCode::TopicFilterInvalid;
    filter = shared->filter;
  }
  if (!mqtt::is_valid_topic_filter(filter, shard_.parts.limits.topic_levels_max))
    return ReasonCode::TopicFilterInvalid;
  if (!shard_.parts.mqtt.wildcard_available && mqtt::has_wildcard(filter))
    return ReasonCode::WildcardSubscriptionsNotSupported;
  if (session_->filters().size() + session_->shared().size() >=
          shard_.parts.limits.subscriptions_max &&
      !is_subscribed(entry.filter))
    return ReasonCode::QuotaExceeded;
  if (shard_.services.hide(filter) ||
      (shard_.authorizer && session_->identity &&
       !shard_.authorizer->may(*session_->identity, Action::Subscribe, filter, entry.options.qos,
                               false))) {
    shard_.counters.add(Metric::RefusedNotAuthorized);
    return ReasonCode::NotAuthorized;
  }
  return ReasonCode::Success;
}

bool Link::is_subscribed(std::string_view filter) const {
  if (!mqtt::is_shared(filter)) return shard_.tree.find(filter, session_) != nullptr;
  return session_->shared().contains(filter.substr(filter.find('/') + 1));
}

void Link::open_replays(const ReplayWanted& wanted) {
  if (!shard_.parts.retained) return;
  const auto from = [&](ShardId shard) {
    if (shard == shard_.id)
      return session_->open_replay(
          RetainedReplay(shard_.parts.retained->replay(wanted.filter, shard_.now.steady), wanted));
    const std::uint64_t ticket = ++shard_.replay_tickets;
    shard_.replay_owners.emplace(ticket, session_->key);
    shard_.post(shard, RetainedWanted{ticket, wanted.filter});
    session_->open_replay(RetainedReplay(shard, ticket, wanted));
  };
  if (!mqtt::has_wildcard(wanted.filter)) return from(home_of(wanted.filter, shard_.shards()));
  for (ShardId shard = 0; shard < shard_.shards(); ++shard) from(shard);
}

void Link::begin_replays(std::uint64_t group) {
  if (session_) session_->begin_replays(group);
}

void Link::on_unsubscribe(const mqtt::Frame& frame) {
  mqtt::DecodeLimits limits;
  limits.user_properties_max = shard_.parts.limits.user_properties_max;
  limits.subscription_entries_max = shard_.parts.limits.subscribe_entries_max;
  const auto packet = mqtt::decode_unsubscribe(frame, version_, limits);
  if (!packet) return refuse(packet.error());
  bool stored = false;
  mqtt::Unsuback unsuback;
  unsuback.packet_id = packet->packet_id;
  std::vector<ShardId> share_homes;
  for (const std::string_view filter : packet->filters)
    unsuback.codes.push_back(unsubscribe(filter, stored, share_homes));
  auto bytes = std::make_unique<std::string>();
  mqtt::append(*bytes, unsuback, version_);
  const std::uint64_t promise =
      owe(mqtt::PacketType::Unsuback, packet->packet_id, std::move(bytes));
  if (!share_homes
           .empty()) {  // until they know, they may still choose this session [MQTT-3.10.4-2]
    Subscriptions::Ticket ticket;
    ticket.link = key;
    ticket.promise = promise;
    return shard_.subscriptions.wait(std::move(ticket), stored, share_homes);
  }
  if (!stored) return keep_promise(promise, ReasonCode::Success);
  shard_.transactions.after_commit({AfterCommit::Kind::Promise, key, {}, promise});
}

ReasonCode Link::unsubscribe(std::string_view filter, bool& stored,
                             std::vector<ShardId>& share_homes) {
  if (mqtt::is_shared(filter)) {
    const std::string share(filter.substr(filter.find('/') + 1));
    if (session_->change_shared().erase(share) == 0) return ReasonCode::NoSubscriptionExisted;
    shard_.share_groups.leave(share, session_->key);
    if (const ShardId home = home_of(share, shard_.shards()); home != shard_.id)
      share_homes.push_back(home);
    shard_.counters.subtract(Metric::SharedSubscriptions);
  } else {
    const auto removed = shard_.tree.unsubscribe(filter, session_);
    if (!removed) return ReasonCode::NoSubscriptionExisted;
    auto& filters = session_->filters();
    const auto place = std::find(filters.begin(), filters.end(), removed->filter);
    *place = filters.back();
    filters.pop_back();
    if (removed->last_here) shard_.subscriptions.tell(filter, false);
  }
  shard_.counters.subtract(Metric::Subscriptions);
  if (session_->persistent()) {
    stored = true;
    shard_.parts.journal->unsubscribed(session_->client_id(), filter,
                                       shard_.transactions.open_batch());
  }
  note(ClientEvent::Kind::Unsubscribed, filter);
  return ReasonCode::Success;
}

void Link::on_access_changed() {
  if (!session_ || !session_->identity || !shard_.parts.authorizer) return;
  // Subscriptions stay where rights were taken away: nothing is delivered through them, because
  // every delivery is judged, and they work again when the right returns. What already waits is
  // judged now.
  session_->judge_again();
}

}  // namespace twinmq::core
