// Who may what: memberships, grants and sanctions, kept as intervals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "pg/harness.hpp"
#include "pg/rows.hpp"
#include "storage/tables/channels.hpp"
#include "storage/tables/grants.hpp"
#include "storage/tables/memberships.hpp"
#include "storage/tables/sanctions.hpp"
#include "storage/tables/threads.hpp"

namespace belfry::pgtest {
namespace {

using domain::Grant;
using domain::GrantKind;
using domain::GrantQuestion;
using domain::Membership;
using domain::Sanction;
using domain::SanctionKind;
using testing::ElementsAre;
using testing::IsEmpty;

struct Tables {
  Transaction transaction;
  storage::PgChannels channels{transaction.session()};
  storage::PgThreads threads{transaction.session()};
  storage::PgMemberships memberships{transaction.session()};
  storage::PgGrants grants{transaction.session(), nullptr};
  storage::PgSanctions sanctions{transaction.session()};

  domain::ChannelId channel() { return channels.insert(open_channel()); }
  std::int64_t count(const std::string& sql) { return transaction.sql().exec(sql)[0][0].as<std::int64_t>(); }
};

std::string quoted(domain::UserId user) { return "'" + user.value.text() + "'"; }

TEST(Memberships, NeverJoinedHasNoTimesAlsoAfterLeaving) {
  Tables tables;
  const auto user = any_user();
  const auto channel = tables.channel();
  for (const auto& state : {tables.memberships.current(user, channel), tables.memberships.leave(user, channel)}) {
    EXPECT_EQ(state.channel_id, channel);
    EXPECT_FALSE(state.joined || state.joined_at || state.left_at);
  }
}

TEST(Memberships, JoiningTwiceChangesNothingAndRejoiningOpensANewInterval) {
  Tables tables;
  const auto user = any_user();
  const auto channel = tables.channel();
  const auto access_log = [&](int seq) {
    tables.transaction.sql().exec("UPDATE room_log SET last_seq = " + std::to_string(seq) + " WHERE kind = 0");
  };
  access_log(5);
  const auto first = tables.memberships.join(user, channel);
  EXPECT_TRUE(first.joined && first.joined_at && !first.left_at);
  access_log(6);
  EXPECT_EQ(tables.memberships.join(user, channel).joined_at, first.joined_at);
  access_log(7);
  const auto left = tables.memberships.leave(user, channel);
  EXPECT_FALSE(left.joined);
  EXPECT_EQ(left.joined_at, first.joined_at);
  EXPECT_GE(left.left_at, left.joined_at);
  access_log(8);
  EXPECT_EQ(tables.memberships.leave(user, channel).left_at, left.left_at);
  access_log(9);
  const auto second = tables.memberships.join(user, channel);
  EXPECT_TRUE(second.joined && !second.left_at);
  EXPECT_GE(second.joined_at, left.left_at);
  EXPECT_EQ(tables.memberships.current(user, channel).joined_at, second.joined_at);

  const auto intervals = tables.transaction.sql().exec(
      "SELECT from_seq, until_seq FROM memberships WHERE user_id = " + quoted(user) + " ORDER BY id");
  ASSERT_EQ(intervals.size(), 2U);
  EXPECT_EQ(intervals[0][0].as<int>(), 5);
  EXPECT_EQ(intervals[0][1].as<int>(), 7);
  EXPECT_EQ(intervals[1][0].as<int>(), 9);
  EXPECT_TRUE(intervals[1][1].is_null());
}

TEST(Memberships, TheOpenIntervalCountsWhateverItsId) {
  // Ids are drawn before a racing join waits: the open interval may have the lower one.
  Tables tables;
  const auto user = any_user();
  const auto channel = tables.channel();
  tables.transaction.sql().exec("INSERT INTO memberships (user_id, channel_id, joined_at, left_at, from_seq) VALUES (" +
                                quoted(user) + "," + std::to_string(channel.value) + ",'2024-01-03Z',NULL,0),(" +
                                quoted(user) + "," + std::to_string(channel.value) + ",'2024-01-01Z','2024-01-02Z',0)");
  EXPECT_TRUE(tables.memberships.current(user, channel).joined);
  const std::vector<std::pair<domain::UserId, domain::ChannelId>> asked{{user, channel}};
  EXPECT_TRUE(tables.memberships.current_all(asked).at(0).joined);
}

TEST(Memberships, BatchLookUpIsParallelAndListHasTheOpenOnes) {
  Tables tables;
  const auto user = any_user();
  const auto joined = tables.channel();
  const auto left = tables.channel();
  const auto never = tables.channel();
  tables.memberships.join(user, joined);
  tables.memberships.join(user, left);
  tables.memberships.leave(user, left);
  const std::vector<std::pair<domain::UserId, domain::ChannelId>> asked{
      {user, never}, {user, joined}, {any_user(), joined}, {user, left}, {user, joined}};
  const auto found = tables.memberships.current_all(asked);
  ASSERT_EQ(found.size(), asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) EXPECT_EQ(found[i].channel_id, asked[i].second);
  EXPECT_TRUE(found[1].joined && found[4].joined);
  EXPECT_FALSE(found[0].joined || found[2].joined || found[3].joined);
  EXPECT_TRUE(found[3].left_at);
  EXPECT_FALSE(found[0].joined_at);
  const auto list = tables.memberships.list(user);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].channel_id, joined);
  EXPECT_TRUE(list[0].joined);
}

