#pragma once
// One level-triggered epoll set: sockets, listeners, a wake from other threads and a timer. It
// decides nothing.

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <sys/epoll.h>

#include <twinmq/result.hpp>
#include <twinmq/time.hpp>

#include "net/descriptor.hpp"

namespace twinmq::net {

/// Names what an event is about; the owner of the loop gives it a meaning.
using Tag = std::uint64_t;

/// Wakes a loop from any thread. Many wakes before the loop looks cost one system call.
class Waker {
 public:
  explicit Waker(Descriptor event) : event_(std::move(event)) {}
  void wake();
  /// On the loop's thread, before it looks at what others left for it.
  void clear();
  int fd() const { return event_.get(); }

 private:
  Descriptor event_;
  std::atomic<bool> awake_{false};
};

/// Used by one thread at a time, apart from waker().
class EventLoop {
 public:
  enum class Driver : std::uint8_t {
    OwnThread,  ///< wait() blocks with a timeout; no timer descriptor
    Caller,     ///< fd() becomes readable for timers too; wait() is called with no patience
  };

  static Result<std::unique_ptr<EventLoop>> create(Driver driver);

  /// The set itself: readable while anything in it is ready.
  int fd() const { return set_.get(); }
  std::shared_ptr<Waker> waker() const { return waker_; }

  /// False when the system refused; errno says why.
  bool watch(int fd, std::uint32_t events, Tag tag);
  bool change(int fd, std::uint32_t events, Tag tag);
  void forget(int fd);

  /// With Driver::Caller: when fd() must become readable at the latest. Costs a system call only on
  /// a change.
  void set_deadline(Instant deadline);

  /// What is ready, after waiting at most that long; a negative patience waits for ever. Wakes and
  /// timers are cleared here and not reported. Valid until the next call.
  std::span<const epoll_event> wait(int patience_milliseconds);

 private:
  EventLoop(Descriptor set, Descriptor timer, std::shared_ptr<Waker> waker);

  static constexpr std::size_t kEventsMax = 512;

  Descriptor set_;
  Descriptor timer_;
  std::shared_ptr<Waker> waker_;
  Instant deadline_ = kNever;
  std::vector<epoll_event> events_;
};

/// The sentence for an errno.
Error system_error(ErrorCode code, std::string what, int number);

}  // namespace twinmq::net
