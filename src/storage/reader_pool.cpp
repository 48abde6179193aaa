#include "storage/reader_pool.hpp"

namespace twinmq::storage {

ReaderPool::ReaderPool(Store& store, unsigned threads, Answered answered)
    : store_(store), answered_(std::move(answered)) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
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
    answered_(read(request));
  }
}

ReaderPool::Answer ReaderPool::read(const Request& request) {
  Answer answer{request.shard, request.id, {}, false, {}};
  std::size_t bytes = 0;
  const Result<void> done =
      store_.scan(request.from, request.to, [&](std::string_view key, std::string_view value) {
        const bool full =
            answer.entries.size() >= request.entries_max ||
            (!answer.entries.empty() && bytes + key.size() + value.size() > request.bytes_max);
        if (full) {
          answer.more = true;
          return false;
        }
        bytes += key.size() + value.size();
        answer.entries.emplace_back(key, value);
        return true;
      });
  if (!done) answer.failure = done.error().detail;
  return answer;
}

}  // namespace twinmq::storage
