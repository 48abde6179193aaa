#include "storage/reader_pool.hpp"

#include <utility>

#include "base/start_thread.hpp"

namespace twinmq::storage {

ReaderPool::ReaderPool(Store& store, unsigned threads, Answered answered)
    : store_(store), answered_(std::move(answered)) {
  for (unsigned i = 0; i < threads; ++i) {
    auto thread = base::start_thread([this] { serve(); });
    if (!thread) {
      started_ = thread.error();
      return;
    }
    threads_.push_back(std::move(*thread));
  }
}

void ReaderPool::submit(Request request) {
  const std::scoped_lock lock(mutex_);
  waiting_.push_back(std::move(request));
  arrived_.notify_one();
}

void ReaderPool::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    arrived_.notify_all();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void ReaderPool::serve() {
  for (;;) {
    Request request;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      request = std::move(waiting_.front());
      waiting_.pop_front();
    }
    answered_({request.shard, request.id, store_.read(request.range)});
  }
}

}  // namespace twinmq::storage
