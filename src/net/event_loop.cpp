#include "net/event_loop.hpp"

#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

namespace twinmq::net {
namespace {

// Low halves of tags that no owner uses.
constexpr Tag kWakeTag = ~Tag{0};
constexpr Tag kTimerTag = ~Tag{0} - 1;

}  // namespace

Error system_error(ErrorCode code, std::string what, int number) {
  return {code, std::move(what) + ": " + std::system_category().message(number)};
}

void Waker::wake() {
  if (awake_.exchange(true, std::memory_order_seq_cst)) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(event_.get(), &one, sizeof one);
}

void Waker::clear() {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(event_.get(), &count, sizeof count);
  // After the read: a wake that found awake_ still set has left its mail before this exchange,
  // hence before the owner looks for mail.
  awake_.exchange(false, std::memory_order_seq_cst);
}

Result<std::unique_ptr<EventLoop>> EventLoop::create(Driver driver) {
  Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
  if (!set) return system_error(ErrorCode::Internal, "cannot create an epoll set", errno);
  Descriptor event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!event) return system_error(ErrorCode::Internal, "cannot create an eventfd", errno);
  Descriptor timer;
  if (driver == Driver::Caller) {
    timer = Descriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!timer) return system_error(ErrorCode::Internal, "cannot create a timerfd", errno);
  }
  std::unique_ptr<EventLoop> loop(
      new EventLoop(std::move(set), std::move(timer), std::make_shared<Waker>(std::move(event))));
  if (!loop->watch(loop->waker_->fd(), EPOLLIN, kWakeTag) ||
      (loop->timer_ && !loop->watch(loop->timer_.get(), EPOLLIN, kTimerTag))) {
    return system_error(ErrorCode::Internal, "cannot fill the epoll set", errno);
  }
  return loop;
}

EventLoop::EventLoop(Descriptor set, Descriptor timer, std::shared_ptr<Waker> waker)
    : set_(std::move(set)),
      timer_(std::move(timer)),
      waker_(std::move(waker)),
      events_(kEventsMax) {}

bool EventLoop::watch(int fd, std::uint32_t events, Tag tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return ::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

bool EventLoop::change(int fd, std::uint32_t events, Tag tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  return ::epoll_ctl(set_.get(), EPOLL_CTL_MOD, fd, &event) == 0;
}

void EventLoop::forget(int fd) {
  ::epoll_ctl(set_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::set_deadline(Instant deadline) {
  if (!timer_ || deadline == deadline_) return;
  deadline_ = deadline;
  itimerspec when{};
  if (deadline != kNever) {
    // A zero value would disarm the timer: a deadline in the distant past is one millisecond after
    // the start.
    const auto since = std::max<std::int64_t>(1, deadline.time_since_epoch().count());
    when.it_value.tv_sec = since / 1000;
    when.it_value.tv_nsec = (since % 1000) * 1'000'000;
  }
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

std::span<const epoll_event> EventLoop::wait(int patience_milliseconds) {
  int count = ::epoll_wait(set_.get(), events_.data(), static_cast<int>(events_.size()),
                           patience_milliseconds);
  if (count <= 0) return {};
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    const epoll_event event = events_[static_cast<std::size_t>(i)];
    if (event.data.u64 == kWakeTag) {
      waker_->clear();
    } else if (event.data.u64 == kTimerTag) {
      std::uint64_t expirations = 0;
      [[maybe_unused]] const ssize_t taken = ::read(timer_.get(), &expirations, sizeof expirations);
      deadline_ = kNever;
    } else {
      events_[static_cast<std::size_t>(kept++)] = event;
    }
  }
  return {events_.data(), static_cast<std::size_t>(kept)};
}

}  // namespace twinmq::net
