#include "core/topic_tree.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <new>
#include <unordered_map>

#include "base/block_pool.hpp"
#include "base/hash_index.hpp"
#include "base/keyed_hash.hpp"
#include "core/filter_shape.hpp"
#include "core/recent_matches.hpp"
#include "core/subscription_list.hpp"
#include "core/wildcard_trie.hpp"

namespace twinmq::core {

namespace {

/// Shapes of filters that are looked up directly, besides the exact ones.
constexpr std::size_t kShapesMax = 16;
/// A shape of so few filters gives way to one that has kWaiting filters in the trie.
constexpr std::uint32_t kFew = 8;
constexpr std::uint32_t kWaiting = 32;

/// Where a filter is looked for, besides the table of all texts.
enum class Home : std::uint8_t { Free, Exact, Shape, Trie };

/// One filter; its text lies behind it in the same block.
struct Filter : SubscriptionList {
  std::uint32_t hash = 0;
  std::uint64_t shards = 0;  ///< other shards that want it
  std::uint16_t text_size = 0;
  Home home = Home::Free;
  std::uint8_t shape = 0;  ///< with Home::Shape: which

  static std::size_t bytes(std::size_t text_size) { return kTextAt + text_size; }
  const char* text_start() const { return reinterpret_cast<const char*>(this) + kTextAt; }
  std::string_view text() const { return {text_start(), text_size}; }

  static constexpr std::size_t kTextAt = 36;
};
static_assert(sizeof(Filter) - Filter::kTextAt < alignof(Filter), "the text begins in the padding");

struct ShapeSlot {
  FilterShape shape;
  std::uint64_t salt = 0;
  std::uint32_t filters = 0;  ///< 0: the slot is free
  bool listed = false;        ///< `few` names all of them
  std::array<FilterId, kFew> few{};
};

struct ShapeHash {
  std::size_t operator()(const FilterShape& shape) const {
    return static_cast<std::size_t>(
        base::fold_multiply(shape.plus + 1, 2 * shape.levels + (shape.rest ? 1U : 0U) + 1));
  }
};

}  // namespace

class TopicTree::Impl {
 public:
  explicit Impl(std::uint64_t seed) : hash_(seed), trie_(hash_), recent_(hash_) {}
  ~Impl() {
    index_.for_each([this](FilterId id) { filter(id).~Filter(); });
  }

  Filter& filter(FilterId id) const { return *static_cast<Filter*>(pool_.at(id)); }

  /// Null for an id that is not in use.
  Filter* known(FilterId id) const {
    return pool_.covers(id) && filter(id).home != Home::Free ? &filter(id) : nullptr;
  }

  FilterId find(std::string_view text, std::uint32_t hash) const {
    const FilterId found =
        index_.find(hash, [&](FilterId id) { return filter(id).text() == text; });
    return found == base::HashIndex::kNone ? base::BlockPool::kNone : found;
  }
  FilterId find(std::string_view text) const { return find(text, FilterKey(text, hash_).hash); }

  FilterId find_or_add(std::string_view text);
  Removed unsubscribe(FilterId id);
  void drop_if_unused(FilterId id);
  void look_up(std::string_view topic, Matches& out) const;

  template <typename Change>
  auto change_list(Filter& filter, Change&& change) {
    const std::size_t bytes = filter.footprint();
    const auto result = change(static_cast<SubscriptionList&>(filter));
    list_bytes_ += filter.footprint() - bytes;
    ++version_;
    return result;
  }

  base::KeyedHash hash_;
  base::BlockPool pool_;
  base::HashIndex index_;  ///< every filter by its hash
  WildcardTrie trie_;
  std::array<ShapeSlot, kShapesMax> shapes_{};
  std::uint32_t shapes_used_ = 0;  ///< a bit per slot
  std::unordered_map<FilterShape, std::uint32_t, ShapeHash>
      waiting_;  ///< filters in the trie by shape
  std::size_t exact_ = 0;
  std::size_t filters_ = 0;
  std::size_t subscriptions_ = 0;
  std::size_t list_bytes_ = 0;
  std::uint64_t version_ = 0;
  mutable std::vector<std::uint32_t> from_trie_;
  mutable RecentMatches recent_;

