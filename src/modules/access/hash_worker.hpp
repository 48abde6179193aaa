#pragma once
// One thread that hashes passwords, so that no shard waits for it and a flood of CONNECTs costs one
// core.

#include <cstddef>
#include <functional>
#include <memory>

namespace twinmq::access {

/// Passwords waiting to be hashed: beyond these bounds clients are told ServerBusy.
inline constexpr std::size_t kHashJobsMax = 1024;
inline constexpr std::size_t kHashBytesMax = 4U * 1024 * 1024;

/// Owns the thread, which starts with the first job. Destruction answers what waits with
/// `cancelled`, and waits for the one job at work.
class HashWorker {
 public:
  /// Called once, on the hashing thread; with `cancelled` on the thread that closes the worker.
  using Job = std::function<void(bool cancelled)>;

  /// What callers hold. It may outlive the worker and then refuses.
  class Queue {
   public:
    virtual ~Queue() = default;
    /// Any thread. False, with the job dropped uncalled: full, closed, or no thread could be
    /// started. `bytes` is what the job keeps in memory.
    virtual bool submit(Job job, std::size_t bytes) = 0;
  };

  HashWorker();
  ~HashWorker();
  HashWorker(const HashWorker&) = delete;
  HashWorker& operator=(const HashWorker&) = delete;

  std::shared_ptr<Queue> queue() const;

 private:
  class Thread;
  std::shared_ptr<Thread> thread_;
};

}  // namespace twinmq::access
