#pragma once
// The retained messages that one new subscription must still be shown, from this shard or from
// another.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <twinmq/retained.hpp>

#include "core/ids.hpp"

namespace twinmq::core {

struct Shard;

/// What a subscription asks to be shown.
struct ReplayWanted {
  std::string filter;
  QoS qos = QoS::AtMostOnce;
  std::uint32_t subscription_id = 0;
  std::uint64_t group = 0;  ///< of the SUBSCRIBE
};

/// Opened with its subscription, so that every message is either in it or comes live, never both;
/// begins when the subscription is in force.
class RetainedReplay {
 public:
  /// From this shard's own messages.
  RetainedReplay(std::unique_ptr<RetainedMessages::Replay> here, ReplayWanted what)
      : wanted(std::move(what)), here_(std::move(here)) {}
  /// From shard `from`, which was sent RetainedWanted with this ticket since it was told of the
  /// subscription.
  RetainedReplay(ShardId from, std::uint64_t ticket, ReplayWanted what)
      : wanted(std::move(what)), from_(from), ticket_(ticket) {}

  ReplayWanted wanted;

  void begin() { begun_ = true; }
  bool begun() const { return begun_; }
  /// The next message; empty when there is none now: ask done().
  MessageRef next(Shard& shard);
  bool done() const;
  void cancel(Shard& shard);

  ShardId from() const { return from_; }
  bool is_here() const { return here_ != nullptr; }
  /// Whether next() may have a message without mail from another shard.
  bool ready() const { return begun_ && (here_ || !slice_.empty() || !waiting_ || done_); }
  std::uint64_t ticket() const { return ticket_; }
  /// A message of the topic was delivered live: what is or will be fetched from before must not
  /// follow it.
  void supersede(std::string_view topic);
  void add(MessageRef message);
  void end_slice(bool done);

 private:
  std::unique_ptr<RetainedMessages::Replay> here_;
  ShardId from_ = 0;
  std::uint64_t ticket_ = 0;  ///< 0: here
  std::deque<MessageRef> slice_;
  /// Topics that came live while RetainedWanted was on its way: the walk, opened after them, has
  /// them again. What comes live later is left out by the walk itself.
  std::unordered_set<std::string> live_before_opened_;
  bool begun_ = false;
  bool opened_ = false;  ///< the first slice has come
  bool waiting_ = true;  ///< for the end of a slice
  bool done_ = false;
};

/// The replays this shard serves to others.
class ServedReplays {
 public:
  explicit ServedReplays(Shard& shard) : shard_(shard) {}
  void open(ShardId asker, std::uint64_t ticket, const std::string& filter);
  void next(ShardId asker, std::uint64_t ticket, bool cancel);

 private:
  struct Served {
    ShardId asker;
    std::uint64_t ticket;
    std::unique_ptr<RetainedMessages::Replay> replay;
  };
  void send_slice(Served& served);

  Shard& shard_;
  std::deque<Served> served_;
};

}  // namespace twinmq::core
