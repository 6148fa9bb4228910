#include "belfry/domain/messages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/domain/fake_work.hpp"

namespace belfry::domain::testing {
namespace {

using ::testing::ElementsAre;
using Arrange = std::function<void(FakeWork&)>;

constexpr MessageId kMessage{5};

/// Channel 1, discussion 11, message 5 by user 1.
FakeWork arranged() {
  FakeWork work;
  work.add_channel(1);
  work.add_discussion(11, 1);
  work.add_message(5, 11, user(1));
  return work;
}

void lock_out(FakeWork& work) {
  work.channel_rows.at(ChannelId{1}).access_policy = AccessPolicy::kExternalGated;
  work.channel_rows.at(ChannelId{1}).entitlement_key = "vip";
  work.set_joined(user_id(1), 1);
  work.set_joined(user_id(2), 1);
}
void archive(FakeWork& work) { work.channel_rows.at(ChannelId{1}).status = ChannelStatus::kArchived; }
void draft(FakeWork& work) { work.channel_rows.at(ChannelId{1}).status = ChannelStatus::kDraft; }
void disable(FakeWork& work) { work.thread_rows.at(ThreadId{11}).is_enabled = false; }
void feature(FakeWork& work) { work.thread_rows.at(ThreadId{11}).required_feature_key = "chat"; }
void sanction_both(FakeWork& work, SanctionKind kind) {
  work.add_sanction(kind, 11, user_id(1));
  work.add_sanction(kind, 11, user_id(2));
}
void ban(FakeWork& work) { sanction_both(work, SanctionKind::kBan); }
void mute(FakeWork& work) { sanction_both(work, SanctionKind::kMute); }
void remove(FakeWork& work) { work.message_rows.at(kMessage).deleted_at = at(-1); }
void plain(FakeWork&) {}

TEST(MessageRights, FollowTheTableOfRoleAndState) {
  struct Case {
    const char* state;
    Arrange arrange;
    const char* author_edits;
    const char* author_deletes;
    const char* other_edits;
    const char* other_deletes;
    const char* admin_moderates_edit;
    const char* admin_moderates_delete;
  };
  const char* ok = "ok";
  const char* gone = "NOT_FOUND";
  const char* not_author = "FORBIDDEN/NOT_AUTHOR";
  const char* locked = "FORBIDDEN/CHANNEL_LOCKED";
  const char* off = "FORBIDDEN/DISCUSSION_DISABLED";
  const char* lacking = "FORBIDDEN/FEATURE_REQUIRED";
  const char* banned = "FORBIDDEN/DISCUSSION_BANNED";
  const Case cases[] = {
      {"plain", plain, ok, ok, not_author, not_author, ok, ok},
      {"locked", lock_out, locked, ok, locked, locked, ok, ok},
      {"archived", archive, "CONFLICT/CHANNEL_ARCHIVED", ok, not_author, not_author, ok, ok},
      {"draft", draft, gone, gone, gone, gone, ok, ok},
      {"disabled", disable, off, ok, off, off, ok, ok},
      {"feature lost", feature, lacking, ok, lacking, lacking, ok, ok},
      {"banned", ban, banned, ok, banned, banned, ok, ok},
      {"muted", mute, "FORBIDDEN/DISCUSSION_MUTED", ok, not_author, not_author, ok, ok},
      {"deleted", remove, gone, ok, gone, not_author, gone, ok},
  };
  for (const auto& test : cases) {
    SCOPED_TRACE(test.state);
    const auto fresh = [&] {
      auto work = arranged();
      test.arrange(work);
      return work;
    };
    auto work = fresh();
    EXPECT_EQ(verdict(edit_message(work, user(1), kMessage, "new")), test.author_edits) << "author edits";
    work = fresh();
    EXPECT_EQ(verdict(delete_message(work, user(1), kMessage)), test.author_deletes) << "author deletes";
    work = fresh();
    EXPECT_EQ(verdict(edit_message(work, user(2), kMessage, "new")), test.other_edits) << "other edits";
    work = fresh();
    EXPECT_EQ(verdict(delete_message(work, user(2), kMessage)), test.other_deletes) << "other deletes";
    work = fresh();
    EXPECT_EQ(verdict(edit_message_as_admin(work, admin(), kMessage, "new")), test.admin_moderates_edit)
        << "admin edits";
    work = fresh();
    EXPECT_EQ(verdict(delete_message_as_admin(work, admin(), kMessage)), test.admin_moderates_delete)
        << "admin deletes";
  }
}

TEST(MessageRights, AreDecidedOnWhatTheEarlierHolderOfTheLockCommitted) {
  const std::pair<Arrange, const char*> cases[] = {{ban, "FORBIDDEN/DISCUSSION_BANNED"},
                                                   {mute, "FORBIDDEN/DISCUSSION_MUTED"},
                                                   {archive, "CONFLICT/CHANNEL_ARCHIVED"},
                                                   {disable, "FORBIDDEN/DISCUSSION_DISABLED"},
                                                   {remove, "NOT_FOUND"}};
  for (const auto& [earlier, expected] : cases) {
    auto work = arranged();
    work.on_lock = earlier;
    EXPECT_EQ(verdict(edit_message(work, user(1), kMessage, "new")), expected);
    EXPECT_THAT(work.calls_before_lock(), ElementsAre("messages.find"));
    EXPECT_TRUE(work.appended.empty());
  }
}

TEST(MessageRights, TreatTheSameIdInAnotherRoleAsAnotherAuthor) {
  auto work = arranged();
  EXPECT_EQ(verdict(edit_message(work, admin(1), kMessage, "new")), "FORBIDDEN/NOT_AUTHOR");
}

TEST(MessageRights, RefuseTheAnonymousAndTheUnknownMessage) {
  auto work = arranged();
  EXPECT_EQ(verdict(edit_message(work, anonymous(), kMessage, "new")), "UNAUTHORIZED/LOGIN_REQUIRED");
  EXPECT_EQ(verdict(delete_message(work, anonymous(), kMessage)), "UNAUTHORIZED/LOGIN_REQUIRED");
  EXPECT_EQ(verdict(delete_message(work, user(1), MessageId{99})), "NOT_FOUND");
  EXPECT_EQ(work.count("lock"), 0U);
}

TEST(EditMessage, WritesOneEventAndSaysWho) {
  auto work = arranged();
  const auto message = edit_message(work, user(1), kMessage, "new");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->body, "new");
  EXPECT_EQ(message->edited_at, work.clock);
  EXPECT_EQ(message->updated_at, work.clock);
  EXPECT_EQ(message->edited_by, user(1).ref());
  EXPECT_EQ(work.message_rows.at(kMessage).body, "new");
  ASSERT_EQ(work.appended.size(), 1U);
  EXPECT_EQ(work.appended[0].room, discussion_room(ThreadId{11}));
  EXPECT_EQ(work.appended[0].draft.type, EventType::kMessageUpdated);
  EXPECT_TRUE(work.audit_rows.empty()) << "only admins leave a trail";
}

TEST(EditMessage, WithTheSameBodyChangesNothing) {
  auto work = arranged();
  const auto message = edit_message(work, user(1), kMessage, "hello");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->updated_at, at(-500));
  EXPECT_EQ(message->edited_at, std::nullopt);
  EXPECT_TRUE(work.appended.empty());
  EXPECT_EQ(work.count("update"), 0U);
}

