// Session's part for how far the store knows of each delivery.

#include <utility>

#include "core/session.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

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
    stored.common_message = entry.extra->common_message;
  }
  return stored;
}

void Session::write_delivery(std::uint64_t sequence, CommonMessages::Written* last, Batch& batch) {
  Entry* entry = find(sequence);
  if (!entry || entry->stored != Stored::Pending) return;
  if (entry->state == State::Done) {  // acknowledged before it was written: nothing to write
    entry->stored = Stored::No;
    shard_.counters.add(Metric::QueueElided);
    return pop_done();
  }
  entry->stored = Stored::Writing;
  shard_.counters.add(Metric::QueueStored);
  // What a share group gives has one receiver.
  if (last && !(entry->extra && !entry->extra->share.empty())) {
    const std::uint64_t number = shard_.common_messages.add_delivery(entry->message, *last, batch);
    if (number != 0) {
      if (!entry->extra) entry->extra = std::make_unique<Extra>();
      entry->extra->common_message = number;
    }
  }
  shard_.parts.journal->delivery(client_id_, stored_delivery(*entry, sequence), shard_.now, batch);
}

void Session::on_delivery_written(std::uint64_t sequence) {
  Entry* entry = find(sequence);
  if (entry && entry->stored == Stored::Unsafe) entry->stored = Stored::No;
  if (!entry || entry->stored != Stored::Writing) return;
  entry->stored = Stored::Yes;
  if (entry->state == State::Done) {
    erase_delivery(*entry, sequence);
    entry->extra.reset();
    return pop_done();
  }
  if (entry->qos == QoS::ExactlyOnce && next_ <= sequence) pump();
  spill_if_over_budget();
}

void Session::erase_delivery(Entry& entry, std::uint64_t sequence) {
  shard_.parts.journal->delivered(client_id_, sequence, shard_.transactions.open_batch());
  leave_common_message(entry);
  entry.stored = Stored::No;
}

void Session::leave_common_message(Entry& entry) {
  if (!entry.extra || entry.extra->common_message == 0) return;
  shard_.common_messages.remove_delivery(std::exchange(entry.extra->common_message, 0));
}

bool Session::restore_delivery(StoredDelivery stored) {
  // Holes are deliveries that were complete.
  constexpr std::uint64_t kHoleMax = 1 << 20;
  if (entries_.empty()) head_ = next_ = stored.sequence;
  if (stored.sequence < end_sequence() || stored.sequence - end_sequence() > kHoleMax) return false;
  while (end_sequence() < stored.sequence) entries_.push_back({}).state = State::Done;
  Entry& entry = entries_.push_back({});
  fill_entry(entry, std::move(stored));
  // Whether it was sent before the restart is not written; a set DUP flag costs the client nothing.
  entry.dup = entry.state == State::Waiting;
  entry.restored = true;
  ++live_;
  shard_.counters.add(Metric::QueuedMessages);
  if (entry.message) {
    queued_bytes_ += entry.message->footprint();
    shard_.counters.add(Metric::QueuedBytes, entry.message->footprint());
  }
  return true;
}

// An entry of what the store holds of it.
void Session::fill_entry(Entry& entry, StoredDelivery stored) {
  entry.message = std::move(stored.message);
  entry.qos = stored.qos;
  entry.retain = stored.retain;
  entry.stored = Stored::Yes;
  entry.state = stored.released ? State::Released : State::Waiting;
  if (stored.subscription_ids.size() == 1) entry.subscription_id = stored.subscription_ids[0];
  if (stored.subscription_ids.size() > 1 || !stored.share.empty() || stored.common_message != 0) {
    entry.extra = std::make_unique<Extra>();
    entry.extra->share = std::move(stored.share);
    entry.extra->common_message = stored.common_message;
    if (stored.subscription_ids.size() > 1)
      entry.extra->subscription_ids = std::move(stored.subscription_ids);
  }
  if (entry.message) shard_.queue_bytes += entry.message->footprint();
}

}  // namespace twinmq::core
