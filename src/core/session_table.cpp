#include "core/session_table.hpp"

#include <utility>

#include "core/shard.hpp"

namespace twinmq::core {

Session& SessionTable::create(std::string client_id, std::string principal) {
  const SessionKey key = sessions_.insert(shard_, std::move(client_id), std::move(principal));
  Session& session = *sessions_.get(key);
  session.key = key;
  by_client_id_.emplace(session.client_id(), key);
  return session;
}

void SessionTable::erase(Session& session) {
  by_client_id_.erase(session.client_id());
  sessions_.erase(session.key);
}

}  // namespace twinmq::core
