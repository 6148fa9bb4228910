#include "unit/realtime/hub_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class AccessTest : public HubTest {
 protected:
  AccessTest() : AccessTest(HubOptions{.recheck_interval = seconds{0}}) {}
  explicit AccessTest(HubOptions options) : HubTest(options) {
    start();
    join_and_settle(*alice);
    join_and_settle(*bob);
    alice->heard.clear();
    bob->heard.clear();
  }
  std::unique_ptr<Reader> alice = reader(1);
  std::unique_ptr<Reader> bob = reader(2);
};

TEST_F(AccessTest, RevokedReaderGetsNothingPositionedAfterIt) {
  tell({world.append(kRoom)});
  tell({world.revoke(user_id(1))});
  tell({world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "left 7 ENTITLEMENT_REQUIRED"}));
  EXPECT_EQ(bob->heard, (Heard{"7#1", "7#2"}));
  EXPECT_EQ(metrics.evictions.value(), 1U);
}

TEST_F(AccessTest, RoomStallsUntilTheAccessLogIsAppliedAsFarAsItsEvent) {
  world.revoke(user_id(1));
  tell({world.append(kRoom)});
  tell({world.append(kRoom)});
  EXPECT_TRUE(alice->heard.empty());
  EXPECT_TRUE(bob->heard.empty());
  reads->answer(reads->only(ReadKind::kPage));  // the access log
  EXPECT_EQ(bob->heard, (Heard{"7#1", "7#2"}));
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"left 7 ENTITLEMENT_REQUIRED"}));
}

TEST_F(AccessTest, StalledRoomLeaksNothingWhileTheAccessLogCannotBeRead) {
  world.revoke(user_id(1));
  tell({world.append(kRoom)});
  for (int i = 0; i < 5; ++i) {
    for (const auto& call : reads->pending(ReadKind::kPage)) reads->answer(call, core::Error::unavailable("away"));
    for (const auto& call : reads->pending(ReadKind::kScan)) reads->answer(call, core::Error::unavailable("away"));
    pass(milliseconds{700});
  }
  EXPECT_TRUE(alice->heard.empty());
  EXPECT_TRUE(bob->heard.empty());
  reads->settle();
  EXPECT_EQ(bob->heard, (Heard{"7#1"}));
}

TEST_F(AccessTest, StalledRoomHoldsABoundedTailAndReadsTheRest) {
  world.revoke(user_id(9));
  Heard expected;
  for (int i = 1; i <= 700; ++i) {
    tell({world.append(kRoom)});
    expected.push_back("7#" + std::to_string(i));
  }
  reads->settle();
  EXPECT_EQ(bob->heard, expected);
}

TEST_F(AccessTest, StalledRoomWhoseEventWasLostGoesOnWithTheHistoryThatIsLeft) {
  world.revoke(user_id(9));
  tell({world.append(kRoom)});
  world.logs[kRoom].clear();  // a promoted standby has neither
  world.logs[domain::kAccessLog].clear();
  hub->on_database_restored();
  reads->settle();
  clock.pass(milliseconds{5});
  tell({world.append(kRoom)});
  reads->settle();
  EXPECT_EQ(bob->heard, (Heard{"7#1"}));
}

TEST_F(AccessTest, ChangeThatKeepsTheRightLosesNothing) {
  tell({world.access(user_id(1))});
  tell({world.append(kRoom)});
  EXPECT_TRUE(alice->heard.empty());
  reads->settle();
  tell({world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"7#1", "7#2"}));
}

TEST_F(AccessTest, DecisionOlderThanASecondChangeIsAskedAgain) {
  tell({world.access(user_id(1))});
  const auto decision = reads->only(ReadKind::kDecide);
  ScriptedReads::look(decision);
  tell({world.revoke(user_id(1))});
  tell({world.append(kRoom)});
  reads->answer(decision);
  EXPECT_TRUE(alice->heard.empty());
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"left 7 ENTITLEMENT_REQUIRED"}));
}

