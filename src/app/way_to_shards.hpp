#pragma once
// How other threads reach the shards of a broker.

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "app/inbox.hpp"

namespace twinmq::app {

/// Errands for the shards from threads that may outlive the broker; what comes before the shards
/// are there waits.
class WayToShards {
 public:
  /// Shards are about to start.
  void begin() { lead_to({}); }
  void lead_to(std::vector<std::shared_ptr<Inbox>> inboxes);
  void post(std::uint32_t shard, Inbox::Errand errand);

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Inbox>> inboxes_;
  std::vector<std::pair<std::uint32_t, Inbox::Errand>> waiting_;
};

}  // namespace twinmq::app
