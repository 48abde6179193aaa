#pragma once
// What any thread may leave for a shard: errands, answers of the storage thread, connections that
// move in.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <twinmq/store.hpp>

#include "core/effects.hpp"
#include "net/connection.hpp"
#include "net/event_loop.hpp"

namespace twinmq::app {

class ShardThread;

/// A connection on its way to this shard.
struct Arrival {
  net::Connections::Parts parts;
  core::LinkOrigin origin;
  std::string bytes;
};

struct CommitAnswer {
  std::uint64_t id = 0;
  bool durable = false;
};

struct ReadAnswer {
  std::uint64_t id = 0;
  Result<StoreEntries> found;
};

/// Lives as long as anybody may post; once closed it drops what comes. Every call may come from any
/// thread.
class Inbox {
 public:
  using Errand = std::function<void(ShardThread&)>;

  /// Everything that was left since the last take().
  struct Mail {
    std::vector<CommitAnswer> answers;
    std::vector<ReadAnswer> reads;
    std::vector<Arrival> arrivals;
    std::vector<Errand> errands;
    std::vector<Errand> orders;
  };

  explicit Inbox(std::shared_ptr<net::Waker> waker) : waker_(std::move(waker)) {}

  /// Runs in a later turn; while the shard is being built anew, errands wait. False: the shard is
  /// gone.
  bool post(Errand errand) {
    return leave([&](Mail& mail) { mail.errands.push_back(std::move(errand)); });
  }
  /// The same, but does not wait for the shard to be built.
  bool order(Errand order) {
    return leave([&](Mail& mail) { mail.orders.push_back(std::move(order)); });
  }
  bool answer(CommitAnswer answer) {
    return leave([&](Mail& mail) { mail.answers.push_back(answer); });
  }
  bool answer(ReadAnswer answer) {
    return leave([&](Mail& mail) { mail.reads.push_back(std::move(answer)); });
  }
  bool arrive(Arrival arrival) {
    return leave([&](Mail& mail) { mail.arrivals.push_back(std::move(arrival)); });
  }
  void wake() { waker_->wake(); }

  /// Takes everything, but leaves the errands if they are to wait.
  Mail take(bool errands_too) {
    const std::scoped_lock lock(mutex_);
    Mail taken = std::exchange(mail_, {});
    if (!errands_too) mail_.errands = std::move(taken.errands);
    return taken;
  }

  /// Drops what is there and what still comes.
  void close() {
    Mail dropped;
    const std::scoped_lock lock(mutex_);
    closed_ = true;
    dropped = std::exchange(mail_, {});
  }

 private:
  template <typename Place>
  bool leave(Place place) {
    {
      const std::scoped_lock lock(mutex_);
      if (closed_) return false;
      place(mail_);
    }
    waker_->wake();
    return true;
  }

  const std::shared_ptr<net::Waker> waker_;
  mutable std::mutex mutex_;
  Mail mail_;
  bool closed_ = false;
};

}  // namespace twinmq::app
