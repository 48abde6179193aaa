#include "modules/retained/retained_index.hpp"

#include <cstring>
#include <new>
#include <utility>

#include "core/topic_levels.hpp"

namespace twinmq::retained {

namespace {

constexpr std::uint32_t kNowhere = 0xFFFF'FFFF;

}  // namespace

/// One level of some topics; the level's text lies behind it in the same block.
struct RetainedIndex::Node {
  MessageRef message;
  std::uint64_t put = 0;  ///< the message's number among all that were put
  NodeId parent = kNone;
  NodeId first_child = kNone;
  NodeId next = kNone;  ///< sibling; new ones come first
  NodeId previous = kNone;
  std::uint32_t deadline = kNowhere;  ///< place in the heap
  std::uint32_t pins = 0;             ///< walks that stand here
  std::uint16_t token_size = 0;

  static constexpr std::size_t kTextAt = 42;
  static std::size_t bytes(std::size_t token_size) { return kTextAt + token_size; }
  char* text() { return reinterpret_cast<char*>(this) + kTextAt; }
  std::string_view token() { return {text(), token_size}; }
};

/// A depth-first walk without a stack: the way back is known from the parents, and the way on from
/// the filter's level. Only the node it stands on needs a pin; that node keeps its parents.
class RetainedIndex::Walk : public RetainedMessages::Replay {
 public:
  Walk(RetainedIndex& index, std::string_view filter, Instant now)
      : index_(index), filter_(filter), now_(now), last_put_(index.puts_) {
    for (core::LevelReader reader(filter_); reader.next();) levels_.push_back(reader.token());
    if (levels_.back() == "#") {
      rest_ = true;
      levels_.pop_back();
    }
    go_to(index_.root_);
  }
  ~Walk() override {
    if (at_ != kNone) index_.unpin(at_);
  }

  MessageRef next(std::size_t& budget) override {
    for (; at_ != kNone && budget > 0; --budget) {
      const bool arrived = step();
      if (!arrived || !(level_ == levels_.size() || (rest_ && level_ > levels_.size()))) continue;
      const Node& here = index_.node(at_);
      if (!here.message || here.put > last_put_ || here.message->expired(now_)) continue;
      --budget;
      return here.message;
    }
    return {};
  }

  bool done() const override { return at_ == kNone; }

 private:
  /// Whether the children of a node at `level` are all wanted, not just one of them.
  bool wants_all(std::size_t level) const {
    return level < levels_.size() ? levels_[level] == "+" : rest_;
  }

  /// Moves to another node; true when the filter agrees with the way to it.
  bool step() {
    if (descending_) {
      const NodeId child = wants_all(level_)         ? index_.node(at_).first_child
                           : level_ < levels_.size() ? index_.child(at_, levels_[level_])
                                                     : kNone;
      if (child == kNone) {
        descending_ = false;
        return false;
      }
      ++level_;
      return go_to(child);
    }
    if (level_ == 0) {
      go_to(kNone);
      return false;
    }
    const Node& here = index_.node(at_);
    if (wants_all(level_ - 1) && here.next != kNone) return go_to(here.next);
    --level_;
    go_to(here.parent);
    descending_ = false;
    return false;
  }

  bool go_to(NodeId id) {
    if (id != kNone) index_.pin(id);
    if (at_ != kNone) index_.unpin(at_);
    at_ = id;
    // A leading wildcard does not see what begins with a dollar sign [MQTT-4.7.2-1].
    descending_ =
        id != kNone && !(level_ == 1 && wants_all(0) && index_.node(id).token().starts_with('$'));
    return descending_;
  }

  RetainedIndex& index_;
  const std::string filter_;
  const Instant now_;
  const std::uint64_t last_put_;
  std::vector<std::string_view> levels_;  ///< of filter_, without the `#`
  bool rest_ = false;                     ///< the filter ends with `#`
  NodeId at_ = kNone;
  std::size_t level_ = 0;
  bool descending_ = true;  ///< the children of at_ are still to be seen
};

/// A filter without wildcards.
class RetainedIndex::Lookup : public RetainedMessages::Replay {
 public:
  Lookup(const RetainedIndex& index, std::string_view topic, Instant now)
      : index_(index), topic_(topic), now_(now), last_put_(index.puts_) {}

  MessageRef next(std::size_t& budget) override {
    if (done_ || budget == 0) return {};
    --budget;
    done_ = true;
    const NodeId id = index_.place_of(topic_);
    if (id == kNone) return {};
    const Node& here = index_.node(id);
    return here.put > last_put_ || here.message->expired(now_) ? MessageRef() : here.message;
  }
  bool done() const override { return done_; }

