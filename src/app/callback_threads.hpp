#pragma once
// Where host callbacks run: a few threads, started when needed; one callback of a subscription at a
// time.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <twinmq/time.hpp>

#include "app/watchdog.hpp"

namespace twinmq::app {

/// A slow callback keeps one thread; the others serve the other strands. With kThreadsMax slow
/// callbacks at once the remaining ones wait. Every member may be called from any thread, callbacks
/// included.
class CallbackThreads {
 public:
  class Strand;
  using Callback = std::function<void()>;

  static constexpr std::size_t kThreadsMax = 4;

  explicit CallbackThreads(std::shared_ptr<Watchdog> watchdog);
  /// Ends like stop() with no patience.
  ~CallbackThreads();

  /// Callbacks posted to one strand run one after the other, in order. `name` is what a slow one is
  /// called.
  std::shared_ptr<Strand> strand(std::string name);

  /// False, and nothing happens, once the strand is closed or the threads are stopped.
  bool post(const std::shared_ptr<Strand>& strand, Callback callback);

  /// Drops what waits and returns when no callback of the strand runs; at once when called inside
  /// one.
  void close(const std::shared_ptr<Strand>& strand);

  /// Takes no more, waits at most that long for what was posted, then drops it. A callback that
  /// still runs is left to finish by itself.
  void stop(Milliseconds patience);

 private:
  struct Shared;
  struct Worker;
  static void work(const std::shared_ptr<Shared>& shared, Worker& self);
  static void run_one(Shared& shared, Worker& self, std::unique_lock<std::mutex>& lock);

  const std::shared_ptr<Shared> shared_;
};

}  // namespace twinmq::app
