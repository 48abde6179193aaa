#include "core/session.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "core/link.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

Session::Session(Shard& shard, std::string client_id, std::string principal)
    : Subscriber(Kind::Session),
      shard_(shard),
      client_id_(std::move(client_id)),
      principal_(std::move(principal)),
      timer_(this, kSessionTimer) {
  shard_.counters.add(Metric::Sessions);
}

Session::~Session() {
  shard_.wheel.disarm(timer_);
  shard_.counters.subtract(Metric::Sessions);
  shard_.counters.subtract(Metric::QueuedMessages, live_);
  shard_.counters.subtract(Metric::QueuedBytes, queued_bytes_);
}

std::uint64_t Session::number() const {
  return session_number({shard_.id, key});
}

// --- Connection
// ------------------------------------------------------------------------------------------

void Session::attach(Link& link, std::uint32_t expiry_seconds, std::uint16_t inflight_max) {
  link_ = &link;
  expiry_seconds_ = expiry_seconds;
  inflight_max_ = inflight_max;
  disconnected_at_.reset();
  expires_at_ = will_at_ = kNever;
  shard_.wheel.disarm(timer_);
  for (const Shared& shared : shared_) shard_.share_groups.member_connected(shared.text, key, true);
}

void Session::resume() {
  next_ = head_;
  inflight_ = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    entry.in_window = false;
    if (entry.state == State::Sent) {
      entry.state = State::Waiting;
      entry.dup = true;
    }
  }
  pump();
}

void Session::detach() {
  link_ = nullptr;
  for (auto& replay : replays_) replay.cancel(shard_);
  replays_.clear();
  if (will_ && will_->delay_seconds == 0) publish_will();
  if (!persistent()) return shard_.end_session(*this);
  for (const Shared& shared : shared_)
    shard_.share_groups.member_connected(shared.text, key, false);
  const Instant now = shard_.now.steady;
  disconnected_at_ = shard_.now.wall;
  expires_at_ = expiry_seconds_ == kExpiryNever ? kNever : now + Seconds(expiry_seconds_);
  will_at_ = will_ ? now + Seconds(will_->delay_seconds) : kNever;
  record();
  shard_.wheel.arm(timer_, std::min(expires_at_, will_at_));
}

void Session::wait_for_client(Instant deadline) {
  expires_at_ = deadline;
  will_at_ = will_ ? shard_.now.steady + Seconds(will_->delay_seconds) : kNever;
  shard_.wheel.arm(timer_, std::min(expires_at_, will_at_));
}

void Session::on_timer() {
  const Instant now = shard_.now.steady;
  if (link_) return;
  if (expires_at_ <= now) {
    shard_.counters.add(Metric::SessionsExpired);
    return shard_.end_session(*this);  // [MQTT-4.1.0-2]; publishes the will [MQTT-3.1.2-8]
  }
  if (will_at_ <= now) {
    publish_will();
    will_at_ = kNever;
    record();
  }
  shard_.wheel.arm(timer_, std::min(expires_at_, will_at_));
}

void Session::set_will(std::optional<StoredWill> will) {
  will_ = will ? std::make_unique<StoredWill>(std::move(*will)) : nullptr;
}

void Session::discard_will() {
  will_.reset();
  will_at_ = kNever;
}

void Session::publish_will() {
  const auto will = std::exchange(will_, nullptr);
  if (!will) return;
  // Rights may have changed since CONNECT: a will is judged again when it is published.
  const Message& message = *will->message;
  if (shard_.parts.authorizer && identity &&
      !shard_.parts.authorizer->may(*identity, Action::Publish, message.topic(), message.qos(),
                                    message.retain())) {
    shard_.counters.add(Metric::RefusedNotAuthorized);
    return;
  }
  shard_.counters.add(Metric::WillsPublished);
  MessageParts parts = message.parts();
  if (will->expiry_seconds) parts.expires_at = shard_.now.steady + Seconds(*will->expiry_seconds);
  Publication publication(parts);
  shard_.router.publish(publication, {}, nullptr);
}

