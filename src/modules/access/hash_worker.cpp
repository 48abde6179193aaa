#include "modules/access/hash_worker.hpp"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace twinmq::access {

class HashWorker::Thread : public Queue, public std::enable_shared_from_this<Thread> {
 public:
  bool submit(Job job, std::size_t bytes) override {
    const std::lock_guard lock(mutex_);
    if (closed_ || waiting_.size() >= kHashJobsMax || waiting_bytes_ + bytes > kHashBytesMax)
      return false;
    if (!thread_.joinable()) {
      try {
        thread_ = std::thread([self = shared_from_this()] { self->work(); });
      } catch (const std::system_error&) {
        return false;
      }
    }
    waiting_.push_back({std::move(job), bytes});
    waiting_bytes_ += bytes;
    wake_.notify_one();
    return true;
  }

  void close() {
    std::deque<Waiting> left;
    std::thread thread;
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
      left.swap(waiting_);
      waiting_bytes_ = 0;
      thread.swap(thread_);
      wake_.notify_one();
    }
    for (Waiting& waiting : left) waiting.job(true);
    if (!thread.joinable()) return;
    // A job may let go of the worker itself; its thread ends after that job.
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }

 private:
  struct Waiting {
    Job job;
    std::size_t bytes = 0;
  };

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
      if (closed_) return;
      Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      waiting_bytes_ -= next.bytes;
      lock.unlock();
      next.job(false);
      next.job = nullptr;
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool closed_ = false;
  std::thread thread_;
};

HashWorker::HashWorker() : thread_(std::make_shared<Thread>()) {}
HashWorker::~HashWorker() {
  thread_->close();
}

std::shared_ptr<HashWorker::Queue> HashWorker::queue() const {
  return thread_;
}

}  // namespace twinmq::access
