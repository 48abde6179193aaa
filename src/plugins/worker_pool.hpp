#pragma once
// The threads on which a plugin's slow calls run: few, each call with a deadline, and none that can
// keep the broker waiting.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <twinmq/time.hpp>

namespace twinmq::plugins {

/// Every member may be called from any thread.
class WorkerPool {
 public:
  struct Options {
    std::size_t workers = 2;
    std::size_t waiting_max = 10'000;
    Milliseconds patience{1000};  ///< a call that runs so long past its deadline hangs
  };

  enum class End : std::uint8_t {
    Done,
    Late,     ///< the deadline came first
    Refused,  ///< too many wait, or the pool is closed
  };

  /// What the call found; with Done only.
  using Result = std::shared_ptr<void>;
  using Work = std::function<Result()>;
  using Finish = std::function<void(End, const Result&)>;

  /// `hung` is called once, on a thread of the pool, when a call hangs: from then on the pool is
  /// closed, what waits is refused, and the thread that hangs is left to itself.
  WorkerPool(const Options& options, std::function<void()> hung);
  /// Refuses what waits; a call that still runs is left to finish by itself.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// `finish` is called once, on some thread, perhaps before this returns. `work` may outlive that,
  /// and the pool: it must own what it uses.
  void submit(Milliseconds deadline, Work work, Finish finish);

  bool closed() const;

 private:
  struct Call;
  struct Worker;
  struct Shared;
  static bool staff(const std::shared_ptr<Shared>& shared);
  static void work(const std::shared_ptr<Shared>& shared, const std::shared_ptr<Worker>& self);
  static void watch(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_;
};

}  // namespace twinmq::plugins