void Session::record() {
  if (!persistent() || !shard_.parts.journal) return;
  StoredSession stored{client_id_, principal_, expiry_seconds_, disconnected_at_, std::nullopt};
  if (will_) stored.will = *will_;
  shard_.parts.journal->session(stored, shard_.now, shard_.transactions.open_batch());
}

void Session::end() {
  for (auto& replay : replays_) replay.cancel(shard_);
  replays_.clear();
  publish_will();
  leave_filters();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    if (entry.state == State::Done || !entry.message) continue;
    // Another member takes over what this one never acknowledged; a QoS 2 message that was sent
    // stays with its client even if that is gone [MQTT-4.8.2-4].
    if (entry.extra && !entry.extra->share.empty() &&
        (entry.qos == QoS::AtLeastOnce || (entry.state == State::Waiting && !entry.dup))) {
      shard_.share_groups.give_back(entry.extra->share, entry.message);
    } else {
      shard_.counters.add(Metric::DroppedSessionEnd);
    }
  }
  if (persistent() && shard_.parts.journal)
    shard_.parts.journal->session_ended(client_id_, shard_.transactions.open_batch());
}

void Session::leave_filters() {
  for (const Shared& shared : std::exchange(shared_, {})) {
    shard_.share_groups.leave(shared.text, key);
    shard_.counters.subtract(Metric::SharedSubscriptions);
    shard_.counters.subtract(Metric::Subscriptions);
  }
  for (const FilterId filter : std::exchange(filters_, {})) {
    shard_.subscriptions.leave(filter, *this);
    shard_.counters.subtract(Metric::Subscriptions);
  }
}

// --- Messages to the client
// ------------------------------------------------------------------------------

