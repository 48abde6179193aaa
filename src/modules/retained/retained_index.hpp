#pragma once
// Topic -> retained message, in a trie over topic levels that can be walked by a filter in slices.
// All edges lie in one hash table; siblings are linked, so that a `+` costs no more than what it
// finds.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <twinmq/message.hpp>
#include <twinmq/retained.hpp>
#include <twinmq/time.hpp>

#include "base/block_pool.hpp"
#include "base/hash_index.hpp"
#include "base/keyed_hash.hpp"

namespace twinmq::retained {

/// Owned by one thread. Knows nothing of limits or disks.
class RetainedIndex {
 public:
  /// `seed` makes the hashes unpredictable: clients choose the topics.
  explicit RetainedIndex(std::uint64_t seed);
  ~RetainedIndex();
  RetainedIndex(const RetainedIndex&) = delete;
  RetainedIndex& operator=(const RetainedIndex&) = delete;

  /// Keeps the message for its topic; returns the one before, if any.
  MessageRef put(MessageRef message);
  /// Removes the topic's message and returns it, if any.
  MessageRef take(std::string_view topic);
  /// Empty when there is none. Expired messages are still there.
  MessageRef find(std::string_view topic) const;

  /// The message with the earliest expiry, if that has come; null otherwise. Costs nothing.
  const Message* first_expired(Instant now) const;

  /// Walks the messages that match and are here now; must not outlive the index. What the walk
  /// stands on stays in place while the index changes.
  std::unique_ptr<RetainedMessages::Replay> walk(std::string_view filter, Instant now);

  std::size_t messages() const { return topics_.size(); }
  std::size_t footprint() const;  ///< bytes of the index, without the messages

 private:
  using NodeId = base::BlockPool::Handle;
  static constexpr NodeId kNone = base::BlockPool::kNone;
  struct Node;
  class Walk;
  class Lookup;

  /// A message that expires, in a heap ordered by moment; the node knows its place in it.
  struct Deadline {
    Instant at;
    NodeId node;
  };

  Node& node(NodeId id) const { return *static_cast<Node*>(nodes_.at(id)); }
  std::uint32_t edge_hash(NodeId parent, std::string_view token) const;
  std::uint32_t topic_hash(std::string_view topic) const;
  NodeId place_of(std::string_view topic) const;
  NodeId child(NodeId parent, std::string_view token) const;
  NodeId add_child(NodeId parent, std::string_view token);
  NodeId add_path(std::string_view topic);
  void pin(NodeId id);
  void unpin(NodeId id);
  void prune(NodeId id);
  void schedule(NodeId id, Instant at);
  void unschedule(NodeId id);
  void place_deadline(std::size_t at, Deadline deadline);
  void sift(std::size_t at);

  base::KeyedHash hash_;
  base::BlockPool nodes_;
  base::HashIndex edges_;
  base::HashIndex topics_;  ///< nodes that have a message, by their whole topic
  std::vector<Deadline> deadlines_;
  NodeId root_;
  std::uint64_t puts_ = 0;
};

}  // namespace twinmq::retained
