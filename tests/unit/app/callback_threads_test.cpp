#include <catch2/catch.hpp>

#include <atomic>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "app/callback_threads.hpp"
#include "app/watchdog.hpp"

namespace {

using namespace twinmq;
using app::CallbackThreads;
using app::Watchdog;

constexpr Milliseconds kPatience{30'000};

std::shared_ptr<Watchdog> quiet_watchdog() {
  return std::make_shared<Watchdog>(kPatience, [](std::string_view, Milliseconds) {});
}

TEST_CASE("callbacks of one strand run one at a time, in order") {
  CallbackThreads threads(quiet_watchdog());
  const auto strand = threads.strand("s");
  std::atomic<int> running{0};
  std::vector<int> order;
  std::promise<void> last;
  for (int i = 0; i < 1000; ++i) {
    REQUIRE(threads.post(strand, [&, i] {
      if (++running != 1) order.push_back(-1);
      order.push_back(i);
      --running;
      if (i == 999) last.set_value();
    }));
  }
  REQUIRE(last.get_future().wait_for(kPatience) == std::future_status::ready);
  threads.stop(kPatience);
  REQUIRE(order.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("a strand that is stuck leaves threads for the others") {
  CallbackThreads threads(quiet_watchdog());
  std::promise<void> release;
  const auto released = release.get_future().share();
  for (std::size_t i = 0; i + 1 < CallbackThreads::kThreadsMax; ++i) {
    threads.post(threads.strand("stuck"), [released] { released.wait(); });
  }
  std::promise<void> ran;
  threads.post(threads.strand("free"), [&] { ran.set_value(); });
  CHECK(ran.get_future().wait_for(kPatience) == std::future_status::ready);
  release.set_value();
}

TEST_CASE("closing a strand drops what waits and waits for what runs, but not inside a callback") {
  CallbackThreads threads(quiet_watchdog());
  const auto strand = threads.strand("s");
  std::promise<void> started;
  std::promise<void> release;
  std::atomic<bool> finished{false};
  std::atomic<bool> second{false};
  threads.post(strand, [&] {
    started.set_value();
    release.get_future().wait();
    finished = true;
  });
  threads.post(strand, [&] { second = true; });
  started.get_future().wait();
  auto closing = std::async(std::launch::async, [&] {
    threads.close(strand);
    return finished.load();
  });
  // Once nothing is taken any more the strand is closed, and what waited is dropped.
  while (threads.post(strand, [&] { second = true; })) std::this_thread::yield();
  release.set_value();
  CHECK(closing.get());
  CHECK_FALSE(second);
  CHECK_FALSE(threads.post(strand, [] {}));

  const auto own = threads.strand("own");
  std::promise<void> closed;
  threads.post(own, [&] {
    threads.close(own);
    closed.set_value();
  });
  CHECK(closed.get_future().wait_for(kPatience) == std::future_status::ready);
}

TEST_CASE("stopping runs what was posted, if there is patience") {
  std::atomic<int> ran{0};
  CallbackThreads threads(quiet_watchdog());
  const auto strand = threads.strand("s");
  for (int i = 0; i < 100; ++i) threads.post(strand, [&] { ++ran; });
  threads.stop(kPatience);
  CHECK(ran == 100);
  CHECK_FALSE(threads.post(strand, [] {}));
}

TEST_CASE("a callback that outlasts everything finishes by itself") {
  std::promise<void> started;
  std::promise<void> release;
  std::promise<void> finished;
  {
    CallbackThreads threads(quiet_watchdog());
    threads.post(threads.strand("s"), [&] {
      started.set_value();
      release.get_future().wait();
      finished.set_value();
    });
    started.get_future().wait();
  }
  release.set_value();
  CHECK(finished.get_future().wait_for(kPatience) == std::future_status::ready);
}

TEST_CASE("the watchdog names a slow call once, while it runs, and counts it") {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> named;
  Watchdog watchdog(Milliseconds(5), [&](std::string_view name, Milliseconds so_far) {
    const std::scoped_lock lock(mutex);
    named.emplace_back(name);
    CHECK(so_far >= Milliseconds(5));
    changed.notify_all();
  });
  const auto slow = watchdog.add("slow");
  const auto idle = watchdog.add("idle");
  for (std::size_t round = 1; round <= 2; ++round) {
    const Watchdog::Guard guard(watchdog, *slow);
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, kPatience, [&] { return named.size() >= round; }));
    CHECK(named.back() == "slow");
  }
  CHECK(watchdog.slow_calls() == 2);
}

}  // namespace
