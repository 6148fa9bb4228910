#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/domain/messages.hpp"
#include "unit/domain/fake_work.hpp"

namespace belfry::domain::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using Batch = std::vector<CreateMessage>;

CreateMessage command(const Actor& actor, std::int64_t channel, std::string body = "hello") {
  return {actor, ChannelId{channel}, std::move(body), {}, {}};
}
CreateMessage with_client_id(CreateMessage command, std::string id) {
  command.client_message_id = std::move(id);
  return command;
}
CreateMessage with_key(CreateMessage command, std::string key, std::string hash = "h") {
  command.idempotency = IdempotencyKey{command.actor.id, "/messages", std::move(key), std::move(hash)};
  return command;
}

std::vector<std::string> verdicts(const std::vector<Result<CreatedMessage>>& answers) {
  std::vector<std::string> texts;
  for (const auto& answer : answers) texts.push_back(verdict(answer));
  return texts;
}

class CreateMessages : public ::testing::Test {
 protected:
  CreateMessages() {
    work.add_channel(1);
    work.add_discussion(11, 1);
    work.add_channel(2);
    work.add_discussion(12, 2);
  }
  std::vector<Result<CreatedMessage>> run(const Batch& batch) { return create_messages(work, batch); }
  std::string run_one(const CreateMessage& one) { return verdict(run({one}).at(0)); }
  Discussion& talk() { return work.thread_rows.at(ThreadId{11}); }
  void slow(std::int32_t seconds) {
    talk().slow_mode_enabled = true;
    talk().slow_mode_interval_seconds = seconds;
  }

  FakeWork work;
};

TEST_F(CreateMessages, WritesTheMessageAndItsEventWithTheAuthorAsStored) {
  work.user_rows[user_id(1)] = {user_id(1), "ada", "https://pic"};
  auto author = user(1);
  author.username = "name of the token";
  const auto answers = run({with_client_id(command(author, 1, "first"), "c1")});
  ASSERT_EQ(verdicts(answers), std::vector<std::string>{"ok"});
  const Message& message = answers[0]->message;
  EXPECT_FALSE(answers[0]->repeated);
  EXPECT_EQ(message.author, (Author{author.ref(), "ada", "https://pic"}));
  EXPECT_EQ(message.created_at, work.clock);
  EXPECT_EQ(message.thread_id, ThreadId{11});
  EXPECT_EQ(message.channel_id, ChannelId{1});
  EXPECT_EQ(message.client_message_id, "c1");
  EXPECT_TRUE(work.message_rows.contains(message.id));
  ASSERT_EQ(work.appended.size(), 1U);
  EXPECT_EQ(work.appended[0].room, discussion_room(ThreadId{11}));
  EXPECT_EQ(work.appended[0].draft.type, EventType::kMessageCreated);
  EXPECT_EQ(work.appended[0].draft.entity_id, message.id.value);
  EXPECT_EQ(std::get<MessagePayload>(work.appended[0].draft.payload).message.body, "first");
  EXPECT_TRUE(work.audit_rows.empty());
}

