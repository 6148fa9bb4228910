#include "hub_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

/// A bus that a test answers when it likes.
class FakeBus final : public domain::Bus {
 public:
  void publish(const domain::CommitNotice&) override {}
  void follow(const RoomKey& room, Ready ready) override {
    asked.push_back("+" + std::to_string(room.key));
    if (at_once) return ready();
    waiting.push_back(std::move(ready));
  }
  void unfollow(const RoomKey& room) override { asked.push_back("-" + std::to_string(room.key)); }
  void on_hint(std::function<void(std::optional<domain::LogHint>)>) override {}
  void start() override {}
  void stop() override {}
  void answer() {
    for (auto& ready : std::exchange(waiting, {})) ready();
  }

  bool at_once = false;
  std::vector<std::string> asked;
  std::vector<Ready> waiting;
};

/// Before the hub, which refers to it.
struct BusHolder {
  FakeBus bus;
};

HubOptions with(domain::Bus& bus) {
  HubOptions options;
  options.bus = &bus;
  return options;
}

class InterestTest : public BusHolder, public HubTest {
 protected:
  using Asked = std::vector<std::string>;
  InterestTest() : HubTest(with(bus)) { start(); }
  void hint(const RoomKey& room, std::int64_t seq) { hub->on_hint(domain::LogHint{.room = room, .last_seq = seq}); }
  void hint(std::vector<SharedEvent> events, domain::Timeline timeline = 0) {
    const auto& last = *events.back();
    hub->on_hint(domain::LogHint{last.room, last.seq, std::move(events), timeline});
  }
};

TEST_F(InterestTest, HeadIsReadOnlyAfterTheRoomIsFollowed) {
  const auto alice = reader(1);
  join_and_settle(*alice);
  EXPECT_EQ(bus.asked, (Asked{"+7"}));
  EXPECT_TRUE(alice->heard.empty());
  EXPECT_TRUE(reads->calls.empty());
  bus.answer();
  EXPECT_EQ(reads->pending(ReadKind::kDecide).size(), 1U);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined"}));
}

TEST_F(InterestTest, BusThatAnswersInsideTheCallIsNotWaitedFor) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  EXPECT_EQ(alice->heard, (Heard{"joined"}));
}

TEST_F(InterestTest, BusThatNeverAnswersDelaysAJoinForAMomentOnly) {
  const auto alice = reader(1);
  const auto bob = reader(2);
  join_and_settle(*alice);
  pass(milliseconds{200});
  join_and_settle(*bob);
  EXPECT_TRUE(reads->pending(ReadKind::kDecide).empty());
  pass(milliseconds{200});  // the second one does not begin the wait anew
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined"}));
  EXPECT_EQ(bob->heard, (Heard{"joined"}));
  bus.answer();
  reads->settle();
  EXPECT_EQ(alice->heard.size(), 1U);
  EXPECT_EQ(bus.asked, (Asked{"+7"}));
}

TEST_F(InterestTest, RoomStaysFollowedForAWhileAfterItsLastMember) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  hub->remove(*alice);
  pass(milliseconds{3000});
  join_and_settle(*alice);
  pass(milliseconds{10'000});
  reads->settle();
  EXPECT_EQ(bus.asked, (Asked{"+7"}));
  hub->remove(*alice);
  pass(milliseconds{6000});
  EXPECT_EQ(bus.asked, (Asked{"+7", "-7"}));
  join_and_settle(*alice);
  EXPECT_EQ(bus.asked, (Asked{"+7", "-7", "+7"}));
}

TEST_F(InterestTest, RoomThatWasLeftBeforeTheBusAnsweredIsUnfollowedLater) {
  const auto alice = reader(1);
  join_and_settle(*alice);
  hub->remove(*alice);
  bus.answer();
  EXPECT_TRUE(reads->pending(ReadKind::kDecide).empty());
  pass(milliseconds{6000});
  EXPECT_EQ(bus.asked, (Asked{"+7", "-7"}));
  reads->settle();
}

TEST_F(InterestTest, StoppedHubLeavesNoTimer) {
  const auto alice = reader(1);
  const auto bob = reader(2);
  join_and_settle(*alice);
  bus.answer();
  reads->settle();
  join_and_settle(*bob, kTalkTarget);
  hub->remove(*alice);
  hub->stop();
  EXPECT_EQ(wheel.size(), 0U);
}

TEST_F(InterestTest, HintOfARoomReadsThatRoomWithoutASweep) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  world.append(kRoom);
  world.append(kRoom);
  hint(kRoom, 2);
  EXPECT_TRUE(reads->pending(ReadKind::kScan).empty());
  EXPECT_EQ(reads->only(ReadKind::kPage)->room, kRoom);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1", "7#2"}));
}

