#include "unit/realtime/hub_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

class JoinTest : public HubTest {
 protected:
  JoinTest() { start(); }
  /// Up to the decision that is asked but not answered.
  ScriptedReads::Ref join_until_decision(Reader& who) {
    join(who);
    for (const auto& call : reads->pending(ReadKind::kResolve)) reads->answer(call);
    return reads->pending(ReadKind::kDecide).back();
  }
  std::unique_ptr<Reader> alice = reader(1);
  std::unique_ptr<Reader> bob = reader(2);
};

TEST_F(JoinTest, AnswersWithTheLastEventThatClientsCanSee) {
  const auto visible = world.append(kRoom);
  world.control(kRoom, domain::ControlKind::kMute, user_id(9));
  std::optional<core::EventId> last;
  hub->join(*alice, kRoomTarget, [&](core::Result<Joined> joined) { last = joined.value().last_event_id; });
  reads->settle();
  EXPECT_EQ(last, visible->id);
}

TEST_F(JoinTest, AnonymousIsRefusedWithoutARead) {
  alice->become(domain::ActorType::kAnonymous);
  join(*alice);
  EXPECT_EQ(alice->heard, (Heard{"refused LOGIN_REQUIRED"}));
  EXPECT_TRUE(reads->calls.empty());
}

TEST_F(JoinTest, RefusalLeavesNothingBehind) {
  world.revoke(user_id(1));
  join_and_settle(*alice);
  EXPECT_EQ(alice->heard, (Heard{"refused ENTITLEMENT_REQUIRED"}));
  EXPECT_EQ(hub->counts().rooms, 0U);
  EXPECT_EQ(hub->counts().subscribers, 0U);
}

TEST_F(JoinTest, UnknownRoomIsNotFoundAndLeavesNothingBehind) {
  join_and_settle(*alice, {domain::RoomKind::kPosts, {8}});
  EXPECT_EQ(alice->heard, (Heard{"refused "}));
  EXPECT_EQ(hub->counts().subscribers, 0U);
}

TEST_F(JoinTest, EventCommittedBetweenSnapshotAndAnswerArrivesOnceInANewRoom) {
  world.append(kRoom);
  const auto decision = join_until_decision(*alice);
  ScriptedReads::look(decision);
  tell({world.append(kRoom)});
  reads->answer(decision);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#2"}));
}

TEST_F(JoinTest, EventCommittedBetweenSnapshotAndAnswerArrivesOnceInALiveRoom) {
  join_and_settle(*bob);
  const auto decision = join_until_decision(*alice);
  ScriptedReads::look(decision);
  tell({world.append(kRoom)});
  reads->answer(decision);
  tell({world.append(kRoom)});
  reads->settle();
  tell({world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#1", "7#2", "7#3"}));
  EXPECT_EQ(bob->heard, (Heard{"joined", "7#1", "7#2", "7#3"}));
}

TEST_F(JoinTest, EventThatTheHeadContainsIsNotDeliveredWhenTheRoomLearnsOfItLater) {
  join_and_settle(*bob);
  const auto early = world.append(kRoom);
  join_and_settle(*alice);
  tell({early});
  tell({world.append(kRoom)});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "7#2"}));
  EXPECT_EQ(bob->heard, (Heard{"joined", "7#1", "7#2"}));
}

TEST_F(JoinTest, RevocationBetweenSnapshotAndAnswerIsDecidedAgain) {
  const auto decision = join_until_decision(*alice);
  ScriptedReads::look(decision);
  tell({world.revoke(user_id(1))});
  reads->answer(decision);
  EXPECT_TRUE(alice->heard.empty());
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"refused ENTITLEMENT_REQUIRED"}));
}

TEST_F(JoinTest, BanDuringAJoinIsDecidedAgain) {
  join_and_settle(*bob);
  const auto decision = join_until_decision(*alice);
  ScriptedReads::look(decision);
  tell({world.ban(kRoom, user_id(1))});
  reads->answer(decision);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"refused DISCUSSION_BANNED"}));
}

/// The room begins at the head of the other one's later snapshot, which lies behind the ban: nobody will run that
/// record.
TEST_F(JoinTest, BanBetweenTwoFirstJoinsIsNotSkipped) {
  const auto first = join_until_decision(*alice);
  ScriptedReads::look(first);
  world.ban(kRoom, user_id(1));
  join(*bob);
  pass(milliseconds{200});  // the first read takes long: the next one does not wait for it
  const auto second = reads->pending(ReadKind::kDecide).back();
  ASSERT_NE(second, first);
  reads->answer(second);
  reads->answer(first);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"refused DISCUSSION_BANNED"}));
  EXPECT_EQ(bob->heard, (Heard{"joined"}));
}

TEST_F(JoinTest, JoiningTwiceIsOneSubscription) {
  join_and_settle(*alice);
  join_and_settle(*alice);
  tell({world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"joined", "joined", "7#1"}));
  EXPECT_EQ(hub->counts().subscriptions, 1U);
}

TEST_F(JoinTest, JoiningTwiceAtOnceIsOneSubscriptionAndTwoAnswers) {
  join(*alice);
  join(*alice);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined", "joined"}));
  EXPECT_EQ(hub->counts().subscriptions, 1U);
}

TEST_F(JoinTest, RemovedWhileItsRoomIsLookedUpHearsNothing) {
  join(*alice);
  hub->remove(*alice);
  alice.reset();
  reads->settle();
  EXPECT_EQ(hub->counts().subscribers, 0U);
}

