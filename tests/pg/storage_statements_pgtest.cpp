#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <random>

#include "belfry/domain/room_access.hpp"
#include "pg/node.hpp"
#include "storage/values.hpp"
#include "unit/domain/places_by_parts.hpp"

// What a job costs in round trips, and that cheap ways say the same as dear ones.
namespace belfry::pgtest {
namespace {

using core::Result;
using domain::JobMode;
using domain::RoomKey;
using domain::UnitOfWork;

/// The least of a few tries: the health check's two statements are counted too, and come once a second.
template <class Job>
std::uint64_t least_statements_of(Node& node, Job job) {
  auto least = std::numeric_limits<std::uint64_t>::max();
  for (int i = 0; i < 4; ++i) {
    const auto before = node.metrics.database_statements.value();
    job();
    least = std::min<std::uint64_t>(least, node.metrics.database_statements.value() - before);
  }
  return least;
}

/// Statements that one job costs when everything is prepared, a COMMIT of its own included. Reads end after their
/// answer, so many are counted.
template <class Job>
double statements_of(Node& node, Job job) {
  constexpr int kRounds = 20;
  job();
  const auto some = [&] {
    for (int i = 0; i < kRounds; ++i) job();
  };
  return static_cast<double>(least_statements_of(node, some)) / kRounds;
}

Result<void> nothing(UnitOfWork&) { return {}; }

std::vector<domain::Actor> strangers(int count) {
  std::vector<domain::Actor> actors;
  for (int i = 0; i < count; ++i) actors.push_back(user_actor());
  return actors;
}

std::int64_t stored_users(const std::vector<domain::Actor>& actors) {
  Transaction transaction;
  return transaction.sql()
      .exec_params(
          "SELECT count(*) FROM users WHERE id = ANY ($1::uuid[])",
          storage::to_sql_array(actors, [](const domain::Actor& actor) -> const auto& { return actor.id; }))[0][0]
      .as<std::int64_t>();
}

domain::HeadsNow heads_now(Node& node, JobMode mode, std::vector<RoomKey> rooms) {
  domain::HeadsNow heads;
  const auto done = node.submit(mode,
                                [&](UnitOfWork& work) -> Result<void> {
                                  heads = work.log().heads_now(rooms);
                                  return {};
                                })
                        .get();
  EXPECT_TRUE(done);
  std::ranges::sort(heads.rooms, {}, &domain::RoomHead::room);
  return heads;
}

TEST(StorageStatements, HeadsAndClockAreOneRoundTrip) {
  Node node(options_for(database().url(), 1));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place, 3)));
  const std::vector<RoomKey> rooms{place.posts(), place.talk(), domain::posts_room({987'654'321})};
  EXPECT_EQ(statements_of(node, [&] { heads_now(node, JobMode::kStatement, rooms); }), 1.0);
}

TEST(StorageStatements, HeadsOfOneStatementAreThoseOfASnapshot) {
  Node node(options_for(database().url()));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place, 3)));
  ASSERT_TRUE(node.write(append_to(domain::kAccessLog, place, 1)));
  const auto before = heads_now(node, JobMode::kStatement, {});
  const auto heads = heads_now(node, JobMode::kStatement,
                               {place.talk(), domain::posts_room({987'654'321}), place.posts(), domain::kAccessLog});
  ASSERT_EQ(heads.rooms.size(), 2U);
  domain::RoomHead talk;
  std::int64_t access_seq = 0;
  domain::Timeline timeline = 0;
  core::TimePoint clock;
  ASSERT_TRUE(node.read([&](UnitOfWork& work) -> Result<void> {
    talk = work.log().head(place.talk()).value();
    access_seq = work.log().head(domain::kAccessLog).value().last_seq;
    timeline = work.log().journal_since(0).timeline;
    clock = work.now();
    return {};
  }));
  EXPECT_EQ(heads.rooms[0].room, place.posts());
  EXPECT_EQ(heads.rooms[0].last_seq, 0);
  EXPECT_EQ(heads.rooms[1].room, place.talk());
  EXPECT_EQ(heads.rooms[1].last_seq, 3);
  EXPECT_EQ(heads.rooms[1].last_id, talk.last_id);
  EXPECT_EQ(heads.rooms[1].access_version, talk.access_version);
  EXPECT_EQ(heads.access_seq, access_seq);
  EXPECT_GT(access_seq, 0);
  EXPECT_EQ(heads.timeline, timeline);
  EXPECT_GT(timeline, 0U);
  EXPECT_TRUE(before.rooms.empty());
  EXPECT_LE(before.now, heads.now);
  EXPECT_LE(heads.now, clock);
}

