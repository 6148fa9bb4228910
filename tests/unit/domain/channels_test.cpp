#include "belfry/domain/channels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/domain/discussions.hpp"
#include "belfry/domain/membership.hpp"
#include "unit/domain/fake_work.hpp"

namespace belfry::domain::testing {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr ChannelId kChannel{1};
using enum ChannelStatus;

UpdateChannel change() {
  UpdateChannel command;
  command.id = kChannel;
  return command;
}

std::vector<RoomKey> control_rooms(const FakeWork& work) {
  std::vector<RoomKey> rooms;
  for (const auto& record : work.appended) {
    EXPECT_EQ(record.draft.type, EventType::kControl);
    EXPECT_EQ(std::get<ControlPayload>(record.draft.payload).kind, ControlKind::kPolicy);
    EXPECT_EQ(std::get<ControlPayload>(record.draft.payload).subject, std::nullopt);
    rooms.push_back(record.room);
  }
  return rooms;
}

TEST(UpdateChannel, FollowsTheTableOfTransitions) {
  struct Case {
    ChannelStatus from;
    ChannelStatus to;
    bool allowed;
  };
  const Case cases[] = {{kDraft, kDraft, true},    {kDraft, kActive, true},    {kDraft, kArchived, false},
                        {kActive, kDraft, true},   {kActive, kActive, true},   {kActive, kArchived, true},
                        {kArchived, kDraft, true}, {kArchived, kActive, true}, {kArchived, kArchived, true}};
  for (const auto& test : cases) {
    FakeWork work;
    work.add_channel(1, test.from);
    auto command = change();
    command.status = test.to;
    EXPECT_EQ(verdict(update_channel(work, admin(), command)), test.allowed ? "ok" : "CONFLICT/INVALID_TRANSITION");
    EXPECT_EQ(work.appended.size(), test.allowed && test.from != test.to ? 1U : 0U);
  }
}

TEST(UpdateChannel, TellsBothRoomsWhenAccessChanges) {
  FakeWork work;
  work.add_channel(1);
  work.add_discussion(11, 1);
  auto command = change();
  command.access_policy = AccessPolicy::kExternalGated;
  command.entitlement_key = std::optional<std::string>{"vip"};
  const auto channel = update_channel(work, admin(), command);
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->updated_at, work.clock);
  EXPECT_THAT(control_rooms(work), UnorderedElementsAre(posts_room(kChannel), discussion_room(ThreadId{11})));
  EXPECT_EQ(work.audit_rows.at(0).action, "channel.update");
  EXPECT_EQ(work.audit_rows.at(0).details_json, R"({"changed":["accessPolicy","entitlementKey"]})");
}

TEST(UpdateChannel, OfATitleTellsNoRoom) {
  FakeWork work;
  work.add_channel(1);
  work.add_discussion(11, 1);
  auto command = change();
  command.title = "New";
  ASSERT_TRUE(update_channel(work, admin(), command));
  EXPECT_THAT(work.appended, IsEmpty());
  EXPECT_EQ(work.audit_rows.size(), 1U);
  EXPECT_EQ(work.channel_rows.at(kChannel).title, "New");
}

TEST(UpdateChannel, ToTheSameValuesChangesNothing) {
  FakeWork work;
  work.add_channel(1);
  auto command = change();
  command.title = "Channel";
  command.status = kActive;
  command.kind = ChannelKind::kBroadcast;
  command.description = std::optional<std::string>{};
  const auto channel = update_channel(work, admin(), command);
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->updated_at, at(-1000));
  EXPECT_THAT(work.appended, IsEmpty());
  EXPECT_THAT(work.audit_rows, IsEmpty());
  EXPECT_EQ(work.count("update"), 0U);
}

TEST(UpdateChannel, RefusesAnotherKindAKeyWithoutAGateAndAGateWithoutAKey) {
  FakeWork work;
  work.add_channel(1);
  auto command = change();
  command.kind = ChannelKind::kGroup;
  EXPECT_EQ(verdict(update_channel(work, admin(), command)), "CONFLICT/INVALID_TRANSITION");
  work.next_job();
  command = change();
  command.entitlement_key = std::optional<std::string>{"vip"};
  EXPECT_EQ(verdict(update_channel(work, admin(), command)), "VALIDATION_ERROR/entitlementKey");
  work.next_job();
  command = change();
  command.access_policy = AccessPolicy::kExternalGated;
  EXPECT_EQ(verdict(update_channel(work, admin(), command)), "VALIDATION_ERROR/entitlementKey");
  work.next_job();
  command.id = ChannelId{99};
  EXPECT_EQ(verdict(update_channel(work, admin(), command)), "NOT_FOUND");
}

