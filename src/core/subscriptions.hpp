#pragma once
// Entering and leaving the topic tree so that every shard knows: a SUBACK promises that no message
// published anywhere in the process is missed from then on.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/mail.hpp"
#include "core/retained_replay.hpp"
#include "core/topic_tree.hpp"

namespace twinmq::core {

struct Shard;

class Subscriptions {
 public:
  explicit Subscriptions(Shard& shard) : shard_(shard) {}

  /// Adds to this shard's tree; the others are told if the filter is new here.
  TopicTree::Added enter(std::string_view filter, const Subscription& subscription);
  void leave(std::string_view filter, const Subscriber& subscriber);
  void leave(FilterId filter, const Subscriber& subscriber);

  /// A SUBSCRIBE that waits: for fences, and for a commit if `stored`. When nothing is left its
  /// promise is kept and its replays begin.
  struct Ticket {
    LinkKey link;
    std::uint64_t promise = 0;
    std::uint64_t replays = 0;  ///< their group
    std::uint32_t waiting = 0;
    bool fence = false;  ///< no SUBSCRIBE: only the fence itself
    bool owed = false;   ///< no SUBSCRIBE: restored messages wait to be routed
    // A fence relayed for another shard instead:
    bool relay = false;
    ShardId asker = 0;
    std::uint64_t askers_ticket = 0;
  };
  /// `share_homes` are the shards that were sent JoinShare.
  void wait(Ticket ticket, bool stored, const std::vector<ShardId>& share_homes);
  void on_ticket(std::uint64_t ticket);

  void on_interest(ShardId from, const Interest& letter);
  void on_fence(ShardId from, const Fence& letter);

  /// Tells every other shard that this one wants, or no longer wants, what matches the filter.
  void tell(std::string_view filter, bool wanted);

 private:
  void complete(Ticket ticket);

  Shard& shard_;
  std::uint64_t tickets_ = 0;
  std::unordered_map<std::uint64_t, Ticket> waiting_;
};

}  // namespace twinmq::core