TEST_F(CreateMessages, RefusesInTheOrderOfTheContract) {
  // Everything that can be wrong is wrong; each step repairs the first of it.
  auto& channel = work.channel_rows.at(ChannelId{1});
  channel.status = ChannelStatus::kDraft;
  channel.access_policy = AccessPolicy::kExternalGated;
  channel.entitlement_key = "vip";
  auto kept = std::move(work.thread_rows.extract(ThreadId{11}).mapped());
  kept.is_enabled = false;
  kept.required_feature_key = "chat";
  kept.slow_mode_enabled = true;
  kept.slow_mode_interval_seconds = 10;
  work.add_sanction(SanctionKind::kBan, 11, user_id(1));
  work.add_sanction(SanctionKind::kMute, 11, user_id(1));
  const auto keyed = with_key(command(user(1), 1), "k", "new");
  work.idempotency_rows[{user_id(1), "/messages", "k"}] = {"old", Message{}};
  const auto step = [&] {
    work.next_job();
    return run_one(keyed);
  };

  EXPECT_EQ(run_one(command(user(1), 99)), "NOT_FOUND");
  EXPECT_EQ(step(), "NOT_FOUND");
  channel.status = ChannelStatus::kArchived;
  EXPECT_EQ(step(), "FORBIDDEN/ENTITLEMENT_REQUIRED");
  work.set_joined(user_id(1), 1);
  EXPECT_EQ(step(), "FORBIDDEN/CHANNEL_LOCKED");
  work.add_grant(user_id(1), GrantKind::kEntitlement, "vip");
  EXPECT_EQ(step(), "NOT_FOUND");
  work.thread_rows[kept.id] = kept;
  work.add_message(5, 11, user(1), at(0));
  EXPECT_EQ(step(), "FORBIDDEN/DISCUSSION_DISABLED");
  talk().is_enabled = true;
  EXPECT_EQ(step(), "FORBIDDEN/FEATURE_REQUIRED");
  work.add_grant(user_id(1), GrantKind::kFeature, "chat");
  EXPECT_EQ(step(), "FORBIDDEN/DISCUSSION_BANNED");
  work.sanction_rows.erase(work.sanction_rows.begin());
  EXPECT_EQ(step(), "CONFLICT/IDEMPOTENCY_KEY_REUSED");
  work.idempotency_rows.clear();
  EXPECT_EQ(step(), "CONFLICT/CHANNEL_ARCHIVED");
  channel.status = ChannelStatus::kActive;
  EXPECT_EQ(step(), "FORBIDDEN/DISCUSSION_MUTED");
  work.sanction_rows.clear();
  EXPECT_EQ(step(), "RATE_LIMITED/SLOW_MODE");
  work.clock = at(10);
  EXPECT_EQ(step(), "ok");
}

TEST_F(CreateMessages, ReadsWhatItDecidesOnOnlyAfterTheLock) {
  slow(10);
  run({with_key(with_client_id(command(user(1), 1), "c"), "k")});
  EXPECT_THAT(work.calls_before_lock(), ElementsAre("threads.ids_by_channels"));
  EXPECT_EQ(work.count("lock"), 1U);
}

TEST_F(CreateMessages, SeesWhatTheEarlierHolderOfTheLockCommitted) {
  struct Case {
    const char* expected;
    std::function<void(FakeWork&)> earlier;
  };
  const Case cases[] = {
      {"FORBIDDEN/DISCUSSION_BANNED", [](FakeWork& w) { w.add_sanction(SanctionKind::kBan, 11, user_id(1)); }},
      {"FORBIDDEN/DISCUSSION_MUTED", [](FakeWork& w) { w.add_sanction(SanctionKind::kMute, 11, user_id(1)); }},
      {"FORBIDDEN/DISCUSSION_DISABLED", [](FakeWork& w) { w.thread_rows.at(ThreadId{11}).is_enabled = false; }},
      {"FORBIDDEN/FEATURE_REQUIRED", [](FakeWork& w) { w.thread_rows.at(ThreadId{11}).required_feature_key = "x"; }},
      {"CONFLICT/CHANNEL_ARCHIVED",
       [](FakeWork& w) { w.channel_rows.at(ChannelId{1}).status = ChannelStatus::kArchived; }},
      {"NOT_FOUND", [](FakeWork& w) { w.channel_rows.at(ChannelId{1}).status = ChannelStatus::kDraft; }},
      {"RATE_LIMITED/SLOW_MODE",
       [](FakeWork& w) {
         w.thread_rows.at(ThreadId{11}).slow_mode_enabled = true;
         w.thread_rows.at(ThreadId{11}).slow_mode_interval_seconds = 5;
         w.add_message(7, 11, user(1), w.clock);
       }},
  };
  for (const auto& test : cases) {
    FakeWork fresh;
    fresh.add_channel(1);
    fresh.add_discussion(11, 1);
    fresh.on_lock = test.earlier;
    EXPECT_EQ(verdicts(create_messages(fresh, Batch{command(user(1), 1)})), std::vector<std::string>{test.expected});
    EXPECT_TRUE(fresh.appended.empty());
    EXPECT_EQ(fresh.count("messages.insert"), 0U);
  }
}

