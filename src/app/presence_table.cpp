#include "app/presence_table.hpp"

#include "base/hash.hpp"

namespace twinmq::app {

PresenceTable::PresenceTable(std::uint64_t seed) : seed_(seed) {}

bool PresenceTable::connected(std::string_view client_id) const {
  const std::lock_guard lock(mutex_);
  return clients_.contains(base::mix_hash(client_id, seed_));
}

void PresenceTable::came(std::string_view client_id, std::uint64_t connection) {
  const std::lock_guard lock(mutex_);
  clients_[base::mix_hash(client_id, seed_)] = {connection, base::mix_hash(client_id, 0)};
}

void PresenceTable::went(std::string_view client_id, std::uint64_t connection) {
  const std::lock_guard lock(mutex_);
  const auto found = clients_.find(base::mix_hash(client_id, seed_));
  if (found != clients_.end() && found->second.connection == connection) clients_.erase(found);
}

void PresenceTable::forget(std::uint32_t shard, std::uint32_t shards) {
  const std::lock_guard lock(mutex_);
  std::erase_if(clients_, [&](const auto& each) { return each.second.place % shards == shard; });
}

}  // namespace twinmq::app
