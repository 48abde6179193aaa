// Reading back what the store holds, before the first turn.

#include <string>
#include <utility>

#include "base/escape.hpp"
#include "core/home_topics.hpp"
#include "core/pending_connect.hpp"
#include "core/shard.hpp"
#include "mqtt/topic.hpp"

namespace twinmq::core {

namespace {

class Restorer final : public SessionJournal::Visitor {
 public:
  explicit Restorer(Shard& shard) : shard_(shard) {}

  void session(StoredSession stored) override {
    session_ = &shard_.sessions.create(stored.client_id, stored.principal);
    // A wall clock that stands earlier than the stored moment counts as no time passed.
    Milliseconds away{0};
    if (stored.disconnected_at)
      away = std::max(Milliseconds{0}, shard_.now.wall - *stored.disconnected_at);
    const Instant deadline = stored.expiry_seconds == kExpiryNever
                                 ? kNever
                                 : shard_.now.steady + Seconds(stored.expiry_seconds) - away;
    session_->restore(std::move(stored));
    session_->wait_for_client(deadline);
  }

  void subscription(StoredSubscription stored) override {
    if (mqtt::is_shared(stored.filter)) {
      const std::string share = stored.filter.substr(stored.filter.find('/') + 1);
      mqtt::SubscriptionOptions options;
      options.qos = stored.qos;
      options.retain_as_published = stored.retain_as_published;
      session_->change_shared().insert_or_assign(share,
                                                 Session::Shared{options, stored.subscription_id});
      shard_.share_groups.join(share, session_->key, stored.qos, stored.retain_as_published, false,
                               stored.subscription_id);
      shard_.counters.add(Metric::SharedSubscriptions);
    } else {
      const auto added =
          shard_.subscriptions.enter(stored.filter, {session_, stored.subscription_id, stored.qos,
                                                     stored.no_local, stored.retain_as_published});
      session_->filters().push_back(added.filter);
    }
    shard_.counters.add(Metric::Subscriptions);
  }

  void delivery(StoredDelivery stored) override {
    const std::uint64_t sequence = stored.sequence;
    if (!session_->restore_delivery(std::move(stored)))
      shard_.log(LogLevel::Error, "stored record left out",
                 "client=" + escaped(session_->client_id()) + " because=\"delivery " +
                     std::to_string(sequence) + " is out of sequence\"");
  }
  // A journal of the host's around the house's may not pass ranges on.
  bool takes_queues() const override {
    return shard_.parts.journal->queue_range("x", 0, 1).has_value();
  }
  void queue(const StoredQueue& stored) override { session_->restore_queue(stored); }
  void received(std::uint16_t packet_id) override { session_->add_received(packet_id); }
  void owed(OwedMessage message) override { shard_.owed_messages.restore(std::move(message)); }

 private:
  Shard& shard_;
  Session* session_ = nullptr;
};

}  // namespace

Result<void> ShardCore::restore(Store& store, Now now) {
  Shard& shard = *shard_;
  shard.now = now;
  if (shard.parts.retained) {
    const auto mine = [&](std::string_view topic) {
      return home_of(topic, shard.shards()) == shard.id;
    };
    if (auto restored = shard.parts.retained->restore(store, now, mine); !restored) return restored;
    shard.count_retained();
  }
  if (auto restored = shard.services.restore(store, now); !restored) return restored;
  if (shard.parts.journal) {
    Restorer restorer(shard);
    const auto mine = [&](std::string_view client_id) {
      return home_of(client_id, shard.shards()) == shard.id;
    };
    const auto complain = [&](std::string what) {
      shard.log(LogLevel::Error, "stored record left out", what);
    };
    if (auto restored = shard.common_messages.restore(store); !restored) return restored;
    if (auto restored = shard.parts.journal->restore(store, now, mine, restorer, complain);
        !restored)
      return restored;
    shard.owed_messages.after_restore();
  }
  return {};
}

}  // namespace twinmq::core
