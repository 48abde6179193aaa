#pragma once
// The topics of one connection whose messages go by way of the topic's home, because a retained one
// went that way first: overtaking it would break the order of the topic [MQTT-4.6.0-5].

#include <cstdint>
#include <string_view>
#include <unordered_set>

#include "base/hash.hpp"

namespace twinmq::core {

class HomeTopics {
 public:
  void add(std::string_view topic) {
    if (all_) return;
    hashes_.insert(base::mix_hash(topic, 2));
    if (hashes_.size() > kTopicsMax) {  // simpler than forgetting, and right
      all_ = true;
      hashes_ = {};
    }
  }
  bool contains(std::string_view topic) const {
    return all_ || hashes_.contains(base::mix_hash(topic, 2));
  }

 private:
  static constexpr std::size_t kTopicsMax = 1000;
  std::unordered_set<std::uint64_t> hashes_;
  bool all_ = false;
};

}  // namespace twinmq::core
