#pragma once
// Filters -> subscriptions: given a topic name, everybody whose filter matches it (section 4.7).
//
// Filters without a wildcard lie in a hash table over their text. Filters with one lie in a trie
// whose edges share a single open-addressing table keyed by (parent, token hash); `+` and `#` are
// links in the node. A match costs one or two probes per level, however many filters there are. The
// hashes are seeded per tree, because clients choose the tokens. What unsubscribing frees is used
// again.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/message.hpp>

namespace twinmq::core {

/// Whoever a message can be delivered to. The tree keeps the pointer and never looks behind it.
class Subscriber;

/// A filter of one tree, as long as it has a subscription or an interest; the number is used again
/// afterwards.
using FilterId = std::uint32_t;

/// One subscriber's wish for one filter.
struct Subscription {
  Subscriber* subscriber = nullptr;
  std::uint32_t subscription_id = 0;  ///< MQTT 5 Subscription Identifier; 0: none
  QoS qos = QoS::AtMostOnce;
  bool no_local = false;
  bool retain_as_published = false;
};
static_assert(sizeof(Subscription) == 16);

/// What matched. Keep one and clear() it between topics, so that its memory is reused.
struct Matches {
  std::vector<std::span<const Subscription>>
      lists;                 ///< one per matching filter; valid until the tree changes
  std::uint64_t shards = 0;  ///< a bit per other shard that wants the message

  void clear() {
    lists.clear();
    shards = 0;
  }
};

/// Owned by one thread. Filters and topics must be legal by section 4.7 and without a $share
/// prefix; the tree does not check. No pointer or span into the tree survives a change.
class TopicTree {
 public:
  struct Added {
    FilterId filter;
    bool replaced;  ///< this subscriber had a subscription for the filter; its options are the new
                    ///< ones now
    bool first_here;  ///< the filter had no subscription on this shard before
  };
  struct Removed {
    FilterId filter;
    bool last_here;  ///< the filter has no subscription on this shard any more; the id may be gone
  };

  /// `seed` makes the hashes unpredictable.
  explicit TopicTree(std::uint64_t seed = 0);
  ~TopicTree();
  TopicTree(const TopicTree&) = delete;
  TopicTree& operator=(const TopicTree&) = delete;

  Added subscribe(std::string_view filter, const Subscription& subscription);
  /// Empty when there was no such subscription.
  std::optional<Removed> unsubscribe(std::string_view filter, const Subscriber* subscriber);
  std::optional<Removed> unsubscribe(FilterId filter, const Subscriber* subscriber);

  /// Null when there is none.
  const Subscription* find(std::string_view filter, const Subscriber* subscriber) const;
  const Subscription* find(FilterId filter, const Subscriber* subscriber) const;

  /// The filter's text; empty for an id that is not in use.
  std::string text(FilterId filter) const;

  /// Whether another shard (below 64) has subscriptions for the filter; Matches::shards gets its
  /// bit.
  void set_interest(std::string_view filter, unsigned shard, bool wanted);

  /// Every filter with subscriptions on this shard. The tree must not change meanwhile.
  void for_each_filter(const std::function<void(std::string_view)>& visit) const;

  /// Adds the subscriptions of every matching filter to `out`, which is clear, without copying
  /// them. A filter with a leading wildcard does not match a topic with a leading $ [MQTT-4.7.2-1].
  void match(std::string_view topic, Matches& out) const;

  std::size_t filters() const;        ///< with subscriptions on this shard
  std::size_t subscriptions() const;  ///< on this shard
  std::size_t footprint() const;      ///< bytes of memory held

  /// Grows with every change that can alter a match.
  std::uint64_t version() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinmq::core