TEST(StorageStatements, StatementJobRunsOneStatementAndHasNeitherClockNorLocks) {
  Node node(options_for(database().url(), 1));
  const auto place = make_place(database().url());
  const auto run = [&](domain::Database::Body body) { return node.submit(JobMode::kStatement, std::move(body)).get(); };
  const RoomKey room = place.talk();
  const auto twice = run([&](UnitOfWork& work) -> Result<void> {
    work.log().heads(std::span(&room, 1));
    work.log().heads(std::span(&room, 1));
    return {};
  });
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, core::ErrorCode::kInternal);
  EXPECT_FALSE(run([](UnitOfWork& work) -> Result<void> {
    work.now();
    return {};
  }));
  EXPECT_FALSE(run([&](UnitOfWork& work) { return work.lock(std::span(&room, 1)); }));
  EXPECT_TRUE(run([&](UnitOfWork& work) -> Result<void> {
    work.log().heads(std::span(&room, 1));
    return {};
  })) << "the connection is as good as before";
}

TEST(StorageStatements, CallersOfAJobAreIntroducedByOneStatement) {
  Node node(options_for(database().url(), 1));
  ASSERT_TRUE(node.read(nothing, {.name = "see", .callers = strangers(1)}));
  std::vector<domain::Actor> herd;
  const auto meet = [&] { EXPECT_TRUE(node.read(nothing, {.name = "see", .callers = herd})); };
  const auto introduce = [&] {
    herd = strangers(500);
    meet();
    EXPECT_EQ(stored_users(herd), 500);
  };
  EXPECT_LE(least_statements_of(node, introduce), 4U) << "COMMIT of the job before is one of them";
  EXPECT_LE(least_statements_of(node, meet), 3U) << "who is known costs nothing";
}

TEST(StorageStatements, TwoNodesThatIntroduceTheSameUsersDoNotDeadlock) {
  Node first(options_for(database().url()));
  Node second(options_for(database().url()));
  auto herd = strangers(200);
  std::minstd_rand random{7};
  for (int round = 0; round < 10; ++round) {
    std::vector<std::future<Result<void>>> jobs;
    for (int i = 0; i < 4; ++i) {
      std::ranges::shuffle(herd, random);
      for (auto& actor : herd) actor.username = "r" + std::to_string(round) + "-" + std::to_string(i);
      auto& node = i % 2 == 0 ? first : second;
      jobs.push_back(node.submit(JobMode::kRead, nothing, {.name = "see", .callers = herd}));
    }
    for (auto& job : jobs) ASSERT_TRUE(job.get());
  }
  EXPECT_EQ(first.metrics.transaction_retries.value() + second.metrics.transaction_retries.value(), 0U);
  EXPECT_EQ(stored_users(herd), 200);
}

TEST(StorageStatements, UserWhoCannotBeWrittenFailsWritesAndNoRead) {
  const TestDatabase own;
  {
    Transaction transaction(own.url());
    transaction.sql().exec("ALTER TABLE users ADD CONSTRAINT short CHECK (length(username) < 10)");
    transaction.commit();
  }
  Node node(options_for(own.url(), 1));
  auto herd = strangers(3);
  herd[1].username = "somebody with a long name";
  EXPECT_TRUE(node.read(nothing, {.name = "see", .callers = herd}));
  EXPECT_FALSE(node.write(nothing, {.name = "see", .callers = {herd[1]}}));
  EXPECT_TRUE(node.write(nothing, {.name = "see", .callers = {herd[0], herd[2]}}));
}

