#include "core/wildcard_trie.hpp"

#include <cstring>
#include <new>

#include "core/topic_levels.hpp"

namespace twinmq::core {

/// The token's text lies behind the node, in the same block.
struct WildcardTrie::Node {
  NodeId parent = kNone;
  NodeId plus = kNone;          ///< the child for `+`
  std::uint32_t value = kNone;  ///< of the filter that ends here
  std::uint32_t rest = kNone;   ///< of the filter that goes on with `#` and ends
  std::uint32_t children = 0;   ///< `+` included
  std::uint16_t token_size = 0;
  bool is_plus = false;

  static std::size_t bytes(std::size_t token_size) { return sizeof(Node) + token_size; }
  char* text() { return reinterpret_cast<char*>(this + 1); }
  std::string_view token() { return {text(), token_size}; }
};

WildcardTrie::WildcardTrie(const base::KeyedHash& hash) : hash_(hash) {
  root_ = nodes_.allocate(Node::bytes(0));
  new (nodes_.at(root_)) Node;
}

void WildcardTrie::insert(std::string_view filter, std::uint32_t value) {
  NodeId at = root_;
  bool rest = false;
  for (LevelReader levels(filter); levels.next();) {
    const std::string_view token = levels.token();
    if (token == "#") {
      rest = true;
    } else if (token == "+") {
      const NodeId plus = node(at).plus;
      at = plus != kNone ? plus : add_child(at, token);
    } else {
      const NodeId found = child(at, token, edge_hash(at, hash_(token)));
      at = found != kNone ? found : add_child(at, token);
    }
  }
  value_of(at, rest) = value;
  ++filters_;
}

void WildcardTrie::erase(std::string_view filter) {
  NodeId at = root_;
  bool rest = false;
  for (LevelReader levels(filter); levels.next();) {
    const std::string_view token = levels.token();
    if (token == "#") {
      rest = true;
    } else if (token == "+") {
      at = node(at).plus;
    } else {
      at = child(at, token, edge_hash(at, hash_(token)));
    }
  }
  value_of(at, rest) = kNone;
  --filters_;
  prune(at);
}

void WildcardTrie::match(std::string_view topic, std::vector<std::uint32_t>& out) const {
  bool wildcards = !topic.starts_with('$');  // [MQTT-4.7.2-1]
  reached_.assign(1, root_);
  for (LevelReader levels(topic); levels.next() && !reached_.empty(); wildcards = true) {
    const std::uint64_t token_hash = hash_(levels.token());
    next_.clear();
    for (const NodeId id : reached_) {
      edges_.prefetch(edge_hash(id, token_hash));
      if (!wildcards) continue;
      const Node& here = node(id);
      if (here.rest != kNone) out.push_back(here.rest);
      if (here.plus == kNone) continue;
      __builtin_prefetch(&node(here.plus));
      next_.push_back(here.plus);
    }
    for (const NodeId id : reached_) {
      const NodeId found = child(id, levels.token(), edge_hash(id, token_hash));
      if (found != kNone) next_.push_back(found);
    }
    reached_.swap(next_);
  }
  for (const NodeId id : reached_) {
    const Node& here = node(id);
    if (here.value != kNone) out.push_back(here.value);
    if (here.rest != kNone) out.push_back(here.rest);
  }
}

std::size_t WildcardTrie::footprint() const {
  return nodes_.footprint() + edges_.footprint() +
         (reached_.capacity() + next_.capacity()) * sizeof(NodeId);
}

std::uint32_t WildcardTrie::edge_hash(NodeId parent, std::uint64_t token_hash) const {
  return base::KeyedHash::narrow(hash_(token_hash, std::uint64_t{parent}));
}

WildcardTrie::NodeId WildcardTrie::child(NodeId parent, std::string_view token,
                                         std::uint32_t hash) const {
  const NodeId found = edges_.find(hash, [&](NodeId id) {
    Node& candidate = node(id);
    return candidate.parent == parent && candidate.token() == token;
  });
  return found == base::HashIndex::kNone ? kNone : found;
}

WildcardTrie::NodeId WildcardTrie::add_child(NodeId parent, std::string_view token) {
  const bool is_plus = token == "+";
  const std::size_t size = is_plus ? 0 : token.size();
  const NodeId id = nodes_.allocate(Node::bytes(size));
  Node& added = *new (nodes_.at(id)) Node;
  added.parent = parent;
  added.is_plus = is_plus;
  added.token_size = static_cast<std::uint16_t>(size);
  if (size > 0) std::memcpy(added.text(), token.data(), size);
  if (is_plus) {
    node(parent).plus = id;
  } else {
    edges_.insert(edge_hash(parent, hash_(token)), id);
  }
  ++node(parent).children;
  return id;
}

std::uint32_t& WildcardTrie::value_of(NodeId last, bool rest) {
  return rest ? node(last).rest : node(last).value;
}

void WildcardTrie::prune(NodeId id) {
  while (id != root_) {
    Node& leaf = node(id);
    if (leaf.children != 0 || leaf.value != kNone || leaf.rest != kNone) return;
    const NodeId parent = leaf.parent;
    if (leaf.is_plus) {
      node(parent).plus = kNone;
    } else {
      edges_.erase(edge_hash(parent, hash_(leaf.token())), id);
    }
    --node(parent).children;
    nodes_.release(id, Node::bytes(leaf.token_size));
    id = parent;
  }
}

}  // namespace twinmq::core