TEST(UpdateChannel, MergesIntoWhatTheEarlierHolderOfTheLockWrote) {
  FakeWork work;
  work.add_channel(1);
  work.on_lock = [](FakeWork& w) { w.channel_rows.at(kChannel).title = "Theirs"; };
  auto command = change();
  command.visibility = Visibility::kPrivate;
  ASSERT_TRUE(update_channel(work, admin(), command));
  EXPECT_EQ(work.channel_rows.at(kChannel).title, "Theirs");
}

TEST(UpdateChannel, DoesNotPassByADiscussionMadeWhileItWaited) {
  FakeWork work;
  work.add_channel(1);
  work.on_lock = [](FakeWork& w) { w.add_discussion(11, 1); };
  auto command = change();
  command.status = kDraft;
  EXPECT_EQ(verdict(update_channel(work, admin(), command)), "SERVICE_UNAVAILABLE");
  EXPECT_EQ(work.count("update"), 0U);
}

TEST(CreateChannel, ChecksItsValues) {
  FakeWork work;
  CreateChannel command;
  command.title = "T";
  command.status = kArchived;
  EXPECT_EQ(verdict(create_channel(work, admin(), command)), "VALIDATION_ERROR/status");
  command.status = kActive;
  command.access_policy = AccessPolicy::kExternalGated;
  EXPECT_EQ(verdict(create_channel(work, admin(), command)), "VALIDATION_ERROR/entitlementKey");
  command.entitlement_key = "vip";
  const auto channel = create_channel(work, admin(), command);
  ASSERT_TRUE(channel);
  EXPECT_EQ(work.channel_rows.at(channel->id).title, "T");
  EXPECT_EQ(channel->created_at, work.clock);
  EXPECT_EQ(work.audit_rows.at(0).action, "channel.create");
}

TEST(CreateChannel, FindsTheAnswerOfARacingDuplicate) {
  FakeWork work;
  CreateChannel command;
  command.title = "T";
  command.idempotency = IdempotencyKey{admin().id, "/channels", "k", "h"};
  ChannelId first;
  work.on_lock = [&](FakeWork& w) {
    first = w.add_channel(40).id;
    const KeyedAnswer kept{*command.idempotency, w.channel_rows.at(first)};
    w.store(std::span(&kept, 1));
  };
  const auto channel = create_channel(work, admin(), command);
  ASSERT_TRUE(channel);
  EXPECT_EQ(channel->id, first);
  EXPECT_EQ(work.channel_rows.size(), 1U);
  EXPECT_THAT(work.audit_rows, IsEmpty());
}

TEST(ViewChannel, ShowsALockedShellToWhoJoinedAndNothingToStrangers) {
  FakeWork work;
  work.add_channel(1, kActive, "vip");
  EXPECT_EQ(verdict(view_channel(work, anonymous(), kChannel)), "FORBIDDEN/LOGIN_REQUIRED");
  EXPECT_EQ(verdict(view_channel(work, user(1), kChannel)), "FORBIDDEN/ENTITLEMENT_REQUIRED");
  work.set_joined(user_id(1), 1);
  auto view = view_channel(work, user(1), kChannel);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->joined);
  EXPECT_TRUE(view->locked);
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip");
  view = view_channel(work, user(1), kChannel);
  ASSERT_TRUE(view);
  EXPECT_TRUE(view->joined);
  EXPECT_FALSE(view->locked);
  work.channel_rows.at(kChannel).status = kDraft;
  EXPECT_EQ(verdict(view_channel(work, user(1), kChannel)), "NOT_FOUND");
}