TEST_F(AccessTest, RecordThatTheDecisionContainedIsNotDecidedAgain) {
  auto carol = reader(3);
  const auto record = world.access(user_id(3));
  join_and_settle(*carol);
  tell({record});
  EXPECT_TRUE(reads->pending(ReadKind::kDecide).empty());
}

TEST_F(AccessTest, BannedReaderIsOutAndNobodyElse) {
  tell({world.ban(kRoom, user_id(1)), world.append(kRoom)});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"left 7 DISCUSSION_BANNED"}));
  EXPECT_EQ(bob->heard, (Heard{"7#2"}));
}

TEST_F(AccessTest, PolicyChangeDecidesEverybodyAndEvictsSome) {
  world.banned.emplace(kRoom, user_id(1));
  tell({world.control(kRoom, domain::ControlKind::kPolicy), world.append(kRoom)});
  EXPECT_TRUE(bob->heard.empty());
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"left 7 DISCUSSION_BANNED"}));
  EXPECT_EQ(bob->heard, (Heard{"7#2"}));
}

TEST_F(AccessTest, DraftedChannelIsUnavailable) {
  world.drafts.insert(kRoom);
  tell({world.control(kRoom, domain::ControlKind::kPolicy)});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"left 7 CHANNEL_UNAVAILABLE"}));
  EXPECT_EQ(hub->counts().rooms, 0U);
}

TEST_F(AccessTest, PolicyChangesOfThousandsAreAskedInBatches) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 10; i < 1210; ++i) join(*readers.emplace_back(reader(i)));
  reads->settle();
  tell({world.control(kRoom, domain::ControlKind::kPolicy)});
  int jobs = 0;
  std::size_t questions = 0;
  while (!reads->pending(ReadKind::kDecide).empty()) {
    const auto call = reads->only(ReadKind::kDecide);
    EXPECT_LE(call->questions, 500U);
    questions += call->questions;
    ++jobs;
    reads->answer(call);
  }
  EXPECT_EQ(questions, 1202U);
  EXPECT_LE(jobs, 4);
  for (const auto& one : readers) hub->remove(*one);
}

TEST_F(AccessTest, ReadersWhomTheProviderCannotJudgeDoNotKeepTheOthersOut) {
  tell({world.control(kRoom, domain::ControlKind::kPolicy), world.append(kRoom)});
  const auto solo = reads->only(ReadKind::kDecide);  // alice, before bob was queued
  EXPECT_EQ(solo->questions, 1U);
  reads->answer(solo, core::Error::unavailable("provider"));
  reads->settle();
  EXPECT_TRUE(alice->heard.empty());
  EXPECT_EQ(bob->heard, (Heard{"7#2"}));
  pass(milliseconds{400});
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#2"}));
}

TEST_F(AccessTest, BatchThatFailsAsAWholeIsHalvedUntilTheOthersAreFound) {
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 10; i < 18; ++i) join(*readers.emplace_back(reader(i)));
  reads->settle();
  tell({world.control(kRoom, domain::ControlKind::kPolicy), world.append(kRoom)});
  reads->answer(reads->only(ReadKind::kDecide));
  auto whole = reads->only(ReadKind::kDecide);
  ASSERT_EQ(whole->questions, 9U);
  reads->answer(whole, core::Error::unavailable("provider"));
  auto half = reads->only(ReadKind::kDecide);
  EXPECT_EQ(half->questions, 4U);
  reads->settle();
  for (const auto& one : readers) {
    EXPECT_EQ(one->heard, (Heard{"joined", "7#2"}));
    hub->remove(*one);
  }
}

TEST_F(AccessTest, SuspendedReaderWhoseDecisionNeverComesIsLeftAfterTheSilence) {
  tell({world.access(user_id(1)), world.append(kRoom)});
  for (int i = 0; i < 200 && alice->heard.empty(); ++i) {
    for (const auto& call : reads->pending(ReadKind::kDecide)) reads->answer(call, core::Error::unavailable("away"));
    for (const auto& call : reads->pending(ReadKind::kScan)) reads->answer(call);
    pass(seconds{3});
  }
  EXPECT_EQ(alice->heard, (Heard{"left 7 SERVICE_UNAVAILABLE"}));
  EXPECT_EQ(bob->heard, (Heard{"7#1"}));
}

