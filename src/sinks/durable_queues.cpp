#include "sinks/durable_queues.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

namespace twinmq::sinks {

DurableQueues::DurableQueues(QueueParts parts) : parts_(std::move(parts)) {}

DurableQueues::~DurableQueues() {
  halt();
}

Result<void> DurableQueues::begin() {
  const std::unique_lock lock(mutex_);
  phase_ = Phase::Delivering;
  for (const auto& [name, queue] : queues_)
    if (const Result<void> started = queue->start(); !started) return started;
  return {};
}

void DurableQueues::halt() {
  const std::unique_lock lock(mutex_);
  if (std::exchange(phase_, Phase::Halted) != Phase::Delivering) return;
  for (const auto& [name, queue] : queues_) queue->stop();
}

void DurableQueues::add(std::string name, std::unique_ptr<Sink> sink, SinkOptions options) {
  if (const auto known = find(name)) {
    known->stop();
    known->exchange(std::move(sink), options);
    const std::unique_lock lock(mutex_);
    if (phase_ == Phase::Delivering) static_cast<void>(known->start());
    return;
  }
  auto queue = std::make_shared<DurableQueue>(parts_, name, std::move(sink), options);
  const std::unique_lock lock(mutex_);
  if (phase_ == Phase::Delivering) static_cast<void>(queue->start());
  queues_.insert_or_assign(std::move(name), std::move(queue));
}

void DurableQueues::remove(std::string_view name, bool give_up) {
  const auto queue = find(name);
  if (!queue) return;
  queue->stop();
  queue->exchange(nullptr, {});
  if (give_up) queue->give_up();
}

std::shared_ptr<DurableQueue> DurableQueues::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto place = queues_.find(std::string(name));
  return place == queues_.end() ? nullptr : place->second;
}

bool DurableQueues::hand_over(std::string_view sink, std::uint32_t shard, const SinkEntry& entry,
                              Reaction& reaction) {
  const auto queue = find(sink);
  return queue && queue->hand_over(shard, entry, reaction);
}

std::vector<SinkStatistics> DurableQueues::statistics() const {
  const std::shared_lock lock(mutex_);
  std::vector<SinkStatistics> all;
  for (const auto& [name, queue] : queues_)
    if (!queue->idle()) all.push_back(queue->statistics());
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

std::size_t DurableQueues::replay(std::string_view sink) {
  {
    const std::shared_lock lock(mutex_);
    if (phase_ != Phase::Delivering) return 0;
  }
  const auto queue = find(sink);
  return queue && !queue->idle() ? queue->replay() : 0;
}

}  // namespace twinmq::sinks