TEST(ListChannels, AsksForTheKeysOfTheCallerOnly) {
  FakeWork work;
  work.add_channel(1, kActive, "vip");
  work.add_channel(2);
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip");
  const auto page = list_channels(work, user(1), {}, 1);
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->has_more);
  EXPECT_EQ(work.listed->user, user_id(1));
  EXPECT_THAT(work.listed->held_keys, ::testing::ElementsAre("vip"));
  EXPECT_EQ(work.count("grants.held_keys:0"), 1U);
  work.external_grants = true;
  ASSERT_TRUE(list_channels(work, user(1), {}, 10));
  EXPECT_EQ(work.count("grants.held_keys:1"), 1U) << "an external provider is asked about each gated key";
  ASSERT_TRUE(list_channels(work, anonymous(), {}, 10));
  EXPECT_EQ(work.listed->user, std::nullopt);
  ASSERT_TRUE(list_channels(work, admin(), {}, 10));
  EXPECT_TRUE(work.listed->holds_every_key);
}

TEST(Membership, NeedsABroadcastChannelAccessAndForJoiningAnActiveOne) {
  FakeWork work;
  auto& channel = work.add_channel(1, kActive, "vip");
  EXPECT_EQ(verdict(join_channel(work, user(1), ChannelId{99})), "NOT_FOUND");
  EXPECT_EQ(verdict(join_channel(work, user(1), kChannel)), "FORBIDDEN/ENTITLEMENT_REQUIRED");
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip");
  channel.kind = ChannelKind::kGroup;
  EXPECT_EQ(verdict(join_channel(work, user(1), kChannel)), "CONFLICT/CHANNEL_NOT_BROADCAST");
  EXPECT_EQ(verdict(leave_channel(work, user(1), kChannel)), "CONFLICT/CHANNEL_NOT_BROADCAST");
  channel.kind = ChannelKind::kBroadcast;
  channel.status = kArchived;
  EXPECT_EQ(verdict(join_channel(work, user(1), kChannel)), "CONFLICT/CHANNEL_ARCHIVED");
  channel.status = kActive;
  EXPECT_EQ(join_channel(work, user(1), kChannel)->joined_at, at(0));
  work.clock = at(5);
  channel.status = kArchived;
  EXPECT_EQ(join_channel(work, user(1), kChannel)->joined_at, at(0)) << "who is in stays in";
  work.grant_rows.clear();
  EXPECT_EQ(leave_channel(work, user(1), kChannel)->left_at, at(5)) << "leaving needs no access";
  const auto never = leave_channel(work, user(2), kChannel);
  ASSERT_TRUE(never);
  EXPECT_EQ(never->joined_at, std::nullopt);
  EXPECT_EQ(never->left_at, std::nullopt);
  channel.status = kDraft;
  EXPECT_EQ(verdict(leave_channel(work, user(1), kChannel)), "NOT_FOUND");
  EXPECT_EQ(verdict(join_channel(work, anonymous(), kChannel)), "UNAUTHORIZED/LOGIN_REQUIRED");
}

TEST(ReadStates, NeedAccess) {
  FakeWork work;
  work.add_channel(1, kActive, "vip");
  EXPECT_EQ(verdict(advance_read_state(work, user(1), kChannel, PostId{3})), "FORBIDDEN/ENTITLEMENT_REQUIRED");
  EXPECT_EQ(verdict(view_read_state(work, user(1), kChannel)), "FORBIDDEN/ENTITLEMENT_REQUIRED");
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip");
  EXPECT_EQ(view_read_state(work, user(1), kChannel)->last_seen_at, std::nullopt);
  EXPECT_EQ(advance_read_state(work, user(1), kChannel, PostId{3})->last_seen_post_id, PostId{3});
  EXPECT_EQ(verdict(view_read_state(work, anonymous(), kChannel)), "UNAUTHORIZED/LOGIN_REQUIRED");
}

TEST(PutDiscussion, CreatesWithDefaultsAndOneAtATime) {
  FakeWork work;
  work.add_channel(1);
  PutDiscussion command;
  command.channel_id = ChannelId{99};
  EXPECT_EQ(verdict(put_discussion(work, admin(), command)), "NOT_FOUND");
  work.next_job();
  command.channel_id = kChannel;
  const auto discussion = put_discussion(work, admin(), command);
  ASSERT_TRUE(discussion);
  EXPECT_EQ(discussion->title, "Channel");
  EXPECT_TRUE(discussion->is_enabled);
  EXPECT_FALSE(discussion->slow_mode_enabled);
  EXPECT_EQ(work.locked_rooms, std::set{posts_room(kChannel)});
  EXPECT_EQ(work.audit_rows.at(0).action, "discussion.create");

  FakeWork racing;
  racing.add_channel(1);
  racing.on_lock = [](FakeWork& w) { w.add_discussion(11, 1); };
  EXPECT_EQ(verdict(put_discussion(racing, admin(), command)), "SERVICE_UNAVAILABLE");
  EXPECT_EQ(racing.thread_rows.size(), 1U);
}

