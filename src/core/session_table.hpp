#pragma once
// Client identifier -> session, for the sessions whose home is this shard.

#include <string_view>
#include <unordered_map>

#include "base/slot_map.hpp"
#include "core/session.hpp"

namespace twinmq::core {

struct Shard;

class SessionTable {
 public:
  explicit SessionTable(Shard& shard) : shard_(shard) {}

  Session* find(SessionKey key) const { return sessions_.get(key); }
  Session* find(std::string_view client_id) const {
    const auto place = by_client_id_.find(client_id);
    return place == by_client_id_.end() ? nullptr : sessions_.get(place->second);
  }
  Session& create(std::string client_id, std::string principal);
  void erase(Session& session);
  std::size_t size() const { return by_client_id_.size(); }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const auto& [client_id, key] : by_client_id_) visit(*sessions_.get(key));
  }

 private:
  Shard& shard_;
  mutable base::SlotMap<Session> sessions_;
  /// Keys view the sessions' own client identifiers.
  std::unordered_map<std::string_view, SessionKey> by_client_id_;
};

}  // namespace twinmq::core