TEST_F(CreateMessages, DecidesEachOfABatchOverManyRoomsAndWritesOnce) {
  work.add_channel(3);
  work.add_sanction(SanctionKind::kBan, 12, user_id(2));
  const auto answers =
      run({command(user(1), 1, "a"), command(user(1), 99), command(user(2), 2), command(user(1), 2, "b"),
           command(user(1), 3), command(anonymous(), 1), command(user(2), 1, "c")});
  EXPECT_THAT(verdicts(answers), ElementsAre("ok", "NOT_FOUND", "FORBIDDEN/DISCUSSION_BANNED", "ok", "NOT_FOUND",
                                             "UNAUTHORIZED/LOGIN_REQUIRED", "ok"));
  EXPECT_EQ(work.locked_rooms, (std::set{discussion_room(ThreadId{11}), discussion_room(ThreadId{12})}));
  EXPECT_EQ(work.count("messages.insert"), 1U);
  ASSERT_EQ(work.appended.size(), 3U);
  EXPECT_EQ(work.appended[0].room, discussion_room(ThreadId{11}));
  EXPECT_EQ(work.appended[1].room, discussion_room(ThreadId{12}));
  EXPECT_EQ(work.appended[2].room, discussion_room(ThreadId{11}));
  EXPECT_LT(answers[0]->message.id, answers[3]->message.id);
  EXPECT_LT(answers[3]->message.id, answers[6]->message.id);
}

TEST_F(CreateMessages, AsksTheSameNumberOfStatementsForOneAndForMany) {
  slow(10);
  work.channel_rows.at(ChannelId{2}).access_policy = AccessPolicy::kExternalGated;
  work.channel_rows.at(ChannelId{2}).entitlement_key = "vip";
  const auto batch_of = [](std::uint8_t size) {
    Batch batch;
    for (std::uint8_t i = 1; i <= size; ++i) {
      batch.push_back(with_client_id(command(user(i), 1), "c"));
      batch.push_back(command(user(i), 2));
    }
    return batch;
  };
  run(batch_of(1));
  const auto statements = work.calls.size();
  work.next_job();
  run(batch_of(80));
  EXPECT_EQ(work.calls.size(), statements);
}

TEST_F(CreateMessages, CountsAnEarlierMessageOfTheBatchForSlowMode) {
  slow(10);
  const auto answers = run({command(user(1), 1), command(user(1), 1), command(user(2), 1), command(user(1), 2),
                            command(admin(), 1), command(admin(), 1)});
  EXPECT_THAT(verdicts(answers), ElementsAre("ok", "RATE_LIMITED/SLOW_MODE", "ok", "ok", "ok", "ok"));
  EXPECT_EQ(answers[1].error().retry_after_seconds, 10);
}

TEST_F(CreateMessages, DoesNotCountARefusedMessageForSlowMode) {
  slow(10);
  work.add_sanction(SanctionKind::kMute, 11, user_id(1), at(5));
  EXPECT_EQ(run_one(command(user(1), 1)), "FORBIDDEN/DISCUSSION_MUTED");
  work.next_job();
  work.clock = at(5);
  EXPECT_EQ(run_one(command(user(1), 1)), "ok");
}

TEST_F(CreateMessages, AnswersARepeatedClientIdWithTheFirstMessage) {
  const auto first = run({with_client_id(command(user(1), 1, "first"), "c")}).at(0)->message;
  work.next_job();
  slow(10);
  work.add_sanction(SanctionKind::kMute, 11, user_id(1));
  const auto again = run({with_client_id(command(user(1), 1, "second"), "c")});
  ASSERT_EQ(verdict(again[0]), "ok") << "a repeat comes before mutes and slow mode";
  EXPECT_TRUE(again[0]->repeated);
  EXPECT_EQ(again[0]->message.id, first.id);
  EXPECT_EQ(again[0]->message.body, "first");
  EXPECT_TRUE(work.appended.empty());
}

TEST_F(CreateMessages, KeepsClientIdsApartByAuthorRoleAndDiscussion) {
  auto same_id_admin = admin(1);
  const auto answers = run({with_client_id(command(user(1), 1), "c"), with_client_id(command(user(2), 1), "c"),
                            with_client_id(command(user(1), 2), "c"), with_client_id(command(same_id_admin, 1), "c")});
  for (const auto& answer : answers) {
    ASSERT_TRUE(answer);
    EXPECT_FALSE(answer->repeated);
  }
  EXPECT_EQ(work.appended.size(), 4U);
}

TEST_F(CreateMessages, AnswersAClientIdRepeatedWithinTheBatch) {
  slow(10);
  const auto answers =
      run({with_client_id(command(user(1), 1, "first"), "c"), with_client_id(command(user(1), 1, "second"), "c")});
  ASSERT_THAT(verdicts(answers), Each("ok"));
  EXPECT_FALSE(answers[0]->repeated);
  EXPECT_TRUE(answers[1]->repeated);
  EXPECT_EQ(answers[0]->message.id, answers[1]->message.id);
  EXPECT_EQ(answers[1]->message.body, "first");
  EXPECT_EQ(work.appended.size(), 1U);
}

