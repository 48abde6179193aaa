// Session's part for the retained messages that new subscriptions bring.

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "core/link.hpp"
#include "core/session.hpp"
#include "core/shard.hpp"

namespace twinmq::core {

void Session::open_replay(RetainedReplay replay) {
  replays_.push_back(std::move(replay));
  if (replays_.size() > 8 && replays_.size() > 2 * filters_.size() * shard_.shards())
    drop_outdated_replays();
}

void Session::begin_replays(std::uint64_t group) {
  for (RetainedReplay& replay : replays_)
    if (replay.wanted.group == group) replay.begin();
  if (!replays_.empty()) pump_replays();
}

// A client may subscribe to the same again and again: only the last of its replays counts.
void Session::drop_outdated_replays() {
  std::unordered_set<std::string> seen;
  for (auto place = replays_.end(); place != replays_.begin();) {
    --place;
    const bool last =
        seen.insert(place->wanted.filter + '\0' + std::to_string(place->from())).second;
    if (last && is_wanted(*place)) continue;
    place->cancel(shard_);
    place = replays_.erase(place);
  }
}

bool Session::is_wanted(const RetainedReplay& replay) const {
  return shard_.tree.find(replay.wanted.filter, this) != nullptr;
}

// Only when nothing else waits: a replay never fills the queue that live messages need.
void Session::pump_replays() {
  if (std::exchange(replaying_, true)) return;  // a delivery below came back here
  while (!replays_.empty() && link_ && link_->welcomed() && link_->has_room() && window_open()) {
    RetainedReplay& replay = replays_.front();
    if (!replay.begun()) break;
    if (!is_wanted(replay)) {  // [MQTT-3.10.4-2]
      replay.cancel(shard_);
      replays_.pop_front();
      continue;
    }
    const MessageRef message = replay.next(shard_);
    if (message) {
      Publication publication(message);
      const QoS qos = std::min(message->qos(), replay.wanted.qos);
      const std::uint32_t id = replay.wanted.subscription_id;
      const std::span<const std::uint32_t> ids =
          id != 0 ? std::span<const std::uint32_t>(&id, 1) : std::span<const std::uint32_t>();
      shard_.router.deliver_to_one(*this, {publication, qos, true, ids, {}});
    } else if (replay.done()) {
      replays_.pop_front();
    } else {
      // A slice from another shard is on its way, or this turn's budget is used up.
      if (replay.is_here()) shard_.postpone(*link_);
      break;
    }
  }
  replaying_ = false;
}

}  // namespace twinmq::core
