// Session's part for queues that do not fit into memory: their middle lies in the store alone and
// is read back while the client takes what is before it.

#include <algorithm>
#include <utility>

#include "base/escape.hpp"
#include "core/link.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

namespace {
constexpr std::size_t kAheadMin = 16;  // messages
constexpr std::size_t kAheadMax = 2048;
constexpr std::size_t kAheadBytes = 512 * 1024;
constexpr std::size_t kAheadBytesTight = 32 * 1024;
constexpr std::size_t kLookMax = 64;
constexpr Seconds kReadAgain{1};
}  // namespace

// From the front again, as over a new connection [MQTT-4.4.0-1].
void Session::rewind() {
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
}

// --- Out of memory

// What is Done never goes: until its removal is committed, reading would bring it back.
bool Session::may_go_cold(const Entry& entry) const {
  return entry.stored == Stored::Yes && !entry.in_window &&
         (entry.state == State::Waiting || entry.state == State::Released);
}

void Session::spill_if_over_budget() {
  if (shard_.queue_bytes > shard_.queue_budget()) spill();
}

void Session::spill() {
  if (!cold_ && !begin_cold()) return;
  Ring<Entry>& tail = cold_->tail;
  while (!tail.empty() && may_go_cold(tail.front())) {
    go_cold(tail.front(), cold_->end);
    tail.pop_front();
    ++cold_->end;
  }
  // An absent client needs none of what was read ahead for it.
  if (link_) return;
  while (!entries_.empty() && may_go_cold(entries_.back())) {
    go_cold(entries_.back(), --cold_->from);
    entries_.pop_back();
    cold_->reading = 0;
  }
  entries_.shrink();
}

// Everything behind what is about to be sent becomes the tail of a cold middle that is still empty.
bool Session::begin_cold() {
  if (!shard_.parts.journal) return false;
  const std::size_t ahead = link_ ? static_cast<std::size_t>(next_ - head_) + kAheadMin : 0;
  const std::size_t look = std::min(entries_.size(), ahead + kLookMax);
  std::size_t first = ahead;
  while (first < look && !may_go_cold(entries_[first])) ++first;
  if (first >= look) return false;
  for (std::size_t i = entries_.size(); i > first; --i) {
    if (entries_[i - 1].state != State::Done) continue;
    first = i;
    break;
  }
  if (first == entries_.size() || !may_go_cold(entries_[first])) return false;
  if (!shard_.parts.journal->queue_range(client_id_, 0, 1)) return false;
  cold_ = std::make_unique<Cold>();
  cold_->from = cold_->end = head_ + first;
  for (std::size_t i = first; i < entries_.size(); ++i)
    cold_->tail.push_back(std::move(entries_[i]));
  while (entries_.size() > first) entries_.pop_back();
  entries_.shrink();
  return true;
}

void Session::go_cold(Entry& entry, std::uint64_t sequence) {
  ++cold_->messages;
  shard_.counters.add(Metric::QueuedOnDisk);
  cold_->shares |= entry.extra && !entry.extra->share.empty();
  if (entry.dup) cold_->sent_end = std::max(cold_->sent_end, sequence + 1);
  if (entry.restored) cold_->restored_end = std::max(cold_->restored_end, sequence + 1);
  if (!entry.message) return;
  cold_->bytes += entry.message->footprint();
  shard_.queue_bytes -= entry.message->footprint();
}

void Session::restore_queue(const StoredQueue& stored) {
  head_ = next_ = stored.first;
  cold_ = std::make_unique<Cold>();
  cold_->from = stored.first;
  cold_->end = cold_->sent_end = cold_->restored_end = stored.end;
  cold_->messages = stored.messages;
  cold_->bytes = stored.bytes;
  cold_->shares = shared_once_;
  live_ += static_cast<std::uint32_t>(stored.messages);
  queued_bytes_ += stored.bytes;
  shard_.counters.add(Metric::QueuedMessages, stored.messages);
  shard_.counters.add(Metric::QueuedOnDisk, stored.messages);
  shard_.counters.add(Metric::QueuedBytes, stored.bytes);
}

// --- And back

// Asks for the next part while there is still something to send, so that a draining client does not
// wait for the disk.
void Session::read_ahead() {
  if (!link_ || cold_->reading != 0) return;
  const std::size_t ahead =
      std::clamp<std::size_t>(std::size_t{inflight_max_} * 2, kAheadMin, kAheadMax);
  if (warm_end() - next_ > ahead / 2) return;
  auto range = shard_.parts.journal->queue_range(client_id_, cold_->from, cold_->end);
  if (!range) return;
  range->entries_max = ahead;
  range->bytes_max = shard_.queue_bytes > shard_.queue_budget() ? kAheadBytesTight : kAheadBytes;
  shard_.counters.add(Metric::QueueReads);
  cold_->reading =
      shard_.reads.ask(std::move(*range), [&shard = shard_, key = key, to = cold_->end](
                                              std::uint64_t ticket, Result<StoreEntries> found) {
        if (Session* const session = shard.sessions.find(key))
          session->on_read_ahead(ticket, to, std::move(found));
      });
}

