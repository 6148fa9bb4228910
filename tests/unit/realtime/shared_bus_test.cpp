#include "belfry/realtime/shared_bus.hpp"

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace belfry::realtime {
namespace {

using domain::LogHint;
using domain::RoomKey;

/// Answers when the test likes; keeps what it was asked.
class FakeBus final : public domain::Bus {
 public:
  void publish(const domain::CommitNotice&) override { asked.emplace_back("publish"); }
  void follow(const RoomKey& room, Ready ready) override {
    asked.push_back("+" + std::to_string(room.key));
    waiting.push_back(std::move(ready));
  }
  void unfollow(const RoomKey& room) override { asked.push_back("-" + std::to_string(room.key)); }
  void on_hint(std::function<void(std::optional<LogHint>)> hint) override { hear = std::move(hint); }
  void start() override { asked.emplace_back("start"); }
  void stop() override { asked.emplace_back("stop"); }
  void answer() {
    for (auto& ready : std::exchange(waiting, {})) ready();
  }

  std::function<void(std::optional<LogHint>)> hear;
  std::vector<std::string> asked;
  std::vector<Ready> waiting;
};

/// A loop that runs when the test says so.
struct FakeLoop {
  SharedBus::Poster poster() {
    return [this](std::move_only_function<void()> task) { tasks.push_back(std::move(task)); };
  }
  void run() {
    while (!tasks.empty()) {
      auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }
  std::deque<std::move_only_function<void()>> tasks;
};

class SharedBusTest : public ::testing::Test {
 protected:
  using Log = std::vector<std::string>;

  SharedBusTest() {
    for (std::size_t i = 0; i < 2; ++i) {
      shared->port(i).on_hint([this, i](const std::optional<LogHint>& hint) {
        heard[i].push_back(hint ? std::to_string(hint->room.key) + "@" + std::to_string(hint->last_seq) : "any");
      });
    }
  }
  static RoomKey room(std::int64_t key) { return {domain::RoomKind::kDiscussion, key}; }
  void follow(std::size_t hub, std::int64_t key) {
    shared->port(hub).follow(room(key), [this, hub, key] { heard[hub].push_back("ready " + std::to_string(key)); });
  }
  void run() {
    home.run();
    for (auto& loop : loops) loop.run();
  }
  void hint(std::int64_t key, std::int64_t seq) { bus.hear(LogHint{.room = room(key), .last_seq = seq}); }

  FakeBus bus;
  FakeLoop home;
  FakeLoop loops[2];
  Log heard[2];
  std::optional<SharedBus> shared{std::in_place, bus, home.poster(),
                                  std::vector<SharedBus::Poster>{loops[0].poster(), loops[1].poster()}};
};

TEST_F(SharedBusTest, ARoomIsFollowedWhileAnyHubFollowsIt) {
  follow(0, 7);
  follow(1, 7);
  run();
  EXPECT_EQ(bus.asked, (Log{"+7"}));
  bus.answer();
  shared->port(0).unfollow(room(7));
  run();
  EXPECT_EQ(bus.asked, (Log{"+7"}));
  shared->port(1).unfollow(room(7));
  run();
  EXPECT_EQ(bus.asked, (Log{"+7", "-7"}));
  follow(0, 7);
  run();
  EXPECT_EQ(bus.asked, (Log{"+7", "-7", "+7"}));
}

TEST_F(SharedBusTest, NoHubIsReadyBeforeTheServerTookTheSubscription) {
  follow(0, 7);
  follow(1, 7);
  run();
  EXPECT_EQ(heard[0], Log{});
  EXPECT_EQ(heard[1], Log{});
  bus.answer();
  run();
  EXPECT_EQ(heard[0], (Log{"ready 7"}));
  EXPECT_EQ(heard[1], (Log{"ready 7"}));
}

TEST_F(SharedBusTest, WhoComesLaterIsReadyAtOnceAndOnItsOwnLoop) {
  follow(0, 7);
  run();
  bus.answer();
  run();
  follow(1, 7);
  home.run();
  loops[0].run();
  EXPECT_EQ(heard[1], Log{});
  loops[1].run();
  EXPECT_EQ(heard[1], (Log{"ready 7"}));
  EXPECT_EQ(bus.asked, (Log{"+7"}));
}

TEST_F(SharedBusTest, AnAnswerOfBeforeEverybodyLeftMakesNobodyReady) {
  follow(0, 7);
  run();
  auto late = std::exchange(bus.waiting, {});
  shared->port(0).unfollow(room(7));
  follow(0, 7);
  run();
  for (auto& ready : late) ready();
  run();
  EXPECT_EQ(heard[0], Log{});
  bus.answer();
  run();
  EXPECT_EQ(heard[0], (Log{"ready 7"}));
}

TEST_F(SharedBusTest, HintsOfARoomGoToTheHubsThatFollowIt) {
  follow(0, 7);
  follow(1, 8);
  run();
  hint(7, 3);
  hint(8, 4);
  hint(9, 5);
  EXPECT_EQ(heard[0], Log{}) << "only on its own loop";
  run();
  EXPECT_EQ(heard[0], (Log{"7@3"}));
  EXPECT_EQ(heard[1], (Log{"8@4"}));
}

TEST_F(SharedBusTest, TheAccessLogAndHintsOfNoRoomGoToAll) {
  bus.hear(LogHint{.room = domain::kAccessLog, .last_seq = 9});
  bus.hear(std::nullopt);
  run();
  const Log both{std::to_string(domain::kAccessLog.key) + "@9", "any"};
  EXPECT_EQ(heard[0], both);
  EXPECT_EQ(heard[1], both);
}

TEST_F(SharedBusTest, PublishesAtOnceAndLeavesStartAndStopToTheOwner) {
  shared->port(1).publish({});
  shared->port(1).start();
  shared->port(1).stop();
  EXPECT_EQ(bus.asked, (Log{"publish"}));
}

TEST_F(SharedBusTest, WhatIsOnItsWayWhenItGoesIsDropped) {
  follow(0, 7);
  shared.reset();
  run();
  EXPECT_EQ(bus.asked, Log{});
  hint(7, 3);
  run();
  EXPECT_EQ(heard[0], Log{});
}

}  // namespace
}  // namespace belfry::realtime