TEST_F(InterestTest, HintsDoubledReorderedOldAndOfTheFutureChangeNothing) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  for (int i = 0; i < 3; ++i) world.append(kRoom);
  for (const std::int64_t seq : {3, 1, 2, 3, 1, 1'000'000}) {
    hint(kRoom, seq);
    reads->settle();
  }
  hint(kTalk, 5);
  hint(kRoom, 1);
  EXPECT_TRUE(reads->calls.empty());
  tell({world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1", "7#2", "7#3", "7#4"}));
}

TEST_F(InterestTest, EventsOfAHintAreDeliveredWithoutARead) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  hint({world.append(kRoom), world.append(kRoom)});
  EXPECT_TRUE(reads->calls.empty());
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1", "7#2"}));
  EXPECT_EQ(metrics.hints_delivered.value(), 1U);
  EXPECT_EQ(metrics.hints_read.value(), 0U);
}

TEST_F(InterestTest, EventsOfAHintThatDoNotFitAreAReasonToRead) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  const auto first = world.append(kRoom);
  const auto second = world.append(kRoom);
  hint({second});
  EXPECT_EQ(alice->heard, (Heard{"joined"})) << "one is missing before it";
  EXPECT_EQ(metrics.hints_read.value(), 1U);
  reads->settle();
  auto other = std::make_shared<domain::Event>(*world.append(kRoom));
  other->prev_id = first->id;
  hint({other});
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1", "7#2"})) << "another one is before it";
  reads->settle();
  for (const auto& again : {second, first, second}) hint({again});
  EXPECT_TRUE(reads->calls.empty());
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1", "7#2", "7#3"}));
}

TEST_F(InterestTest, EventsOfAHintWaitForTheAccessLog) {
  bus.at_once = true;
  const auto alice = reader(1);
  const auto bob = reader(2);
  join_and_settle(*alice);
  join_and_settle(*bob);
  world.revoke(user_id(1));
  hint({world.append(kRoom)});
  EXPECT_EQ(bob->heard, (Heard{"joined"}));
  EXPECT_EQ(reads->only(ReadKind::kPage)->room, domain::kAccessLog);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "left 7 ENTITLEMENT_REQUIRED"}));
  EXPECT_EQ(bob->heard, (Heard{"joined", "7#1"}));
  hint({world.revoke(user_id(2))});
  hint({world.append(kRoom)});
  EXPECT_TRUE(reads->pending(ReadKind::kPage).empty()) << "the access log came by hint as well";
  reads->settle();
  EXPECT_EQ(bob->heard, (Heard{"joined", "7#1", "left 7 ENTITLEMENT_REQUIRED"}));
}

/// The event was committed, and lost with the tail when a standby was promoted: it fits, and is no more.
TEST_F(InterestTest, EventsOfALostHistoryAreNeverDelivered) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  hint({world.append(kRoom)});
  const auto lost = world.append(kRoom);
  world.logs[kRoom].pop_back();
  world.timeline = 2;
  pass(milliseconds{600});
  reads->settle();  // nothing is missing here: the position was before the fork
  hint({lost}, 0);
  tell({lost});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1"}));
  hint({world.append(kRoom)}, 2);
  EXPECT_TRUE(reads->calls.empty());
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1", "7#2"}));
}

TEST_F(InterestTest, WhatWasDeliveredOfALostHistoryIsFoundOutAtOnce) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  hint({world.append(kRoom)});
  world.logs[kRoom].pop_back();
  world.timeline = 2;
  hint({world.append(kRoom)}, 2);
  reads->settle();
  pass(milliseconds{600});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1", "left 7 SERVICE_UNAVAILABLE"}));
}

/// Held because the access log is behind, and then lost with the tail.
TEST_F(InterestTest, WhatWaitsForTheAccessLogIsForgottenWithItsHistory) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  world.access(user_id(5));
  hint({world.append(kRoom)});
  const auto access = reads->only(ReadKind::kPage);
  world.logs[kRoom].pop_back();
  world.timeline = 2;
  pass(milliseconds{600});
  const auto scan = reads->only(ReadKind::kScan);
  reads->answer(scan);
  reads->answer(access);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined"}));
}

TEST_F(InterestTest, LostHintIsFoundByTheSweep) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  world.append(kRoom);
  pass(milliseconds{600});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1"}));
}

TEST_F(InterestTest, HintOfAJoiningRoomIsHeardWhenItsHeadIsKnown) {
  bus.at_once = true;
  const auto alice = reader(1);
  join(*alice);
  reads->answer(reads->only(ReadKind::kResolve));
  const auto decision = reads->only(ReadKind::kDecide);
  ScriptedReads::look(decision);
  world.append(kRoom);
  hint(kRoom, 1);
  EXPECT_TRUE(reads->pending(ReadKind::kPage).empty());
  reads->answer(decision);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1"}));
}

TEST_F(InterestTest, HintOfTheAccessLogReadsIt) {
  bus.at_once = true;
  const auto alice = reader(1);
  join_and_settle(*alice);
  world.revoke(user_id(1));
  hint(domain::kAccessLog, 1);
  EXPECT_EQ(reads->only(ReadKind::kPage)->room, domain::kAccessLog);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "left 7 ENTITLEMENT_REQUIRED"}));
}

}  // namespace
}  // namespace belfry::realtime::testing
