#include <gtest/gtest.h>

#include "belfry/wire/json.hpp"
#include "unit/wire/samples.hpp"

namespace belfry::wire {
namespace {

using namespace testing;

TEST(EncodeChannel, ViewHasTheDocumentedFieldsAndNoKey) {
  EXPECT_EQ(encode_channel_view({channel(), true, false}),
            R"({"id":3,"kind":"BROADCAST","accessPolicy":"EXTERNAL_GATED","status":"ACTIVE","visibility":"PRIVATE",)"
            R"("title":"Harbour log","description":null,"createdAt":"2026-03-10T10:00:00.000Z",)"
            R"("updatedAt":"2026-03-11T10:00:00.120Z","isJoined":true,"isLocked":false})");
}

TEST(EncodeChannel, AdminViewAddsTheEntitlementKey) {
  const auto text = encode_channel_admin(channel());
  EXPECT_NE(text.find(R"("entitlementKey":"vip")"), std::string::npos);
  EXPECT_EQ(text.find("isJoined"), std::string::npos);
}

TEST(EncodeChannel, ListCountsOnlyForTheLoggedInAndNotInALockedShell) {
  domain::ChannelListItem open{.channel = channel(), .joined = true, .locked = false, .last_post_id = {{44}}};
  open.unread_count = 5;
  domain::ChannelListItem locked = open;
  locked.locked = true;
  const auto text = encode_channel_list({{open, locked}, false}, 20, true);
  EXPECT_NE(text.find(R"("isLocked":false,"unreadCount":5,"lastPostId":"44")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("isLocked":true,"unreadCount":0,"lastPostId":null)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("cursor":{},"limit":20,"has_more":false,"count":2)"), std::string::npos) << text;
  EXPECT_EQ(encode_channel_list({{open}, false}, 20, false).find("unreadCount"), std::string::npos);
}

TEST(EncodeChannel, ListCursorOnlyWhileThereIsMoreAndLeadsToTheLastItem) {
  const auto text = encode_channel_admin_list({{channel()}, true}, 1);
  const auto start = text.find(R"("next_cursor":")");
  ASSERT_NE(start, std::string::npos);
  const auto from = start + 15;
  const auto cursor = decode_cursor(text.substr(from, text.find('"', from) - from));
  ASSERT_TRUE(cursor);
  EXPECT_EQ(cursor->id, core::ChannelId{3});
  EXPECT_EQ(cursor->at, channel().created_at);
}

TEST(EncodePost, HasTheDocumentedFieldsWithTheChartAsJson) {
  EXPECT_EQ(encode_post(post(), "https://cdn.example/base/"),
            R"({"id":"101","channelId":3,"publishedAt":"2026-03-17T10:15:00.000Z",)"
            R"("createdByAdminId":"0190c0de-1647-75b9-a5ba-07758a4f7675","type":"CHART","bodyText":"Look\n\"here\"",)"
            R"("linkUrl":"https://example.org/a?b=c","chartPayloadJson":{"z":1.50,"a":[12345678901234567890123,null]},)"
            R"("isPinned":true,"pinnedAt":"2026-03-18T00:00:00.000Z","isDeleted":false,"deletedAt":null,)"
            R"("attachments":[{"id":7,"storageKey":"posts/101/über chart.png",)"
            R"("url":"https://cdn.example/base/posts/101/%C3%BCber%20chart.png","fileName":"chart.png",)"
            R"("mimeType":"image/png","sizeBytes":2048,"displayOrder":1}],)"
            R"("createdAt":"2026-03-17T10:15:00.000Z","updatedAt":"2026-03-17T10:16:00.000Z"})");
}

TEST(EncodePost, AttachmentUrlIsNullWithoutABase) {
  EXPECT_NE(encode_post(post(), "").find(R"("url":null)"), std::string::npos);
}

TEST(EncodePost, TombstoneHasNullContentAndNoAttachments) {
  auto deleted = post();
  deleted.deleted_at = time("2026-03-20T00:00:00Z");
  deleted.mask();
  const auto text = encode_post(deleted, "https://cdn.example");
  EXPECT_NE(text.find(R"("bodyText":null,"linkUrl":null,"chartPayloadJson":null)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("isDeleted":true,"deletedAt":"2026-03-20T00:00:00.000Z","attachments":[])"),
            std::string::npos);
}

TEST(EncodePost, ListCursorsNameNewestAndOldestInEitherOrder) {
  const std::string cursor =
      R"("cursor":{"next_after_id":"3","next_before_id":"2"},"limit":2,"has_more":true,"count":2)";
  EXPECT_NE(encode_post_list({{post(3), post(2)}, true}, 2, "").find(cursor), std::string::npos);
  EXPECT_NE(encode_post_list({{post(2), post(3)}, true}, 2, "").find(cursor), std::string::npos);
  EXPECT_EQ(encode_post_list({{}, false}, 20, ""), R"({"items":[],"cursor":{},"limit":20,"has_more":false,"count":0})");
}

TEST(EncodeDiscussion, MatchesTheDocumentedExample) {
  EXPECT_EQ(encode_success("Channel discussion fetched successfully", encode_discussion(discussion())),
            R"({"message":"Channel discussion fetched successfully","data":{"id":1,"channelId":3,)"
            R"("title":"Harbour talk","isEnabled":true,"requiredFeatureKey":"talk.read",)"
            R"("slowModeEnabled":false,"slowModeIntervalSeconds":null,)"
            R"("createdByAdminId":"0190c0de-1647-75b9-a5ba-07758a4f7675","createdAt":"2026-03-16T10:00:00.000Z",)"
            R"("updatedAt":"2026-03-16T10:00:00.000Z"}})");
}

TEST(EncodeMessage, FullHasTheDocumentedFieldsAndTheAuthor) {
  EXPECT_EQ(encode_message(message(), MessageView::kFull),
            R"({"id":11,"discussionId":1,"author":{"id":"0190c0de-1647-75b9-a5ba-07758a4f7675","username":"desk",)"
            R"("picture":null},"authorType":"ADMIN","authorUserId":null,)"
            R"("authorAdminId":"0190c0de-1647-75b9-a5ba-07758a4f7675",)"
            R"("body":"The tide turns at noon.","isDeleted":false,"deletedAt":null,)"
            R"("deletedByAdminId":null,"editedAt":null,"editedByUserId":null,"editedByAdminId":null,)"
            R"("createdAt":"2026-03-16T10:05:00.000Z","updatedAt":"2026-03-16T10:05:00.000Z"})");
}

TEST(EncodeMessage, CompactHasExactlyTheDocumentedFields) {
  EXPECT_EQ(encode_message_list({{message()}, false}, 20, MessageView::kCompact),
            R"({"items":[{"id":11,"authorType":"ADMIN","authorUserId":null,)"
            R"("authorAdminId":"0190c0de-1647-75b9-a5ba-07758a4f7675",)"
            R"("body":"The tide turns at noon.","isDeleted":false,)"
            R"("createdAt":"2026-03-16T10:05:00.000Z"}],"cursor":{},"limit":20,"has_more":false,"count":1})");
}

TEST(EncodeMessage, ClientMessageIdShowsInEveryViewOnlyWhenGiven) {
  auto own = message();
  own.client_message_id = "c-1";
  for (const auto view : {MessageView::kFull, MessageView::kCompact, MessageView::kAdmin}) {
    EXPECT_NE(encode_message(own, view).find(R"("clientMessageId":"c-1")"), std::string::npos);
    EXPECT_EQ(encode_message(message(), view).find("clientMessageId"), std::string::npos);
  }
}

TEST(EncodeMessage, OnlyTheAdminViewShowsDeletedContentAndTheUserWhoDeletedIt) {
  auto deleted = message();
  deleted.deleted_at = time("2026-03-20T00:00:00Z");
  deleted.deleted_by = user_ref();
  for (const auto view : {MessageView::kFull, MessageView::kCompact}) {
    const auto text = encode_message(deleted, view);
    EXPECT_NE(text.find(R"("body":null)"), std::string::npos);
    EXPECT_NE(text.find(R"("isDeleted":true)"), std::string::npos);
    EXPECT_EQ(text.find(kUserText), std::string::npos);
  }
  const auto text = encode_message(deleted, MessageView::kAdmin);
  EXPECT_NE(text.find(R"("body":"The tide)"), std::string::npos);
  EXPECT_NE(text.find(R"("deletedByAdminId":null,"deletedByUserId":"0190c0de-0000-7000-8000-000000000001")"),
            std::string::npos);
}

TEST(EncodeMessage, ListCursorIsAStringAndOnlyThereWhileThereIsMore) {
  EXPECT_NE(encode_message_list({{message(12), message(11)}, true}, 2, MessageView::kFull)
                .find(R"("cursor":{"next_before_id":"11"})"),
            std::string::npos);
}

TEST(EncodeMembership, NeverJoinedHasBothTimesNull) {
  EXPECT_EQ(encode_membership({{3}, false, {}, {}}),
            R"({"channelId":3,"isJoined":false,"joinedAt":null,"leftAt":null})");
}

TEST(EncodeReadState, PostIdIsAString) {
  EXPECT_EQ(encode_read_state({{3}, {0}, {}, 0}),
            R"({"channelId":3,"lastSeenPostId":"0","lastSeenAt":null,"unreadCount":0})");
}

TEST(EncodeUser, ReportSortsGrantsAndSanctionsByKind) {
  domain::UserReport report;
  report.user = {{uuid(kUserText)}, "ann", {}};
  report.grants = {{domain::GrantKind::kFeature, "chat", {}, {}},
                   {domain::GrantKind::kEntitlement, "vip", time("2026-01-01T00:00:00Z"), {}}};
  domain::Sanction mute;
  mute.kind = domain::SanctionKind::kMute;
  mute.thread_id = {1};
  mute.channel_id = {3};
  mute.user_id = {uuid(kUserText)};
  mute.admin_id = {uuid(kAdminText)};
  report.sanctions = {mute};
  const auto text = encode_user_report(report);
  EXPECT_NE(text.find(R"("entitlements":[{"key":"vip","validFrom":"2026-01-01T00:00:00.000Z","validUntil":null}])"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"("features":[{"key":"chat","validFrom":null,"validUntil":null}],"joined":[],"bans":[],)"
                      R"("mutes":[{"channelId":3,"discussionId":1,"userId":)"),
            std::string::npos)
      << text;
}

TEST(EncodeAudit, DetailsAreJsonAndTheCursorIsTheLastId) {
  domain::AuditEntry entry;
  entry.id = 9;
  entry.action = "channel.update";
  entry.details_json = R"({"status":"ACTIVE"})";
  const auto text = encode_audit_list({{entry}, true}, 1);
  EXPECT_NE(text.find(R"("details":{"status":"ACTIVE"}}])"), std::string::npos);
  EXPECT_NE(text.find(R"("cursor":{"next_cursor":"9"})"), std::string::npos);
}

TEST(EncodeProblem, SaysCodeReasonAndDetails) {
  EXPECT_EQ(encode_problem(core::Error::invalid("limit", "must be small"), 422, "r-1"),
            R"({"statusCode":422,"code":"VALIDATION_ERROR","message":"The value of limit must be small.",)"
            R"("details":[{"field":"limit","issue":"must be small"}],"requestId":"r-1"})");
}

TEST(EncodeProblem, MutedUntilIsNullWithoutAnEndAndAbsentOtherwise) {
  auto muted = core::Error::forbidden(core::Reason::kDiscussionMuted, "You are muted.");
  EXPECT_EQ(encode_problem(muted, 403, "r").find("mutedUntil"), std::string::npos);
  muted.muted = true;
  EXPECT_NE(encode_problem(muted, 403, "r").find(R"("reason":"DISCUSSION_MUTED","mutedUntil":null)"),
            std::string::npos);
}

TEST(EncodeProblem, SlowModeTellsWhenToComeBackInTheBody) {
  core::Error slow;
  slow.code = core::ErrorCode::kRateLimited;
  slow.reason = core::Reason::kSlowMode;
  slow.retry_after_seconds = 7;
  EXPECT_NE(encode_problem(slow, 429, "r").find(R"("reason":"SLOW_MODE","retryAfterSeconds":7)"), std::string::npos);
  EXPECT_EQ(encode_problem(core::Error::unavailable("x", 3), 503, "r").find("retryAfterSeconds"), std::string::npos);
}

TEST(EncodeRoomError, CodeIsOneOfTheFive) {
  for (const auto& known : core::error_table()) {
    core::Error error;
    error.code = known.code;
    const auto text = encode_room_error(error);
    EXPECT_TRUE(text.starts_with(R"({"code":")" + std::string(known.websocket) + "\"")) << text;
  }
}

TEST(JsonString, EscapesWhatJsonForbidsAndReplacesWhatIsNoUtf8) {
  struct Case {
    std::string_view input, expected;
  };
  const Case cases[] = {
      {"plain", R"("plain")"},
      {"a\"b\\c\n\r\t\b\f", R"("a\"b\\c\n\r\t\b\f")"},
      {std::string_view("\0\x1f\x7f", 3), R"("\u0000\u001f\u007f")"},
      {"ü€😀", R"("ü€😀")"},
      {"\xff\x61", "\"\xEF\xBF\xBD\x61\""},
      {"\xed\xa0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
      {"\xc0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
      {"\xf4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
      {"\xe2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
  };
  for (const auto& [input, expected] : cases) EXPECT_EQ(json_string(input), expected);
}

}  // namespace
}  // namespace belfry::wire