TEST(PutDiscussion, TellsTheRoomOnlyWhatDecidesWhoMayBeInIt) {
  struct Case {
    const char* name;
    std::function<void(PutDiscussion&)> set;
    std::size_t records;
    std::size_t audits;
  };
  const Case cases[] = {
      {"nothing", [](PutDiscussion&) {}, 0, 0},
      {"same values", [](PutDiscussion& c) { c.title = "Talk", c.is_enabled = true; }, 0, 0},
      {"title", [](PutDiscussion& c) { c.title = "New"; }, 0, 1},
      {"slow mode", [](PutDiscussion& c) { c.slow_mode_enabled = true, c.slow_mode_interval_seconds = 5; }, 0, 1},
      {"switch", [](PutDiscussion& c) { c.is_enabled = false; }, 1, 1},
      {"feature", [](PutDiscussion& c) { c.required_feature_key = std::optional<std::string>{"chat"}; }, 1, 1},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.name);
    FakeWork work;
    work.add_channel(1);
    work.add_discussion(11, 1);
    PutDiscussion command;
    command.channel_id = kChannel;
    test.set(command);
    const auto discussion = put_discussion(work, admin(), command);
    ASSERT_TRUE(discussion);
    EXPECT_EQ(discussion->updated_at, test.audits > 0 ? work.clock : at(-900));
    EXPECT_EQ(control_rooms(work), std::vector<RoomKey>(test.records, discussion_room(ThreadId{11})));
    EXPECT_EQ(work.audit_rows.size(), test.audits);
    EXPECT_EQ(work.locked_rooms, std::set{discussion_room(ThreadId{11})});
  }
}

TEST(PutDiscussion, ChecksSlowMode) {
  const std::pair<std::optional<std::int32_t>, const char*> cases[] = {
      {std::nullopt, "VALIDATION_ERROR/slowModeIntervalSeconds"},
      {0, "VALIDATION_ERROR/slowModeIntervalSeconds"},
      {1, "ok"},
      {21600, "ok"},
      {21601, "VALIDATION_ERROR/slowModeIntervalSeconds"}};
  for (const auto& [seconds, expected] : cases) {
    FakeWork work;
    work.add_channel(1);
    PutDiscussion command;
    command.channel_id = kChannel;
    command.slow_mode_enabled = true;
    if (seconds) command.slow_mode_interval_seconds = std::optional(seconds);
    EXPECT_EQ(verdict(put_discussion(work, admin(), command)), expected);
  }
}

TEST(ViewDiscussion, ShowsTheShellWhereMessagesAreRefused) {
  FakeWork work;
  work.add_channel(1, kActive, "vip");
  EXPECT_EQ(verdict(view_discussion(work, user(1), kChannel)), "FORBIDDEN/ENTITLEMENT_REQUIRED")
      << "before the discussion's 404";
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip");
  EXPECT_EQ(verdict(view_discussion(work, user(1), kChannel)), "NOT_FOUND");
  auto& discussion = work.add_discussion(11, 1);
  discussion.is_enabled = false;
  work.add_sanction(SanctionKind::kBan, 11, user_id(1));
  EXPECT_EQ(verdict(view_discussion(work, user(1), kChannel)), "ok");
  EXPECT_EQ(verdict(readable_discussion(work, user(1), kChannel)), "FORBIDDEN/DISCUSSION_DISABLED");
  discussion.is_enabled = true;
  EXPECT_EQ(verdict(readable_discussion(work, user(1), kChannel)), "FORBIDDEN/DISCUSSION_BANNED");
  discussion.required_feature_key = "chat";
  EXPECT_EQ(verdict(view_discussion(work, user(1), kChannel)), "FORBIDDEN/FEATURE_REQUIRED");
}

}  // namespace
}  // namespace belfry::domain::testing
