#pragma once
// The retained messages that one new subscription must still be shown, from this shard or from
// another.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <twinmq/retained.hpp>

#include "core/ids.hpp"

namespace twinmq::core {

struct Shard;

/// A retained replay that begins when its subscription is in force.
struct ReplayWanted {
  std::string filter;
  QoS qos = QoS::AtMostOnce;
  std::uint32_t subscription_id = 0;
};

class RetainedReplay {
 public:
  /// From this shard's own messages.
  RetainedReplay(std::unique_ptr<RetainedMessages::Replay> here, ReplayWanted what)
      : wanted(std::move(what)), here_(std::move(here)) {}
  /// From shard `from`, which was sent RetainedWanted with this ticket.
  RetainedReplay(ShardId from, std::uint64_t ticket, ReplayWanted what)
      : wanted(std::move(what)), from_(from), ticket_(ticket) {}

  ReplayWanted wanted;

  /// The next message; empty when there is none now: ask done().
  MessageRef next(Shard& shard);
  bool done() const;
  void cancel(Shard& shard);

  ShardId from() const { return from_; }
  bool is_here() const { return here_ != nullptr; }
  /// Whether next() may have a message without mail from another shard.
  bool ready() const { return here_ || !slice_.empty() || !waiting_ || done_; }
  std::uint64_t ticket() const { return ticket_; }
  /// A newer message of the topic was delivered: what was fetched before must not follow it.
  void supersede(std::string_view topic) {
    std::erase_if(slice_, [&](const MessageRef& message) { return message->topic() == topic; });
  }
  void add(MessageRef message) { slice_.push_back(std::move(message)); }
  void end_slice(bool done) {
    waiting_ = false;
    done_ = done;
  }

 private:
  std::unique_ptr<RetainedMessages::Replay> here_;
  ShardId from_ = 0;
  std::uint64_t ticket_ = 0;  ///< 0: here
  std::deque<MessageRef> slice_;
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
