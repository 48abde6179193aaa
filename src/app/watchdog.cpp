#include "app/watchdog.hpp"

#include <algorithm>
#include <utility>

#include "base/start_thread.hpp"

namespace twinmq::app {
namespace {

std::int64_t steady_milliseconds() {
  return std::chrono::duration_cast<Milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Watchdog::Watchdog(Milliseconds limit, Slow slow) : limit_(limit.count()), slow_(std::move(slow)) {
  if (auto thread = base::start_thread([this] { serve(); })) {
    thread_ = std::move(*thread);
  } else {
    started_ = thread.error();
  }
}

Watchdog::~Watchdog() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<Watchdog::Post> Watchdog::add(std::string name) {
  auto post = std::make_shared<Post>(std::move(name));
  const std::scoped_lock lock(mutex_);
  std::erase_if(posts_, [](const std::weak_ptr<Post>& each) { return each.expired(); });
  posts_.push_back(post);
  return post;
}

void Watchdog::begin(Post& post) {
  // Sequentially consistent on both sides: either this sees the watchdog parked, or the watchdog,
  // which looks once more after parking, sees this call.
  post.since_.store(steady_milliseconds(), std::memory_order_seq_cst);
  if (parked_.load(std::memory_order_seq_cst)) unpark();
}

void Watchdog::unpark() {
  const std::scoped_lock lock(mutex_);
  parked_ = false;
  changed_.notify_one();
}

void Watchdog::serve() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool busy = look();
    if (busy) {
      const std::int64_t step =
          std::clamp<std::int64_t>(limit_.load(std::memory_order_relaxed) / 4, 1, 50);
      changed_.wait_for(lock, Milliseconds(step), [this] { return stopping_; });
      continue;
    }
    parked_.store(true, std::memory_order_seq_cst);
    if (look()) {
      parked_ = false;
      continue;
    }
    changed_.wait(lock, [this] { return stopping_ || !parked_; });
  }
}

bool Watchdog::look() {
  bool busy = false;
  const std::int64_t now = steady_milliseconds();
  const std::int64_t limit = limit_.load(std::memory_order_relaxed);
  for (const std::weak_ptr<Post>& each : posts_) {
    const std::shared_ptr<Post> post = each.lock();
    if (!post) continue;
    const std::int64_t since = post->since_.load(std::memory_order_seq_cst);
    if (since == 0) continue;
    busy = true;
    if (now - since < limit || post->reported_ == since) continue;
    post->reported_ = since;
    slow_calls_.fetch_add(1, std::memory_order_relaxed);
    slow_(post->name(), Milliseconds(now - since));
  }
  return busy;
}

}  // namespace twinmq::app
