#include "sim/sim_store.hpp"

#include <algorithm>
#include <utility>

namespace twinmq::sim {

void SimStore::submit(unsigned shard, std::uint64_t id, Batch batch) {
  if (tamper) tamper(batch);
  unsynced_.push_back({shard, id, std::move(batch)});
}

std::vector<SimStore::Answer> SimStore::sync(std::size_t count) {
  std::vector<Answer> answers;
  for (count = std::min(count, unsynced_.size()); count > 0; --count) {
    const Submitted& oldest = unsynced_.front();
    if (!failed_) apply(oldest.batch);
    answers.push_back({oldest.shard, oldest.id, !failed_});
    unsynced_.pop_front();
  }
  return answers;
}

std::vector<SimStore::Answer> SimStore::fail() {
  failed_ = true;
  return sync(unsynced_.size());
}

void SimStore::crash(base::Prng& random) {
  if (!failed_) sync(random.below(unsynced_.size() + 1));
  unsynced_.clear();
  failed_ = false;
}

Result<void> SimStore::commit(const Batch& batch, Durability) {
  apply(batch);
  return {};
}

Result<void> SimStore::scan(std::string_view from, std::string_view to, const Visitor& visit) {
  if (failed_) return Error{ErrorCode::StorageFailed, "the store has failed"};
  for (auto place = synced_.lower_bound(from); place != synced_.end(); ++place) {
    if (!to.empty() && place->first >= to) break;
    if (!visit(place->first, place->second)) break;
  }
  return {};
}

Result<void> SimStore::reopen() {
  unsynced_.clear();
  failed_ = false;
  return {};
}

void SimStore::apply(const Batch& batch) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const Batch::Change change = batch[i];
    switch (change.kind) {
      case Batch::Kind::Put:
        synced_.insert_or_assign(std::string(change.key), std::string(change.value));
        break;
      case Batch::Kind::Erase:
        if (const auto place = synced_.find(change.key); place != synced_.end())
          synced_.erase(place);
        break;
      case Batch::Kind::EraseRange:
        if (change.key < change.value)
          synced_.erase(synced_.lower_bound(change.key), synced_.lower_bound(change.value));
        break;
    }
  }
}

}  // namespace twinmq::sim
