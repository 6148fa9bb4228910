#include "unit/realtime/reader_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

class CachedPageTest : public ReaderTest {};

TEST_F(CachedPageTest, FirstRequestIsNotWorthIt) {
  EXPECT_EQ(ask_and_settle(user(1)), "uncached");
  EXPECT_EQ(ask_and_settle(user(2)), "uncached") << "somebody new goes the long way";
  EXPECT_EQ(ask_and_settle(user(2)), "as of 0");
  EXPECT_EQ(logs->pages, 1);
}

TEST_F(CachedPageTest, WhatIsThereIsServedBehindTheBarrierAlone) {
  warm(user(1));
  const auto pages = logs->pages;
  ask(user(1));
  ASSERT_EQ(logs->calls.size(), 1U);
  logs->answer(Asked::kHeads);
  EXPECT_EQ(answered(), "as of 0");
  EXPECT_EQ(logs->pages, pages);
}

TEST_F(CachedPageTest, WriteThatNobodyToldOfIsRead) {
  warm(user(1));
  world.append(kRoom);
  EXPECT_EQ(ask_and_settle(user(1)), "as of 1");
  EXPECT_EQ(ask_and_settle(user(1)), "as of 1");
  EXPECT_EQ(logs->pages, 2);
}

TEST_F(CachedPageTest, ManyShareOneReadOfThePageAndOneOfTheDecisions) {
  for (int i = 1; i <= 20; ++i) ask_and_settle(user(i));
  const auto asked = metrics.decision_reads.value();
  logs->pages = 0;
  world.append(kRoom);
  for (int i = 1; i <= 20; ++i) ask(user(i));
  logs->settle();
  EXPECT_EQ(heard, std::vector<std::string>(20, "as of 1"));
  EXPECT_EQ(logs->pages, 1);
  EXPECT_LE(metrics.decision_reads.value() - asked, 2U);
}

