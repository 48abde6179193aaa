#include "plugins/worker_pool.hpp"

#include <catch2/catch.hpp>

#include <future>
#include <memory>
#include <vector>

namespace twinmq::plugins {
namespace {

using End = WorkerPool::End;

WorkerPool::Result number(int value) {
  return std::make_shared<int>(value);
}

}  // namespace

TEST_CASE("a call that answers in time hands its result on", "[plugins]") {
  WorkerPool pool({}, [] {});
  std::promise<int> got;
  pool.submit(
      Milliseconds(60'000), [] { return number(7); },
      [&](End end, const WorkerPool::Result& result) {
        got.set_value(end == End::Done ? *std::static_pointer_cast<int>(result) : -1);
      });
  CHECK(got.get_future().get() == 7);
}

TEST_CASE("a call that is late is answered at its deadline, and its own answer is dropped",
          "[plugins]") {
  WorkerPool::Options options;
  options.patience = Milliseconds(60'000);
  WorkerPool pool(options, [] {});
  const auto gate = std::make_shared<std::promise<void>>();
  std::promise<End> ended;
  std::promise<End> next;
  pool.submit(
      Milliseconds(1), [opened = gate->get_future().share()] { return opened.wait(), number(1); },
      [&](End end, const WorkerPool::Result& result) {
        CHECK(!result);
        ended.set_value(end);
      });
  CHECK(ended.get_future().get() == End::Late);
  CHECK_FALSE(pool.closed());
  gate->set_value();
  pool.submit(
      Milliseconds(60'000), [] { return number(2); },
      [&](End end, const WorkerPool::Result&) { next.set_value(end); });
  CHECK(next.get_future().get() == End::Done);
}

TEST_CASE("a call that hangs closes the pool, and what waits is refused", "[plugins]") {
  const auto gate = std::make_shared<std::promise<void>>();
  std::promise<void> hung;
  std::promise<End> waiting;
  std::promise<End> later;
  {
    WorkerPool::Options options;
    options.workers = 1;
    options.patience = Milliseconds(1);
    WorkerPool pool(options, [&] { hung.set_value(); });
    // A call whose deadline passes before a worker takes it never runs.
    const auto opened = gate->get_future().share();
    const auto began = std::make_shared<std::promise<void>>();
    const auto running = began->get_future();
    do {
      pool.submit(
          Milliseconds(50),
          [opened, began] { return began->set_value(), opened.wait(), number(1); },
          [](End, const WorkerPool::Result&) {});
    } while (running.wait_for(Milliseconds(50)) != std::future_status::ready);
    pool.submit(
        Milliseconds(60'000), [] { return number(2); },
        [&](End end, const WorkerPool::Result&) { waiting.set_value(end); });
    hung.get_future().wait();
    CHECK(waiting.get_future().get() == End::Refused);
    CHECK(pool.closed());
    pool.submit(
        Milliseconds(1), [] { return number(3); },
        [&](End end, const WorkerPool::Result&) { later.set_value(end); });
    CHECK(later.get_future().get() == End::Refused);
  }
  gate->set_value();  // the pool has gone before its thread
}

TEST_CASE("a pool that is full refuses at once", "[plugins]") {
  const auto gate = std::make_shared<std::promise<void>>();
  const auto opened = gate->get_future().share();
  std::promise<void> began;
  std::vector<std::promise<End>> ends(4);
  WorkerPool::Options options;
  options.workers = 1;
  options.waiting_max = 2;
  options.patience = Milliseconds(60'000);
  WorkerPool pool(options, [] {});
  const auto finish = [&](std::size_t i) {
    return [&, i](End end, const WorkerPool::Result&) { ends[i].set_value(end); };
  };
  pool.submit(
      Milliseconds(60'000), [&, opened] { return began.set_value(), opened.wait(), number(0); },
      finish(0));
  began.get_future().wait();
  for (std::size_t i = 1; i < 4; ++i)
    pool.submit(
        Milliseconds(60'000), [] { return number(1); }, finish(i));
  CHECK(ends[3].get_future().get() == End::Refused);
  gate->set_value();
  for (std::size_t i = 0; i < 3; ++i) CHECK(ends[i].get_future().get() == End::Done);
}

}  // namespace twinmq::plugins