domain::ChannelId committed_channel() {
  Tables tables;
  const auto channel = tables.channel();
  tables.transaction.commit();
  return channel;
}

TEST(Memberships, AJoinThatWaitsForARacingOneAnswersWithItsInterval) {
  const auto channel = committed_channel();
  const auto user = any_user();
  Tables first;
  const auto winner = first.memberships.join(user, channel);
  Membership loser;
  std::jthread second([&] {
    Tables tables;
    loser = tables.memberships.join(user, channel);
    tables.transaction.commit();
  });
  // The second one waits on the index entry of the first.
  wait_until_blocked();
  first.transaction.commit();
  second.join();
  EXPECT_TRUE(loser.joined);
  EXPECT_EQ(loser.joined_at, winner.joined_at);
  EXPECT_EQ(Tables().count("SELECT count(*) FROM memberships WHERE user_id = " + quoted(user)), 1);
}

TEST(Memberships, AJoinThatWaitsForALeaveOpensANewInterval) {
  const auto channel = committed_channel();
  const auto user = any_user();
  Tables first;
  first.memberships.join(user, channel);
  Membership after;
  std::jthread second([&] {
    Tables tables;
    after = tables.memberships.join(user, channel);
    tables.transaction.commit();
  });
  wait_until_blocked();
  first.memberships.leave(user, channel);
  first.transaction.commit();
  second.join();
  EXPECT_TRUE(after.joined);
  EXPECT_TRUE(Tables().memberships.current(user, channel).joined);
}

TEST(Memberships, RacingJoinsAndLeavesNeverFailAndLeaveAtMostOneOpen) {
  const auto channel = committed_channel();
  const auto user = any_user();
  constexpr int kWorkers = 4;
  std::latch ready(kWorkers);
  std::atomic<int> failures{0};
  std::vector<std::jthread> workers;
  for (int worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&, worker] {
      ready.arrive_and_wait();
      for (int i = 0; i < 15; ++i) {
        try {
          Tables tables;
          const bool join = (i + worker) % 3 != 0;
          const auto state = join ? tables.memberships.join(user, channel) : tables.memberships.leave(user, channel);
          if (state.joined != join) ++failures;
          tables.transaction.commit();
        } catch (const std::exception& error) {
          ADD_FAILURE() << error.what();
        }
      }
    });
  }
  workers.clear();
  EXPECT_EQ(failures, 0);
  EXPECT_LE(Tables().count("SELECT count(*) FROM memberships WHERE left_at IS NULL AND user_id = " + quoted(user)), 1);
}

Grant grant(std::string key, std::optional<domain::TimePoint> from = {}, std::optional<domain::TimePoint> until = {}) {
  return {.kind = GrantKind::kEntitlement, .key = std::move(key), .valid_from = from, .valid_until = until};
}

struct WindowCase {
  const char* name;
  std::optional<domain::TimePoint> from, until;
  bool held;
};

