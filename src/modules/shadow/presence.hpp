#pragma once
// Who is connected, told by every shard and asked by any.

#include <cstdint>
#include <string_view>

namespace twinmq::shadow {

/// Any thread.
class Presence {
 public:
  virtual ~Presence() = default;

  virtual bool connected(std::string_view client_id) const = 0;
  virtual void came(std::string_view client_id, std::uint64_t connection) = 0;
  /// Says nothing of a later connection of the same client.
  virtual void went(std::string_view client_id, std::uint64_t connection) = 0;
  /// All clients of a shard that starts anew have gone.
  virtual void forget(std::uint32_t shard, std::uint32_t shards) = 0;
};

}  // namespace twinmq::shadow
