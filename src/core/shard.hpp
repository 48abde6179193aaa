#pragma once
// Everything one shard owns, for the classes of this folder to find each other. Users see
// ShardCore.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/counters.hpp"
#include "base/log_throttle.hpp"
#include "base/mailbox.hpp"
#include "base/out_buffer.hpp"
#include "base/prng.hpp"
#include "base/slot_map.hpp"
#include "base/timing_wheel.hpp"
#include "core/common_messages.hpp"
#include "core/effects.hpp"
#include "core/ended_sessions.hpp"
#include "core/link.hpp"
#include "core/owed_messages.hpp"
#include "core/reads.hpp"
#include "core/retained_replay.hpp"
#include "core/router.hpp"
#include "core/services.hpp"
#include "core/session.hpp"
#include "core/session_table.hpp"
#include "core/shard_core.hpp"
#include "core/share_groups.hpp"
#include "core/subscriptions.hpp"
#include "core/topic_tree.hpp"
#include "core/transactions.hpp"

namespace twinmq::core {

struct Shard {
  explicit Shard(ShardParts shard_parts);
  ~Shard();

  unsigned shards() const { return parts.shards; }

  template <typename Visit>
  void for_each_other(Visit visit) {
    for (ShardId other = 0; other < parts.shards; ++other)
      if (other != id) visit(other);
  }

  /// To this very shard, too: such a letter is read at once.
  void post(ShardId to, Letter letter);
  /// The message for whoever matches there, or for one member of a share group. `to` is another
  /// shard.
  void post_delivery(ShardId to, const Publication& publication, const PartOf& part);
  void post_delivery(ShardId to, const Publication& publication, const PartOf& part,
                     DeliverToMember letter);
  void post_closed(ShardId to, PartClosed closed);
  void read(ShardId from, Letter& letter);

  /// The outcome of a publish, for whoever waits.
  void answer(const Waiter& waiter, const Outcome& outcome);

  /// Ends the session and deletes it; its link, if any, is not touched.
  void end_session(Session& session);

  /// The link has bytes to send again, wants to be read again, or is to be closed. More bytes
  /// behind others that wait already need not be told.
  void touch(Link& link);
  /// The link goes on with bytes it already has in the next turn.
  void postpone(Link& link) {
    if (!std::exchange(link.postponed_, true)) postponed.push_back(link.key);
  }
  /// Mail to some shard waits for room, or too much waits for the store: links that cause more are
  /// not read meanwhile.
  bool congested() const { return mail_backlog || transactions.backlog() > kTransactionsMax; }
  static constexpr std::size_t kTransactionsMax = 65'536;

  /// Hands the link to the shard of its session, if CONNECT said so.
  void move_if_wanted(Link& link);

  void refresh_access();

  bool offers_retain() const { return parts.retained && parts.mqtt.retain_available; }
  void count_retained();
  void on_retained_found(RetainedFound& mail);
  void on_slice_end(const RetainedSliceEnd& mail);

  void log(LogLevel level, std::string_view event, const std::string& detail) const;
  /// A line that anybody outside can cause at will: the rest beyond limits.log_repeats_max is
  /// counted.
  void log_of_strangers(LogLevel level, std::string_view event, std::string detail);

  ShardParts parts;
  ShardId id;
  Authorizer* authorizer = nullptr;  ///< to be asked; null while everything is allowed
  base::Counters& counters;
  Now now;
  Effects effects;
  base::ChunkPool chunks;
  base::TimingWheel wheel;
  base::Prng random;
  std::uint32_t subscribers = 0;  ///< that there ever were
  base::SlotMap<Link> links;
  TopicTree tree;
  Reads reads{effects.reads};
  Transactions transactions{*this};
  CommonMessages common_messages{*this};
  Router router{*this};
  ShareGroups share_groups{*this};
  Subscriptions subscriptions{*this};
  ServedReplays served_replays{*this};
  EndedSessions ended_sessions{*this};
  OwedMessages owed_messages{*this};
  Services services{*this};
  SessionTable sessions{*this};
  std::string scratch;  ///< for decode_publish
  std::string packet;   ///< for building packets that are not hot
  std::vector<LinkKey> postponed;
  std::size_t replay_budget = 0;  ///< steps left for retained replays in this turn
  std::uint64_t replay_groups = 0;
  std::uint64_t replay_tickets = 0;
  std::unordered_map<std::uint64_t, SessionKey>
      replay_owners;  ///< of replays served by other shards
  bool mail_backlog = false;
  /// Of messages that wait in sessions and are in memory; beyond its share of the budget, committed
  /// ones that nobody is about to get stay in the store alone.
  std::uint64_t queue_bytes = 0;
  std::uint64_t queue_budget() const { return parts.limits.queue_memory_bytes / parts.shards; }
  base::LogThrottle log_throttle;
  std::size_t retained_messages_counted = 0;
  std::size_t retained_bytes_counted = 0;

 private:
  RetainedReplay* find_replay(std::uint64_t ticket, Session*& session);
};

/// What a timer of the shard's wheel belongs to.
inline constexpr std::uint8_t kLinkTimer = 1;
inline constexpr std::uint8_t kSessionTimer = 2;
inline constexpr std::uint8_t kCommonMessagesTimer = 3;

}  // namespace twinmq::core
