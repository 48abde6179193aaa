#pragma once
// Presence of clients for queries of shadows, by a hash of their identifiers.

#include <cstdint>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "modules/shadow/presence.hpp"

namespace twinmq::app {

class PresenceTable final : public shadow::Presence {
 public:
  /// `seed`: a secret, so that nobody can choose an identifier that counts as another's.
  explicit PresenceTable(std::uint64_t seed);

  bool connected(std::string_view client_id) const override;
  void came(std::string_view client_id, std::uint64_t connection) override;
  void went(std::string_view client_id, std::uint64_t connection) override;
  void forget(std::uint32_t shard, std::uint32_t shards) override;

 private:
  struct Client {
    std::uint64_t connection;
    std::uint64_t place;  ///< its shard follows from it
  };

  const std::uint64_t seed_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Client> clients_;
};

}  // namespace twinmq::app