TEST_F(AccessTest, ActorThatChangedIsDecidedAgain) {
  world.banned.emplace(kRoom, user_id(1));
  alice->become_admin();
  hub->actor_changed(*alice);
  reads->settle();
  EXPECT_TRUE(alice->heard.empty());
  alice->become(domain::ActorType::kUser);
  hub->actor_changed(*alice);
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"left 7 DISCUSSION_BANNED"}));
}

TEST_F(AccessTest, ActorThatChangesWhileItIsDecidedIsDecidedAgain) {
  alice->become_admin();
  world.banned.emplace(kRoom, user_id(1));
  tell({world.access(user_id(1))});
  const auto as_admin = reads->only(ReadKind::kDecide);
  alice->become(domain::ActorType::kUser);
  hub->actor_changed(*alice);
  reads->answer(as_admin);
  EXPECT_TRUE(alice->heard.empty());
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"left 7 DISCUSSION_BANNED"}));
}

TEST_F(AccessTest, AccessLogThatForkedDecidesEverybodyAgain) {
  tell({world.grant(user_id(8)), world.grant(user_id(9))});
  world.logs[domain::kAccessLog].resize(1);
  world.banned.emplace(kRoom, user_id(1));
  hub->on_database_restored();
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"left 7 DISCUSSION_BANNED"}));
  tell({world.append(kRoom)});
  reads->settle();
  EXPECT_EQ(bob->heard, (Heard{"7#1"}));
}

class ExpiryTest : public AccessTest {
 protected:
  ExpiryTest() {
    end = clock.now() + seconds{10};
    world.valid_until[user_id(3)] = end;
    join_and_settle(*carol);
    carol->heard.clear();
  }
  core::TimePoint end;
  std::unique_ptr<Reader> carol = reader(3);
};

TEST_F(ExpiryTest, RightThatRunsOutEndsTheRoomByItsTimer) {
  pass(seconds{11});
  reads->settle();
  EXPECT_EQ(carol->heard, (Heard{"left 7 ENTITLEMENT_REQUIRED"}));
}

TEST_F(ExpiryTest, NothingIsDeliveredFromTheVeryInstant) {
  clock.pass(std::chrono::duration_cast<milliseconds>(end - clock.now()) - milliseconds{1});
  tell({world.append(kRoom)});
  EXPECT_EQ(carol->heard, (Heard{"7#1"}));
  clock.pass(milliseconds{1});  // the wheel has not turned yet
  tell({world.append(kRoom)});
  reads->settle();
  EXPECT_EQ(carol->heard, (Heard{"7#1", "left 7 ENTITLEMENT_REQUIRED"}));
}

TEST_F(ExpiryTest, EventOfAnEarlierTimeIsNotDeliveredOnceTheInstantHasCome) {
  const auto early = world.append(kRoom);
  clock.pass(seconds{10});
  tell({early});
  reads->settle();
  EXPECT_EQ(carol->heard, (Heard{"left 7 ENTITLEMENT_REQUIRED"}));
  EXPECT_EQ(bob->heard, (Heard{"7#1"}));
}

TEST_F(ExpiryTest, EventOfALaterTimeIsNotDeliveredWhateverOurClockSays) {
  auto late = std::make_shared<domain::Event>(*world.append(kRoom));
  late->id = core::EventId{core::Uuid::v7(end)};
  world.logs[kRoom].back() = late;
  tell({late});
  EXPECT_TRUE(carol->heard.empty());
  EXPECT_EQ(bob->heard, (Heard{"7#1"}));
  for (int i = 0; i < 30; ++i) {
    pass(milliseconds{500});
    reads->settle();
  }
  EXPECT_EQ(carol->heard, (Heard{"left 7 ENTITLEMENT_REQUIRED"}));
}

