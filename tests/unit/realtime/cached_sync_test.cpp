#include <random>

#include "unit/realtime/reader_fixture.hpp"

namespace belfry::realtime::testing {
namespace {

class CachedSyncTest : public ReaderTest {
 protected:
  /// The room is worth a tail, and the user is known.
  void begin(int number = 1) {
    for (int i = 0; i < 2; ++i) EXPECT_TRUE(sync_and_settle(user(number), std::nullopt));
  }
  /// As the log itself says it, for a client at `since`.
  void expect_exact(std::optional<core::EventId> since, std::int32_t limit, const std::string& what) {
    const auto synced = sync_and_settle(user(1), since, limit);
    const auto truth = logs->client_page(kTalk, since, limit);
    ASSERT_TRUE(synced) << what;
    const auto given = seqs(synced->page);
    auto expected = seqs(truth);
    if (synced->page.has_more && !given.empty()) expected.resize(std::min(expected.size(), given.size()));
    EXPECT_EQ(given, expected) << what;
    EXPECT_EQ(synced->page.gap, truth.gap) << what;
    EXPECT_EQ(synced->page.has_more, truth.has_more || given.size() < truth.events.size()) << what;
    EXPECT_EQ(synced->page.head.last_visible_id, truth.head.last_visible_id) << what;
  }
  SharedEvent deletion() { return world.append(kTalk, domain::EventType::kMessageDeleted, domain::MessagePayload{}); }
  std::unique_ptr<Reader> member(int number) {
    auto made = reader(number);
    join_and_settle(*made, kTalkTarget);
    return made;
  }
};

TEST_F(CachedSyncTest, ThousandClientsFromDifferentPlacesCostAHandfulOfReads) {
  std::vector<SharedEvent> events;
  for (int i = 0; i < 400; ++i)
    events.push_back(i % 7 == 3 ? world.control(kTalk, domain::ControlKind::kMute) : message());
  std::vector<std::unique_ptr<Reader>> members;
  for (int i = 1; i <= 1000; ++i) members.push_back(member(i));
  for (int i = 1; i <= 1000; ++i) {
    std::size_t place = static_cast<std::size_t>((i * 37) % 400);
    while (!events[place]->visible()) ++place;
    sync(user(i), events[place]->id);
  }
  logs->settle();
  ASSERT_EQ(synced_.size(), 1000U);
  EXPECT_LE(logs->replays + logs->syncs, 4);
  EXPECT_EQ(metrics.decision_reads.value(), 0U) << "they were decided when they joined";
  EXPECT_LE(metrics.barriers.value(), 4U);
}

TEST_F(CachedSyncTest, AnswersAreThoseOfTheLogWhateverHappens) {
  std::minstd_rand random(4711);
  const auto inside = member(1);
  begin();
  for (int round = 0; round < 1500; ++round) {
    const auto dice = random() % 100;
    SharedEvent made;
    if (dice < 30) made = message();
    if (dice >= 30 && dice < 36) made = world.control(kTalk, domain::ControlKind::kMute, user_id(9));
    if (dice == 36) made = deletion();
    if (dice == 37) made = world.append(kTalk, domain::EventType::kMessageRestored, domain::MessagePayload{});
    if (made && random() % 2 == 0) tell({made});
    if (dice == 38) world.access(user_id(static_cast<int>(random() % 3) + 2));
    if (dice > 38 && dice < 45) clock.pass(milliseconds{random() % 1000});
    const auto& log = world.logs[kTalk];
    std::optional<core::EventId> since;
    if (!log.empty() && random() % 10 > 0) since = log[random() % log.size()]->id;
    if (random() % 40 == 0) since = core::EventId{core::Uuid::v7(clock.now())};
    logs->replay_limit = 1 + static_cast<std::int32_t>(random() % 60);
    expect_exact(since, 1 + static_cast<std::int32_t>(random() % 30), "round " + std::to_string(round));
    if (HasFailure()) return;
    reads->settle();
  }
  EXPECT_GT(metrics.cached_reads.value(), 500U);
}

TEST_F(CachedSyncTest, RetentionIsACutThatMovesWithTheClock) {
  for (int i = 0; i < 10; ++i) {
    message();
    clock.pass(std::chrono::hours{1});
  }
  begin();
  const auto log = world.logs[kTalk];
  for (int hour = 0; hour < 30; ++hour) {
    for (const auto& event : log) expect_exact(event->id, 3, "hour " + std::to_string(hour));
    expect_exact(std::nullopt, 3, "from the oldest, hour " + std::to_string(hour));
    clock.pass(std::chrono::hours{1});
  }
  EXPECT_GT(metrics.cached_reads.value(), 50U);
}

TEST_F(CachedSyncTest, DeletionThatIsDeliveredLeavesNothingUnmasked) {
  const auto inside = member(1);
  const auto first = message();
  begin();
  tell({message()});
  reads->settle();
  const auto replays = logs->replays;
  tell({deletion()});
  EXPECT_TRUE(sync_and_settle(user(1), first->id));
  EXPECT_GT(logs->replays, replays) << "what was there does not know of the deletion";
}

TEST_F(CachedSyncTest, DeletionWhileTheLogIsReadIsReadAgain) {
  const auto inside = member(1);
  const auto first = message();
  tell({first});
  begin();
  core->on_database_restored();
  ASSERT_TRUE(sync_and_settle(user(1), first->id));
  sync(user(1), first->id);
  // The first read saw the log without it.
  logs->answer(Asked::kResolve);
  logs->answer(Asked::kHeads);
  logs->answer(Asked::kDecide);
  const auto page = logs->next(Asked::kReplay);
  logs->look(page);
  tell({deletion()});
  logs->answer(page);
  EXPECT_EQ(logs->count(Asked::kReplay), 1U);
  logs->settle();
  ASSERT_EQ(synced_.size(), 1U);
  EXPECT_EQ(seqs(synced_.front()->page), (std::vector<std::int64_t>{2}));
}

TEST_F(CachedSyncTest, LiveEventsAreReplayedWithoutAnotherRead) {
  const auto inside = member(1);
  const auto first = message();
  begin();
  const auto replays = logs->replays;
  for (int i = 0; i < 10; ++i) {
    tell({message()});
    reads->settle();
    expect_exact(first->id, 100, "after " + std::to_string(i));
  }
  EXPECT_EQ(logs->replays, replays);
}

TEST_F(CachedSyncTest, WhatTheHubDoesNotFollowIsReadFromTheEndOn) {
  const auto first = message();
  begin();
  expect_exact(first->id, 100, "kept");
  message();
  message();
  const auto reads_before = logs->replays;
  expect_exact(first->id, 100, "written elsewhere");
  EXPECT_EQ(logs->replays, reads_before + 1);
  expect_exact(first->id, 100, "again");
  EXPECT_EQ(logs->replays, reads_before + 1);
}

TEST_F(CachedSyncTest, BannedReaderIsToldByTheLogsOwnJob) {
  message();
  begin();
  world.ban(kTalk, user_id(1));
  const auto synced = sync_and_settle(user(1), std::nullopt);
  ASSERT_FALSE(synced);
  EXPECT_EQ(synced.error().reason, core::Reason::kDiscussionBanned);
}

TEST_F(CachedSyncTest, EventWrittenAfterARevocationIsNotReplayed) {
  const auto inside = member(1);
  const auto first = message();
  begin();
  world.revoke(user_id(1));
  message();
  const auto synced = sync_and_settle(user(1), first->id);
  EXPECT_FALSE(synced);
}

TEST_F(CachedSyncTest, LogOfAnotherHistoryIsNotContinued) {
  const auto first = message();
  message();
  begin();
  expect_exact(first->id, 100, "kept");
  world.logs[kTalk].resize(1);
  clock.pass(milliseconds{7});
  for (int i = 0; i < 4; ++i) message();
  expect_exact(first->id, 100, "written after the fork");
  expect_exact(first->id, 100, "and again");
}

TEST_F(CachedSyncTest, PromotedStandbyWithoutTheTailIsNoticed) {
  const auto first = message();
  message();
  begin();
  expect_exact(first->id, 100, "kept");
  world.logs[kTalk].pop_back();
  expect_exact(first->id, 100, "shorter than what was seen");
  message();
  for (int i = 0; i < 3; ++i) expect_exact(first->id, 100, "kept again");
  world.logs[kTalk].pop_back();
  clock.pass(milliseconds{7});
  message();
  expect_exact(first->id, 100, "another record in the same place");
}

TEST_F(CachedSyncTest, TailIsOfOneHistoryOfTheDatabase) {
  core->history(1);
  logs->timeline = 1;
  const auto first = message();
  begin();
  expect_exact(first->id, 100, "kept");
  const auto cached = metrics.cached_reads.value();
  EXPECT_GT(cached, 0U);
  logs->timeline = 2;  // promoted; the hub does not know yet
  expect_exact(first->id, 100, "of another history");
  EXPECT_EQ(metrics.cached_reads.value(), cached);
}

TEST_F(CachedSyncTest, LogReadBeforeARestoreCountsNoMore) {
  const auto first = message();
  begin();
  const auto syncs = logs->syncs;
  sync(user(1), first->id);
  logs->answer(Asked::kHeads);
  logs->answer(Asked::kDecide);
  logs->look(logs->next(Asked::kReplay));
  core->on_database_restored();
  logs->settle();
  EXPECT_EQ(synced_.size(), 1U);
  EXPECT_EQ(logs->syncs, syncs + 1) << "told by a job of its own";
}

TEST_F(CachedSyncTest, LimitsOutOfBoundsAndStrangersAreLeftToTheJob) {
  message();
  begin();
  const auto syncs = logs->syncs;
  sync_and_settle(user(1), std::nullopt, 0);
  sync_and_settle(user(1), std::nullopt, 501);
  sync_and_settle(domain::Actor{}, std::nullopt);
  EXPECT_EQ(logs->syncs, syncs + 3);
}

}  // namespace
}  // namespace belfry::realtime::testing
