#include "belfry/domain/room_access.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/domain/subjects.hpp"
#include "unit/domain/fake_work.hpp"

namespace belfry::domain::testing {
namespace {

using ::testing::ElementsAre;

const RoomKey kPostsRoom = posts_room(ChannelId{1});
const RoomKey kTalkRoom = discussion_room(ThreadId{11});

std::string verdict_of(const RoomDecision& decision) {
  return decision.allowed() ? "ok" : verdict(core::Result<void>(core::fail(*decision.refusal)));
}

class Rooms : public ::testing::Test {
 protected:
  Rooms() {
    work.add_channel(1, ChannelStatus::kActive, "vip");
    work.add_discussion(11, 1).required_feature_key = "chat";
    work.add_channel(2);
  }
  std::vector<std::string> decide(const std::vector<RoomQuestion>& questions) {
    std::vector<std::string> texts;
    for (const auto& decision : decide_rooms(work, questions)) texts.push_back(verdict_of(decision));
    return texts;
  }
  std::string sync(const Actor& actor, RoomKind kind, std::int64_t channel, std::int32_t limit = 100) {
    return verdict(sync_room(work, actor, {{kind, ChannelId{channel}}, {}, limit}));
  }

  FakeWork work;
};

TEST_F(Rooms, AreDecidedEachForItself) {
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip");
  work.add_grant(user_id(2), GrantKind::kEntitlement, "vip");
  work.add_grant(user_id(2), GrantKind::kFeature, "chat");
  work.add_grant(user_id(3), GrantKind::kEntitlement, "vip");
  work.add_grant(user_id(3), GrantKind::kFeature, "chat");
  work.add_sanction(SanctionKind::kBan, 11, user_id(3));
  work.set_joined(user_id(4), 1);
  EXPECT_THAT(decide({{anonymous(), posts_room(ChannelId{2})},
                      {user(1), kPostsRoom},
                      {user(1), kTalkRoom},
                      {user(2), kTalkRoom},
                      {user(3), kTalkRoom},
                      {user(3), kPostsRoom},
                      {user(4), kPostsRoom},
                      {user(5), kTalkRoom},
                      {admin(), kTalkRoom},
                      {user(5), posts_room(ChannelId{2})},
                      {user(1), posts_room(ChannelId{99})},
                      {user(1), discussion_room(ThreadId{99})},
                      {admin(), kAccessLog}}),
              ElementsAre("UNAUTHORIZED/LOGIN_REQUIRED", "ok", "FORBIDDEN/FEATURE_REQUIRED", "ok",
                          "FORBIDDEN/DISCUSSION_BANNED", "ok", "FORBIDDEN/CHANNEL_LOCKED",
                          "FORBIDDEN/ENTITLEMENT_REQUIRED", "ok", "ok", "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"));
}

TEST_F(Rooms, SayWhenTheAllowanceEndsAndWhereTheLogsStand) {
  ASSERT_TRUE(record_access_changed(work, admin(), user_id(9)));
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip", at(50));
  work.add_grant(user_id(1), GrantKind::kFeature, "chat", at(20));
  const std::vector<RoomQuestion> questions{{user(1), kPostsRoom}, {user(1), kTalkRoom}};
  const auto decisions = decide_rooms(work, questions);
  EXPECT_EQ(decisions.at(0).valid_until, at(50));
  EXPECT_EQ(decisions.at(1).valid_until, at(20));
  EXPECT_EQ(decisions[1].head.room, kTalkRoom);
  EXPECT_EQ(decisions[1].channel_id, ChannelId{1});
  EXPECT_EQ(decisions[1].access_seq, 1);
}

TEST_F(Rooms, AreDecidedInsideWithoutAskingForGrantsThatSomebodyElseKeeps) {
  const std::vector<RoomQuestion> questions{{user(1), kPostsRoom},
                                            {user(1), kTalkRoom},
                                            {user(1), posts_room(ChannelId{2})},
                                            {admin(), kTalkRoom},
                                            {anonymous(), posts_room(ChannelId{2}), true}};
  const auto verdicts = [&] {
    std::vector<std::string> texts;
    for (const auto& decision : decide_rooms_inside(work, questions)) {
      texts.push_back(verdict_of(decision) + (decision.granted ? " by grant" : ""));
    }
    return texts;
  };
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip");
  EXPECT_THAT(verdicts(), ElementsAre("ok by grant", "FORBIDDEN/FEATURE_REQUIRED by grant", "ok", "ok", "ok"));
  work.next_job();
  work.external_grants = true;
  EXPECT_THAT(verdicts(),
              ElementsAre("SERVICE_UNAVAILABLE by grant", "SERVICE_UNAVAILABLE by grant", "ok", "ok", "ok"));
  EXPECT_EQ(work.count("grants.current"), 0U);
}

TEST_F(Rooms, TakeTheSameNumberOfStatementsForOneAndForMany) {
  const auto questions = [](std::uint8_t users) {
    std::vector<RoomQuestion> list;
    for (std::uint8_t i = 1; i <= users; ++i) {
      list.push_back({user(i), kPostsRoom});
      list.push_back({user(i), kTalkRoom});
    }
    return list;
  };
  decide(questions(1));
  const auto statements = work.calls.size();
  EXPECT_LE(statements, 6U);
  work.next_job();
  decide(questions(90));
  EXPECT_EQ(work.calls.size(), statements);
}

TEST_F(Rooms, AreFoundByTheirChannel) {
  EXPECT_EQ(*resolve_room(work, {RoomKind::kPosts, ChannelId{1}}), kPostsRoom);
  EXPECT_EQ(*resolve_room(work, {RoomKind::kDiscussion, ChannelId{1}}), kTalkRoom);
  EXPECT_EQ(verdict(resolve_room(work, {RoomKind::kDiscussion, ChannelId{2}})), "NOT_FOUND");
  EXPECT_EQ(verdict(resolve_room(work, {RoomKind::kPosts, ChannelId{99}})), "NOT_FOUND");
  EXPECT_EQ(verdict(resolve_room(work, {RoomKind::kAccess, ChannelId{0}})), "NOT_FOUND");
}

TEST_F(Rooms, AreSyncedOnlyForWhoMayJoin) {
  work.add_channel(3, ChannelStatus::kActive, "vip");
  EXPECT_EQ(sync(anonymous(), RoomKind::kPosts, 2), "UNAUTHORIZED/LOGIN_REQUIRED");
  EXPECT_EQ(sync(user(1), RoomKind::kPosts, 1), "FORBIDDEN/ENTITLEMENT_REQUIRED");
  EXPECT_EQ(sync(user(1), RoomKind::kDiscussion, 3), "FORBIDDEN/ENTITLEMENT_REQUIRED") << "before the discussion's 404";
  EXPECT_EQ(sync(user(1), RoomKind::kDiscussion, 2), "NOT_FOUND");
  EXPECT_EQ(sync(user(1), RoomKind::kPosts, 99), "NOT_FOUND");
  EXPECT_EQ(work.count("log.page"), 0U);
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip");
  EXPECT_EQ(sync(user(1), RoomKind::kPosts, 1), "ok");
  EXPECT_EQ(sync(user(1), RoomKind::kDiscussion, 1), "FORBIDDEN/FEATURE_REQUIRED");
  EXPECT_EQ(work.count("log.page"), 1U);
}

TEST_F(Rooms, AreSyncedWithinBounds) {
  for (const auto& [limit, expected] : {std::pair{0, "VALIDATION_ERROR/limit"},
                                        {1, "ok"},
                                        {500, "ok"},
                                        {501, "VALIDATION_ERROR/limit"},
                                        {-1, "VALIDATION_ERROR/limit"}}) {
    EXPECT_EQ(sync(user(1), RoomKind::kPosts, 2, limit), expected) << limit;
  }
}

}  // namespace
}  // namespace belfry::domain::testing
