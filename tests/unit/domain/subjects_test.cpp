#include "belfry/domain/subjects.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belfry/domain/moderation.hpp"
#include "unit/domain/fake_work.hpp"

namespace belfry::domain::testing {
namespace {

using ::testing::IsEmpty;

const UserId kUser = user_id(1);

Grant entitlement(std::optional<TimePoint> from = {}, std::optional<TimePoint> until = {}) {
  return {GrantKind::kEntitlement, "vip", from, until};
}

TEST(SetGrant, IsOneRecordInTheAccessLog) {
  FakeWork work;
  const auto grant = set_grant(work, admin(), kUser, entitlement({}, at(60)));
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->valid_from, at(0));
  EXPECT_EQ(work.grant_rows.at(0).seq, 1) << "the position of its own record";
  ASSERT_EQ(work.appended.size(), 1U);
  EXPECT_EQ(work.appended[0].room, kAccessLog);
  EXPECT_EQ(work.appended[0].seq, 1);
  EXPECT_EQ(work.appended[0].draft.type, EventType::kAccessChanged);
  const auto& payload = std::get<AccessPayload>(work.appended[0].draft.payload);
  EXPECT_EQ(payload.subject, kUser);
  EXPECT_EQ(payload.kind, GrantKind::kEntitlement);
  EXPECT_EQ(payload.key, "vip");
  EXPECT_EQ(work.audit_rows.at(0).action, "entitlement.grant");
  EXPECT_EQ(work.audit_rows.at(0).details_json, R"({"key":"vip"})");
  EXPECT_THAT(work.calls_before_lock(), IsEmpty());
}

TEST(SetGrant, RepeatedChangesNothingAndRenewedSupersedes) {
  FakeWork work;
  ASSERT_TRUE(set_grant(work, admin(), kUser, entitlement({}, at(60))));
  work.next_job();
  work.clock = at(10);
  const auto again = set_grant(work, admin(), kUser, entitlement({}, at(60)));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->valid_from, at(0));
  EXPECT_THAT(work.appended, IsEmpty());
  EXPECT_THAT(work.audit_rows, IsEmpty());
  work.next_job();
  ASSERT_TRUE(set_grant(work, admin(), kUser, entitlement({}, at(90))));
  EXPECT_EQ(work.appended.size(), 1U);
  EXPECT_EQ(work.grant_rows.at(0).grant.valid_until, at(90));
  work.next_job();
  work.clock = at(100);
  EXPECT_EQ(set_grant(work, admin(), kUser, entitlement())->valid_from, at(100)) << "what ran out begins anew";
}

TEST(SetGrant, ChecksItsTimesAndProvider) {
  struct Case {
    const char* name;
    Grant grant;
    const char* expected;
  };
  const Case cases[] = {{"empty interval", entitlement(at(5), at(5)), "VALIDATION_ERROR/validUntil"},
                        {"backwards", entitlement(at(5), at(4)), "VALIDATION_ERROR/validUntil"},
                        {"over before it begins now", entitlement({}, at(0)), "VALIDATION_ERROR/validUntil"},
                        {"in the future", entitlement(at(5), at(6)), "ok"}};
  for (const auto& test : cases) {
    FakeWork work;
    EXPECT_EQ(verdict(set_grant(work, admin(), kUser, test.grant)), test.expected) << test.name;
  }
  FakeWork external;
  external.external_grants = true;
  EXPECT_EQ(verdict(set_grant(external, admin(), kUser, entitlement())), "CONFLICT/ENTITLEMENTS_EXTERNAL");
  EXPECT_EQ(verdict(revoke_grant(external, admin(), kUser, GrantKind::kFeature, "x")),
            "CONFLICT/ENTITLEMENTS_EXTERNAL");
  EXPECT_EQ(external.count("lock"), 0U);
}

TEST(RevokeGrant, TellsOnceAndNothingWhenThereIsNone) {
  FakeWork work;
  work.add_grant(kUser, GrantKind::kFeature, "chat");
  ASSERT_TRUE(revoke_grant(work, admin(), kUser, GrantKind::kFeature, "chat"));
  EXPECT_EQ(work.appended.size(), 1U);
  EXPECT_EQ(work.audit_rows.at(0).action, "feature.revoke");
  work.next_job();
  ASSERT_TRUE(revoke_grant(work, admin(), kUser, GrantKind::kFeature, "chat"));
  EXPECT_THAT(work.appended, IsEmpty());
  EXPECT_THAT(work.audit_rows, IsEmpty());
}

TEST(AccessChanged, IsRecordedForEverything) {
  FakeWork work;
  work.external_grants = true;
  ASSERT_TRUE(record_access_changed(work, admin(), kUser));
  const auto& payload = std::get<AccessPayload>(work.appended.at(0).draft.payload);
  EXPECT_EQ(payload.subject, kUser);
  EXPECT_EQ(payload.kind, std::nullopt);
  EXPECT_EQ(work.appended[0].room, kAccessLog);
  EXPECT_EQ(work.audit_rows.size(), 1U);
}

TEST(ReportUser, IsNotFoundWhenNeverSeen) {
  FakeWork work;
  work.add_grant(kUser, GrantKind::kFeature, "chat");
  EXPECT_EQ(verdict(report_user(work, kUser)), "NOT_FOUND");
  work.user_rows[kUser] = {kUser, "ada", {}};
  work.set_joined(kUser, 1);
  const auto report = report_user(work, kUser);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->user.username, "ada");
  EXPECT_EQ(report->grants.size(), 1U);
  EXPECT_EQ(report->joined.size(), 1U);
  work.external_grants = true;
  EXPECT_THAT(report_user(work, kUser)->grants, IsEmpty()) << "our table says nothing then";
}

