#pragma once
// Notices host code that takes too long, while it still runs.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <twinmq/result.hpp>
#include <twinmq/time.hpp>

namespace twinmq::app {

/// One thread, which sleeps while no watched call runs.
class Watchdog {
 public:
  /// One place from which host code is called, by one thread at a time.
  class Post {
   public:
    explicit Post(std::string name) : name_(std::move(name)) {}
    const std::string& name() const { return name_; }

   private:
    friend class Watchdog;
    const std::string name_;
    std::atomic<std::int64_t> since_{0};  ///< milliseconds of the steady clock; 0: no call runs
    std::int64_t reported_ = 0;
  };

  /// Brackets one call into the host.
  class Guard {
   public:
    Guard(Watchdog& watchdog, Post& post) : post_(post) { watchdog.begin(post); }
    ~Guard() { post_.since_.store(0, std::memory_order_release); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    Post& post_;
  };

  /// Called once per call that exceeds the limit, on the watchdog's thread.
  using Slow = std::function<void(std::string_view name, Milliseconds so_far)>;

  Watchdog(Milliseconds limit, Slow slow);
  ~Watchdog();

  /// An error: there is no thread, and nothing is watched.
  const Result<void>& started() const { return started_; }
  std::shared_ptr<Post> add(std::string name);
  void set_limit(Milliseconds limit) { limit_.store(limit.count(), std::memory_order_relaxed); }
  std::uint64_t slow_calls() const { return slow_calls_.load(std::memory_order_relaxed); }

 private:
  void begin(Post& post);
  void unpark();
  void serve();
  bool look();

  std::atomic<std::int64_t> limit_;
  const Slow slow_;
  std::atomic<std::uint64_t> slow_calls_{0};
  std::atomic<bool> parked_{false};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::weak_ptr<Post>> posts_;
  bool stopping_ = false;
  Result<void> started_;
  std::thread thread_;
};

}  // namespace twinmq::app
