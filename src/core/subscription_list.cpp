#include "core/subscription_list.hpp"

namespace twinmq::core {

namespace {

constexpr std::uint32_t kIndexedAbove = 64;
constexpr std::uint32_t kNone = base::HashIndex::kNone;

std::uint32_t hash_of(const Subscriber* subscriber, const base::KeyedHash& hash) {
  return base::KeyedHash::narrow(
      hash(std::uint64_t{reinterpret_cast<std::uintptr_t>(subscriber)}, 0));
}

}  // namespace

SubscriptionList::~SubscriptionList() {
  if (size_ > 1) delete many_;
}

bool SubscriptionList::put(const Subscription& subscription, const base::KeyedHash& hash) {
  if (size_ == 0) {
    one_ = subscription;
    size_ = 1;
    return false;
  }
  const std::uint32_t place = place_of(subscription.subscriber, hash);
  if (place != kNone) {
    (size_ == 1 ? one_ : many_->items[place]) = subscription;
    return true;
  }
  if (size_ == 1) {
    auto* const many = new Many;
    many->items.reserve(4);
    many->items.push_back(one_);
    many_ = many;
  }
  many_->items.push_back(subscription);
  ++size_;
  if (many_->places) {
    many_->places->insert(hash_of(subscription.subscriber, hash), size_ - 1);
  } else if (size_ > kIndexedAbove) {
    index_all(hash);
  }
  return false;
}

bool SubscriptionList::remove(const Subscriber* subscriber, const base::KeyedHash& hash) {
  const std::uint32_t place = place_of(subscriber, hash);
  if (place == kNone) return false;
  --size_;
  if (size_ == 0) return true;
  auto& items = many_->items;
  if (many_->places) {
    const std::uint32_t last = hash_of(items.back().subscriber, hash);
    many_->places->erase(hash_of(subscriber, hash), place);
    if (place != size_) {
      many_->places->erase(last, size_);
      many_->places->insert(last, place);
    }
  }
  items[place] = items.back();
  items.pop_back();
  shrink();
  return true;
}

const Subscription* SubscriptionList::find(const Subscriber* subscriber,
                                           const base::KeyedHash& hash) const {
  const std::uint32_t place = place_of(subscriber, hash);
  return place == kNone ? nullptr : &view()[place];
}

std::size_t SubscriptionList::footprint() const {
  if (size_ <= 1) return 0;
  return sizeof(Many) + many_->items.capacity() * sizeof(Subscription) +
         (many_->places ? many_->places->footprint() : 0);
}

std::uint32_t SubscriptionList::place_of(const Subscriber* subscriber,
                                         const base::KeyedHash& hash) const {
  const auto items = view();
  if (size_ > 1 && many_->places) {
    return many_->places->find(hash_of(subscriber, hash), [&](std::uint32_t place) {
      return items[place].subscriber == subscriber;
    });
  }
  for (std::uint32_t place = 0; place < items.size(); ++place) {
    if (items[place].subscriber == subscriber) return place;
  }
  return kNone;
}

void SubscriptionList::index_all(const base::KeyedHash& hash) {
  many_->places = std::make_unique<base::HashIndex>();
  for (std::uint32_t place = 0; place < size_; ++place) {
    many_->places->insert(hash_of(many_->items[place].subscriber, hash), place);
  }
}

void SubscriptionList::shrink() {
  if (size_ == 1) {
    Many* const many = many_;
    one_ = many->items[0];
    delete many;
    return;
  }
  // Well below the point of growth, so that coming and going at the limit does not build the index
  // each time.
  if (size_ < kIndexedAbove / 2) many_->places.reset();
  if (many_->items.capacity() > kIndexedAbove && size_ < many_->items.capacity() / 4) {
    many_->items.shrink_to_fit();
  }
}

}  // namespace twinmq::core
