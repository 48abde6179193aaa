#pragma once
// A trie over the levels of filters, for those that TopicTree's table of shapes has no room for.
// All edges lie in one hash table keyed by (parent, token); `+` and `#` are links in the node.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/block_pool.hpp"
#include "base/hash_index.hpp"
#include "base/keyed_hash.hpp"

namespace twinmq::core {

/// Maps filters to numbers. Owned by one thread, matching included.
class WildcardTrie {
 public:
  static constexpr std::uint32_t kNone = 0;

  explicit WildcardTrie(const base::KeyedHash& hash);

  /// `value` is not kNone; the filter is not in the trie yet.
  void insert(std::string_view filter, std::uint32_t value);
  /// The filter is in the trie.
  void erase(std::string_view filter);

  /// Appends the value of every filter that matches.
  void match(std::string_view topic, std::vector<std::uint32_t>& out) const;

  bool empty() const { return filters_ == 0; }
  std::size_t footprint() const;

 private:
  using NodeId = base::BlockPool::Handle;
  struct Node;

  Node& node(NodeId id) const { return *static_cast<Node*>(nodes_.at(id)); }
  std::uint32_t edge_hash(NodeId parent, std::uint64_t token_hash) const;
  NodeId child(NodeId parent, std::string_view token, std::uint32_t hash) const;
  NodeId add_child(NodeId parent, std::string_view token);
  std::uint32_t& value_of(NodeId last, bool rest);
  void prune(NodeId id);

  base::KeyedHash hash_;
  base::BlockPool nodes_;
  base::HashIndex edges_;
  NodeId root_;
  std::size_t filters_ = 0;
  mutable std::vector<NodeId> reached_;  ///< scratch of match(): nodes that fit the levels so far
  mutable std::vector<NodeId> next_;
};

}  // namespace twinmq::core