TEST(Tickets, WorkOnceAndEndWithTheSession) {
  FakeWork work;
  EXPECT_EQ(verdict(issue_ticket(work, anonymous(), "hash", at(600))), "UNAUTHORIZED/LOGIN_REQUIRED");
  EXPECT_EQ(*issue_ticket(work, user(1), "hash", at(600)), at(30));
  const auto ticket = redeem_ticket(work, "hash");
  ASSERT_TRUE(ticket);
  EXPECT_EQ(ticket->actor.id, kUser);
  EXPECT_EQ(ticket->session_expires_at, at(600));
  EXPECT_EQ(verdict(redeem_ticket(work, "hash")), "UNAUTHORIZED/TOKEN_INVALID");
  EXPECT_EQ(*issue_ticket(work, user(1), "short", at(10)), at(10));
  work.clock = at(10);
  EXPECT_EQ(verdict(redeem_ticket(work, "short")), "UNAUTHORIZED/TOKEN_INVALID");
}

class Sanctions : public ::testing::TestWithParam<SanctionKind> {
 protected:
  Sanctions() {
    work.add_channel(1);
    work.add_discussion(11, 1);
    command.kind = GetParam();
    command.channel_id = ChannelId{1};
    command.user_id = kUser;
  }
  bool ban() const { return GetParam() == SanctionKind::kBan; }

  FakeWork work;
  Sanctioning command;
};

TEST_P(Sanctions, AreOneControlRecordWithTheirSubject) {
  command.until = at(60);
  const auto sanction = set_sanction(work, admin(), command);
  ASSERT_TRUE(sanction);
  EXPECT_EQ(sanction->created_at, at(0));
  EXPECT_EQ(sanction->thread_id, ThreadId{11});
  EXPECT_EQ(work.sanction_rows.at(0).seq, 1) << "the position of its own record";
  ASSERT_EQ(work.appended.size(), 1U);
  EXPECT_EQ(work.appended[0].room, discussion_room(ThreadId{11}));
  EXPECT_EQ(work.appended[0].draft.type, EventType::kControl);
  const auto& payload = std::get<ControlPayload>(work.appended[0].draft.payload);
  EXPECT_EQ(payload.kind, ban() ? ControlKind::kBan : ControlKind::kMute);
  EXPECT_EQ(payload.subject, kUser);
  EXPECT_EQ(work.audit_rows.at(0).action, ban() ? "discussion.ban" : "discussion.mute");
  EXPECT_EQ(work.audit_rows.at(0).details_json, "{\"userId\":\"" + kUser.value.text() + "\"}");
}

TEST_P(Sanctions, RepeatedChangeNothingAndChangedReplace) {
  command.reason = "spam";
  ASSERT_TRUE(set_sanction(work, admin(), command));
  work.next_job();
  work.clock = at(5);
  EXPECT_EQ(set_sanction(work, admin(), command)->created_at, at(0));
  EXPECT_THAT(work.appended, IsEmpty());
  EXPECT_THAT(work.audit_rows, IsEmpty());
  work.next_job();
  command.until = at(60);
  EXPECT_EQ(set_sanction(work, admin(), command)->created_at, at(5));
  EXPECT_EQ(work.appended.size(), 1U);
  EXPECT_EQ(list_sanctions(work, GetParam(), ChannelId{1})->size(), 1U);
}

TEST_P(Sanctions, AreLiftedOnce) {
  work.add_sanction(GetParam(), 11, kUser);
  ASSERT_TRUE(lift_sanction(work, admin(), GetParam(), ChannelId{1}, kUser));
  EXPECT_EQ(std::get<ControlPayload>(work.appended.at(0).draft.payload).kind,
            ban() ? ControlKind::kUnban : ControlKind::kUnmute);
  EXPECT_EQ(work.audit_rows.at(0).action, ban() ? "discussion.unban" : "discussion.unmute");
  work.next_job();
  ASSERT_TRUE(lift_sanction(work, admin(), GetParam(), ChannelId{1}, kUser));
  EXPECT_THAT(work.appended, IsEmpty());
  EXPECT_THAT(work.audit_rows, IsEmpty());
}

TEST_P(Sanctions, AreDecidedOnWhatIsInForceUnderTheLock) {
  work.on_lock = [&](FakeWork& w) { w.add_sanction(GetParam(), 11, kUser); };
  ASSERT_TRUE(set_sanction(work, admin(), command));
  EXPECT_THAT(work.appended, IsEmpty()) << "the earlier holder of the lock set the same one";
}

TEST_P(Sanctions, NeedADiscussionAndAnEndInTheFuture) {
  command.until = at(0);
  EXPECT_EQ(verdict(set_sanction(work, admin(), command)), "VALIDATION_ERROR/until");
  command.channel_id = ChannelId{99};
  EXPECT_EQ(verdict(set_sanction(work, admin(), command)), "NOT_FOUND");
  work.add_channel(2);
  EXPECT_EQ(verdict(lift_sanction(work, admin(), GetParam(), ChannelId{2}, kUser)), "NOT_FOUND");
  EXPECT_EQ(verdict(list_sanctions(work, GetParam(), ChannelId{2})), "NOT_FOUND");
}

INSTANTIATE_TEST_SUITE_P(Kinds, Sanctions, ::testing::Values(SanctionKind::kBan, SanctionKind::kMute),
                         [](const auto& kind) { return kind.param == SanctionKind::kBan ? "Ban" : "Mute"; });

}  // namespace
}  // namespace belfry::domain::testing
