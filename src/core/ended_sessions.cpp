#include "core/ended_sessions.hpp"

#include <algorithm>
#include <utility>

#include "base/escape.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

namespace {
constexpr std::size_t kReadBackMessages = 256;
constexpr std::size_t kReadBackBytes = 256 * 1024;
}  // namespace

void EndedSessions::bury(SessionKey session, const std::string& client_id, std::size_t records) {
  if (records == 0) return;
  graves_.emplace(number(session), Grave{client_id, records});
  ++barred_[client_id].graves;
}

void EndedSessions::leave_behind(const Kept& kept, std::string share, MessageRef message) {
  left_behind_.push_back({kept.session, kept.sequence, 0, std::move(share), std::move(message)});
}

std::vector<EndedSessions::LeftBehind>::iterator EndedSessions::find(const Kept& kept) {
  return std::find_if(left_behind_.begin(), left_behind_.end(), [&](const LeftBehind& candidate) {
    return candidate.session == kept.session && candidate.sequence == kept.sequence;
  });
}

void EndedSessions::write_delivery(const Kept& kept, Batch& batch) {
  const auto left = find(kept);
  if (left == left_behind_.end()) return;
  left->owed = shard_.random.next();
  shard_.parts.journal->owed({left->owed, left->share, left->message}, shard_.now, batch);
}

void EndedSessions::on_committed(const Kept& kept) {
  const auto place = find(kept);
  if (place == left_behind_.end()) return;
  LeftBehind left = std::move(*place);
  left_behind_.erase(place);
  // Written as the session's own, it becomes the broker's together with the erasure of that record.
  if (left.owed == 0) return shard_.owed_messages.owe(std::move(left.share), left.message);
  shard_.owed_messages.route({left.owed, std::move(left.share), std::move(left.message)});
}

void EndedSessions::on_delivery_written(const Kept& kept) {
  const Grave* const grave = find(kept.session);
  if (!grave) return;
  shard_.parts.journal->delivered(grave->client_id, kept.sequence,
                                  shard_.transactions.open_batch());
  shard_.common_messages.lose_track();
  settle(kept.session);
}

void EndedSessions::on_received_written(SessionKey session, std::uint16_t packet_id) {
  const Grave* const grave = find(session);
  if (!grave) return;
  shard_.parts.journal->completed(grave->client_id, packet_id, shard_.transactions.open_batch());
  settle(session);
}

void EndedSessions::read_back(SessionKey session, NumberRange queue, std::uint64_t sent_end) {
  Grave& grave = *find(session);
  grave.queue = queue;
  grave.sent_end = sent_end;
  read_on(session);
}

void EndedSessions::read_on(SessionKey session) {
  const Grave& grave = *find(session);
  auto range = shard_.parts.journal->queue_range(grave.client_id, grave.queue.from, grave.queue.to);
  range->entries_max = kReadBackMessages;
  range->bytes_max = kReadBackBytes;
  shard_.reads.ask(std::move(*range),
                   [this, session](std::uint64_t, const Result<StoreEntries>& found) {
                     on_read_back(session, found);
                   });
}

void EndedSessions::on_read_back(SessionKey session, const Result<StoreEntries>& found) {
  Grave& grave = *find(session);
  if (!found) {
    shard_.log(LogLevel::Error, "queue not readable",
               "client=" + escaped(grave.client_id) + " because=" + escaped(found.error().detail));
    shard_.effects.reload = true;  // a start finds what is left
    return;
  }
  const std::uint64_t from = grave.queue.from;
  for (const auto& [key, record] : found->entries) {
    const auto stored = shard_.parts.journal->read_delivery(key, record, shard_.now);
    if (!stored) {
      shard_.log(
          LogLevel::Error, "stored record left out",
          "client=" + escaped(grave.client_id) + " because=" + escaped(stored.error().detail));
      barred_[grave.client_id].unreadable = true;
      continue;
    }
    grave.queue.from = stored->sequence + 1;
    if (stored->message && !stored->share.empty() &&
        returns_to_group(stored->qos, stored->sequence < grave.sent_end)) {
      shard_.owed_messages.owe(stored->share, stored->message);
    } else if (stored->message) {
      shard_.counters.add(Metric::DroppedSessionEnd);
    }
    shard_.parts.journal->delivered(grave.client_id, stored->sequence,
                                    shard_.transactions.open_batch());
    if (stored->common_message != 0) shard_.common_messages.remove_delivery(stored->common_message);
  }
  if (!found->more) return settle(session);
  if (grave.queue.from == from) {
    shard_.effects.reload = true;  // nothing of a whole part could be read: a start passes over it
  } else {
    shard_.transactions.after_commit({AfterCommit::Kind::ReadBack, {}, session, 0});
  }
}

EndedSessions::Grave* EndedSessions::find(SessionKey session) {
  const auto place = graves_.find(number(session));
  return place == graves_.end() ? nullptr : &place->second;
}

void EndedSessions::settle(SessionKey session) {
  const auto grave = graves_.find(number(session));
  if (--grave->second.records > 0) return;
  const auto bar = barred_.find(grave->second.client_id);
  graves_.erase(grave);
  if (--bar->second.graves > 0) return;
  const std::string client_id = bar->first;
  const std::vector<LinkKey> links = std::move(bar->second.links);
  if (bar->second.unreadable)
    shard_.parts.journal->session_ended(client_id, {}, shard_.transactions.open_batch());
  barred_.erase(bar);
  if (Session* const heir = shard_.sessions.find(client_id)) heir->record();
  for (const LinkKey link : links)
    shard_.transactions.after_commit({AfterCommit::Kind::Connack, link, {}, 0});
}

}  // namespace twinmq::core
