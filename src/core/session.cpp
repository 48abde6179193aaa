#include "core/session.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "core/link.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

namespace {
constexpr std::uint64_t kNeverJudged = ~std::uint64_t{0};
}  // namespace

Session::Session(Shard& shard, std::string client_id, std::string principal)
    : Subscriber(Kind::Session, shard.subscribers++),
      shard_(shard),
      client_id_(std::move(client_id)),
      principal_(std::move(principal)),
      timer_(this, kSessionTimer) {
  shard_.counters.add(Metric::Sessions);
}

Session::~Session() {
  shard_.wheel.disarm(timer_);
  shard_.counters.subtract(Metric::Sessions);
  shard_.counters.subtract(Metric::Subscriptions, filters_.size() + shared().size());
  shard_.counters.subtract(Metric::SharedSubscriptions, shared().size());
  shard_.counters.subtract(Metric::QueuedMessages, live_);
  shard_.counters.subtract(Metric::QueuedBytes, queued_bytes_);
  shard_.queue_bytes -= queued_bytes_ - (cold_ ? cold_->bytes : 0);
  if (cold_) shard_.counters.subtract(Metric::QueuedOnDisk, cold_->messages);
}

std::uint64_t Session::number() const {
  return session_number({shard_.id, key});
}

// --- Connection

void Session::attach(Link& link, std::uint32_t expiry_seconds, std::uint16_t inflight_max) {
  link_ = &link;
  expiry_seconds_ = expiry_seconds;
  inflight_max_ = inflight_max;
  disconnected_at_.reset();
  expires_at_ = will_at_ = kNever;
  for (ReceivedId& received : received_) received.carried = true;
  carried_ = static_cast<std::uint16_t>(received_.size());
  shard_.wheel.disarm(timer_);
  for (const auto& [share, shared] : this->shared())
    shard_.share_groups.member_connected(share, key, true);
}

void Session::resume() {
  // What waited while the client was away was judged by the rights of then.
  if (identity && judged_epoch_ != shard_.parts.authorizer->epoch()) judge_again();
  rewind();
  pump();
}

void Session::detach() {
  link_ = nullptr;
  for (auto& replay : replays_) replay.cancel(shard_);
  replays_.clear();
  if (will_ && will_->delay_seconds == 0) publish_will();
  if (!persistent()) return shard_.end_session(*this);
  for (const auto& [share, shared] : this->shared())
    shard_.share_groups.member_connected(share, key, false);
  if (identity) judged_epoch_ = shard_.parts.authorizer->epoch();
  const Instant now = shard_.now.steady;
  disconnected_at_ = shard_.now.wall;
  expires_at_ = expiry_seconds_ == kExpiryNever ? kNever : now + Seconds(expiry_seconds_);
  will_at_ = will_ ? now + Seconds(will_->delay_seconds) : kNever;
  record();
  shard_.wheel.arm(timer_, std::min(expires_at_, will_at_));
  rewind();
  spill_if_over_budget();
}

void Session::restore(StoredSession stored) {
  expiry_seconds_ = stored.expiry_seconds;
  shared_once_ = stored.shared;
  recorded_ = true;
  judged_epoch_ = kNeverJudged;
  set_will(std::move(stored.will));
  disconnected_at_ = stored.disconnected_at.value_or(shard_.now.wall);
  // Or its time would begin anew with each start of the broker.
  if (!stored.disconnected_at) record();
}

void Session::wait_for_client(Instant deadline) {
  expires_at_ = deadline;
  will_at_ = will_ ? shard_.now.steady + Seconds(will_->delay_seconds) : kNever;
  shard_.wheel.arm(timer_, std::min(expires_at_, will_at_));
}

void Session::on_timer() {
  const Instant now = shard_.now.steady;
  if (link_) return pump();  // a read of the queue failed a while ago
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
  const Identity restored{principal_, client_id_, {}, {}, {}};
  if (shard_.authorizer && (identity || judged_epoch_ == kNeverJudged) &&
      !shard_.authorizer->may(identity ? *identity : restored, Action::Publish, message.topic(),
                              message.qos(), message.retain())) {
    shard_.counters.add(Metric::RefusedNotAuthorized);
    return;
  }
  shard_.counters.add(Metric::WillsPublished);
  MessageParts parts = message.parts();
  if (will->expiry_seconds) parts.expires_at = shard_.now.steady + Seconds(*will->expiry_seconds);
  if (recorded_) return shard_.owed_messages.owe({}, Message::make(parts));
  Publication publication(parts);
  shard_.router.publish(publication, {}, nullptr);
}

// Records of a former session with the same client identifier that are still there would become its
// own at a start: until they are gone, it is not written.
void Session::record() {
  if (!shard_.parts.journal || !(persistent() || recorded_)) return;
  if (shard_.ended_sessions.bars(client_id_)) return;
  recorded_ = true;
  StoredSession stored{client_id_,       principal_,   expiry_seconds_,
                       disconnected_at_, std::nullopt, shared_once_};
  if (will_) stored.will = *will_;
  shard_.parts.journal->session(stored, shard_.now, shard_.transactions.open_batch());
}

