#include "plugins/worker_pool.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/start_thread.hpp"

namespace twinmq::plugins {

using Clock = std::chrono::steady_clock;

struct WorkerPool::Call {
  Clock::time_point deadline;
  Work work;
  Finish finish;
  bool finished = false;  // under the mutex

  /// Under the mutex: the one who gets it calls it, outside the mutex.
  Finish take_finish() {
    finished = true;
    return std::exchange(finish, nullptr);
  }
};

struct WorkerPool::Worker {
  std::thread thread;
  std::shared_ptr<Call> call;  // that runs
};

// Shared with the threads, so that one that hangs may go on after the rest is gone.
struct WorkerPool::Shared {
  Options options;
  std::function<void()> hung;
  mutable std::mutex mutex;
  std::condition_variable work_came;
  std::condition_variable watch_sooner;
  std::deque<std::shared_ptr<Call>> waiting;
  std::vector<std::shared_ptr<Worker>> workers;
  std::thread watcher;
  Clock::time_point next_look = Clock::time_point::max();
  std::size_t idle = 0;
  bool closed = false;
  bool stopping = false;
};

WorkerPool::WorkerPool(const Options& options, std::function<void()> hung)
    : shared_(std::make_shared<Shared>()) {
  shared_->options = options;
  shared_->hung = std::move(hung);
}

WorkerPool::~WorkerPool() {
  std::deque<std::shared_ptr<Call>> refused;
  std::vector<std::thread> ended;
  {
    const std::scoped_lock lock(shared_->mutex);
    shared_->closed = true;
    shared_->stopping = true;
    refused.swap(shared_->waiting);
    for (const auto& worker : shared_->workers) {
      if (worker->thread.get_id() == std::this_thread::get_id() || worker->call)
        worker->thread.detach();
      else
        ended.push_back(std::move(worker->thread));
    }
    if (shared_->watcher.get_id() == std::this_thread::get_id())
      shared_->watcher.detach();
    else if (shared_->watcher.joinable())
      ended.push_back(std::move(shared_->watcher));
    shared_->work_came.notify_all();
    shared_->watch_sooner.notify_all();
  }
  for (std::thread& thread : ended) thread.join();
  for (const auto& call : refused)
    if (const Finish finish = std::exchange(call->finish, nullptr)) finish(End::Refused, nullptr);
}

bool WorkerPool::closed() const {
  const std::scoped_lock lock(shared_->mutex);
  return shared_->closed;
}

void WorkerPool::submit(Milliseconds deadline, Work work, Finish finish) {
  auto call = std::make_shared<Call>();
  call->deadline = Clock::now() + deadline;
  call->work = std::move(work);
  call->finish = std::move(finish);
  {
    Shared& shared = *shared_;
    const std::scoped_lock lock(shared.mutex);
    if (!shared.closed && shared.waiting.size() < shared.options.waiting_max) {
      shared.waiting.push_back(call);
      if (staff(shared_)) {
        shared.work_came.notify_one();
        if (call->deadline < shared.next_look) {
          shared.next_look = call->deadline;
          shared.watch_sooner.notify_one();
        }
        return;
      }
      shared.waiting.pop_back();
    }
  }
  call->finish(End::Refused, nullptr);
}

// Under the mutex. False: the system gives no thread, and nobody would come to what waits, or
// notice that it takes too long.
bool WorkerPool::staff(const std::shared_ptr<Shared>& shared) {
  if (!shared->watcher.joinable()) {
    auto watcher = base::start_thread([shared] { watch(shared); });
    if (!watcher) return false;
    shared->watcher = std::move(*watcher);
  }
  if (shared->idle >= shared->waiting.size() || shared->workers.size() >= shared->options.workers)
    return true;
  const auto worker = std::make_shared<Worker>();
  auto thread = base::start_thread([shared, worker] { WorkerPool::work(shared, worker); });
  if (!thread) return !shared->workers.empty();
  worker->thread = std::move(*thread);
  shared->workers.push_back(worker);
  return true;
}

void WorkerPool::work(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Worker>& self) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    ++shared->idle;
    shared->work_came.wait(lock, [&] { return shared->stopping || !shared->waiting.empty(); });
    --shared->idle;
    if (shared->stopping) return;
    self->call = std::move(shared->waiting.front());
    shared->waiting.pop_front();
    std::shared_ptr<Call> call = self->call;
    Finish finish;
    Result result;
    lock.unlock();
    result = call->work();
    lock.lock();
    self->call.reset();
    finish = call->take_finish();
    lock.unlock();
    if (finish) finish(End::Done, result);
    finish = nullptr;
    result.reset();
    call.reset();  // its end may be the pool's
    lock.lock();
  }
}

// Sleeps until the earliest deadline that it knows of.
void WorkerPool::watch(const std::shared_ptr<Shared>& shared) {
  std::unique_lock lock(shared->mutex);
  while (!shared->stopping) {
    if (shared->next_look == Clock::time_point::max())
      shared->watch_sooner.wait(lock);
    else
      shared->watch_sooner.wait_until(lock, shared->next_look);
    const auto now = Clock::now();
    if (shared->stopping || now < shared->next_look) continue;
    std::vector<Finish> late;
    std::vector<Finish> refused;
    bool hangs = false;
    auto next = Clock::time_point::max();
    const auto look = [&](Call& call, bool runs) {
      if (call.finish && call.deadline <= now) late.push_back(call.take_finish());
      if (!call.finished) next = std::min(next, call.deadline);
      if (!call.finished || !runs || shared->closed) return;
      const auto hung_at = call.deadline + shared->options.patience;
      if (hung_at <= now)
        hangs = true;
      else
        next = std::min(next, hung_at);
    };
    for (const auto& worker : shared->workers)
      if (worker->call) look(*worker->call, true);
    for (const auto& call : shared->waiting) look(*call, false);
    std::erase_if(shared->waiting, [](const auto& call) { return call->finished; });
    if (hangs) {
      shared->closed = true;
      for (const auto& call : std::exchange(shared->waiting, {}))
        refused.push_back(call->take_finish());
    }
    shared->next_look = next;
    lock.unlock();
    for (const Finish& finish : late) finish(End::Late, nullptr);
    for (const Finish& finish : refused) finish(End::Refused, nullptr);
    if (hangs) shared->hung();
    late.clear();
    refused.clear();
    lock.lock();
  }
}

}  // namespace twinmq::plugins
