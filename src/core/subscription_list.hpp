#pragma once
// The subscriptions of one filter: one of them in place, more in an array, many with an index
// beside it, so that finding and removing one costs the same among a hundred thousand.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/hash_index.hpp"
#include "base/keyed_hash.hpp"
#include "core/topic_tree.hpp"

namespace twinmq::core {

/// Every call takes the same hash. The order of subscriptions is not kept.
class SubscriptionList {
 public:
  SubscriptionList() : one_{} {}
  ~SubscriptionList();
  SubscriptionList(const SubscriptionList&) = delete;
  SubscriptionList& operator=(const SubscriptionList&) = delete;

  /// True when the subscriber was there already: its options are replaced.
  bool put(const Subscription& subscription, const base::KeyedHash& hash);
  /// False when the subscriber is not there.
  bool remove(const Subscriber* subscriber, const base::KeyedHash& hash);
  const Subscription* find(const Subscriber* subscriber, const base::KeyedHash& hash) const;

  std::uint32_t size() const { return size_; }
  std::span<const Subscription> view() const {
    return size_ <= 1 ? std::span(&one_, size_) : std::span<const Subscription>(many_->items);
  }
  void prefetch() const {
    if (size_ > 1) __builtin_prefetch(many_);
  }

  /// Bytes beyond the object itself.
  std::size_t footprint() const;

 private:
  struct Many {
    std::vector<Subscription> items;
    std::unique_ptr<base::HashIndex>
        places;  ///< of each subscriber in `items`; only for a long list
  };
  std::uint32_t place_of(const Subscriber* subscriber, const base::KeyedHash& hash) const;
  void index_all(const base::KeyedHash& hash);
  void shrink();

  union {
    Subscription one_;  ///< while size_ <= 1
    Many* many_;
  };
  std::uint32_t size_ = 0;
};

}  // namespace twinmq::core
