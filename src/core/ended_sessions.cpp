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
  settle(kept.session);
}

void EndedSessions::on_received_written(SessionKey session, std::uint16_t packet_id) {
  const Grave* const grave = find(session);
  if (!grave) return;
  shard_.parts.journal->completed(grave->client_id, packet_id, shard_.transactions.open_batch());
  settle(session);
}

void EndedSessions::read_back(SessionKey session, NumberRange queue, std::uint64_t sent_end) {
  const std::string& client_id = find(session)->client_id;
  barred_[client_id].reading = queue;
  auto range = shard_.parts.journal->queue_range(client_id, queue.from, queue.to);
  range->entries_max = kReadBackMessages;
  range->bytes_max = kReadBackBytes;
  shard_.reads.ask(std::move(*range), [this, session, queue, sent_end](
                                          std::uint64_t, const Result<StoreEntries>& found) {
    on_read_back(session, queue, sent_end, found);
  });
}

void EndedSessions::on_read_back(SessionKey session, NumberRange queue, std::uint64_t sent_end,
                                 const Result<StoreEntries>& found) {
  const std::string& client_id = find(session)->client_id;
  const std::uint64_t from = queue.from;
  if (!found) {
    shard_.log(LogLevel::Error, "queue not readable",
               "client=" + escaped(client_id) + " because=" + escaped(found.error().detail));
    shard_.effects.reload = true;  // a start finds what is left
    return;
  }
  for (const auto& [key, record] : found->entries) {
    const auto stored = shard_.parts.journal->read_delivery(key, record, shard_.now);
    if (!stored) {
      shard_.log(LogLevel::Error, "stored record left out",
                 "client=" + escaped(client_id) + " because=" + escaped(stored.error().detail));
      continue;
    }
    queue.from = stored->sequence + 1;
    if (stored->message && !stored->share.empty() &&
        returns_to_group(stored->qos, stored->sequence < sent_end)) {
      shard_.owed_messages.owe(stored->share, stored->message);
    } else if (stored->message) {
      shard_.counters.add(Metric::DroppedSessionEnd);
    }
    shard_.parts.journal->delivered(client_id, stored->sequence, shard_.transactions.open_batch());
    if (stored->common_message != 0) shard_.common_messages.remove_delivery(stored->common_message);
  }
  if (!found->more) {
    barred_[client_id].reading.reset();
    return settle(session);
  }
  // Where nothing can be read, what is behind it can only be found by a start.
  if (queue.from == from) {
    shard_.effects.reload = true;
  } else {
    read_back(session, queue, sent_end);
  }
}

std::optional<NumberRange> EndedSessions::being_read_back(std::string_view client_id) const {
  const auto bar = barred_.find(std::string(client_id));
  return bar == barred_.end() ? std::nullopt : bar->second.reading;
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
  const std::vector<LinkKey> links = std::move(bar->second.links);
  barred_.erase(bar);
  for (const LinkKey link : links)
    shard_.transactions.after_commit({AfterCommit::Kind::Connack, link, {}, 0});
}

}  // namespace twinmq::core
