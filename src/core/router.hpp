#pragma once
// A message -> deliveries here, mail elsewhere, one transaction around them.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/mail.hpp"
#include "core/services.hpp"
#include "core/subscriber.hpp"
#include "core/topic_tree.hpp"
#include "core/transactions.hpp"

namespace twinmq::core {

struct Shard;

/// What the shard answers when some receivers were full, some took it, or nobody was there.
Outcome outcome_of(std::uint32_t matched, bool refused);

class Router {
 public:
  explicit Router(Shard& shard) : shard_(shard) {}

  /// Publishes a message that entered the broker on this shard. `records` are the publisher's own
  /// changes, to be written with it; null: none. The outcome, if nothing has to be waited for;
  /// otherwise `waiter` gets it later through Shard::answer().
  std::optional<Outcome> publish(Publication& publication, const Waiter& waiter, Batch* records);

  /// The same by way of the topic's home, which orders it behind retained messages of its topic.
  std::optional<Outcome> publish_at_home(Publication& publication, const Waiter& waiter,
                                         Batch* records);

  /// A message for one receiver outside the tree: a retained replay.
  void deliver_to_one(Subscriber& subscriber, const Delivery& delivery);

  void on_deliver(Publication& publication, const PartOf& part);
  void on_deliver_to_member(Publication& publication, const PartOf& part, const MemberCopy& copy);
  void on_return_to_share(const ReturnToShare& letter);
  void on_publish_at_home(ShardId from, PublishAtHome& letter);
  void on_published_at_home(const PublishedAtHome& letter);
  void on_publish_within(PublishWithin& letter);

  /// A transaction that no message began.
  void react(const std::function<void(Reaction&)>& action);
  /// Closes a part that a service held open.
  void resume(const PartOf& part, std::uint8_t hops, const std::function<void(Reaction&)>& action);

 private:
  /// Working memory of one routing call; calls nest when a delivery sets off another publish.
  struct Scratch {
    Matches matches;
    Route route;
    struct Overlap {
      Subscriber* subscriber;
      QoS qos;
      bool retain_as_published;
      std::vector<std::uint32_t> subscription_ids;
    };
    std::vector<Overlap> overlaps;
    bool reacted = false;  ///< what follows is in use
    Reactions reactions;
    std::vector<std::pair<ShardId, Letter>>
        letters;  ///< of what services published; parts are open

    void clear();
  };
  /// Scratch of its own for as long as it lives.
  class Depth {
   public:
    explicit Depth(Router& router) : router_(router) {
      if (router_.depth_ == router_.scratch_.size())
        router_.scratch_.push_back(std::make_unique<Scratch>());
      scratch_ = router_.scratch_[router_.depth_++].get();
      scratch_->clear();
    }
    ~Depth() { --router_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    Scratch& operator*() { return *scratch_; }
    Scratch* operator->() { return scratch_; }

   private:
    Router& router_;
    Scratch* scratch_;
  };

  static void set_part(Letter& letter, const PartOf& part);
  ShardId home_for(const Publication& publication) const;
  void enter(Publication& publication, Scratch& scratch, Batch& records);
  void call_services(const Publication& publication, const Route& route, Reactions& reactions);
  void gather(Scratch& scratch, Batch& records);
  std::unique_ptr<Afterwards> afterwards(Reactions& reactions, Batch& records);
  bool may_outlive(const Message& message);
  void route_here(Publication& publication, Scratch& scratch);
  void deliver_single(Publication& publication, std::span<const Subscription> list, Route& route);
  void deliver_overlapping(Publication& publication, Scratch& scratch);
  std::uint32_t hold_back(const Route& route, const HeldBack& publish);
  void open_for(Scratch& scratch, Publication& publication, Batch* records);
  void close_part(Scratch& scratch, Publication& publication, const PartOf& part);
  void close_entered_part(Scratch& scratch, Publication& publication, const PartOf& part,
                          Batch records);

  Shard& shard_;
  std::vector<std::unique_ptr<Scratch>> scratch_;
  std::size_t depth_ = 0;
  std::uint64_t tokens_ = 0;
  std::unordered_map<std::uint64_t, Waiter> at_home_;  ///< who waits for PublishedAtHome
};

}  // namespace twinmq::core