TEST(Grants, AreCurrentFromTheirBeginningUntilJustBeforeTheirEnd) {
  const auto now = at(100);
  const WindowCase cases[] = {
      {"no end", at(50), {}, true},           {"begins now", at(100), {}, true},
      {"begins next", at(100, 1), {}, false}, {"ends next", at(50), at(100, 1), true},
      {"ends now", at(50), at(100), false},   {"ended", at(50), at(99), false},
  };
  for (const auto& expected : cases) {
    SCOPED_TRACE(expected.name);
    Tables tables;
    const auto user = any_user();
    EXPECT_TRUE(tables.grants.set(user, grant("vip", expected.from, expected.until), 1, at(10)));
    const std::vector<GrantQuestion> asked{{user, GrantKind::kFeature, "vip"},
                                           {user, GrantKind::kEntitlement, "vip"},
                                           {any_user(), GrantKind::kEntitlement, "vip"},
                                           {user, GrantKind::kEntitlement, "other"}};
    const auto current = tables.grants.current(asked, now);
    ASSERT_EQ(current.size(), 4U);
    EXPECT_FALSE(current[0] || current[2] || current[3]);
    ASSERT_EQ(current[1].has_value(), expected.held);
    if (expected.held) {
      EXPECT_EQ(current[1]->key, "vip");
      EXPECT_EQ(current[1]->valid_from, expected.from);
      EXPECT_EQ(current[1]->valid_until, expected.until);
    }
    EXPECT_EQ(tables.grants.held_keys(user, {}, now).size(), expected.held ? 1U : 0U);
  }
}

TEST(Grants, ANewOneSupersedesTheOldAndKeepsItsHistory) {
  Tables tables;
  const auto user = any_user();
  EXPECT_TRUE(tables.grants.set(user, grant("vip", at(0), at(50)), 3, at(0)));
  EXPECT_FALSE(tables.grants.set(user, grant("vip", at(0), at(50)), 4, at(1))) << "the same again";
  EXPECT_FALSE(tables.grants.set(user, grant("vip", {}, at(50)), 4, at(1))) << "begun, and the same end";
  EXPECT_TRUE(tables.grants.set(user, grant("vip", {}, at(90)), 5, at(10)));
  EXPECT_TRUE(tables.grants.set(user, grant("vip"), 6, at(20)));
  const std::vector<GrantQuestion> asked{{user, GrantKind::kEntitlement, "vip"}};
  EXPECT_EQ(tables.grants.current(asked, at(20)).at(0)->valid_from, at(20));
  EXPECT_FALSE(tables.grants.current(asked, at(20)).at(0)->valid_until);

  const auto rows = tables.transaction.sql().exec(
      "SELECT from_seq, until_seq, epoch_ms(revoked_at) FROM grants WHERE user_id = " + quoted(user) + " ORDER BY id");
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0][0].as<int>(), 3);
  EXPECT_EQ(rows[0][1].as<int>(), 5);
  EXPECT_EQ(rows[0][2].as<std::int64_t>(), at(10).time_since_epoch().count());
  EXPECT_EQ(rows[1][1].as<int>(), 6);
  EXPECT_TRUE(rows[2][1].is_null());
}

TEST(Grants, RevokingEndsTheOpenOneOnce) {
  Tables tables;
  const auto user = any_user();
  tables.grants.set(user, grant("vip"), 1, at(0));
  tables.grants.set(user, grant("old", {}, at(5)), 1, at(0));
  tables.grants.set(user, grant("later", at(50), {}), 1, at(0));
  EXPECT_FALSE(tables.grants.revoke(user, GrantKind::kFeature, "vip", 2, at(10)));
  EXPECT_TRUE(tables.grants.revoke(user, GrantKind::kEntitlement, "vip", 2, at(10)));
  EXPECT_FALSE(tables.grants.revoke(user, GrantKind::kEntitlement, "vip", 3, at(11)));
  EXPECT_FALSE(tables.grants.revoke(user, GrantKind::kEntitlement, "old", 3, at(10))) << "ran out by the clock";
  EXPECT_TRUE(tables.grants.revoke(user, GrantKind::kEntitlement, "later", 3, at(10)));
  EXPECT_THAT(tables.grants.held_keys(user, {}, at(60)), IsEmpty());
  EXPECT_EQ(tables.count("SELECT until_seq FROM grants WHERE key = 'vip' AND user_id = " + quoted(user)), 2);
  EXPECT_TRUE(tables.grants.set(user, grant("vip"), 4, at(20)));
  EXPECT_THAT(tables.grants.held_keys(user, {}, at(60)), ElementsAre("vip"));
}