TEST_F(CreateMessages, ShowsNoContentOfARepeatedMessageDeletedSince) {
  auto& old = work.add_message(5, 11, user(1));
  old.client_message_id = "c";
  old.deleted_at = at(-1);
  const auto answers = run({with_client_id(command(user(1), 1), "c")});
  ASSERT_TRUE(answers[0]);
  EXPECT_TRUE(answers[0]->repeated);
  EXPECT_TRUE(answers[0]->message.masked);
  EXPECT_EQ(answers[0]->message.body, "");
}

TEST_F(CreateMessages, GivesNoRepeatToWhoLostAccess) {
  auto& old = work.add_message(5, 11, user(1));
  old.client_message_id = "c";
  work.idempotency_rows[{user_id(1), "/messages", "k"}] = {"h", old};
  work.add_sanction(SanctionKind::kBan, 11, user_id(1));
  EXPECT_THAT(verdicts(run({with_client_id(command(user(1), 1), "c"), with_key(command(user(1), 1), "k")})),
              Each("FORBIDDEN/DISCUSSION_BANNED"));
}

TEST_F(CreateMessages, ReplaysTheAnswerOfAnIdempotencyKey) {
  const auto first = run({with_key(command(user(1), 1, "first"), "k")}).at(0)->message;
  work.next_job();
  slow(10);
  const auto again = run({with_key(command(user(1), 1, "first"), "k")});
  ASSERT_EQ(verdict(again[0]), "ok");
  EXPECT_FALSE(again[0]->repeated);
  EXPECT_EQ(again[0]->message.id, first.id);
  EXPECT_TRUE(work.appended.empty());
  work.next_job();
  EXPECT_EQ(run_one(with_key(command(user(1), 1, "other"), "k", "other hash")), "CONFLICT/IDEMPOTENCY_KEY_REUSED");
}

TEST_F(CreateMessages, CountsAnIdempotencyKeyOfTheSameBatch) {
  const auto answers = run({with_key(command(user(1), 1), "k"), with_key(command(user(1), 1), "k"),
                            with_key(command(user(1), 1), "k", "other hash")});
  ASSERT_THAT(verdicts(answers), ElementsAre("ok", "ok", "CONFLICT/IDEMPOTENCY_KEY_REUSED"));
  EXPECT_EQ(work.count("idempotency.find"), 1U);
  EXPECT_EQ(work.count("idempotency.store"), 1U);
  EXPECT_EQ(answers[0]->message.id, answers[1]->message.id);
  EXPECT_EQ(work.appended.size(), 1U);
}

TEST_F(CreateMessages, KeepsNoAnswerOfARefusedMessage) {
  work.add_sanction(SanctionKind::kMute, 11, user_id(1));
  run({with_key(command(user(1), 1), "k")});
  EXPECT_TRUE(work.idempotency_rows.empty());
}

TEST_F(CreateMessages, WritesAsAdminWithATrail) {
  const auto answers = run({command(admin(), 1)});
  ASSERT_TRUE(answers[0]);
  EXPECT_EQ(answers[0]->message.author.ref.type, ActorType::kAdmin);
  ASSERT_EQ(work.audit_rows.size(), 1U);
  EXPECT_EQ(work.audit_rows[0].action, "message.create");
}

TEST_F(CreateMessages, AnswersAllWithTheReasonWhyTheRoomsCouldNotBeLocked) {
  work.lock_result = core::fail(core::Error::unavailable("busy"));
  EXPECT_THAT(verdicts(run({command(user(1), 1), command(user(1), 2)})), Each("SERVICE_UNAVAILABLE"));
}

TEST_F(CreateMessages, TreatsADiscussionMadeAfterTheLookUpAsNotThere) {
  work.add_channel(3);
  work.on_lock = [](FakeWork& w) { w.add_discussion(13, 3); };
  EXPECT_THAT(verdicts(run({command(user(1), 1), command(user(1), 3)})), ElementsAre("ok", "NOT_FOUND"));
}

}  // namespace
}  // namespace belfry::domain::testing
