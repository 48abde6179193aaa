#pragma once
// Messages that outlive the session they belonged to and that the broker itself still has to route:
// wills, and what a member of a share group never acknowledged. The store holds them from the batch
// that takes them away from the session to the batch that gives them to their receivers, so that no
// crash comes between.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include <twinmq/message.hpp>
#include <twinmq/session_journal.hpp>

namespace twinmq::core {

struct Shard;

class OwedMessages {
 public:
  explicit OwedMessages(Shard& shard) : shard_(shard) {}

  /// Writes the message into the open batch and routes it once that is safe: to the share group
  /// "name/filter", or by publishing it when `share` is empty.
  void owe(std::string share, const MessageRef& message);
  void on_stored(std::uint64_t number);

  /// What the store held at start; routed when the subscriptions of every shard are known.
  void restore(OwedMessage message) { restored_.push_back(std::move(message)); }
  void after_restore();
  void route_restored();

  /// A message that is in the store, or need not be (number 0).
  void route(const OwedMessage& owed);

 private:
  Shard& shard_;
  std::unordered_map<std::uint64_t, OwedMessage> storing_;
  std::vector<OwedMessage> restored_;
};

}  // namespace twinmq::core
