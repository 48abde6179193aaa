#include "app/way_to_shards.hpp"

#include <utility>

namespace twinmq::app {

void WayToShards::lead_to(std::vector<std::shared_ptr<Inbox>> inboxes) {
  const std::scoped_lock lock(mutex_);
  inboxes_ = std::move(inboxes);
  auto waiting = std::exchange(waiting_, {});
  for (auto& [shard, errand] : waiting)
    if (shard < inboxes_.size()) inboxes_[shard]->post(std::move(errand));
}

void WayToShards::post(std::uint32_t shard, Inbox::Errand errand) {
  const std::scoped_lock lock(mutex_);
  if (shard < inboxes_.size())
    inboxes_[shard]->post(std::move(errand));
  else
    waiting_.emplace_back(shard, std::move(errand));
}

}  // namespace twinmq::app
