#pragma once
// Numbers that cannot be mixed up, and where things live.

#include <compare>
#include <cstdint>
#include <string_view>

#include "base/hash.hpp"
#include "base/slot_map.hpp"

namespace twinmq::core {

/// Shards of one broker, 0 … count-1; at most 64.
using ShardId = std::uint32_t;
inline constexpr unsigned kShardsMax = 64;

using LinkKey = base::SlotKey;
using SessionKey = base::SlotKey;

/// A session anywhere in the process.
struct SessionAddress {
  ShardId shard = 0;
  SessionKey key;
  bool operator==(const SessionAddress&) const = default;
};

/// A number for the session that no other session of this process has had; never 0.
inline std::uint64_t session_number(const SessionAddress& address) {
  return (std::uint64_t{address.key.generation} << 38) | (std::uint64_t{address.key.index} << 6) |
         address.shard;
}

/// Where a client's session, a topic's retained message or a share group lives. Not stored
/// anywhere: it may change with the number of shards between two starts.
inline ShardId home_of(std::string_view text, unsigned shards) {
  return shards == 1 ? 0 : static_cast<ShardId>(base::mix_hash(text, 0) % shards);
}

/// Stands for the publisher of a message that a share group has back from a member: it is
/// acknowledged, and no full queue may refuse it.
inline constexpr std::uint64_t kReturnedToGroup = ~std::uint64_t{0};

}  // namespace twinmq::core
