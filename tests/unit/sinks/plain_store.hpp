#pragma once
// What queues need of a broker in tests: a store in memory, and what a message's transaction
// writes.

#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <twinmq/service.hpp>
#include <twinmq/store.hpp>

namespace twinmq::sinks::testing {

/// Ordered entries with a lock; commits at once.
class PlainStore : public Store {
 public:
  Result<void> commit(const Batch& batch, Durability) override {
    const std::scoped_lock lock(mutex_);
    apply(batch);
    return {};
  }
  Result<void> scan(std::string_view from, std::string_view to, const Visitor& visit) override {
    std::vector<std::pair<std::string, std::string>> found;
    {
      const std::scoped_lock lock(mutex_);
      for (auto at = entries_.lower_bound(from);
           at != entries_.end() && (to.empty() || at->first < to); ++at)
        found.push_back(*at);
    }
    for (const auto& [key, value] : found)
      if (!visit(key, value)) break;
    return {};
  }
  Result<void> reopen() override { return {}; }
  Durability durability_max() const override { return Durability::Fsync; }
  std::size_t size() const {
    const std::scoped_lock lock(mutex_);
    return entries_.size();
  }

 protected:
  /// Under mutex_, as is entries_.
  void apply(const Batch& batch) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Batch::Change change = batch[i];
      if (change.kind == Batch::Kind::Put) entries_[std::string(change.key)] = change.value;
      if (change.kind == Batch::Kind::Erase) entries_.erase(std::string(change.key));
      if (change.kind == Batch::Kind::EraseRange)
        entries_.erase(entries_.lower_bound(change.key), entries_.lower_bound(change.value));
    }
  }

  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> entries_;
};

/// A transaction that only writes.
class PlainReaction final : public Reaction {
 public:
  Batch& records() override { return records_; }
  void publish(const MessageParts&) override {}
  void publish_after_commit(const MessageParts&) override {}
  void after_commit(std::function<void()> action) override {
    actions_.push_back(std::move(action));
  }
  void refuse() override {}
  HeldTransaction hold() override { return 0; }

  /// Writes it down; whether that succeeded.
  bool commit(Store& store) const {
    if (!store.commit(records_, Durability::None)) return false;
    settle();
    return true;
  }
  /// What it wrote is safe.
  void settle() const {
    for (const auto& action : actions_) action();
  }

 private:
  Batch records_;
  std::vector<std::function<void()>> actions_;
};

}  // namespace twinmq::sinks::testing
