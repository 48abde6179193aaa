// Session's part for the messages on their way to the client: queue, window and redelivery. Section
// 4.3, 4.4 and 4.9.

#include <algorithm>
#include <string>
#include <utility>

#include "base/escape.hpp"
#include "core/link.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"
#include "mqtt/topic.hpp"

namespace twinmq::core {

void Session::deliver(const Delivery& delivery, Route& route) {
  const Publication& publication = delivery.publication;
  if (shard_.services.hide(publication.topic())) return;
  if (shard_.authorizer && identity &&
      !may_receive(publication.topic(), delivery.qos, delivery.retain)) {
    shard_.counters.add(Metric::DroppedNotAuthorized);
    shard_.services.note({DroppedMessage::Reason::NotAuthorized, client_id_, publication.topic()});
    return;
  }
  if (!shard_.parts.delivery_filter) return deliver_at_once(delivery, publication.parts(), route);

  std::string payload;
  switch (shard_.parts.delivery_filter->on_deliver(client_id_, *delivery.publication.shared(),
                                                   payload)) {
    case DeliveryFilter::Verdict::Deliver:
      return deliver_at_once(delivery, publication.parts(), route);
    case DeliveryFilter::Verdict::Drop:
      shard_.services.note({DroppedMessage::Reason::ByHost, client_id_, publication.topic()});
      return shard_.counters.add(Metric::DroppedByHost);
    case DeliveryFilter::Verdict::Modify: {
      MessageParts parts = publication.parts();
      parts.payload = payload;
      Publication changed(parts);
      Delivery mine{changed, delivery.qos, delivery.retain, delivery.subscription_ids,
                    delivery.share};
      return deliver_at_once(mine, changed.parts(), route);
    }
  }
}

void Session::deliver_at_once(const Delivery& delivery, const MessageParts& parts, Route& route) {
  if (!replays_.empty() && !replaying_ && delivery.publication.retain())
    for (RetainedReplay& replay : replays_) replay.supersede(parts.topic);
  if (delivery.qos == QoS::AtMostOnce) {
    if (!link_ || !link_->welcomed()) return;
    ++route.matched;
    OutgoingPublish publish{parts, delivery.publication,     delivery.qos, delivery.retain, false,
                            0,     delivery.subscription_ids};
    link_->send_publish(publish);
    return;
  }
  const std::size_t bytes =
      parts.topic.size() + parts.properties.size() + parts.payload.size() + sizeof(Message);
  if (parts.publisher_session != kReturnedToGroup && is_full(bytes) &&
      !make_room(parts, bytes, route))
    return;
  ++route.matched;
  const std::uint64_t sequence = end_sequence();
  Entry& entry = cold_ ? cold_->tail.push_back({}) : entries_.push_back({});
  entry.message = delivery.publication.shared();
  entry.qos = delivery.qos;
  entry.retain = delivery.retain;
  if (delivery.subscription_ids.size() == 1) entry.subscription_id = delivery.subscription_ids[0];
  if (delivery.subscription_ids.size() > 1 || !delivery.share.empty()) {
    entry.extra = std::make_unique<Extra>();
    entry.extra->share = delivery.share;
    if (delivery.subscription_ids.size() > 1)
      entry.extra->subscription_ids.assign(delivery.subscription_ids.begin(),
                                           delivery.subscription_ids.end());
  }
  ++live_;
  queued_bytes_ += entry.message->footprint();
  shard_.queue_bytes += entry.message->footprint();
  shard_.counters.add(Metric::QueuedMessages);
  shard_.counters.add(Metric::QueuedBytes, entry.message->footprint());
  if (persistent() && shard_.parts.journal) {
    entry.stored = Stored::Pending;
    route.kept.push_back({key, sequence});
  } else if (!delivery.share.empty() && parts.qos == QoS::ExactlyOnce && shard_.parts.journal) {
    entry.stored = Stored::Unsafe;
    route.kept.push_back({key, sequence});
  }
  if (next_ == sequence && link_) pump();
}

bool Session::has_full_queue(std::size_t bytes) const {
  const LimitsConfig& limits = shard_.parts.limits;
  return live_ >= limits.queue_messages_max || queued_bytes_ + bytes > limits.queue_bytes_max;
}

// Each shard has its part of what all queues may have together.
bool Session::is_full(std::size_t bytes) const {
  const LimitsConfig& limits = shard_.parts.limits;
  const base::Counters& counters = shard_.counters;
  return has_full_queue(bytes) ||
         counters[Metric::QueuedMessages] * shard_.shards() >= limits.queue_messages_total_max ||
         (counters[Metric::QueuedBytes] + bytes) * shard_.shards() > limits.queue_bytes_total_max;
}

// What a full queue does is said by the topic of the message that meets it. False: it goes no
// further.
bool Session::make_room(const MessageParts& parts, std::size_t bytes, Route& route) {
  const LimitsConfig& limits = shard_.parts.limits;
  const auto named_in = [&](const std::vector<std::string>& filters) {
    return std::any_of(filters.begin(), filters.end(), [&](const std::string& filter) {
      return mqtt::matches(filter, parts.topic);
    });
  };
  // Only a client waits for an answer, and has at most Receive Maximum messages on the way.
  if (parts.publisher_session != 0 && has_full_queue(bytes) &&
      named_in(limits.queue_back_pressure)) {
    route.held_back.push_back(key);
    return true;
  }
  const bool oldest = named_in(limits.queue_drop_oldest);
  if (!oldest && !named_in(limits.queue_drop_newest)) {
    shard_.counters.add(Metric::RefusedQueueFull);
    shard_.services.note({DroppedMessage::Reason::QueueRefused, client_id_, parts.topic});
    route.refused = true;
    return false;
  }
  shard_.log_of_strangers(
      LogLevel::Warning, "queue full",
      "client=" + escaped(client_id_) + (oldest ? " dropped=oldest" : " dropped=newest"));
  shard_.services.note({DroppedMessage::Reason::QueueFull, client_id_, parts.topic});
  while (oldest && is_full(bytes) && drop_oldest()) shard_.counters.add(Metric::DroppedQueueFull);
  if (!is_full(bytes)) return true;
  shard_.counters.add(Metric::DroppedQueueFull);
  ++route.matched;
  return false;
}

bool Session::hold_back(const HeldBack& publish) {
  if (!has_full_queue(0)) return false;
  if (!held_back_) held_back_ = std::make_unique<std::vector<HeldBack>>();
  held_back_->push_back(publish);
  return true;
}

void Session::tell_room() {
  const auto publishes = std::move(held_back_);
  for (const HeldBack& publish : *publishes) shard_.post(publish.opener, Room{publish.transaction});
}

// The oldest that is not on its way to the client: a QoS 2 message that was sent before is, even if
// the client is away. False: there is none, or so many places behind the head are empty that
// identifiers would repeat.
bool Session::drop_oldest() {
  constexpr std::uint64_t kPlacesMax = 65'535;
  const std::uint64_t end = std::min(warm_end(), head_ + kPlacesMax);
  for (std::uint64_t sequence = next_; sequence < end; ++sequence) {
    Entry& entry = entries_[static_cast<std::size_t>(sequence - head_)];
    if (entry.state != State::Waiting || (entry.dup && entry.qos == QoS::ExactlyOnce)) continue;
    finish(entry, sequence);
    // While nobody is connected this is only where the next search begins.
    if (!link_ || sequence == next_) next_ = sequence + 1;
    pop_done();
    return true;
  }
  return cold_ && end == warm_end() && drop_cold();
}

bool Session::may_receive(std::string_view topic, QoS qos, bool retain) const {
  return !shard_.authorizer->checks_receive() ||
         shard_.authorizer->may(*identity, Action::Receive, topic, qos, retain);
}

void Session::judge_again() {
  if (!shard_.authorizer || !identity) return;
  // What is cold, or behind that, is judged when its turn comes.
  for (std::uint64_t sequence = head_; sequence < warm_end(); ++sequence)
    judge(entries_[static_cast<std::size_t>(sequence - head_)], sequence);
  pop_done();
}

void Session::judge(Entry& entry, std::uint64_t sequence) {
  if (entry.state != State::Waiting || entry.dup || !entry.message) return;
  if (may_receive(entry.message->topic(), entry.qos, entry.retain)) return;
  shard_.counters.add(Metric::DroppedNotAuthorized);
  shard_.services.note({DroppedMessage::Reason::NotAuthorized, client_id_, entry.message->topic()});
  finish(entry, sequence);
}

bool Session::has_more() const {
  if (!link_ || !link_->welcomed() || inflight_ >= inflight_max_) return false;
  if (next_ == end_sequence()) return !replays_.empty() && replays_.front().ready();
  if (next_ == warm_end()) return false;  // what is being read brings the rest
  return next_ - head_ < 65535 && !gated(entries_[static_cast<std::size_t>(next_ - head_)]);
}

void Session::pump() {
  if (!link_ || !link_->welcomed()) return;
  while (next_ < warm_end() && inflight_ < inflight_max_ && link_->has_room()) {
    Entry& entry = entries_[static_cast<std::size_t>(next_ - head_)];
    if (gated(entry)) break;
    // Identifiers repeat after 65,535 deliveries: one that still waits at the head blocks its
    // successor.
    if (next_ - head_ >= 65535) break;
    send_next(entry, next_++);
  }
  pop_done();
  if (cold_) read_ahead();
  if (!replays_.empty()) pump_replays();
}

// For a persistent receiver the first sending of a QoS 2 PUBLISH waits until the message is safe:
// otherwise a crash could make the same message appear under two identifiers.
bool Session::gated(const Entry& entry) const {
  return entry.qos == QoS::ExactlyOnce &&
         (entry.stored == Stored::Pending || entry.stored == Stored::Writing);
}

// [MQTT-3.3.2-5]; not once it was sent [MQTT-4.3.3-7]. Of what a restart brought back it is not
// known: an old message that comes too late harms more than a QoS 1 message that does not come
// again.
bool Session::has_expired(const Entry& entry) const {
  return (!entry.dup || (entry.restored && entry.qos == QoS::AtLeastOnce)) &&
         entry.message->expired(shard_.now.steady);
}

void Session::send_next(Entry& entry, std::uint64_t sequence) {
  switch (entry.state) {
    case State::Waiting: {
      if (has_expired(entry)) {
        shard_.counters.add(Metric::DroppedExpired);
        shard_.services.note({DroppedMessage::Reason::Expired, client_id_, entry.message->topic()});
        return finish(entry, sequence);
      }
      const std::span<const std::uint32_t> ids =
          entry.extra && !entry.extra->subscription_ids.empty()
              ? std::span<const std::uint32_t>(entry.extra->subscription_ids)
          : entry.subscription_id != 0 ? std::span<const std::uint32_t>(&entry.subscription_id, 1)
                                       : std::span<const std::uint32_t>();
      Publication publication(entry.message);
      OutgoingPublish publish{
          publication.parts(),    publication, entry.qos, entry.retain, entry.dup,
          packet_id_of(sequence), ids};
      if (!link_->send_publish(publish))
        return finish(entry, sequence);  // [MQTT-3.1.2-25]: as if delivered
      entry.state = State::Sent;
      break;
    }
    case State::ReleaseStoring:
    case State::Released:
      if (entry.state == State::Released)
        link_->send_ack(mqtt::PacketType::Pubrel, packet_id_of(sequence), ReasonCode::Success);
      break;
    case State::Sent:
    case State::Done: return;
  }
  entry.in_window = true;
  ++inflight_;
}

bool Session::on_puback(mqtt::PacketId id) {
  std::uint64_t sequence = 0;
  Entry* entry = find_sent(id, sequence);
  if (!entry || entry->state != State::Sent || entry->qos != QoS::AtLeastOnce) return false;
  finish(*entry, sequence);
  pump();
  return true;
}

bool Session::on_pubrec(mqtt::PacketId id, ReasonCode code) {
  std::uint64_t sequence = 0;
  Entry* entry = find_sent(id, sequence);
  if (!entry || entry->qos != QoS::ExactlyOnce) return false;
  if (entry->state == State::Released) {
    link_->send_ack(mqtt::PacketType::Pubrel, id, ReasonCode::Success);
    return true;
  }
  if (entry->state == State::ReleaseStoring) return true;
  if (entry->state != State::Sent) return false;
  if (is_failure(code)) {  // [MQTT-4.4.0-2]: the client has it, and wants no more of it
    finish(*entry, sequence);
    pump();
    return true;
  }
  release_message(*entry);
  // PUBRELs go in the order of the PUBRECs [MQTT-4.6.0-4]: one that waits holds back its
  // successors.
  if ((entry->stored == Stored::Yes && shard_.parts.journal) || releases_storing_ > 0) {
    entry->state = State::ReleaseStoring;
    ++releases_storing_;
    if (entry->stored == Stored::Yes) {
      leave_common_message(*entry);
      const StoredDelivery stored = stored_delivery(*entry, sequence);
      shard_.parts.journal->delivery(client_id_, stored, shard_.now,
                                     shard_.transactions.open_batch());
    }
    shard_.transactions.after_commit({AfterCommit::Kind::Pubrel, {}, key, sequence});
    return true;
  }
  entry->state = State::Released;
  link_->send_ack(mqtt::PacketType::Pubrel, id, ReasonCode::Success);
  return true;
}

void Session::on_release_stored(std::uint64_t sequence) {
  --releases_storing_;
  Entry* entry = find(sequence);
  if (!entry || entry->state != State::ReleaseStoring) return;
  entry->state = State::Released;
  // A link that took the session over is still owed its CONNACK; resume() will send the PUBREL.
  if (link_ && link_->welcomed() && entry->in_window)
    link_->send_ack(mqtt::PacketType::Pubrel, packet_id_of(sequence), ReasonCode::Success);
}

bool Session::on_pubcomp(mqtt::PacketId id) {
  std::uint64_t sequence = 0;
  Entry* entry = find_sent(id, sequence);
  if (!entry || entry->state != State::Released) return false;
  finish(*entry, sequence);
  pump();
  return true;
}

Session::Entry* Session::find(std::uint64_t sequence) {
  if (sequence < head_) return nullptr;
  if (sequence < warm_end()) return &entries_[static_cast<std::size_t>(sequence - head_)];
  if (!cold_ || sequence < cold_->end || sequence >= end_sequence()) return nullptr;
  return &cold_->tail[static_cast<std::size_t>(sequence - cold_->end)];
}

Session::Entry* Session::find_sent(mqtt::PacketId id, std::uint64_t& sequence) {
  if (id == 0) return nullptr;
  sequence = sequence_of(id, head_);
  return sequence < next_ ? find(sequence) : nullptr;
}

void Session::finish(Entry& entry, std::uint64_t sequence) {
  release_message(entry);
  leave_window(entry);
  entry.state = State::Done;
  --live_;
  shard_.counters.subtract(Metric::QueuedMessages);
  if (entry.stored == Stored::Yes) erase_delivery(entry, sequence);
  if (entry.stored == Stored::Unsafe) entry.stored = Stored::No;
  if (entry.stored != Stored::Writing) entry.extra.reset();
}

void Session::leave_window(Entry& entry) {
  if (!entry.in_window) return;
  entry.in_window = false;
  --inflight_;
}

void Session::release_message(Entry& entry) {
  if (!entry.message) return;
  queued_bytes_ -= entry.message->footprint();
  shard_.queue_bytes -= entry.message->footprint();
  shard_.counters.subtract(Metric::QueuedBytes, entry.message->footprint());
  entry.message = {};
}

// An entry that a transaction still names stays, so that the transaction learns it is done.
void Session::pop_done() {
  if (held_back_ && !has_full_queue(0)) tell_room();
  while (!entries_.empty() && entries_.front().state == State::Done &&
         entries_.front().stored == Stored::No) {
    entries_.pop_front();
    ++head_;
  }
  next_ = std::max(next_, head_);
}

}  // namespace twinmq::core