void Session::on_read_ahead(std::uint64_t ticket, std::uint64_t to, Result<StoreEntries> found) {
  if (!cold_ || cold_->reading != ticket) return;
  cold_->reading = 0;
  if (!found) {
    shard_.log(LogLevel::Error, "queue not readable",
               "client=" + escaped(client_id_) + " because=" + escaped(found.error().detail));
    // Damage is mended when the store is opened again; anything else may pass by itself.
    if (found.error().code == ErrorCode::Corrupt) {
      shard_.effects.reload = true;
    } else if (link_) {
      shard_.wheel.arm(timer_, shard_.now.steady + kReadAgain);
    }
    return;
  }
  for (const auto& [key_found, record] : found->entries) warm_up(key_found, record);
  if (!found->more) skip_to(to);
  if (cold_->from == cold_->end) end_cold();
  pop_done();
  pump();
  if (!link_) spill_if_over_budget();
}

void Session::warm_up(std::string_view key_found, std::string_view record) {
  Result<StoredDelivery> stored =
      shard_.parts.journal->read_delivery(key_found, record, shard_.now);
  if (!stored || stored->sequence < cold_->from || stored->sequence >= cold_->end) {
    shard_.log(LogLevel::Error, "stored record left out",
               "client=" + escaped(client_id_) +
                   " because=" + escaped(stored ? "it is out of sequence" : stored.error().detail));
    return;
  }
  const std::uint64_t sequence = stored->sequence;
  skip_to(sequence);
  Entry& entry = entries_.push_back({});
  cold_->from = sequence + 1;
  fill_entry(entry, std::move(*stored));
  entry.dup = entry.state == State::Waiting && sequence < cold_->sent_end;
  entry.restored = sequence < cold_->restored_end;
  if (cold_->messages > 0) {
    --cold_->messages;
    shard_.counters.subtract(Metric::QueuedOnDisk);
  } else {
    ++live_;
    shard_.counters.add(Metric::QueuedMessages);
  }
  const std::uint64_t bytes = entry.message ? entry.message->footprint() : 0;
  const std::uint64_t counted = std::min(bytes, cold_->bytes);
  cold_->bytes -= counted;
  queued_bytes_ += bytes - counted;
  shard_.counters.add(Metric::QueuedBytes, bytes - counted);
  if (shard_.authorizer && identity) judge(entry, sequence);
}

// What lies between was complete long ago.
void Session::skip_to(std::uint64_t sequence) {
  if (entries_.empty()) {
    head_ = next_ = std::max(head_, sequence);
  } else {
    while (warm_end() < sequence) entries_.push_back({}).state = State::Done;
  }
  cold_->from = sequence;
}

// The first of the cold ones, unread. False: none is left, and the next turn finds what came
// behind.
bool Session::drop_cold() {
  if (cold_->from == cold_->end) {
    end_cold();
    return drop_oldest();
  }
  cold_->reading = 0;  // what it brings begins too early
  shard_.parts.journal->delivered(client_id_, cold_->from, shard_.transactions.open_batch());
  shard_.common_messages.lose_track();
  const std::uint64_t bytes = cold_->messages > 0 ? cold_->bytes / cold_->messages : 0;
  if (cold_->messages > 0) {
    --cold_->messages;
    --live_;
    shard_.counters.subtract(Metric::QueuedMessages);
    shard_.counters.subtract(Metric::QueuedOnDisk);
  }
  cold_->bytes -= bytes;
  queued_bytes_ -= bytes;
  shard_.counters.subtract(Metric::QueuedBytes, bytes);
  skip_to(cold_->from + 1);
  if (cold_->from == cold_->end) end_cold();
  return true;
}

// Everything is in memory again. What was counted by estimation, or could not be read, is not
// there.
void Session::end_cold() {
  const std::unique_ptr<Cold> cold = std::move(cold_);
  live_ -= static_cast<std::uint32_t>(cold->messages);
  queued_bytes_ -= cold->bytes;
  shard_.counters.subtract(Metric::QueuedMessages, cold->messages);
  shard_.counters.subtract(Metric::QueuedOnDisk, cold->messages);
  shard_.counters.subtract(Metric::QueuedBytes, cold->bytes);
  for (std::size_t i = 0; i < cold->tail.size(); ++i) {
    Entry& entry = entries_.push_back(std::move(cold->tail[i]));
    if (shard_.authorizer && identity) judge(entry, cold->end + i);
  }
}

}  // namespace twinmq::core
