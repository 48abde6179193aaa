#include "core/ended_sessions.hpp"

#include <utility>

#include "core/shard.hpp"

namespace twinmq::core {

void EndedSessions::bury(SessionKey session, const std::string& client_id, std::size_t records) {
  if (records == 0) return;
  graves_.emplace(number(session), Grave{client_id, records});
  ++barred_[client_id].graves;
}

void EndedSessions::on_delivery_written(SessionKey session, std::uint64_t sequence) {
  const Grave* const grave = find(session);
  if (!grave) return;
  shard_.parts.journal->delivered(grave->client_id, sequence, shard_.transactions.open_batch());
  settle(session);
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
