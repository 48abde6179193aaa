#pragma once
// What was found for topics that were looked up lately: devices publish to the same topic again and
// again, and then a look-up costs one hash and one comparison. Any change of the tree makes all of
// it void.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "base/keyed_hash.hpp"
#include "core/topic_tree.hpp"

namespace twinmq::core {

/// Owned by one thread. Remembers topics that at most one filter of this shard matches; a newer
/// topic takes the place of an older one.
class RecentMatches {
 public:
  static constexpr std::size_t kTopicMax = 90;

  explicit RecentMatches(const base::KeyedHash& hash) : hash_(hash) {}

  /// False: look it up, and remember() what was found. `version` is the tree's.
  bool recall(std::string_view topic, std::uint64_t version, Matches& out) {
    if (topic.size() > kTopicMax) return false;
    if (!places_) places_ = std::make_unique<Places>();
    last_ = &(*places_)[hash_(topic) % kPlaces];
    if (last_->version != version || last_->topic() != topic) return false;
    out.shards |= last_->shards;
    if (last_->size > 0) out.lists.push_back({last_->list, last_->size});
    return true;
  }

  /// What was found for the topic that recall() was just asked for.
  void remember(std::string_view topic, std::uint64_t version, const Matches& found) {
    if (topic.size() > kTopicMax || found.lists.size() > 1) return;
    last_->version = version;
    last_->shards = found.shards;
    last_->list = found.lists.empty() ? nullptr : found.lists.front().data();
    last_->size = found.lists.empty() ? 0 : static_cast<std::uint32_t>(found.lists.front().size());
    last_->topic_size = static_cast<std::uint16_t>(topic.size());
    if (!topic.empty()) std::memcpy(last_->text, topic.data(), topic.size());
  }

  std::size_t footprint() const { return places_ ? sizeof(Places) : 0; }

 private:
  static constexpr std::size_t kPlaces = 512;

  struct Place {
    std::uint64_t version = ~std::uint64_t{0};  ///< no tree's
    std::uint64_t shards = 0;
    const Subscription* list = nullptr;
    std::uint32_t size = 0;
    std::uint16_t topic_size = 0;
    char text[kTopicMax] = {};

    std::string_view topic() const { return {text, topic_size}; }
  };
  using Places = std::array<Place, kPlaces>;

  const base::KeyedHash& hash_;
  std::unique_ptr<Places> places_;
  Place* last_ = nullptr;
};

}  // namespace twinmq::core