void Session::end() {
  if (held_back_) tell_room();
  for (auto& replay : replays_) replay.cancel(shard_);
  replays_.clear();
  publish_will();
  leave_filters();
  const std::vector<std::uint64_t> remote = shard_.transactions.remote_deliveries(key);
  std::vector<NumberRange> spared;
  const auto give_up = [&](std::uint64_t sequence) {
    Entry& entry = *find(sequence);
    if (entry.stored == Stored::Yes) {
      leave_common_message(entry);
    } else if (entry.extra && entry.extra->common_message != 0) {
      shard_.common_messages.lose_track();
    }
    if (entry.state == State::Done || !entry.message) return;
    if (!returns_to_group(entry)) return shard_.counters.add(Metric::DroppedSessionEnd);
    give_back(entry, sequence);
    // Another shard commits its record, nobody knows when: it must not be lost behind this end.
    if (std::binary_search(remote.begin(), remote.end(), sequence))
      spared.push_back({sequence, sequence + 1});
  };
  for (std::uint64_t sequence = head_; sequence < warm_end(); ++sequence) give_up(sequence);
  const bool reads_back = cold_ && cold_->shares;
  if (cold_) {
    if (reads_back) {
      spared.push_back({cold_->from, cold_->end});
    } else {
      shard_.counters.add(Metric::DroppedSessionEnd, cold_->messages);
      shard_.common_messages.lose_track();
    }
    for (std::uint64_t sequence = cold_->end; sequence < end_sequence(); ++sequence)
      give_up(sequence);
  }
  if (!recorded_) return;
  shard_.parts.journal->session_ended(client_id_, spared, shard_.transactions.open_batch());
  shard_.ended_sessions.bury(key, client_id_,
                             remote.size() + unsettled_.size() + (reads_back ? 1 : 0));
  if (reads_back) shard_.ended_sessions.read_back(key, {cold_->from, cold_->end}, cold_->sent_end);
}

bool Session::returns_to_group(const Entry& entry) {
  return entry.extra && !entry.extra->share.empty() &&
         EndedSessions::returns_to_group(entry.qos, entry.state != State::Waiting || entry.dup);
}

void Session::give_back(const Entry& entry, std::uint64_t sequence) {
  const std::string& share = entry.extra->share;
  if (entry.stored == Stored::Unsafe || entry.stored == Stored::Pending ||
      entry.stored == Stored::Writing) {
    shard_.ended_sessions.leave_behind({key, sequence}, share, entry.message);
  } else if (recorded_) {
    shard_.owed_messages.owe(share, entry.message);
  } else {
    shard_.share_groups.give_back(share, entry.message, 0);
  }
}

const Session::SharedFilters& Session::shared() const {
  static const SharedFilters kNone;
  return shared_ ? *shared_ : kNone;
}

Session::SharedFilters& Session::change_shared() {
  if (!shared_) shared_ = std::make_unique<SharedFilters>();
  return *shared_;
}

void Session::joined_group() {
  if (!std::exchange(shared_once_, true)) record();
}

void Session::leave_filters() {
  if (const auto left = std::exchange(shared_, nullptr)) {
    for (const auto& [share, shared] : *left) {
      shard_.share_groups.leave(share, key);
      shard_.counters.subtract(Metric::SharedSubscriptions);
      shard_.counters.subtract(Metric::Subscriptions);
    }
  }
  for (const FilterId filter : std::exchange(filters_, {})) {
    shard_.subscriptions.leave(filter, *this);
    shard_.counters.subtract(Metric::Subscriptions);
  }
}

// --- QoS 2 messages from the client

bool Session::has_received(mqtt::PacketId id) const {
  const auto place = std::lower_bound(received_.begin(), received_.end(), id, before);
  return place != received_.end() && place->id == id;
}

void Session::add_received(mqtt::PacketId id) {
  received_.insert(std::lower_bound(received_.begin(), received_.end(), id, before), {id, false});
}

bool Session::remove_received(mqtt::PacketId id) {
  const auto place = std::lower_bound(received_.begin(), received_.end(), id, before);
  if (place == received_.end() || place->id != id) return false;
  if (place->carried) --carried_;
  received_.erase(place);
  return true;
}

bool Session::is_settled(mqtt::PacketId id) const {
  return std::find(unsettled_.begin(), unsettled_.end(), id) == unsettled_.end();
}

void Session::on_received_settled(mqtt::PacketId id, const Outcome& outcome) {
  const auto place = std::find(unsettled_.begin(), unsettled_.end(), id);
  if (place != unsettled_.end()) unsettled_.erase(place);
  // The client sent the message again, over a later connection, while this was open.
  if (link_) link_->on_received_settled(id, outcome);
}

void Session::forget_received(mqtt::PacketId id) {
  if (remove_received(id) && recorded_)
    shard_.parts.journal->completed(client_id_, id, shard_.transactions.open_batch());
}

SessionInfo Session::describe() const {
  SessionInfo info;
  info.client_id = client_id_;
  info.principal = principal_;
  info.connected = link_ != nullptr;
  info.expiry_seconds = expiry_seconds_;
  info.subscriptions = filters_.size() + shared().size();
  info.queued_messages = live_;
  info.queued_bytes = queued_bytes_;
  info.inflight = inflight_;
  if (link_) link_->describe(info);
  return info;
}

}  // namespace twinmq::core
