#include "app/callback_threads.hpp"

#include <algorithm>
#include <utility>

#include "base/start_thread.hpp"

namespace twinmq::app {

class CallbackThreads::Strand {
 public:
  explicit Strand(std::shared_ptr<Watchdog::Post> post) : post_(std::move(post)) {}

 private:
  friend class CallbackThreads;
  std::shared_ptr<Watchdog::Post> post_;
  std::deque<Callback> waiting_;
  std::thread::id runner_;
  bool queued_ = false;  ///< stands in `ready`, or runs
  bool closed_ = false;
};

struct CallbackThreads::Worker {
  std::thread thread;
  bool running = false;
};

// Shared with the threads, so that one that a callback outlasts may go on after the rest is gone.
struct CallbackThreads::Shared {
  std::shared_ptr<Watchdog> watchdog;
  std::mutex mutex;
  std::condition_variable ready_changed;
  std::condition_variable idle_changed;
  std::deque<std::shared_ptr<Strand>> ready;
  std::vector<std::unique_ptr<Worker>> workers;
  std::size_t idle = 0;
  bool stopping = false;
  bool stopped = false;
};

CallbackThreads::CallbackThreads(std::shared_ptr<Watchdog> watchdog)
    : shared_(std::make_shared<Shared>()) {
  shared_->watchdog = std::move(watchdog);
}

CallbackThreads::~CallbackThreads() {
  stop(Milliseconds(0));
}

std::shared_ptr<CallbackThreads::Strand> CallbackThreads::strand(std::string name) {
  return std::make_shared<Strand>(shared_->watchdog->add(std::move(name)));
}

bool CallbackThreads::post(const std::shared_ptr<Strand>& strand, Callback callback) {
  const std::scoped_lock lock(shared_->mutex);
  if (shared_->stopping || strand->closed_) return false;
  strand->waiting_.push_back(std::move(callback));
  if (strand->queued_) return true;
  strand->queued_ = true;
  shared_->ready.push_back(strand);
  if (shared_->idle < shared_->ready.size() && shared_->workers.size() < kThreadsMax) {
    auto worker = std::make_unique<Worker>();
    auto thread = base::start_thread([shared = shared_, &self = *worker] { work(shared, self); });
    if (thread) {
      worker->thread = std::move(*thread);
      shared_->workers.push_back(std::move(worker));
      return true;
    }
    // Those that are there come to it later; if there are none, nobody ever would.
    if (shared_->workers.empty()) {
      shared_->ready.pop_back();
      strand->queued_ = false;
      strand->waiting_.pop_back();
      return false;
    }
  }
  shared_->ready_changed.notify_one();
  return true;
}

void CallbackThreads::work(const std::shared_ptr<Shared>& shared, Worker& self) {
  std::unique_lock lock(shared->mutex);
  for (;;) {
    ++shared->idle;
    shared->ready_changed.wait(lock, [&] { return shared->stopped || !shared->ready.empty(); });
    --shared->idle;
    if (shared->stopped) return;
    run_one(*shared, self, lock);
    shared->idle_changed.notify_all();
  }
}

void CallbackThreads::run_one(Shared& shared, Worker& self, std::unique_lock<std::mutex>& lock) {
  const std::shared_ptr<Strand> strand = std::move(shared.ready.front());
  shared.ready.pop_front();
  if (!strand->waiting_.empty()) {
    Callback callback = std::move(strand->waiting_.front());
    strand->waiting_.pop_front();
    strand->runner_ = std::this_thread::get_id();
    self.running = true;
    lock.unlock();
    {
      const Watchdog::Guard guard(*shared.watchdog, *strand->post_);
      callback();
      callback = nullptr;  // its end may run host code too
    }
    lock.lock();
    self.running = false;
    strand->runner_ = {};
  }
  strand->queued_ = !strand->waiting_.empty();
  if (strand->queued_) shared.ready.push_back(strand);
}

void CallbackThreads::close(const std::shared_ptr<Strand>& strand) {
  std::deque<Callback> dropped;
  std::unique_lock lock(shared_->mutex);
  strand->closed_ = true;
  dropped.swap(strand->waiting_);
  shared_->idle_changed.wait(lock, [&] {
    return strand->runner_ == std::thread::id() || strand->runner_ == std::this_thread::get_id();
  });
}

void CallbackThreads::stop(Milliseconds patience) {
  std::deque<std::shared_ptr<Strand>> dropped;
  std::vector<std::unique_ptr<Worker>> ended;
  {
    std::unique_lock lock(shared_->mutex);
    shared_->stopping = true;
    const auto quiet = [&] {
      return shared_->ready.empty() &&
             std::none_of(shared_->workers.begin(), shared_->workers.end(), [](auto& each) {
               return each->running && each->thread.get_id() != std::this_thread::get_id();
             });
    };
    shared_->idle_changed.wait_for(lock, patience, quiet);
    shared_->stopped = true;
    dropped.swap(shared_->ready);
    shared_->ready_changed.notify_all();
    for (auto& worker : shared_->workers) {
      if (worker->running) {
        if (worker->thread.joinable()) worker->thread.detach();
      } else {
        ended.push_back(std::move(worker));
      }
    }
    std::erase(shared_->workers, nullptr);
  }
  for (const auto& worker : ended) worker->thread.join();
}

}  // namespace twinmq::app