TEST(Grants, ListHasWhatHasNotEnded) {
  Tables tables;
  const auto user = any_user();
  tables.grants.set(user, grant("b"), 1, at(0));
  tables.grants.set(user, grant("a", at(50), {}), 1, at(0));
  tables.grants.set(user, grant("ended", {}, at(5)), 1, at(0));
  tables.grants.set(user, {.kind = GrantKind::kFeature, .key = "chat", .valid_from = {}, .valid_until = {}}, 1, at(0));
  std::vector<std::string> keys;
  for (const auto& held : tables.grants.list(user, at(10))) keys.push_back(held.key);
  EXPECT_THAT(keys, ElementsAre("a", "b", "chat"));
  EXPECT_THAT(tables.grants.held_keys(user, {}, at(10)), ElementsAre("b"));
}

TEST(ExternalGrants, AnswerFromTheValuesHandedIn) {
  Transaction transaction;
  const auto user = any_user();
  const GrantQuestion held{user, GrantKind::kEntitlement, "vip"};
  const GrantQuestion expired{user, GrantKind::kEntitlement, "old"};
  const GrantQuestion refused{user, GrantKind::kEntitlement, "gold"};
  const domain::GrantProvider::Answers answers{
      {held, grant("vip", {}, at(50))}, {expired, grant("old", {}, at(5))}, {refused, std::nullopt}};
  storage::PgGrants grants(transaction.session(), &answers);
  EXPECT_FALSE(grants.internal());
  const auto current = grants.current(std::vector{refused, held, expired, held}, at(10));
  ASSERT_EQ(current.size(), 4U);
  EXPECT_FALSE(current[0] || current[2]);
  EXPECT_EQ(current[1]->valid_until, at(50));
  EXPECT_TRUE(current[3]);
  EXPECT_THAT(grants.held_keys(user, std::vector<std::string>{"gold", "vip", "old"}, at(10)), ElementsAre("vip"));
  EXPECT_EQ(grants.list(user, at(10)).size(), 1U);
  EXPECT_THROW(grants.set(user, grant("vip"), 1, at(0)), std::logic_error);
  EXPECT_THROW(grants.revoke(user, GrantKind::kEntitlement, "vip", 1, at(0)), std::logic_error);
}

TEST(ExternalGrants, NameEveryMissingQuestionAtOnce) {
  Transaction transaction;
  const auto user = any_user();
  const GrantQuestion known{user, GrantKind::kEntitlement, "a"};
  const GrantQuestion first{user, GrantKind::kEntitlement, "b"};
  const GrantQuestion second{user, GrantKind::kFeature, "a"};
  const domain::GrantProvider::Answers answers{{known, std::nullopt}};
  storage::PgGrants grants(transaction.session(), &answers);
  try {
    grants.current(std::vector{first, known, second, first}, at(0));
    FAIL() << "answered without knowing";
  } catch (const domain::GrantsUnknown& unknown) {
    EXPECT_THAT(unknown.questions, ElementsAre(first, second));
  }
  EXPECT_THROW(grants.held_keys(user, std::vector<std::string>{"a", "b"}, at(0)), domain::GrantsUnknown);
}

struct Talk {
  Tables tables;
  domain::ChannelId channel = tables.channel();
  domain::ThreadId thread = tables.threads.insert(any_discussion(channel));

  Sanction sanction(SanctionKind kind, domain::UserId user, std::optional<domain::TimePoint> until = {}) const {
    return {.kind = kind,
            .thread_id = thread,
            .channel_id = channel,
            .user_id = user,
            .reason = "spam",
            .until = until,
            .created_at = at(10),
            .admin_id = any_user()};
  }
};