 private:
  void settle(FilterId id, const FilterShape& shape);
  void enter_shape(FilterId id, std::uint8_t slot, const FilterShape& shape);
  void leave_shape(FilterId id);
  void enter_trie(FilterId id, const FilterShape& shape);
  int slot_for(const FilterShape& shape) const;
  bool free_a_slot();
  static void emit(const Filter& filter, Matches& out);
};

FilterId TopicTree::Impl::find_or_add(std::string_view text) {
  const FilterKey key(text, hash_);
  if (const FilterId found = find(text, key.hash); found != base::BlockPool::kNone) return found;
  const FilterId id = pool_.allocate(Filter::bytes(text.size()));
  Filter& added = *new (pool_.at(id)) Filter;
  added.hash = key.hash;
  added.text_size = static_cast<std::uint16_t>(text.size());
  if (!text.empty()) std::memcpy(const_cast<char*>(added.text_start()), text.data(), text.size());
  settle(id, key.shape);
  index_.insert(key.hash, id);
  return id;
}

void TopicTree::Impl::settle(FilterId id, const FilterShape& shape) {
  if (shape.exact()) {
    filter(id).home = Home::Exact;
    ++exact_;
    return;
  }
  if (!shape.regular) return enter_trie(id, shape);
  int slot = slot_for(shape);
  if (slot < 0) {
    const auto waiting = waiting_.find(shape);
    if (waiting != waiting_.end() && waiting->second >= kWaiting && free_a_slot())
      slot = slot_for(shape);
  }
  if (slot < 0) return enter_trie(id, shape);
  enter_shape(id, static_cast<std::uint8_t>(slot), shape);
}

/// The slot of this shape, else a free one, else -1.
int TopicTree::Impl::slot_for(const FilterShape& shape) const {
  for (std::uint32_t used = shapes_used_; used != 0; used &= used - 1) {
    const int slot = std::countr_zero(used);
    if (shapes_[static_cast<std::size_t>(slot)].shape == shape) return slot;
  }
  const int free = std::countr_one(shapes_used_);
  return free < static_cast<int>(kShapesMax) ? free : -1;
}

/// A client that subscribes to one filter of many shapes must not keep the shape of a fleet out.
bool TopicTree::Impl::free_a_slot() {
  for (ShapeSlot& slot : shapes_) {
    if (!slot.listed) continue;
    const FilterShape shape = slot.shape;
    const auto few = slot.few;
    const std::uint32_t count = slot.filters;
    for (std::uint32_t i = 0; i < count; ++i) {
      leave_shape(few[i]);
      enter_trie(few[i], shape);
    }
    return true;
  }
  return false;
}

void TopicTree::Impl::enter_shape(FilterId id, std::uint8_t slot, const FilterShape& shape) {
  ShapeSlot& into = shapes_[slot];
  if (into.filters == 0) {
    into.shape = shape;
    into.salt = shape.salt(hash_);
    into.listed = true;
    shapes_used_ |= 1U << slot;
  }
  into.listed = into.listed && into.filters < kFew;
  if (into.listed) into.few[into.filters] = id;
  ++into.filters;
  filter(id).home = Home::Shape;
  filter(id).shape = slot;
}

void TopicTree::Impl::leave_shape(FilterId id) {
  const std::uint8_t slot = filter(id).shape;
  ShapeSlot& from = shapes_[slot];
  if (from.listed) {
    const auto end = from.few.begin() + from.filters;
    std::iter_swap(std::find(from.few.begin(), end, id), end - 1);
  }
  if (--from.filters == 0) {
    from.listed = false;
    shapes_used_ &= ~(1U << slot);
  }
}

void TopicTree::Impl::enter_trie(FilterId id, const FilterShape& shape) {
  filter(id).home = Home::Trie;
  trie_.insert(filter(id).text(), id);
  ++waiting_[shape];
}

void TopicTree::Impl::drop_if_unused(FilterId id) {
  Filter& unused = filter(id);
  if (unused.size() != 0 || unused.shards != 0) return;
  if (unused.home == Home::Exact) --exact_;
  if (unused.home == Home::Shape) leave_shape(id);
  if (unused.home == Home::Trie) {
    trie_.erase(unused.text());
    const auto waiting = waiting_.find(FilterKey(unused.text(), hash_).shape);
    if (--waiting->second == 0) waiting_.erase(waiting);
  }
  index_.erase(unused.hash, id);
  const std::size_t bytes = Filter::bytes(unused.text_size);
  unused.home = Home::Free;
  unused.~Filter();
  pool_.release(id, bytes);
}

TopicTree::Removed TopicTree::Impl::unsubscribe(FilterId id) {
  --subscriptions_;
  const bool last = filter(id).size() == 0;
  if (last) {
    --filters_;
    drop_if_unused(id);
  }
  return {id, last};
}

void TopicTree::Impl::emit(const Filter& filter, Matches& out) {
  out.shards |= filter.shards;
  if (filter.size() == 0) return;
  filter.prefetch();
  out.lists.push_back(filter.view());
}

void TopicTree::Impl::look_up(std::string_view topic, Matches& out) const {
  struct Probe {
    std::uint32_t hash;
    FilterId candidate;
    const ShapeSlot* slot;  ///< null: the exact filter
  };
  std::array<Probe, kShapesMax + 1> probes;
  std::size_t count = 0;
  const TopicKey key(topic, hash_);
  if (exact_ != 0) probes[count++] = {key.exact_hash(), 0, nullptr};
  for (std::uint32_t used = shapes_used_; used != 0; used &= used - 1) {
    const ShapeSlot& slot = shapes_[static_cast<std::size_t>(std::countr_zero(used))];
    if (key.admits(slot.shape)) probes[count++] = {key.hash_for(slot.shape, slot.salt), 0, &slot};
  }

  // Three rounds, so that the memory of all lookups is on its way at once.
  for (std::size_t i = 0; i < count; ++i) index_.prefetch(probes[i].hash);
  for (std::size_t i = 0; i < count; ++i) {
    probes[i].candidate = index_.candidate(probes[i].hash);
    if (probes[i].candidate == base::HashIndex::kNone) continue;
    const char* const block = static_cast<const char*>(pool_.at(probes[i].candidate));
    __builtin_prefetch(block);
    __builtin_prefetch(block + 63);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Probe& probe = probes[i];
    if (probe.candidate == base::HashIndex::kNone) continue;
    const auto fits = [&](FilterId id) {
      const Filter& found = filter(id);
      if (probe.slot == nullptr) return found.home == Home::Exact && found.text() == topic;
      return found.home == Home::Shape && &shapes_[found.shape] == probe.slot &&
             key.fits(probe.slot->shape, found.text());
    };
    const FilterId found = fits(probe.candidate) ? probe.candidate : index_.find(probe.hash, fits);
    if (found != base::HashIndex::kNone) emit(filter(found), out);
  }
  if (trie_.empty()) return;
  from_trie_.clear();
  trie_.match(topic, from_trie_);
  for (const FilterId id : from_trie_) __builtin_prefetch(pool_.at(id));
  for (const FilterId id : from_trie_) emit(filter(id), out);
}

TopicTree::TopicTree(std::uint64_t seed) : impl_(std::make_unique<Impl>(seed)) {}
TopicTree::~TopicTree() = default;

TopicTree::Added TopicTree::subscribe(std::string_view filter, const Subscription& subscription) {
  const FilterId id = impl_->find_or_add(filter);
  Filter& list = impl_->filter(id);
  const bool first = list.size() == 0;
  const bool replaced = impl_->change_list(
      list, [&](SubscriptionList& l) { return l.put(subscription, impl_->hash_); });
  if (first) ++impl_->filters_;
  if (!replaced) ++impl_->subscriptions_;
  return {id, replaced, first};
}

std::optional<TopicTree::Removed> TopicTree::unsubscribe(std::string_view filter,
                                                         const Subscriber* subscriber) {
  return unsubscribe(impl_->find(filter), subscriber);
}

std::optional<TopicTree::Removed> TopicTree::unsubscribe(FilterId filter,
                                                         const Subscriber* subscriber) {
  Filter* const list = impl_->known(filter);
  if (list == nullptr || list->find(subscriber, impl_->hash_) == nullptr) return std::nullopt;
  impl_->change_list(*list,
                     [&](SubscriptionList& l) { return l.remove(subscriber, impl_->hash_); });
  return impl_->unsubscribe(filter);
}

const Subscription* TopicTree::find(std::string_view filter, const Subscriber* subscriber) const {
  return find(impl_->find(filter), subscriber);
}

const Subscription* TopicTree::find(FilterId filter, const Subscriber* subscriber) const {
  const Filter* const list = impl_->known(filter);
  return list == nullptr ? nullptr : list->find(subscriber, impl_->hash_);
}

std::string TopicTree::text(FilterId filter) const {
  const Filter* const known = impl_->known(filter);
  return known == nullptr ? std::string() : std::string(known->text());
}

void TopicTree::set_interest(std::string_view filter, unsigned shard, bool wanted) {
  const std::uint64_t bit = std::uint64_t{1} << shard;
  const FilterId id = wanted ? impl_->find_or_add(filter) : impl_->find(filter);
  if (id == base::BlockPool::kNone) return;
  std::uint64_t& shards = impl_->filter(id).shards;
  shards = wanted ? shards | bit : shards & ~bit;
  ++impl_->version_;
  impl_->drop_if_unused(id);
}

void TopicTree::for_each_filter(const std::function<void(std::string_view)>& visit) const {
  impl_->index_.for_each([&](FilterId id) {
    const Filter& filter = impl_->filter(id);
    if (filter.size() != 0) visit(filter.text());
  });
}

void TopicTree::match(std::string_view topic, Matches& out) const {
  if (impl_->recent_.recall(topic, impl_->version_, out)) return;
  impl_->look_up(topic, out);
  impl_->recent_.remember(topic, impl_->version_, out);
}

std::size_t TopicTree::filters() const {
  return impl_->filters_;
}
std::size_t TopicTree::subscriptions() const {
  return impl_->subscriptions_;
}
std::uint64_t TopicTree::version() const {
  return impl_->version_;
}

std::size_t TopicTree::footprint() const {
  return sizeof(Impl) + impl_->pool_.footprint() + impl_->index_.footprint() +
         impl_->trie_.footprint() + impl_->list_bytes_ +
         impl_->waiting_.size() * (sizeof(FilterShape) + 32) +
         impl_->from_trie_.capacity() * sizeof(std::uint32_t) + impl_->recent_.footprint();
}

}  // namespace twinmq::core