TEST(StorageStatements, ReadsThatFollowEachOtherEachHaveASnapshotAndAClockOfTheirOwn) {
  Node node(options_for(database().url(), 1));
  const auto place = make_place(database().url());
  const RoomKey room = place.talk();
  core::TimePoint last{};
  for (int i = 0; i < 50; ++i) {
    const auto mode = i % 3 == 1 ? JobMode::kStatement : JobMode::kRead;
    std::vector<std::future<Result<void>>> reads;  // queued, so that one's end travels with the next one's beginning
    for (int j = 0; j < 3; ++j) {
      reads.push_back(node.submit(mode, [&, i, j](UnitOfWork& work) -> Result<void> {
        EXPECT_EQ(work.log().heads(std::span(&room, 1)).front().last_seq, i);
        if (mode == JobMode::kRead) {
          EXPECT_GE(work.now(), last);
          last = work.now();
          EXPECT_EQ(sql_of(work).exec("SHOW transaction_isolation")[0][0].as<std::string>(), "repeatable read");
          EXPECT_EQ(sql_of(work).exec("SHOW transaction_read_only")[0][0].as<std::string>(), "on");
        }
        if (j == 1 && i % 5 == 0) return core::fail(core::Error::not_found("no"));
        if (j == 0 && i % 7 == 0 && mode == JobMode::kRead) raise(work, "22012");
        return {};
      }));
    }
    for (auto& read : reads) read.wait();
    ASSERT_TRUE(node.write(append_to(place.talk(), place)));
  }
}

TEST(StorageStatements, ReadLeavesNoTransactionOpenWhenNothingFollows) {
  const TestDatabase own;
  Node node(options_for(own.url(), 1));
  ASSERT_TRUE(node.read(nothing));
  EXPECT_TRUE(eventually([&] {
    Transaction transaction(own.url());
    return transaction.sql()
        .exec("SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'")
        .empty();
  }));
}

TEST(StorageStatements, PlacesAreOneStatementAndSayWhatTheTablesSay) {
  Node node(options_for(database().url(), 1));
  const auto place = make_place(database().url());
  ASSERT_TRUE(node.write(append_to(place.talk(), place, 2)));
  const std::vector<RoomKey> rooms{domain::kAccessLog, place.posts(), place.talk(), domain::posts_room({987'654'321}),
                                   domain::discussion_room({987'654'321})};
  std::vector<domain::RoomPlace> found;
  std::vector<domain::RoomPlace> expected;
  const auto read = [&] {
    ASSERT_TRUE(node.read([&](UnitOfWork& work) -> Result<void> {
      found = work.places(rooms);
      return {};
    }));
  };
  EXPECT_LT(statements_of(node, read), 3.1);
  ASSERT_TRUE(node.read([&](UnitOfWork& work) -> Result<void> {
    expected = domain::testing::places_by_parts(work, rooms);
    return {};
  }));
  const auto by_room = [](const domain::RoomPlace& one) { return one.head.room; };
  std::ranges::sort(found, {}, by_room);
  std::ranges::sort(expected, {}, by_room);
  ASSERT_EQ(found.size(), 3U);
  ASSERT_EQ(expected.size(), 3U);
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].head.room, expected[i].head.room);
    EXPECT_EQ(found[i].head.last_seq, expected[i].head.last_seq);
    ASSERT_EQ(found[i].channel.has_value(), expected[i].channel.has_value());
    ASSERT_EQ(found[i].discussion.has_value(), expected[i].discussion.has_value());
    if (found[i].channel) {
      EXPECT_EQ(found[i].channel->id, expected[i].channel->id);
      EXPECT_EQ(found[i].channel->title, expected[i].channel->title);
      EXPECT_EQ(found[i].channel->status, expected[i].channel->status);
      EXPECT_EQ(found[i].channel->updated_at, expected[i].channel->updated_at);
    }
    if (found[i].discussion) {
      EXPECT_EQ(found[i].discussion->id, expected[i].discussion->id);
      EXPECT_EQ(found[i].discussion->is_enabled, expected[i].discussion->is_enabled);
      EXPECT_EQ(found[i].discussion->updated_at, expected[i].discussion->updated_at);
    }
  }
}

TEST(StorageStatements, DecidingAHerdCostsAsMuchAsDecidingOne) {
  Node node(options_for(database().url(), 1));
  const auto place = make_place(database().url());
  const auto decide = [&](const RoomKey& room, std::vector<domain::Actor> actors) {
    std::vector<domain::RoomQuestion> questions;
    for (const auto& actor : actors) questions.push_back({actor, room});
    ASSERT_TRUE(node.read([&](UnitOfWork& work) -> Result<void> {
      for (const auto& decision : domain::decide_rooms(work, questions)) EXPECT_TRUE(decision.allowed());
      return {};
    }));
  };
  EXPECT_LT(statements_of(node, [&] { decide(place.posts(), strangers(500)); }), 3.1);
  EXPECT_LT(statements_of(node, [&] { decide(place.talk(), strangers(500)); }), 4.1);
}

}  // namespace
}  // namespace belfry::pgtest