TEST(Sanctions, AreAnsweredInParallelWithTheQuestions) {
  Talk talk;
  auto& sanctions = talk.tables.sanctions;
  const auto both = any_user();
  const auto muted = any_user();
  const auto past = any_user();
  sanctions.set(talk.sanction(SanctionKind::kBan, both), 1);
  sanctions.set(talk.sanction(SanctionKind::kMute, both, at(50)), 2);
  sanctions.set(talk.sanction(SanctionKind::kMute, muted, at(20, 1)), 3);
  sanctions.set(talk.sanction(SanctionKind::kBan, past, at(20)), 4);
  const auto elsewhere = talk.tables.threads.insert(any_discussion(talk.tables.channel()));
  const std::vector<domain::SanctionQuestion> asked{
      {elsewhere, both}, {talk.thread, muted}, {talk.thread, past}, {talk.thread, both}, {talk.thread, any_user()}};
  const auto answers = sanctions.current(asked, at(20));
  ASSERT_EQ(answers.size(), 5U);
  EXPECT_FALSE(answers[0].ban || answers[0].mute || answers[2].ban || answers[4].ban || answers[1].ban);
  EXPECT_EQ(answers[1].mute->until, at(20, 1));
  ASSERT_TRUE(answers[3].ban && answers[3].mute);
  EXPECT_EQ(answers[3].ban->channel_id, talk.channel);
  EXPECT_EQ(answers[3].ban->user_id, both);
  EXPECT_EQ(answers[3].ban->reason, "spam");
  EXPECT_FALSE(answers[3].ban->until);
  EXPECT_EQ(answers[3].ban->created_at, at(10));
  EXPECT_EQ(answers[3].mute->until, at(50));
  EXPECT_THAT(sanctions.current({}, at(20)), IsEmpty());
}

TEST(Sanctions, ANewOneEndsTheOldAndLiftingEndsIt) {
  Talk talk;
  auto& sanctions = talk.tables.sanctions;
  const auto user = any_user();
  sanctions.set(talk.sanction(SanctionKind::kBan, user, at(90)), 4);
  auto endless = talk.sanction(SanctionKind::kBan, user);
  endless.created_at = at(15);
  sanctions.set(endless, 5);
  const std::vector<domain::SanctionQuestion> asked{{talk.thread, user}};
  EXPECT_FALSE(sanctions.current(asked, at(20)).at(0).ban->until);
  sanctions.lift(SanctionKind::kMute, talk.thread, user, 6, at(30));
  EXPECT_TRUE(sanctions.current(asked, at(30)).at(0).ban);
  sanctions.lift(SanctionKind::kBan, talk.thread, user, 7, at(30));
  sanctions.lift(SanctionKind::kBan, talk.thread, user, 8, at(31));
  EXPECT_FALSE(sanctions.current(asked, at(30)).at(0).ban);
  const auto rows = talk.tables.transaction.sql().exec(
      "SELECT from_seq, until_seq FROM sanctions WHERE user_id = " + quoted(user) + " ORDER BY id");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0][1].as<int>(), 5);
  EXPECT_EQ(rows[1][0].as<int>(), 5);
  EXPECT_EQ(rows[1][1].as<int>(), 7);
}

TEST(Sanctions, ListsHaveThoseInForceNewestFirst) {
  Talk talk;
  auto& sanctions = talk.tables.sanctions;
  std::vector<domain::UserId> users;
  for (int i = 0; i < 4; ++i) {
    users.push_back(any_user());
    sanctions.set(talk.sanction(SanctionKind::kBan, users.back(), i == 1 ? std::optional{at(15)} : std::nullopt), i);
  }
  sanctions.set(talk.sanction(SanctionKind::kMute, users[0]), 9);
  const auto listed = [&](std::int32_t limit) {
    std::vector<domain::UserId> found;
    for (const auto& sanction : sanctions.list(SanctionKind::kBan, talk.thread, at(20), limit)) {
      found.push_back(sanction.user_id);
    }
    return found;
  };
  EXPECT_THAT(listed(10), ElementsAre(users[3], users[2], users[0]));
  EXPECT_THAT(listed(1), ElementsAre(users[3], users[2])) << "one more than the limit";
  const auto own = sanctions.list_of_user(users[0], at(20));
  ASSERT_EQ(own.size(), 2U);
  EXPECT_EQ(own[0].kind, SanctionKind::kMute);
  EXPECT_EQ(own[1].kind, SanctionKind::kBan);
}

}  // namespace
}  // namespace belfry::pgtest
