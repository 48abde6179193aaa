#pragma once
// Sessions that ended while other shards still had records of theirs to write, as parts of
// publishes. Such records reach the store behind the end of the session; until they are erased
// again, nobody who takes the client identifier is welcomed.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/ids.hpp"

namespace twinmq::core {

struct Shard;

class EndedSessions {
 public:
  explicit EndedSessions(Shard& shard) : shard_(shard) {}

  /// The session has gone, and so many of its records may yet be written.
  void bury(SessionKey session, const std::string& client_id, std::size_t records);
  bool bars(std::string_view client_id) const {
    return !barred_.empty() && barred_.contains(std::string(client_id));
  }
  /// The link is welcomed once its session's new beginning is safe behind everything old.
  void wait(std::string_view client_id, LinkKey link) {
    barred_[std::string(client_id)].links.push_back(link);
  }

  /// One of those records was written, or never will be.
  void on_delivery_written(SessionKey session, std::uint64_t sequence);
  void on_received_written(SessionKey session, std::uint16_t packet_id);

 private:
  struct Grave {
    std::string client_id;
    std::size_t records = 0;
  };
  struct Bar {
    std::size_t graves = 0;
    std::vector<LinkKey> links;
  };
  static std::uint64_t number(SessionKey key) {
    return (std::uint64_t{key.generation} << 32) | key.index;
  }
  Grave* find(SessionKey session);
  void settle(SessionKey session);

  Shard& shard_;
  std::unordered_map<std::uint64_t, Grave> graves_;
  std::unordered_map<std::string, Bar> barred_;  ///< by client identifier
};

}  // namespace twinmq::core