TEST_F(ExpiryTest, RefillStopsAtTheEndOfTheRight) {
  carol->room_for = 0;
  tell({world.append(kRoom)});
  carol->room_for = 1000;
  hub->drained(*carol);
  const auto page = reads->only(ReadKind::kPage);
  ScriptedReads::look(page);
  clock.pass(seconds{10});  // the wheel has not turned yet
  reads->answer(page);
  EXPECT_TRUE(carol->heard.empty());
  reads->settle();
  EXPECT_EQ(carol->heard, (Heard{"left 7 ENTITLEMENT_REQUIRED"}));
}

TEST_F(ExpiryTest, ProlongedRightGoesOnWithoutALoss) {
  world.valid_until[user_id(3)] = end + minutes{5};
  clock.pass(seconds{10});
  tell({world.append(kRoom)});
  EXPECT_TRUE(carol->heard.empty());
  reads->settle();
  tell({world.append(kRoom)});
  EXPECT_EQ(carol->heard, (Heard{"7#1", "7#2"}));
}

class RecheckTest : public AccessTest {
 protected:
  RecheckTest() : AccessTest(HubOptions{.provider_silence = minutes{5}, .recheck_interval = seconds{60}}) {}
  /// Time during which sweeps are answered and decisions fail.
  void silence(std::chrono::milliseconds length) {
    for (milliseconds gone{0}; gone < length; gone += seconds{5}) {
      pass(seconds{5});
      for (const auto& call : reads->pending(ReadKind::kDecide))
        reads->answer(call, core::Error::unavailable("provider"));
      while (!reads->pending(ReadKind::kScan).empty()) reads->answer(reads->pending(ReadKind::kScan).front());
    }
  }
};

TEST_F(RecheckTest, ReaderIsAskedAboutAgainAndStaysLiveMeanwhile) {
  pass(seconds{75});
  EXPECT_FALSE(reads->pending(ReadKind::kDecide).empty());
  tell({world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
  world.revoked.insert(user_id(1));  // the provider changed its mind: no record tells
  reads->settle();
  EXPECT_EQ(alice->heard, (Heard{"7#1", "left 7 ENTITLEMENT_REQUIRED"}));
}

TEST_F(RecheckTest, LivesOnItsLastAnswerForAWhileAndNoLonger) {
  silence(minutes{4});
  tell({world.append(kRoom)});
  EXPECT_EQ(alice->heard, (Heard{"7#1"}));
  silence(minutes{2});
  EXPECT_EQ(alice->heard, (Heard{"7#1", "left 7 SERVICE_UNAVAILABLE"}));
}

/// Grants are kept by a service outside, whose answers may be older than the snapshots that they are judged in.
class OutsideGrantsTest : public AccessTest {
 protected:
  OutsideGrantsTest() : AccessTest(HubOptions{.recheck_interval = seconds{0}, .external_grants = true}) {
    world.granted = true;
  }
  /// A join whose question was answered outside just before the right was taken, and judged just after.
  SharedEvent join_with_an_old_answer(Reader& carol) {
    join(carol);
    const auto question = reads->only(ReadKind::kDecide);
    auto record = world.access(user_id(3));
    ScriptedReads::look(question);
    world.revoked.insert(user_id(3));
    old_ = question;
    return record;
  }
  ScriptedReads::Ref old_;
};

TEST_F(OutsideGrantsTest, AnswerOlderThanARecordThatComesLaterIsAskedForAgain) {
  auto carol = reader(3);
  const auto record = join_with_an_old_answer(*carol);
  reads->answer(old_);
  tell({record});
  tell({world.append(kRoom)});
  reads->settle();
  EXPECT_EQ(carol->heard, (Heard{"joined", "left 7 ENTITLEMENT_REQUIRED"}));
}

TEST_F(OutsideGrantsTest, AnswerOlderThanARecordThatCameMeanwhileIsAskedForAgain) {
  auto carol = reader(3);
  const auto record = join_with_an_old_answer(*carol);
  tell({record});
  reads->answer(old_);
  tell({world.append(kRoom)});
  reads->settle();
  EXPECT_EQ(carol->heard, (Heard{"refused ENTITLEMENT_REQUIRED"}));
}

}  // namespace
}  // namespace belfry::realtime::testing
