#include "storage/memory_store.hpp"

#include <mutex>

namespace twinmq::storage {

Result<void> MemoryStore::commit(const Batch& batch, Durability) {
  const std::unique_lock lock(mutex_);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Batch::Change change = batch[i];
    switch (change.kind) {
      case Batch::Kind::Put: {
        const auto place = entries_.lower_bound(change.key);
        if (place != entries_.end() && place->first == change.key) {
          place->second.assign(change.value);
        } else {
          entries_.emplace_hint(place, change.key, change.value);
        }
        break;
      }
      case Batch::Kind::Erase:
        if (const auto place = entries_.find(change.key); place != entries_.end())
          entries_.erase(place);
        break;
      case Batch::Kind::EraseRange:
        if (change.key < change.value) {
          entries_.erase(entries_.lower_bound(change.key), entries_.lower_bound(change.value));
        }
        break;
    }
  }
  return {};
}

Result<void> MemoryStore::scan(std::string_view from, std::string_view to, const Visitor& visit) {
  const std::shared_lock lock(mutex_);
  for (auto place = entries_.lower_bound(from); place != entries_.end(); ++place) {
    if (!to.empty() && place->first >= to) break;
    if (!visit(place->first, place->second)) break;
  }
  return {};
}

}  // namespace twinmq::storage
