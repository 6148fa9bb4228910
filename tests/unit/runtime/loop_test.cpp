#include "belfry/runtime/loop.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "belfry/runtime/drive.hpp"
#include "belfry/runtime/task_group.hpp"

namespace belfry::runtime {
namespace {

void no_error(std::exception_ptr) { ADD_FAILURE() << "a handler threw"; }

TEST(Loop, RunsTheHooksInOrderAfterWhatOneTurnRan) {
  Loop loop;
  std::vector<std::string> order;
  loop.at_turn_end([&] { order.emplace_back("hook1"); });
  loop.at_turn_end([&] { order.emplace_back("hook2"); });
  loop.post([&] { order.emplace_back("a"); });
  loop.post([&] {
    order.emplace_back("b");
    loop.stop();
  });
  loop.run(no_error);
  // The hooks ran before the first wait, and after the turn; whether a and b share a turn is a matter of time.
  ASSERT_GE(order.size(), 6u);
  EXPECT_EQ(order.front(), "hook1");
  EXPECT_EQ(order[1], "hook2");
  EXPECT_EQ(order[2], "a");
  EXPECT_EQ(order.back(), "hook2");
  EXPECT_EQ(*(order.end() - 3), "b");
}

TEST(Loop, AFloodOfHandlersDoesNotKeepTheHooksWaiting) {
  Loop loop;
  std::size_t ran = 0;
  std::size_t most_between_hooks = 0;
  std::size_t since_hook = 0;
  loop.at_turn_end([&] {
    most_between_hooks = std::max(most_between_hooks, since_hook);
    since_hook = 0;
  });
  for (int i = 0; i < 5000; ++i) {
    loop.post([&] {
      ++since_hook;
      if (++ran == 5000) loop.stop();
    });
  }
  loop.run(no_error);
  EXPECT_EQ(ran, 5000u);
  EXPECT_LE(most_between_hooks, 256u);
}

TEST(Loop, AThrowingHandlerIsReportedAndTheLoopGoesOn) {
  Loop loop;
  int errors = 0;
  loop.post([] { throw std::runtime_error("broken"); });
  loop.post([&] { loop.stop(); });
  loop.run([&](std::exception_ptr) { ++errors; });
  EXPECT_EQ(errors, 1);
}

TEST(Loop, AThrowingHookIsReportedAndTheOtherHooksRun) {
  Loop loop;
  int errors = 0;
  int hooks = 0;
  loop.at_turn_end([] { throw std::runtime_error("broken"); });
  loop.at_turn_end([&] { ++hooks; });
  loop.post([&] { loop.stop(); });
  loop.run([&](std::exception_ptr) { ++errors; });
  EXPECT_EQ(errors, 2);
  EXPECT_EQ(hooks, 2);
}

TEST(Loop, RunsATaskAfterADelayAndEndsATurnBehindIt) {
  Loop loop;
  bool ran = false;
  const auto begun = std::chrono::steady_clock::now();
  loop.at_turn_end([&] {
    if (ran) loop.stop();
  });
  loop.after(std::chrono::microseconds(500), [&] { ran = true; });
  loop.run(no_error);
  EXPECT_TRUE(ran);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::microseconds(500));
}

TEST(Loop, OtherThreadsPostAndStop) {
  Loop loop;
  std::atomic<int> ran = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&] { ++ran; });
    loop.post([&] { loop.stop(); });
  });
  loop.run(no_error);
  other.join();
  EXPECT_EQ(ran, 1000);
}

TEST(WheelDriver, AdvancesTheWheelFromTheLoopEvenAfterACallbackThrew) {
  Loop loop;
  Wheel wheel;
  const WheelDriver driver(loop, wheel);
  const auto start = Wheel::Clock::now();
  int errors = 0;
  const auto bad = wheel.after(std::chrono::milliseconds(10), [] { throw std::runtime_error("broken"); });
  const auto timer = wheel.after(std::chrono::milliseconds(120), [&] { loop.stop(); });
  loop.run([&](std::exception_ptr) { ++errors; });
  EXPECT_GE(Wheel::Clock::now() - start, std::chrono::milliseconds(120));
  EXPECT_EQ(errors, 1);
}

TEST(WheelDriver, ADroppedDriverLeavesTheWheelAlone) {
  Loop loop;
  Wheel wheel;
  {
    const WheelDriver driver(loop, wheel);
  }
  bool fired = false;
  const auto timer = wheel.after(std::chrono::milliseconds(0), [&] { fired = true; });
  loop.context().run();  // the cancelled wait
  EXPECT_FALSE(fired);
}

Task<void> ends() { co_return; }
Task<void> throws() {
  throw std::runtime_error("broken");
  co_return;
}

TEST(TaskGroup, ReportsWhatATaskThrowsByItsName) {
  Loop loop;
  std::vector<std::string> failed;
  TaskGroup group(loop, [&](const std::string& name, std::exception_ptr) { failed.push_back(name); });
  group.spawn("good", ends());
  group.spawn("bad", throws());
  EXPECT_EQ(group.size(), 2u);
  group.close([&] { loop.stop(); });
  loop.run(no_error);
  EXPECT_EQ(failed, std::vector<std::string>{"bad"});
  EXPECT_EQ(group.size(), 0u);
}

TEST(TaskGroup, CloseOfAnEmptyGroupIsDoneAtOnceAndRefusesNewTasks) {
  Loop loop;
  TaskGroup group(loop, [](const std::string&, std::exception_ptr) {});
  bool done = false;
  group.close([&] { done = true; });
  EXPECT_TRUE(done);
  bool ran = false;
  group.spawn("late", [](bool& flag) -> Task<void> {
    flag = true;
    co_return;
  }(ran));
  loop.context().run();
  EXPECT_FALSE(ran);
  EXPECT_EQ(group.size(), 0u);
}

TEST(TaskGroup, TasksThatOutliveTheGroupDoNotCallItsOwner) {
  Loop loop;
  int errors = 0;
  {
    TaskGroup group(loop, [&](const std::string&, std::exception_ptr) { ++errors; });
    group.spawn("bad", throws());
  }
  loop.context().run();
  EXPECT_EQ(errors, 0);
}

}  // namespace
}  // namespace belfry::runtime
