#include "storage/commit_queue.hpp"

#include <algorithm>
#include <utility>

#include "base/start_thread.hpp"

namespace twinmq::storage {

namespace {

// Often enough to notice a filling disk while its reserve lasts.
constexpr std::chrono::milliseconds kRoomInterval{200};

}  // namespace

CommitQueue::CommitQueue(Store& store, Answered answered, RoomWatch room)
    : store_(store), answered_(std::move(answered)), room_(std::move(room)) {
  if (auto thread = base::start_thread([this] { serve(); })) {
    thread_ = std::move(*thread);
  } else {
    started_ = thread.error();
  }
}

void CommitQueue::submit(unsigned shard, std::uint64_t id, Batch batch, Durability durability) {
  const std::scoped_lock lock(mutex_);
  submitted_.push_back({shard, id, std::move(batch), durability});
  if (submitted_.size() == 1) arrived_.notify_one();
}

void CommitQueue::run(std::function<void(Store&)> job) {
  const std::scoped_lock lock(mutex_);
  jobs_.push_back(std::move(job));
  arrived_.notify_one();
}

Result<void> CommitQueue::reopen() {
  Result<void> done = store_.reopen();
  failed_ = failed_ && !done;
  return done;
}

void CommitQueue::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    arrived_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void CommitQueue::serve() {
  std::vector<Submitted> work;
  std::vector<std::function<void(Store&)>> jobs;
  look_at_room();
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      const auto wanted = [this] { return stopping_ || !submitted_.empty() || !jobs_.empty(); };
      if (!full()) {
        arrived_.wait(lock, wanted);
      } else {
        arrived_.wait_for(lock, kRoomInterval, wanted);
      }
      if (stopping_ && submitted_.empty() && jobs_.empty()) return;
      work.swap(submitted_);
      jobs.swap(jobs_);
    }
    write(work);
    for (const auto& job : jobs) job(store_);
    look_at_room();
    work.clear();
    jobs.clear();
  }
}

void CommitQueue::write(std::vector<Submitted>& work) {
  if (work.empty()) return;
  std::vector<Answer> answers;
  answers.reserve(work.size());
  Batch& whole = work.front().batch;
  // What nobody was promised is written in order all the same: later promises stand on it.
  Durability durability = Durability::OperatingSystem;
  for (std::size_t i = 0; i < work.size(); ++i) {
    if (i > 0) whole.append(work[i].batch);
    durability = std::max(durability, work[i].durability);
    answers.push_back({work[i].shard, work[i].id, true});
  }
  std::string failure;
  if (!failed_ && !whole.empty()) {
    if (const Result<void> written =
            store_.commit(whole, std::min(durability, store_.durability_max()));
        !written) {
      failure = written.error().detail;
      failed_ = true;
    }
    writes_.fetch_add(1, std::memory_order_relaxed);
    if (durability == Durability::Fsync) syncs_.fetch_add(1, std::memory_order_relaxed);
    bytes_.fetch_add(whole.bytes(), std::memory_order_relaxed);
  }
  if (failed_) {
    for (Answer& answer : answers) answer.durable = false;
  }
  answered_(answers, failure);
}

void CommitQueue::look_at_room() {
  if (!room_.changed) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - room_seen_ < kRoomInterval) return;
  room_seen_ = now;
  const std::uint64_t bytes = store_.room();
  // A little more must be free again before it counts as room, so that the state does not flap.
  const bool full = bytes < room_.bytes_min + (full_ ? room_.bytes_min / 8 : 0);
  if (full == full_) return;
  full_ = full;
  room_.changed(full, bytes);
}

}  // namespace twinmq::storage