TEST_F(CachedPageTest, BanBetweenBarrierAndPageIsNotServedPast) {
  warm(user(1), kTalkTarget);
  world.append(kTalk);
  ask(user(1), kTalkTarget);
  logs->answer(Asked::kHeads);
  world.ban(kTalk, user_id(1));  // the page is read after it
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(CachedPageTest, RevocationBetweenBarrierAndPageIsNotServedPast) {
  warm(user(1));
  world.append(kRoom);
  ask(user(1));
  logs->answer(Asked::kHeads);
  world.revoke(user_id(1));  // the hub has not heard of it
  world.append(kRoom);
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(CachedPageTest, PageOfASnapshotLaterThanTheDecisionIsNotServedOnThatDecision) {
  warm(user(1));
  warm(user(2));
  world.append(kRoom);
  ask(user(1));
  logs->answer(Asked::kHeads);
  world.revoke(user_id(1));
  world.append(kRoom);
  ask(user(2));  // its page is what the first one gets as well
  const auto page = logs->next(Asked::kPage);
  logs->answer(page);
  EXPECT_TRUE(heard.empty()) << "what it was allowed was older than the page";
  logs->settle();
  EXPECT_EQ(heard, (std::vector<std::string>{"uncached", "as of 2"}));
}

TEST_F(CachedPageTest, RevocationThatTheHubHasNotAppliedIsFoundByTheBarrier) {
  warm(user(1));
  world.revoke(user_id(1));
  EXPECT_EQ(ask_and_settle(user(1)), "uncached");
  EXPECT_EQ(reads->pending(ReadKind::kPage).size(), 1U) << "and the hub is told to read";
}

TEST_F(CachedPageTest, GrantOfSomebodyElseCostsNoDecisionOnceItIsApplied) {
  warm(user(1));
  hear(world.access(user_id(2)));
  ask(user(1));
  logs->answer(Asked::kHeads);
  EXPECT_EQ(answered(), "as of 0");
}

TEST_F(CachedPageTest, EndByTheDatabasesClockIsTheEnd) {
  world.valid_until[user_id(1)] = clock.now() + milliseconds{1000};
  warm(user(1));
  clock.pass(milliseconds{1000});
  EXPECT_EQ(ask_and_settle(user(1)), "uncached");
}

TEST_F(CachedPageTest, DecisionReadBeforeARevocationThatWasAppliedMeanwhileIsNotKept) {
  ask_and_settle(user(1));
  ask(user(1));
  logs->answer(Asked::kHeads);
  logs->look(logs->next(Asked::kDecide));
  hear(world.revoke(user_id(1)));
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
  hear(world.grant(user_id(1)));
  EXPECT_EQ(ask_and_settle(user(1)), "as of 0");
}

TEST_F(CachedPageTest, PromotedStandbyWithoutTheTailIsNoticed) {
  for (int i = 0; i < 3; ++i) world.append(kRoom);
  warm(user(1));
  world.logs[kRoom].pop_back();
  EXPECT_EQ(ask_and_settle(user(1)), "uncached") << "shorter than what was seen";
  EXPECT_EQ(ask_and_settle(user(1)), "uncached") << "written down again";
  EXPECT_EQ(ask_and_settle(user(1)), "as of 2");
  world.logs[kRoom].pop_back();
  clock.pass(milliseconds{5});
  world.append(kRoom);
  EXPECT_EQ(ask_and_settle(user(1)), "uncached") << "another record in the same place";
  ask_and_settle(user(1));
  EXPECT_EQ(ask_and_settle(user(1)), "as of 2");
}

TEST_F(CachedPageTest, MemoryIsOfOneHistoryOfTheDatabase) {
  core->history(1);
  logs->timeline = 1;
  warm(user(1));
  logs->timeline = 2;  // promoted; the hub does not know yet
  EXPECT_EQ(ask_and_settle(user(1)), "uncached");
  core->history(std::nullopt);
  ask_and_settle(user(1));
  EXPECT_EQ(ask_and_settle(user(1)), "uncached") << "its place in the access log is not compared yet";
  core->history(2);
  ask_and_settle(user(1));
  EXPECT_EQ(ask_and_settle(user(1)), "as of 0");
}

TEST_F(CachedPageTest, DecisionOfALostHistoryIsForgottenWithIt) {
  core->history(1);
  logs->timeline = 1;
  world.access(user_id(2));
  warm(user(1));
  // Promoted, and the record that the decision had seen is lost: another one takes its place.
  world.logs[domain::kAccessLog].pop_back();
  logs->timeline = 2;
  core->history(std::nullopt);
  core->history(2);
  hear(world.revoke(user_id(1)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask_and_settle(user(1)), "uncached");
}

TEST_F(CachedPageTest, NobodyReadsForThoseWhoMayNot) {
  warm(user(1));
  world.revoke(user_id(2));
  ask_and_settle(user(2));
  world.append(kRoom);
  const auto pages = logs->pages;
  EXPECT_EQ(ask_and_settle(user(2)), "uncached");
  EXPECT_EQ(logs->pages, pages);
}

TEST_F(CachedPageTest, RestoredDatabaseLeavesNothing) {
  warm(user(1));
  core->on_database_restored();
  EXPECT_EQ(ask_and_settle(user(1)), "uncached") << "written down again";
  ask(user(1));
  logs->answer(Asked::kHeads);
  logs->answer(Asked::kDecide);
  EXPECT_EQ(logs->count(Asked::kPage), 1U);
  core->on_database_restored();
  logs->settle();
  EXPECT_EQ(answered(), "uncached") << "what was read before it counts no more";
}

TEST_F(CachedPageTest, DecisionAskedForBeforeARestoreCountsNoMore) {
  warm(user(1));
  world.ban(kRoom, user_id(9));
  ask(user(1));
  logs->answer(Asked::kHeads);
  logs->look(logs->next(Asked::kDecide));
  core->on_database_restored();
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(CachedPageTest, StrangersReadWhatIsOpenAndNoDiscussion) {
  const domain::Actor stranger;
  EXPECT_EQ(ask_and_settle(stranger), "as of 0") << "read for them";
  EXPECT_EQ(logs->pages, 0);
  EXPECT_EQ(ask_and_settle(stranger), "as of 0");
  EXPECT_EQ(logs->pages, 1);
  ask_and_settle(stranger, kTalkTarget);
  EXPECT_EQ(ask_and_settle(stranger, kTalkTarget), "uncached");
}

TEST_F(CachedPageTest, FailuresAreSaidByTheBarrierOnly) {
  warm(user(1));
  ask(user(1));
  logs->answer(Asked::kHeads, core::Error::unavailable("away"));
  EXPECT_EQ(answered(), "unavailable");
  world.append(kRoom);
  ask(user(1));
  logs->answer(Asked::kHeads);
  logs->answer(Asked::kPage, core::Error::unavailable("away"));
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(CachedPageTest, PageOfARoomThatIsWrittenFasterThanItIsReadGoesTheLongWay) {
  warm(user(1));
  ask(user(1));
  world.append(kRoom);
  logs->answer(Asked::kHeads);
  world.append(kRoom);
  const auto page = logs->next(Asked::kPage);
  logs->look(page);
  logs->answer(page);
  EXPECT_EQ(answered(), "as of 2") << "later than the barrier, and the decision still holds there";
}

TEST_F(CachedPageTest, BytesAreBounded) {
  for (int i = 0; i < 2; ++i) ask_and_settle(user(1));
  EXPECT_GT(metrics.cache_bytes.value(), 0);
  core->on_database_restored();
  EXPECT_EQ(metrics.cache_bytes.value(), 0);
}

TEST_F(CachedPageTest, PackedFormOfAPageCountsOnceItIsThere) {
  pack = [](const std::string&) { return std::string(1000, 'p'); };
  for (int i = 0; i < 3; ++i) ask_and_settle(user(1));
  const auto unpacked = metrics.cache_bytes.value();
  ask_and_settle(user(1));
  EXPECT_GE(metrics.cache_bytes.value(), unpacked);
  EXPECT_GE(metrics.cache_bytes.value(), 1500);
  core->on_database_restored();
  EXPECT_EQ(metrics.cache_bytes.value(), 0);
}

class ExternalGrantsTest : public ReaderTest {
 protected:
  ExternalGrantsTest() : ReaderTest({.event_retention = std::chrono::hours{24}, .external_grants = true}) {}
};

TEST_F(ExternalGrantsTest, RoomThatRestsOnGrantsIsLeftToJobs) {
  logs->granted = true;
  EXPECT_EQ(ask_and_settle(user(1)), "uncached");
  EXPECT_EQ(ask_and_settle(user(1)), "uncached");
  ask(user(1));
  EXPECT_TRUE(logs->calls.empty()) << "and not even asked about again";
  EXPECT_EQ(answered(), "uncached");
}

class SmallMemoryTest : public ReaderTest {
 protected:
  SmallMemoryTest() : ReaderTest({.max_bytes = 20'000, .event_retention = std::chrono::hours{24}}) {}
};

TEST_F(SmallMemoryTest, WhatWasUsedLongestAgoGoesFirst) {
  domain::Actor stranger;
  for (int round = 0; round < 4; ++round) {
    for (int channel = 100; channel < 200; ++channel) {
      world.logs[domain::posts_room({channel})];
      ask_and_settle(stranger, {domain::RoomKind::kPosts, {channel}});
      EXPECT_LE(metrics.cache_bytes.value(), 20'000);
    }
  }
  const auto pages = logs->pages;
  EXPECT_EQ(ask_and_settle(stranger, {domain::RoomKind::kPosts, {199}}), "as of 0");
  EXPECT_EQ(logs->pages, pages);
  EXPECT_EQ(ask_and_settle(stranger, {domain::RoomKind::kPosts, {100}}), "as of 0");
  EXPECT_EQ(logs->pages, pages + 1);
}

TEST_F(SmallMemoryTest, TailThatGrowsStaysWithinIt) {
  auto inside = reader(1);
  join_and_settle(*inside, kTalkTarget);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(sync_and_settle(user(1), std::nullopt));
  EXPECT_GT(metrics.cache_bytes.value(), 0);
  for (int i = 0; i < 100; ++i) {
    tell({message()});
    EXPECT_LE(metrics.cache_bytes.value(), 20'000);
  }
  EXPECT_EQ(metrics.cache_bytes.value(), 0);
  EXPECT_TRUE(sync_and_settle(user(1), std::nullopt));
}

/// Pages that are asked for once: each test asks for one that nobody asked for before.
class ReadThroughTest : public ReaderTest {
 protected:
  ReadThroughTest() {
    warm(user(1));
    warm(user(1), kTalkTarget);
  }
  void ask_another(const domain::RoomTarget& target = kRoomTarget) { ask(user(1), target, "another"); }
  /// The page as it reads now, which arrives later.
  ScriptedReaderReads::Ref look_at_content() {
    const auto content = logs->next(Asked::kContent);
    logs->look(content);
    return content;
  }
};

TEST_F(ReadThroughTest, CostsAReadOfThePageAndTheBarrier) {
  ask_another();
  logs->answer(Asked::kContent);
  EXPECT_TRUE(heard.empty()) << "the barrier comes behind it";
  logs->answer(Asked::kHeads);
  EXPECT_EQ(answered(), "as of 0");
  EXPECT_TRUE(logs->calls.empty());
}

TEST_F(ReadThroughTest, WhoseRightIsNotKnownIsDecidedBeforeAnythingIsReadForThem) {
  ask_and_settle(user(2), kTalkTarget);
  ask(user(2), kRoomTarget, "another");
  EXPECT_EQ(logs->count(Asked::kContent), 0U);
  world.revoke(user_id(2));
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(ReadThroughTest, RevocationBehindThePageIsFoundByTheBarrier) {
  ask_another();
  const auto content = look_at_content();
  world.revoke(user_id(1));  // the hub has not heard of it
  logs->answer(content);
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(ReadThroughTest, BanBehindThePageIsFoundByTheBarrier) {
  ask_another(kTalkTarget);
  const auto content = look_at_content();
  world.ban(kTalk, user_id(1));
  logs->answer(content);
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(ReadThroughTest, RightThatWasLostAndGivenBackMeanwhileDoesNotCoverThePage) {
  ask_another();
  const auto content = look_at_content();
  hear(world.revoke(user_id(1)));
  hear(world.grant(user_id(1)));
  core->allowed(user(1), kRoom, world.decide({user(1), kRoom}));
  world.append(kRoom);
  logs->answer(content);
  logs->settle();
  EXPECT_EQ(answered(), "as of 1") << "read again";
}

TEST_F(ReadThroughTest, DecisionThatNoLongerHoldsIsAskedAgainOnce) {
  world.control(kTalk, domain::ControlKind::kPolicy, std::nullopt);
  ask_another(kTalkTarget);
  logs->answer(Asked::kContent);
  logs->answer(Asked::kHeads);
  world.append(kTalk);
  logs->settle();
  EXPECT_EQ(answered(), "as of 2");
  ask(user(1), kTalkTarget, "yet another");
  logs->answer(Asked::kContent);
  logs->answer(Asked::kHeads);
  EXPECT_EQ(answered(), "as of 2");
}

TEST_F(ReadThroughTest, EndByTheDatabasesClockIsTheEnd) {
  world.valid_until[user_id(3)] = clock.now() + milliseconds{1000};
  warm(user(3));
  ask(user(3), kRoomTarget, "another");
  const auto content = look_at_content();
  clock.pass(milliseconds{1000});
  logs->answer(content);
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(ReadThroughTest, PageOfAnotherHistoryIsNotServed) {
  ask_another();
  logs->answer(Asked::kContent);
  logs->timeline = 1;
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(ReadThroughTest, PageReadBeforeARestoreIsNotServed) {
  ask_another();
  const auto content = look_at_content();
  core->on_database_restored();
  core->allowed(user(1), kRoom, world.decide({user(1), kRoom}));
  logs->answer(content);
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(ReadThroughTest, FailureIsSaid) {
  ask_another();
  logs->answer(Asked::kContent, core::Error::unavailable("away"));
  EXPECT_EQ(answered(), "unavailable");
  ask_another();
  logs->settle();
  EXPECT_EQ(answered(), "as of 0");
}

TEST_F(ReadThroughTest, WhoWasRefusedMakesNobodyReadForThemAgain) {
  world.ban(kTalk, user_id(1));
  ask(user(1), kTalkTarget, "another");
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
  ask(user(1), kTalkTarget, "yet another");
  EXPECT_EQ(logs->count(Asked::kContent), 0U);
  logs->settle();
  EXPECT_EQ(answered(), "uncached");
}

TEST_F(ReadThroughTest, AreBounded) {
  for (int i = 0; i < 512; ++i) ask(user(1), kRoomTarget, "page " + std::to_string(i));
  ask(user(1), kRoomTarget, "one too many");
  EXPECT_EQ(answered(), "uncached");
  logs->settle();
  EXPECT_EQ(std::exchange(heard, {}), std::vector<std::string>(512, "as of 0"));
  ask(user(1), kRoomTarget, "another");
  logs->settle();
  EXPECT_EQ(answered(), "as of 0");
}

class NothingKeptTest : public ReaderTest {
 protected:
  NothingKeptTest() : ReaderTest({.max_bytes = 0, .event_retention = std::chrono::hours{24}}) {}
};

TEST_F(NothingKeptTest, EveryReadIsAJob) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask_and_settle(user(1)), "uncached");
    EXPECT_TRUE(sync_and_settle(user(1), std::nullopt));
  }
  EXPECT_EQ(logs->syncs, 3);
}

}  // namespace
}  // namespace belfry::realtime::testing
