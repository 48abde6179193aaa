#include "core/ended_sessions.hpp"

#include <algorithm>
#include <utility>

#include "core/shard.hpp"

namespace twinmq::core {

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