void Session::deliver(const Delivery& delivery, Route& route) {
  const Publication& publication = delivery.publication;
  if (shard_.parts.authorizer && identity &&
      !may_receive(publication.topic(), delivery.qos, delivery.retain)) {
    shard_.counters.add(Metric::DroppedNotAuthorized);
    return;
  }
  if (!shard_.parts.delivery_filter) return deliver_at_once(delivery, publication.parts(), route);

  std::string payload;
  switch (shard_.parts.delivery_filter->on_deliver(client_id_, *delivery.publication.shared(),
                                                   payload)) {
    case DeliveryFilter::Verdict::Deliver:
      return deliver_at_once(delivery, publication.parts(), route);
    case DeliveryFilter::Verdict::Drop:
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
  if (live_ >= shard_.parts.limits.queue_messages_max ||
      queued_bytes_ + bytes > shard_.parts.limits.queue_bytes_max) {
    shard_.counters.add(Metric::RefusedQueueFull);
    route.refused = true;
    return;
  }
  ++route.matched;
  const std::uint64_t sequence = end_sequence();
  Entry& entry = entries_.push_back({});
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
  shard_.counters.add(Metric::QueuedMessages);
  shard_.counters.add(Metric::QueuedBytes, entry.message->footprint());
  if (persistent() && shard_.parts.journal) {
    entry.stored = Stored::Pending;
    route.kept.push_back({key, sequence});
  }
  if (next_ == sequence && link_) pump();
}

bool Session::may_receive(std::string_view topic, QoS qos, bool retain) const {
  return !shard_.parts.authorizer->checks_receive() ||
         shard_.parts.authorizer->may(*identity, Action::Receive, topic, qos, retain);
}

void Session::judge_again() {
  if (!shard_.parts.authorizer || !identity) return;
  for (std::uint64_t sequence = head_; sequence < end_sequence(); ++sequence) {
    Entry& entry = entries_[static_cast<std::size_t>(sequence - head_)];
    if (entry.state != State::Waiting || entry.dup || !entry.message) continue;
    if (may_receive(entry.message->topic(), entry.qos, entry.retain)) continue;
    shard_.counters.add(Metric::DroppedNotAuthorized);
    finish(entry, sequence);
  }
  pop_done();
}

bool Session::has_more() const {
  return link_ && inflight_ < inflight_max_ && (next_ < end_sequence() || !replays_.empty());
}

void Session::pump() {
  if (!link_ || !link_->welcomed()) return;
  while (next_ < end_sequence() && inflight_ < inflight_max_ && link_->has_room()) {
    Entry& entry = entries_[static_cast<std::size_t>(next_ - head_)];
    if (gated(entry)) break;
    // Identifiers repeat after 65,535 deliveries: one that still waits at the head blocks its
    // successor.
    if (next_ - head_ >= 65535) break;
    send_next(entry, next_++);
  }
  pop_done();
  if (!replays_.empty()) pump_replays();
}

// For a persistent receiver the first sending of a QoS 2 PUBLISH waits until the message is safe:
// otherwise a crash could make the same message appear under two identifiers.
bool Session::gated(const Entry& entry) const {
  return entry.qos == QoS::ExactlyOnce &&
         (entry.stored == Stored::Pending || entry.stored == Stored::Writing);
}

void Session::send_next(Entry& entry, std::uint64_t sequence) {
  switch (entry.state) {
    case State::Waiting: {
      const Instant now = shard_.now.steady;
      if (!entry.dup &&
          entry.message->expired(now)) {  // [MQTT-3.3.2-5]; not once it was sent [MQTT-4.3.3-7]
        shard_.counters.add(Metric::DroppedExpired);
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
    case State::Done:
      return;
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
  if (entry->stored == Stored::Yes && shard_.parts.journal) {
    entry->state = State::ReleaseStoring;
    StoredDelivery stored = stored_delivery(*entry, sequence);
    shard_.parts.journal->delivery(client_id_, stored, shard_.now,
                                   shard_.transactions.open_batch());
    shard_.transactions.after_commit({AfterCommit::Kind::Pubrel, {}, key, sequence});
    return true;
  }
  entry->state = State::Released;
  link_->send_ack(mqtt::PacketType::Pubrel, id, ReasonCode::Success);
  return true;
}

void Session::on_release_stored(std::uint64_t sequence) {
  Entry* entry = find(sequence);
  if (!entry || entry->state != State::ReleaseStoring) return;
  entry->state = State::Released;
  if (link_ && entry->in_window)
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
  if (sequence < head_ || sequence >= end_sequence()) return nullptr;
  return &entries_[static_cast<std::size_t>(sequence - head_)];
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
  entry.extra.reset();
  --live_;
  shard_.counters.subtract(Metric::QueuedMessages);
  if (entry.stored == Stored::Yes) {
    shard_.parts.journal->delivered(client_id_, sequence, shard_.transactions.open_batch());
    entry.stored = Stored::No;
  }
}

void Session::leave_window(Entry& entry) {
  if (!entry.in_window) return;
  entry.in_window = false;
  --inflight_;
}

void Session::release_message(Entry& entry) {
  if (!entry.message) return;
  queued_bytes_ -= entry.message->footprint();
  shard_.counters.subtract(Metric::QueuedBytes, entry.message->footprint());
  entry.message = {};
}

// An entry that a transaction still names stays, so that the transaction learns it is done.
void Session::pop_done() {
  while (!entries_.empty() && entries_.front().state == State::Done &&
         entries_.front().stored == Stored::No) {
    entries_.pop_front();
    ++head_;
  }
  next_ = std::max(next_, head_);
}

// --- Persistence of deliveries
// ---------------------------------------------------------------------------

StoredDelivery Session::stored_delivery(const Entry& entry, std::uint64_t sequence) const {
  StoredDelivery stored;
  stored.sequence = sequence;
  stored.message = entry.message;
  stored.qos = entry.qos;
  stored.retain = entry.retain;
  stored.released = !entry.message;
  if (entry.subscription_id != 0) stored.subscription_ids.push_back(entry.subscription_id);
  if (entry.extra) {
    if (!entry.extra->subscription_ids.empty())
      stored.subscription_ids = entry.extra->subscription_ids;
    stored.share = entry.extra->share;
  }
  return stored;
}

void Session::write_delivery(std::uint64_t sequence, Batch& batch) {
  Entry* entry = find(sequence);
  if (!entry || entry->stored != Stored::Pending) return;
  if (entry->state == State::Done) {  // acknowledged before it was written: nothing to write
    entry->stored = Stored::No;
    return pop_done();
  }
  entry->stored = Stored::Writing;
  shard_.parts.journal->delivery(client_id_, stored_delivery(*entry, sequence), shard_.now, batch);
}

void Session::on_delivery_written(std::uint64_t sequence) {
  Entry* entry = find(sequence);
  if (!entry || entry->stored != Stored::Writing) return;
  entry->stored = Stored::Yes;
  if (entry->state == State::Done) {
    shard_.parts.journal->delivered(client_id_, sequence, shard_.transactions.open_batch());
    entry->stored = Stored::No;
    return pop_done();
  }
  if (entry->qos == QoS::ExactlyOnce && next_ <= sequence) pump();
}

void Session::restore_delivery(StoredDelivery stored) {
  // Holes are deliveries that were complete.
  if (entries_.empty()) head_ = next_ = stored.sequence;
  while (end_sequence() < stored.sequence) entries_.push_back({}).state = State::Done;
  Entry& entry = entries_.push_back({});
  entry.message = std::move(stored.message);
  entry.qos = stored.qos;
  entry.retain = stored.retain;
  entry.stored = Stored::Yes;
  entry.state = stored.released ? State::Released : State::Waiting;
  // Whether it was sent before the restart is not written; a set DUP flag costs the client nothing.
  entry.dup = !stored.released;
  if (stored.subscription_ids.size() == 1) entry.subscription_id = stored.subscription_ids[0];
  if (stored.subscription_ids.size() > 1 || !stored.share.empty()) {
    entry.extra = std::make_unique<Extra>();
    entry.extra->share = std::move(stored.share);
    if (stored.subscription_ids.size() > 1)
      entry.extra->subscription_ids = std::move(stored.subscription_ids);
  }
  ++live_;
  shard_.counters.add(Metric::QueuedMessages);
  if (entry.message) {
    queued_bytes_ += entry.message->footprint();
    shard_.counters.add(Metric::QueuedBytes, entry.message->footprint());
  }
}

// --- QoS 2 messages from the client
// ----------------------------------------------------------------------

bool Session::has_received(mqtt::PacketId id) const {
  return std::binary_search(received_.begin(), received_.end(), id);
}

void Session::add_received(mqtt::PacketId id) {
  received_.insert(std::lower_bound(received_.begin(), received_.end(), id), id);
}

bool Session::remove_received(mqtt::PacketId id) {
  const auto place = std::lower_bound(received_.begin(), received_.end(), id);
  if (place == received_.end() || *place != id) return false;
  received_.erase(place);
  return true;
}

// --- Retained messages for new subscriptions
// -------------------------------------------------------------

void Session::start_replay(RetainedReplay replay) {
  replays_.push_back(std::move(replay));
  pump_replays();
}

// Only when nothing else waits: a replay never fills the queue that live messages need.
void Session::pump_replays() {
  if (std::exchange(replaying_, true)) return;  // a delivery below came back here
  while (!replays_.empty() && link_ && link_->welcomed() && link_->has_room() && window_open()) {
    RetainedReplay& replay = replays_.front();
    const MessageRef message = replay.next(shard_);
    if (message) {
      Publication publication(message);
      const QoS qos = std::min(message->qos(), replay.qos);
      const std::span<const std::uint32_t> ids =
          replay.subscription_id != 0 ? std::span<const std::uint32_t>(&replay.subscription_id, 1)
                                      : std::span<const std::uint32_t>();
      shard_.router.deliver_to_one(*this, {publication, qos, true, ids, {}});
    } else if (replay.done()) {
      replays_.erase(replays_.begin());
    } else {
      break;  // a slice from another shard is on its way, or this turn's budget is used up
    }
  }
  replaying_ = false;
}

SessionInfo Session::describe() const {
  SessionInfo info;
  info.client_id = client_id_;
  info.principal = principal_;
  info.connected = link_ != nullptr;
  info.expiry_seconds = expiry_seconds_;
  info.subscriptions = filters_.size() + shared_.size();
  info.queued_messages = live_;
  info.queued_bytes = queued_bytes_;
  info.inflight = inflight_;
  if (link_) link_->describe(info);
  return info;
}

}  // namespace twinmq::core
