#pragma once
// How TopicTree turns matching into hash lookups. A filter's shape is where its wildcards stand and
// how many levels it has. For one shape, the literal levels of a topic say which single filter of
// that shape can match; so a match is one lookup per shape in use. A filter's hash is the sum of
// its literal levels' hashes, each under a key of its position, and of a number for its shape; from
// the sums over a topic's levels the hash for any shape follows by subtracting the levels under a
// `+`.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/keyed_hash.hpp"
#include "core/topic_levels.hpp"

namespace twinmq::core {

/// Wildcards are seen in this many levels; filters beyond have no regular shape.
inline constexpr std::uint32_t kShapeLevels = 64;

struct FilterShape {
  std::uint64_t plus = 0;    ///< a bit for each level that is `+`
  std::uint32_t levels = 0;  ///< without the `#`
  bool rest = false;         ///< ends with `#`
  bool regular = true;       ///< what is above says everything about the wildcards

  bool exact() const { return plus == 0 && !rest && regular; }
  bool operator==(const FilterShape&) const = default;

  /// What tells this shape's hashes from those of others; 0 for filters without wildcards.
  std::uint64_t salt(const base::KeyedHash& hash) const {
    return exact() ? 0 : hash(plus, std::uint64_t{levels} << 1 | (rest ? 1U : 0U));
  }
};

inline std::uint64_t level_hash(const base::KeyedHash& hash, std::string_view token,
                                std::uint32_t level) {
  return hash(token, std::uint64_t{level} + 1);
}

/// A filter, taken apart.
struct FilterKey {
  FilterShape shape;
  std::uint32_t hash = 0;

  FilterKey(std::string_view filter, const base::KeyedHash& key) {
    std::uint64_t sum = 0;
    for (LevelReader reader(filter); reader.next();) {
      const std::string_view token = reader.token();
      if (token == "#") {
        shape.rest = true;
        continue;
      }
      const std::uint32_t level = shape.levels++;
      if (token != "+") {
        sum += level_hash(key, token, level);
      } else if (level < kShapeLevels) {
        shape.plus |= std::uint64_t{1} << level;
      } else {
        shape.regular = false;
      }
    }
    if (shape.rest && shape.levels > kShapeLevels) shape.regular = false;
    hash = base::KeyedHash::narrow(sum + shape.salt(key));
  }
};

/// A topic name, taken apart once for every shape.
class TopicKey {
 public:
  TopicKey(std::string_view topic, const base::KeyedHash& key) : topic_(topic) {
    std::uint64_t sum = 0;
    for (LevelReader reader(topic); reader.next(); ++levels_) {
      const std::uint64_t token = level_hash(key, reader.token(), levels_);
      if (levels_ < kShapeLevels) {
        ends_[levels_] = static_cast<std::uint32_t>(reader.end());
        tokens_[levels_] = token;
      }
      if (levels_ <= kShapeLevels) sums_[levels_] = sum;
      sum += token;
    }
    total_ = sum;
    if (levels_ <= kShapeLevels) sums_[levels_] = sum;
  }

  std::uint32_t levels() const { return levels_; }
  std::uint32_t exact_hash() const { return base::KeyedHash::narrow(total_); }

  /// Whether a filter of this regular shape can match at all; a leading wildcard never matches a
  /// leading $.
  bool admits(const FilterShape& shape) const {
    if (shape.rest ? levels_ < shape.levels : levels_ != shape.levels) return false;
    const bool leading_wildcard = (shape.plus & 1) != 0 || shape.levels == 0;
    return !(leading_wildcard && topic_.starts_with('$'));
  }

  /// The hash a matching filter of this shape has.
  std::uint32_t hash_for(const FilterShape& shape, std::uint64_t salt) const {
    std::uint64_t sum = shape.rest ? sums_[shape.levels] : total_;
    for (std::uint64_t plus = shape.plus; plus != 0; plus &= plus - 1) {
      sum -= tokens_[static_cast<unsigned>(std::countr_zero(plus))];
    }
    return base::KeyedHash::narrow(sum + salt);
  }

  /// Whether the filter, which has the admitted shape, matches: its literal runs equal the topic's.
  bool fits(const FilterShape& shape, std::string_view filter) const {
    std::size_t in_topic = 0;
    std::size_t in_filter = 0;
    for (std::uint64_t plus = shape.plus; plus != 0; plus &= plus - 1) {
      const auto level = static_cast<unsigned>(std::countr_zero(plus));
      const std::size_t run = (level == 0 ? 0 : ends_[level - 1] + std::size_t{1}) - in_topic;
      if (filter.substr(in_filter, run) != topic_.substr(in_topic, run)) return false;
      in_filter += run + 1;
      in_topic = ends_[level];
    }
    if (!shape.rest) return filter.substr(in_filter) == topic_.substr(in_topic);
    if (shape.levels == 0) return true;
    const std::string_view last = filter.substr(in_filter, filter.size() - 2 - in_filter);
    return last == topic_.substr(in_topic, ends_[shape.levels - 1] - in_topic);
  }

 private:
  std::string_view topic_;
  std::uint32_t levels_ = 0;
  std::uint64_t total_ = 0;
  // Of the first levels only; not initialised beyond those the topic has.
  std::array<std::uint32_t, kShapeLevels> ends_;      ///< offset behind each level
  std::array<std::uint64_t, kShapeLevels> tokens_;    ///< hash of each level
  std::array<std::uint64_t, kShapeLevels + 1> sums_;  ///< over the levels before
};

}  // namespace twinmq::core