TEST(EditMessage, AsAdminLeavesATrailWithoutTheContent) {
  auto work = arranged();
  ASSERT_TRUE(edit_message_as_admin(work, admin(), kMessage, "secret words"));
  ASSERT_EQ(work.audit_rows.size(), 1U);
  EXPECT_EQ(work.audit_rows[0].action, "message.update");
  EXPECT_EQ(work.audit_rows[0].entity_id, "5");
  EXPECT_EQ(work.audit_rows[0].details_json, R"({"changed":["body"]})");
}

TEST(DeleteMessage, AnswersWithATombstoneAndAppendsOne) {
  auto work = arranged();
  const auto message = delete_message(work, user(1), kMessage);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->masked);
  EXPECT_EQ(message->deleted_at, work.clock);
  EXPECT_EQ(message->deleted_by, user(1).ref());
  EXPECT_EQ(message->updated_at, at(-500));
  EXPECT_EQ(work.message_rows.at(kMessage).body, "hello") << "a restore needs the content";
  ASSERT_EQ(work.appended.size(), 1U);
  EXPECT_EQ(work.appended[0].draft.type, EventType::kMessageDeleted);
  EXPECT_EQ(std::get<MessagePayload>(work.appended[0].draft.payload).message.body, "");
}

TEST(DeleteMessage, AgainSucceedsAndAppendsNothing) {
  auto work = arranged();
  ASSERT_TRUE(delete_message(work, user(1), kMessage));
  work.next_job();
  work.clock = at(50);
  const auto again = delete_message(work, user(1), kMessage);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->masked);
  EXPECT_EQ(again->deleted_at, at(0));
  EXPECT_TRUE(work.appended.empty());
  work.next_job();
  ASSERT_TRUE(delete_message_as_admin(work, admin(), kMessage));
  EXPECT_TRUE(work.appended.empty());
  EXPECT_TRUE(work.audit_rows.empty());
}

TEST(RestoreMessage, BringsTheWholeMessageBackOnce) {
  auto work = arranged();
  ASSERT_TRUE(delete_message_as_admin(work, admin(), kMessage));
  work.next_job();
  const auto message = restore_message(work, admin(), kMessage);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->deleted());
  EXPECT_EQ(message->deleted_by, std::nullopt);
  ASSERT_EQ(work.appended.size(), 1U);
  EXPECT_EQ(work.appended[0].draft.type, EventType::kMessageRestored);
  EXPECT_EQ(std::get<MessagePayload>(work.appended[0].draft.payload).message.body, "hello");
  EXPECT_EQ(work.audit_rows.at(0).action, "message.restore");
  work.next_job();
  ASSERT_TRUE(restore_message(work, admin(), kMessage));
  EXPECT_TRUE(work.appended.empty());
}

TEST(ListMessages, RefusesTheBannedAndMasksForReadersOnly) {
  auto work = arranged();
  work.add_message(6, 11, user(1));
  remove(work);
  const auto page = list_messages(work, user(2), {ChannelId{1}, {}, 1});
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->has_more);
  ASSERT_EQ(page->items.size(), 1U);
  EXPECT_EQ(page->items[0].id, MessageId{6});
  const auto all = list_messages_as_admin(work, {ChannelId{1}, {}, 10});
  ASSERT_TRUE(all);
  EXPECT_EQ(all->items.at(1).body, "hello");
  EXPECT_EQ(list_messages(work, user(2), {ChannelId{1}, {}, 10})->items.at(1).body, "");
  ban(work);
  EXPECT_EQ(verdict(list_messages(work, user(2), {ChannelId{1}, {}, 10})), "FORBIDDEN/DISCUSSION_BANNED");
}

TEST(ListMessages, AllowsTheMuted) {
  auto work = arranged();
  mute(work);
  EXPECT_EQ(verdict(list_messages(work, user(1), {ChannelId{1}, {}, 10})), "ok");
}

}  // namespace
}  // namespace belfry::domain::testing