 private:
  const RetainedIndex& index_;
  const std::string topic_;
  const Instant now_;
  const std::uint64_t last_put_;
  bool done_ = false;
};

RetainedIndex::RetainedIndex(std::uint64_t seed) : hash_(seed) {
  root_ = nodes_.allocate(Node::bytes(0));
  new (nodes_.at(root_)) Node;
}

RetainedIndex::~RetainedIndex() {
  topics_.for_each([this](NodeId id) { node(id).message = {}; });
}

MessageRef RetainedIndex::put(MessageRef message) {
  const std::uint32_t hash = topic_hash(message->topic());
  NodeId id = place_of(message->topic());
  if (id == kNone) {
    id = add_path(message->topic());
    topics_.insert(hash, id);
  }
  schedule(id, message->expires_at());
  node(id).put = ++puts_;
  return std::exchange(node(id).message, std::move(message));
}

MessageRef RetainedIndex::take(std::string_view topic) {
  const NodeId id = place_of(topic);
  if (id == kNone) return {};
  topics_.erase(topic_hash(topic), id);
  unschedule(id);
  MessageRef taken = std::exchange(node(id).message, {});
  prune(id);
  return taken;
}

MessageRef RetainedIndex::find(std::string_view topic) const {
  const NodeId id = place_of(topic);
  return id == kNone ? MessageRef() : node(id).message;
}

const Message* RetainedIndex::first_expired(Instant now) const {
  if (deadlines_.empty() || deadlines_.front().at > now) return nullptr;
  return node(deadlines_.front().node).message.get();
}

std::unique_ptr<RetainedMessages::Replay> RetainedIndex::walk(std::string_view filter,
                                                              Instant now) {
  if (filter.find_first_of("+#") == std::string_view::npos)
    return std::make_unique<Lookup>(*this, filter, now);
  return std::make_unique<Walk>(*this, filter, now);
}

std::size_t RetainedIndex::footprint() const {
  return sizeof(*this) + nodes_.footprint() + edges_.footprint() + topics_.footprint() +
         deadlines_.capacity() * sizeof(Deadline);
}

std::uint32_t RetainedIndex::edge_hash(NodeId parent, std::string_view token) const {
  return base::KeyedHash::narrow(hash_(token, parent));
}

std::uint32_t RetainedIndex::topic_hash(std::string_view topic) const {
  return base::KeyedHash::narrow(hash_(topic));
}

RetainedIndex::NodeId RetainedIndex::place_of(std::string_view topic) const {
  const NodeId id = topics_.find(
      topic_hash(topic), [&](NodeId found) { return node(found).message->topic() == topic; });
  return id == base::HashIndex::kNone ? kNone : id;
}

RetainedIndex::NodeId RetainedIndex::child(NodeId parent, std::string_view token) const {
  const NodeId id = edges_.find(edge_hash(parent, token), [&](NodeId found) {
    return node(found).parent == parent && node(found).token() == token;
  });
  return id == base::HashIndex::kNone ? kNone : id;
}

RetainedIndex::NodeId RetainedIndex::add_child(NodeId parent, std::string_view token) {
  const NodeId id = nodes_.allocate(Node::bytes(token.size()));
  Node& added = *new (nodes_.at(id)) Node;
  added.parent = parent;
  added.token_size = static_cast<std::uint16_t>(token.size());
  if (!token.empty()) std::memcpy(added.text(), token.data(), token.size());
  added.next = node(parent).first_child;
  if (added.next != kNone) node(added.next).previous = id;
  node(parent).first_child = id;
  edges_.insert(edge_hash(parent, token), id);
  return id;
}

RetainedIndex::NodeId RetainedIndex::add_path(std::string_view topic) {
  NodeId at = root_;
  for (core::LevelReader levels(topic); levels.next();) {
    const NodeId found = child(at, levels.token());
    at = found != kNone ? found : add_child(at, levels.token());
  }
  return at;
}

void RetainedIndex::pin(NodeId id) {
  ++node(id).pins;
}

void RetainedIndex::unpin(NodeId id) {
  --node(id).pins;
  prune(id);
}

/// Takes away the node and those above it that nothing needs any more.
void RetainedIndex::prune(NodeId id) {
  while (id != root_) {
    Node& leaf = node(id);
    if (leaf.message || leaf.first_child != kNone || leaf.pins != 0) return;
    const NodeId parent = leaf.parent;
    (leaf.previous != kNone ? node(leaf.previous).next : node(parent).first_child) = leaf.next;
    if (leaf.next != kNone) node(leaf.next).previous = leaf.previous;
    edges_.erase(edge_hash(parent, leaf.token()), id);
    const std::size_t bytes = Node::bytes(leaf.token_size);
    leaf.~Node();
    nodes_.release(id, bytes);
    id = parent;
  }
}

void RetainedIndex::schedule(NodeId id, Instant at) {
  if (at == kNever) return unschedule(id);
  if (node(id).deadline == kNowhere) {
    deadlines_.emplace_back();
    place_deadline(deadlines_.size() - 1, {at, id});
  } else {
    deadlines_[node(id).deadline].at = at;
  }
  sift(node(id).deadline);
}

void RetainedIndex::unschedule(NodeId id) {
  const std::size_t hole = node(id).deadline;
  if (hole == kNowhere) return;
  node(id).deadline = kNowhere;
  const Deadline last = deadlines_.back();
  deadlines_.pop_back();
  if (hole == deadlines_.size()) return;
  place_deadline(hole, last);
  sift(hole);
}

void RetainedIndex::place_deadline(std::size_t at, Deadline deadline) {
  deadlines_[at] = deadline;
  node(deadline.node).deadline = static_cast<std::uint32_t>(at);
}

/// Moves the entry up or down to where the heap wants it.
void RetainedIndex::sift(std::size_t at) {
  const Deadline moved = deadlines_[at];
  for (; at > 0 && moved.at < deadlines_[(at - 1) / 2].at; at = (at - 1) / 2) {
    place_deadline(at, deadlines_[(at - 1) / 2]);
  }
  for (std::size_t child = 2 * at + 1; child < deadlines_.size(); child = 2 * at + 1) {
    if (child + 1 < deadlines_.size() && deadlines_[child + 1].at < deadlines_[child].at) ++child;
    if (moved.at <= deadlines_[child].at) break;
    place_deadline(at, deadlines_[child]);
    at = child;
  }
  place_deadline(at, moved);
}

}  // namespace twinmq::retained
