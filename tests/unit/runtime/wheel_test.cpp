#include "belfry/runtime/wheel.hpp"

#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace belfry::runtime {
namespace {

using std::chrono::milliseconds;
using TimePoint = Wheel::Clock::time_point;

constexpr TimePoint kStart{std::chrono::hours(5)};

TEST(Wheel, FiresNotBeforeTheDelayAndAtMostATickLate) {
  for (const auto offset : {0, 1, 49, 50, 51, 120}) {
    for (const auto delay : {0, 1, 49, 50, 51, 99, 100, 1000, 204'799, 204'800, 500'001}) {
      Wheel wheel(kStart);
      wheel.advance(kStart + milliseconds(offset));
      const auto due = kStart + milliseconds(offset + delay);
      bool fired = false;
      const auto timer = wheel.after(milliseconds(delay), [&] { fired = true; });
      wheel.advance(due - milliseconds(1));
      EXPECT_FALSE(fired) << offset << " " << delay;
      wheel.advance(due + milliseconds(50));
      EXPECT_TRUE(fired) << offset << " " << delay;
      EXPECT_FALSE(timer.active());
      EXPECT_EQ(wheel.size(), 0u);
    }
  }
}

TEST(Wheel, ADefaultWheelCountsFromTheMachinesClockThoughItWasNotAdvanced) {
  Wheel wheel;
  const auto before = Wheel::Clock::now();
  bool fired = false;
  const auto timer = wheel.after(milliseconds(100), [&] { fired = true; });
  wheel.advance(before + milliseconds(99));
  EXPECT_FALSE(fired);
  wheel.advance(Wheel::Clock::now() + milliseconds(150));
  EXPECT_TRUE(fired);
}

TEST(Wheel, FiresInOrderOfTheirTicksAndThenOfTheirAdding) {
  Wheel wheel(kStart);
  std::vector<int> order;
  const auto late = wheel.after(milliseconds(300), [&] { order.push_back(3); });
  const auto first = wheel.after(milliseconds(100), [&] { order.push_back(1); });
  const auto second = wheel.after(milliseconds(100), [&] { order.push_back(2); });
  wheel.advance(kStart + milliseconds(1000));
  EXPECT_EQ(order, (std::vector{1, 2, 3}));
}

TEST(Wheel, ACancelledOrDroppedTimerDoesNotFire) {
  Wheel wheel(kStart);
  bool fired = false;
  auto cancelled = wheel.after(milliseconds(100), [&] { fired = true; });
  {
    const auto dropped = wheel.after(milliseconds(100), [&] { fired = true; });
  }
  auto replaced = wheel.after(milliseconds(100), [&] { fired = true; });
  replaced = Wheel::Timer();
  EXPECT_EQ(wheel.size(), 1u);
  cancelled.cancel();
  EXPECT_FALSE(cancelled.active());
  EXPECT_EQ(wheel.size(), 0u);
  wheel.advance(kStart + milliseconds(1000));
  EXPECT_FALSE(fired);
}

TEST(Wheel, AMovedTimerKeepsItsCallback) {
  Wheel wheel(kStart);
  int fired = 0;
  auto timer = wheel.after(milliseconds(100), [&] { ++fired; });
  auto moved = std::move(timer);
  EXPECT_FALSE(timer.active());  // NOLINT(bugprone-use-after-move): the state after a move is part of the contract
  EXPECT_TRUE(moved.active());
  wheel.advance(kStart + milliseconds(200));
  EXPECT_EQ(fired, 1);
}

TEST(Wheel, ACallbackMayReplaceItsOwnTimer) {
  Wheel wheel(kStart);
  int fired = 0;
  Wheel::Timer timer;
  std::function<void()> again = [&] {
    ++fired;
    timer = wheel.after(milliseconds(100), again);
  };
  timer = wheel.after(milliseconds(100), again);
  for (int step = 1; step <= 40; ++step) wheel.advance(kStart + milliseconds(50 * step));
  EXPECT_EQ(fired, 20);
  EXPECT_EQ(wheel.size(), 1u);
}

TEST(Wheel, ACallbackMayCancelATimerOfTheSameTick) {
  Wheel wheel(kStart);
  bool fired = false;
  Wheel::Timer victim;
  const auto killer = wheel.after(milliseconds(100), [&] { victim.cancel(); });
  victim = wheel.after(milliseconds(100), [&] { fired = true; });
  wheel.advance(kStart + milliseconds(200));
  EXPECT_FALSE(fired);
  EXPECT_EQ(wheel.size(), 0u);
}

TEST(Wheel, ATimerAddedInACallbackWithoutDelayFiresOnTheNextTickNotAtOnce) {
  Wheel wheel(kStart);
  Wheel::Timer second;
  bool fired = false;
  const auto first =
      wheel.after(milliseconds(100), [&] { second = wheel.after(milliseconds(0), [&] { fired = true; }); });
  wheel.advance(kStart + milliseconds(100));
  EXPECT_FALSE(fired);
  wheel.advance(kStart + milliseconds(150));
  EXPECT_TRUE(fired);
}

TEST(Wheel, ACallbackThatThrowsDoesNotLoseTheOthers) {
  Wheel wheel(kStart);
  bool fired = false;
  const auto bad = wheel.after(milliseconds(100), [] { throw std::runtime_error("broken"); });
  const auto good = wheel.after(milliseconds(100), [&] { fired = true; });
  EXPECT_THROW(wheel.advance(kStart + milliseconds(100)), std::runtime_error);
  EXPECT_FALSE(fired);
  wheel.advance(kStart + milliseconds(101));
  EXPECT_TRUE(fired);
}

TEST(Wheel, TimersMayOutliveTheWheel) {
  Wheel::Timer timer;
  bool fired = false;
  {
    Wheel wheel(kStart);
    timer = wheel.after(milliseconds(100), [&] { fired = true; });
  }
  EXPECT_FALSE(timer.active());
  timer.cancel();
  EXPECT_FALSE(fired);
}

TEST(Wheel, AgreesWithAModelOverRandomActions) {
  std::mt19937 random(7);
  Wheel wheel(kStart);
  auto now = kStart;
  struct Pending {
    Wheel::Timer timer;
    TimePoint due;
    bool fired = false;
  };
  std::map<int, Pending> timers;
  for (int step = 0; step < 5000; ++step) {
    const auto action = random() % 4;
    if (action < 2) {
      const auto delay = milliseconds(random() % 300'000);
      auto& pending = timers[step];
      pending.due = now + delay;
      pending.timer = wheel.after(delay, [&pending] { pending.fired = true; });
    } else if (action == 2 && !timers.empty()) {
      timers.erase(std::next(timers.begin(), static_cast<int>(random() % timers.size())));
    } else {
      now += milliseconds(random() % 2000);
      wheel.advance(now);
    }
    std::size_t waiting = 0;
    for (const auto& [id, pending] : timers) {
      if (pending.fired) ASSERT_LE(pending.due, now);
      if (!pending.fired) ASSERT_GT(pending.due + milliseconds(50), now);
      waiting += pending.fired ? 0 : 1;
    }
    ASSERT_EQ(wheel.size(), waiting);
  }
}

}  // namespace
}  // namespace belfry::runtime
