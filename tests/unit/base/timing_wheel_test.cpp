#include "base/timing_wheel.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "base/prng.hpp"

using namespace std::chrono_literals;
using twinmq::Instant;
using twinmq::kNever;
using twinmq::Milliseconds;
using twinmq::base::Prng;
using twinmq::base::Timer;
using twinmq::base::TimingWheel;

namespace {
Instant at(std::int64_t milliseconds) {
  return Instant(Milliseconds(milliseconds));
}

Instant earliest(const std::map<Timer*, Instant>& armed) {
  Instant result = kNever;
  for (const auto& [timer, deadline] : armed) result = std::min(result, deadline);
  return result;
}
}  // namespace

TEST_CASE("an empty wheel has no deadline and nothing due", "[base][timing_wheel]") {
  TimingWheel wheel;
  CHECK(wheel.next_deadline() == kNever);
  CHECK(wheel.pop_due(at(1'000'000)) == nullptr);
  CHECK(wheel.next_deadline() == kNever);
}

TEST_CASE("a timer is due at its millisecond, not before", "[base][timing_wheel]") {
  TimingWheel wheel;
  int owner = 0;
  Timer timer(&owner, 7);
  wheel.pop_due(at(1000));
  wheel.arm(timer, at(91'234));
  CHECK(timer.deadline() == at(91'234));
  CHECK(wheel.pop_due(at(91'233)) == nullptr);
  CHECK(timer.armed());
  CHECK(wheel.next_deadline() <= at(91'234));
  REQUIRE(wheel.pop_due(at(91'234)) == &timer);
  CHECK_FALSE(timer.armed());
  CHECK(timer.kind() == 7);
  CHECK(&timer.owner_as<int>() == &owner);
  CHECK(wheel.pop_due(at(91'234)) == nullptr);
}

TEST_CASE("a deadline in the past is due at once", "[base][timing_wheel]") {
  TimingWheel wheel;
  Timer timer;
  wheel.pop_due(at(5000));
  wheel.arm(timer, at(10));
  CHECK(wheel.next_deadline() <= at(5000));
  CHECK(wheel.pop_due(at(5000)) == &timer);
}

TEST_CASE("a timer moved later or earlier is due at its last deadline only",
          "[base][timing_wheel]") {
  TimingWheel wheel;
  Timer timer;
  wheel.arm(timer, at(100));
  wheel.arm(timer, at(100'000));
  CHECK(wheel.pop_due(at(99'999)) == nullptr);
  wheel.arm(timer, at(100'001));
  wheel.arm(timer, at(99'999'999));
  wheel.arm(timer, at(100'005));
  CHECK(wheel.pop_due(at(100'004)) == nullptr);
  CHECK(wheel.pop_due(at(100'005)) == &timer);
  CHECK(wheel.next_deadline() == kNever);
}

TEST_CASE("arming for never disarms", "[base][timing_wheel]") {
  TimingWheel wheel;
  Timer timer;
  wheel.arm(timer, at(100));
  wheel.arm(timer, kNever);
  CHECK_FALSE(timer.armed());
  CHECK(wheel.next_deadline() == kNever);
}

TEST_CASE("a timer that ends leaves the wheel, and a wheel that ends leaves its timers",
          "[base][timing_wheel]") {
  Timer survivor;
  {
    TimingWheel wheel;
    {
      Timer gone;
      wheel.arm(gone, at(50));
    }
    CHECK(wheel.next_deadline() == kNever);
    CHECK(wheel.pop_due(at(100)) == nullptr);
    wheel.arm(survivor, at(500));
  }
  CHECK_FALSE(survivor.armed());
}

TEST_CASE("deadlines at the ends of time and before the clock's zero keep their order",
          "[base][timing_wheel]") {
  TimingWheel wheel;
  Timer first, second, third;
  wheel.arm(third, Instant(Milliseconds(std::int64_t{1} << 54)));
  wheel.arm(second, at(0));
  wheel.arm(first, at(-5000));
  CHECK(wheel.pop_due(at(-5001)) == nullptr);
  CHECK(wheel.pop_due(at(0)) == &first);
  CHECK(wheel.pop_due(at(0)) == &second);
  CHECK(wheel.pop_due(at(1'000'000'000'000)) == nullptr);
  CHECK(wheel.pop_due(Instant(Milliseconds(std::int64_t{1} << 54))) == &third);
}

TEST_CASE("sleeping until next_deadline reaches every timer in few steps", "[base][timing_wheel]") {
  TimingWheel wheel;
  Timer timer;
  wheel.pop_due(at(123'456'789));
  const Instant deadline = at(123'456'789) + 24h * 365;
  wheel.arm(timer, deadline);
  int steps = 0;
  while (timer.armed()) {
    const Instant next = wheel.next_deadline();
    REQUIRE(next <= deadline);
    wheel.pop_due(next);
    REQUIRE(++steps <= 10);
  }
}

TEST_CASE("the wheel agrees with a sorted list under random use and jumps of hours",
          "[base][timing_wheel]") {
  const auto seed = GENERATE(range(1u, 11u));
  CAPTURE(seed);
  Prng random(seed);
  TimingWheel wheel;
  std::deque<Timer> timers;
  for (int i = 0; i < 100; ++i) timers.emplace_back(nullptr, static_cast<std::uint8_t>(i));
  std::map<Timer*, Instant> model;
  Instant now = at(static_cast<std::int64_t>(random.below(1u << 30)));
  const std::uint64_t spans[] = {1, 3, 64, 4096, 90'000, 4'000'000, 40'000'000'000};

  for (int step = 0; step < 10'000; ++step) {
    Timer& timer = timers[random.below(timers.size())];
    const auto span = Milliseconds(random.below(spans[random.below(7)]));
    switch (random.below(8)) {
      case 0:
        wheel.disarm(timer);
        model.erase(&timer);
        break;
      case 1: {
        now += Milliseconds(random.below(spans[random.below(random.chance(0.1) ? 7 : 5)]));
        Instant last = Instant::min();
        while (Timer* due = wheel.pop_due(now)) {
          REQUIRE(model.contains(due));
          REQUIRE(model[due] == due->deadline());
          REQUIRE(due->deadline() <= now);
          REQUIRE(due->deadline() >= last);
          last = due->deadline();
          model.erase(due);
          if (random.chance(0.2)) {
            wheel.arm(*due, now + span);
            if (span > 0ms)
              model[due] = now + span;
            else
              wheel.disarm(*due);
          }
        }
        REQUIRE(earliest(model) > now);
        break;
      }
      default: wheel.arm(timer, now + span + 1ms); model[&timer] = now + span + 1ms;
    }
    const Instant next = wheel.next_deadline();
    REQUIRE((next == kNever) == model.empty());
    REQUIRE(next <= earliest(model));
  }
}

TEST_CASE("a million timers are popped in order", "[base][timing_wheel]") {
  Prng random(3);
  TimingWheel wheel;
  constexpr std::size_t kTimers = 1'000'000;
  const auto timers = std::make_unique<Timer[]>(kTimers);
  for (std::size_t i = 0; i < kTimers; ++i)
    wheel.arm(timers[i], at(static_cast<std::int64_t>(random.below(7'200'000))));
  std::size_t popped = 0;
  bool ordered = true;
  Instant last = Instant::min();
  for (Instant now = at(0); wheel.next_deadline() != kNever; now += 1h) {
    while (Timer* due = wheel.pop_due(now)) {
      ordered = ordered && due->deadline() >= last;
      last = due->deadline();
      ++popped;
    }
  }
  CHECK(ordered);
  CHECK(popped == kTimers);
}