TEST_F(JoinTest, RemovedWhileItIsDecidedHearsNothing) {
  const auto decision = join_until_decision(*alice);
  hub->remove(*alice);
  alice.reset();
  reads->answer(decision);
  EXPECT_EQ(hub->counts().rooms, 0U);
}

TEST_F(JoinTest, DecisionThatCannotBeHadIsAnsweredAsUnavailable) {
  const auto decision = join_until_decision(*alice);
  core::ErrorCode code{};
  hub->join(*alice, kRoomTarget, [&](core::Result<Joined> joined) { code = joined.error().code; });
  reads->answer(decision, core::Error::unavailable("away"));
  reads->settle();
  EXPECT_EQ(code, core::ErrorCode::kUnavailable);
  EXPECT_EQ(hub->counts().subscribers, 0U);
}

TEST_F(JoinTest, DecisionThatDoesNotComeInTimeIsAnsweredAsUnavailable) {
  const auto one = reader(1);
  join(*one);
  reads->answer(reads->only(ReadKind::kResolve));
  pass(milliseconds{9'900});
  EXPECT_TRUE(one->heard.empty());
  pass(milliseconds{200});
  EXPECT_EQ(one->heard, (Heard{"refused "}));
  EXPECT_EQ(hub->counts().subscriptions, 0U);
  reads->settle();  // the late decision
  EXPECT_EQ(one->heard.size(), 1U);
  join_and_settle(*one);
  EXPECT_EQ(one->heard.back(), "joined");
}

TEST_F(JoinTest, DecisionThatNeverSufficesIsAnsweredAsUnavailable) {
  const auto one = reader(1);
  join(*one);
  for (int tenths = 0; tenths < 110 && one->heard.empty(); ++tenths) {
    while (!reads->pending(ReadKind::kResolve).empty()) reads->answer(reads->only(ReadKind::kResolve));
    // Each answer's snapshot is older than the next change.
    for (const auto& call : reads->pending(ReadKind::kDecide)) {
      reads->look(call);
      tell({world.access(user_id(1))});
      reads->answer(call);
    }
    pass(milliseconds{100});
  }
  EXPECT_EQ(one->heard, (Heard{"refused "}));
}

TEST_F(JoinTest, JoinIntroducesWhoAsksAndALaterCheckDoesNot) {
  EXPECT_TRUE(join_until_decision(*alice)->introduces);
  reads->settle();
  hub->actor_changed(*alice);
  EXPECT_FALSE(reads->only(ReadKind::kDecide)->introduces);
}

TEST_F(JoinTest, AnswerMayLeaveAndComeBackFromInsideTheCallback) {
  hub->join(*alice, kRoomTarget, [&](core::Result<Joined>) {
    hub->leave(*alice, kRoom);
    join(*alice);
  });
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined"}));
  hub->join(*bob, kRoomTarget, [&](core::Result<Joined>) { hub->remove(*bob); });
  reads->settle();
  EXPECT_EQ(hub->counts().subscriptions, 1U);
}

TEST_F(JoinTest, CountsAreBackAtTheirBaselineWhenAllHaveLeft) {
  const auto timers = wheel.size();
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 1; i <= 20; ++i) {
    world.valid_until[user_id(i)] = clock.now() + std::chrono::hours{1};
    join(*readers.emplace_back(reader(i)));
    join(*readers.back(), kTalkTarget);
  }
  reads->settle();
  EXPECT_EQ(hub->counts().subscriptions, 40U);
  EXPECT_EQ(metrics.rooms.value(), 2);
  for (std::size_t i = 0; i < readers.size(); ++i) {
    if (i % 2 == 0) {
      hub->remove(*readers[i]);
    } else {
      hub->leave(*readers[i], kRoom);
      hub->leave(*readers[i], kTalk);
    }
  }
  EXPECT_EQ(hub->counts().rooms, 0U);
  EXPECT_EQ(hub->counts().subscriptions, 0U);
  EXPECT_EQ(hub->counts().subscribers, 0U);
  EXPECT_EQ(metrics.rooms.value(), 0);
  EXPECT_EQ(metrics.subscriptions.value(), 0);
  EXPECT_EQ(wheel.size(), timers);
}

class ColdHubTest : public HubTest {};

TEST_F(ColdHubTest, RefusesJoinsUntilTheAccessLogIsFollowed) {
  auto alice = reader(1);
  hub->start();
  join(*alice);
  EXPECT_EQ(alice->heard, (Heard{"refused "}));
  reads->answer(reads->only(ReadKind::kScan), core::Error::unavailable("away"));
  join(*alice);
  EXPECT_EQ(alice->heard.size(), 2U);
  pass(milliseconds{600});
  reads->settle();
  join_and_settle(*alice);
  EXPECT_EQ(alice->heard.back(), "joined");
}

TEST_F(ColdHubTest, StopDropsEverybodyWithoutAWord) {
  start();
  auto alice = reader(1);
  auto bob = reader(2);
  join_and_settle(*alice);
  join(*bob);
  hub->stop();
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"joined"}));
  EXPECT_TRUE(bob->heard.empty());
  EXPECT_EQ(wheel.size(), 0U);
  EXPECT_EQ(hub->counts().subscribers, 0U);
}

}  // namespace
}  // namespace belfry::realtime::testing
