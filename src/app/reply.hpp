#pragma once
// An answer that another thread owes, and that may never come.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include <twinmq/time.hpp>

namespace twinmq::app {

/// Copies share one answer. When every Promise is gone without give(), the wait ends empty-handed.
template <typename T>
class Reply {
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<T> value;
    bool done = false;

    void finish(std::optional<T> given) {
      const std::scoped_lock lock(mutex);
      if (done) return;
      value = std::move(given);
      done = true;
      changed.notify_all();
    }
  };

 public:
  class Promise {
   public:
    explicit Promise(std::shared_ptr<State> state)
        : last_(std::make_shared<Last>(std::move(state))) {}
    void give(T value) const { last_->state->finish(std::move(value)); }

   private:
    struct Last {
      explicit Last(std::shared_ptr<State> s) : state(std::move(s)) {}
      ~Last() { state->finish(std::nullopt); }
      std::shared_ptr<State> state;
    };
    std::shared_ptr<Last> last_;
  };

  Reply() : state_(std::make_shared<State>()) {}

  /// Call once.
  Promise promise() const { return Promise(state_); }

  /// Whether there is nothing to wait for any more.
  bool wait_for(Milliseconds patience) const {
    std::unique_lock lock(state_->mutex);
    return state_->changed.wait_for(lock, patience, [this] { return state_->done; });
  }
  std::optional<T> take() const {
    const std::scoped_lock lock(state_->mutex);
    return std::exchange(state_->value, std::nullopt);
  }

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace twinmq::app
