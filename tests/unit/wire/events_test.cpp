#include "belfry/wire/events.hpp"

#include <gtest/gtest.h>

#include "unit/wire/samples.hpp"

namespace belfry::wire {
namespace {

using namespace testing;
using domain::EventType;
using domain::MessagePayload;
using domain::PostField;
using domain::PostPayload;

domain::Message full_message() {
  auto made = message();
  made.parent_id = core::MessageId{5};
  made.author.picture = "https://cdn/p.png";
  made.client_message_id = "c1";
  made.deleted_at = time("2026-04-01T00:00:00.001Z");
  made.deleted_by = user_ref();
  made.edited_at = time("2026-04-01T00:00:00.002Z");
  made.edited_by = admin_ref();
  made.body = "Ü \"\n\\ 😀";
  return made;
}

void expect_same(const domain::Post& a, const domain::Post& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.channel_id, b.channel_id);
  EXPECT_EQ(a.published_at, b.published_at);
  EXPECT_EQ(a.created_by, b.created_by);
  EXPECT_EQ(a.type, b.type);
  EXPECT_EQ(a.body_text, b.body_text);
  EXPECT_EQ(a.link_url, b.link_url);
  EXPECT_EQ(a.chart_payload_json, b.chart_payload_json);
  EXPECT_EQ(a.is_pinned, b.is_pinned);
  EXPECT_EQ(a.pinned_at, b.pinned_at);
  EXPECT_EQ(a.deleted_at, b.deleted_at);
  EXPECT_EQ(a.attachments, b.attachments);
  EXPECT_EQ(a.created_at, b.created_at);
  EXPECT_EQ(a.updated_at, b.updated_at);
}

void expect_same(const domain::Message& a, const domain::Message& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.public_id, b.public_id);
  EXPECT_EQ(a.thread_id, b.thread_id);
  EXPECT_EQ(a.channel_id, b.channel_id);
  EXPECT_EQ(a.parent_id, b.parent_id);
  EXPECT_EQ(a.author, b.author);
  EXPECT_EQ(a.body, b.body);
  EXPECT_EQ(a.client_message_id, b.client_message_id);
  EXPECT_EQ(a.deleted_at, b.deleted_at);
  EXPECT_EQ(a.deleted_by, b.deleted_by);
  EXPECT_EQ(a.edited_at, b.edited_at);
  EXPECT_EQ(a.edited_by, b.edited_by);
  EXPECT_EQ(a.created_at, b.created_at);
  EXPECT_EQ(a.updated_at, b.updated_at);
  EXPECT_EQ(a.masked, b.masked);
}

domain::EventPayload round_trip(EventType type, const domain::EventPayload& payload) {
  return decode_payload(type, domain::kPayloadSchema, encode_payload(payload));
}

TEST(StoredPayload, EveryFieldOfAPostComesBack) {
  for (const auto type :
       {EventType::kPostCreated, EventType::kPostUpdated, EventType::kPostDeleted, EventType::kPostPinned}) {
    auto stored = post();
    stored.deleted_at = time("2026-04-01T00:00:00Z");
    const auto back = std::get<PostPayload>(round_trip(type, PostPayload{admin_ref(), stored, 0x2A}));
    EXPECT_EQ(back.actor, admin_ref());
    EXPECT_EQ(back.changed, 0x2AU);
    expect_same(back.post, stored);
  }
}

TEST(StoredPayload, EveryFieldOfAMessageComesBack) {
  auto masked = full_message();
  masked.mask();
  for (const auto& stored : {full_message(), message(), masked}) {
    const auto back =
        std::get<MessagePayload>(round_trip(EventType::kMessageRestored, MessagePayload{user_ref(), stored}));
    EXPECT_EQ(back.actor, user_ref());
    expect_same(back.message, stored);
  }
}

TEST(StoredPayload, ControlAndAccessRecordsComeBack) {
  const domain::ControlPayload ban{admin_ref(), domain::ControlKind::kUnmute, core::UserId{uuid(kUserText)}};
  const auto control = std::get<domain::ControlPayload>(round_trip(EventType::kControl, ban));
  EXPECT_EQ(control.kind, ban.kind);
  EXPECT_EQ(control.subject, ban.subject);
  EXPECT_FALSE(std::get<domain::ControlPayload>(round_trip(EventType::kControl, domain::ControlPayload{})).subject);

  domain::AccessPayload lost{admin_ref(), {uuid(kUserText)}, domain::GrantKind::kFeature, "chat"};
  const auto access = std::get<domain::AccessPayload>(round_trip(EventType::kAccessChanged, lost));
  EXPECT_EQ(access.subject, lost.subject);
  EXPECT_EQ(access.kind, lost.kind);
  EXPECT_EQ(access.key, lost.key);
  lost.kind.reset();
  lost.key.reset();
  const auto anything = std::get<domain::AccessPayload>(round_trip(EventType::kAccessChanged, lost));
  EXPECT_FALSE(anything.kind || anything.key);
}

TEST(StoredPayload, WhatNoVersionWroteThrows) {
  const auto text = encode_payload(PostPayload{admin_ref(), post(), 0});
  EXPECT_THROW(decode_payload(EventType::kPostCreated, 2, text), std::runtime_error);
  EXPECT_THROW(decode_payload(EventType::kMessageCreated, 1, text), std::runtime_error);
  EXPECT_THROW(decode_payload(static_cast<EventType>(50), 1, text), std::runtime_error);
  for (const char* bad : {"", "{}", "[]", "null", R"({"actor":{"type":99,"id":"x"}})"}) {
    EXPECT_THROW(decode_payload(EventType::kPostCreated, 1, bad), std::runtime_error) << bad;
  }
}

TEST(StoredAnswer, EachEntityComesBack) {
  const auto stored = std::get<domain::Channel>(decode_answer(encode_answer(channel())));
  EXPECT_EQ(stored.id, channel().id);
  EXPECT_EQ(stored.public_id, channel().public_id);
  EXPECT_EQ(stored.kind, channel().kind);
  EXPECT_EQ(stored.access_policy, channel().access_policy);
  EXPECT_EQ(stored.status, channel().status);
  EXPECT_EQ(stored.visibility, channel().visibility);
  EXPECT_EQ(stored.title, channel().title);
  EXPECT_EQ(stored.description, channel().description);
  EXPECT_EQ(stored.entitlement_key, channel().entitlement_key);
  EXPECT_EQ(stored.created_by, channel().created_by);
  EXPECT_EQ(stored.updated_at, channel().updated_at);
  expect_same(std::get<domain::Post>(decode_answer(encode_answer(post()))), post());
  expect_same(std::get<domain::Message>(decode_answer(encode_answer(full_message()))), full_message());
  EXPECT_THROW(decode_answer(R"({"kind":3,"entity":{}})"), std::runtime_error);
}

TEST(Envelope, HasTheFourFieldsAndThePostAsRestGivesItWithItsActor) {
  const auto made = event(EventType::kPostCreated, PostPayload{admin_ref(), post(), 0});
  const auto text = encode_envelope(made, "");
  EXPECT_TRUE(text.starts_with(R"({"eventId":")" + made.id.value.text() +
                               R"(","eventType":"communication.channel_post.created",)"
                               R"("occurredAt":"2026-03-17T10:15:00.000Z","data":{"actor":{"type":"ADMIN",)"
                               R"("id":"0190c0de-1647-75b9-a5ba-07758a4f7675"},"id":"101","channelId":3,)"))
      << text;
  EXPECT_TRUE(text.ends_with("}}"));
}

TEST(Envelope, UpdateHasOnlyWhatChanged) {
  PostPayload payload{admin_ref(), post(), static_cast<std::uint32_t>(PostField::kLinkUrl)};
  const auto text = encode_envelope(event(EventType::kPostUpdated, payload), "");
  EXPECT_TRUE(text.ends_with(R"("id":"101","channelId":3,"linkUrl":"https://example.org/a?b=c",)"
                             R"("updatedAt":"2026-03-17T10:16:00.000Z"}})"))
      << text;
}

TEST(Envelope, DeletedAndPinnedAreTombstoneAndFlagOnly) {
  auto gone = post();
  gone.deleted_at = time("2026-04-01T00:00:00Z");
  EXPECT_TRUE(encode_envelope(event(EventType::kPostDeleted, PostPayload{admin_ref(), gone, 0}), "")
                  .ends_with(R"("id":"101","channelId":3,"isDeleted":true,"deletedAt":"2026-04-01T00:00:00.000Z"}})"));
  EXPECT_TRUE(encode_envelope(event(EventType::kPostPinned, PostPayload{admin_ref(), post(), 0}), "")
                  .ends_with(R"("id":"101","channelId":3,"isPinned":true,"pinnedAt":"2026-03-18T00:00:00.000Z"}})"));
}

TEST(Envelope, MessageEventsCarryChannelAndDiscussion) {
  const MessagePayload payload{user_ref(), full_message()};
  EXPECT_TRUE(encode_envelope(event(EventType::kMessageUpdated, payload), "")
                  .ends_with(R"("channelId":3,"id":11,"discussionId":1,"body":"Ü \"\n\\ 😀",)"
                             R"("editedAt":"2026-04-01T00:00:00.002Z","updatedAt":"2026-03-16T10:05:00.000Z"}})"));
  EXPECT_TRUE(encode_envelope(event(EventType::kMessageDeleted, payload), "")
                  .ends_with(R"("channelId":3,"id":11,"discussionId":1,"isDeleted":true,)"
                             R"("deletedAt":"2026-04-01T00:00:00.001Z"}})"));
  const auto created = encode_envelope(event(EventType::kMessageCreated, MessagePayload{user_ref(), message()}), "");
  EXPECT_NE(created.find(R"("channelId":3,"id":11,"discussionId":1,"author":{)"), std::string::npos) << created;
  EXPECT_NE(created.find(R"("eventType":"communication.discussion_message.created")"), std::string::npos);
}

TEST(Envelope, MaskedEventsHaveNoContentAndSayDeleted) {
  const std::uint32_t all = 0x3F;
  for (const auto type : {EventType::kPostCreated, EventType::kPostUpdated}) {
    auto made = event(type, PostPayload{admin_ref(), post(), all});
    mask_payload(type, made.payload);
    made.masked = true;
    const auto text = encode_envelope(made, "https://cdn.example");
    EXPECT_NE(text.find(R"("bodyText":null,"linkUrl":null,"chartPayloadJson":null)"), std::string::npos) << text;
    EXPECT_NE(text.find(R"("attachments":[])"), std::string::npos);
    EXPECT_NE(text.find(R"("isDeleted":true)"), std::string::npos);
    EXPECT_EQ(text.find("Look"), std::string::npos);
  }
  for (const auto type : {EventType::kMessageCreated, EventType::kMessageUpdated, EventType::kMessageRestored}) {
    auto made = event(type, MessagePayload{user_ref(), message()});
    mask_payload(type, made.payload);
    made.masked = true;
    const auto text = encode_envelope(made, "");
    EXPECT_NE(text.find(R"("body":null)"), std::string::npos) << text;
    EXPECT_NE(text.find(R"("isDeleted":true)"), std::string::npos);
    EXPECT_EQ(text.find("confirmation"), std::string::npos);
  }
}

TEST(Envelope, ThePinnedEventOfADeletedPostIsUnchanged) {
  const auto before = event(EventType::kPostPinned, PostPayload{admin_ref(), post(), 0});
  auto after = before;
  mask_payload(EventType::kPostPinned, after.payload);
  after.masked = true;
  EXPECT_EQ(encode_envelope(before, ""), encode_envelope(after, ""));
}

TEST(Envelope, TheSystemHasNoId) {
  PostPayload payload{{domain::ActorType::kSystem, {}}, post(), 0};
  EXPECT_NE(encode_envelope(event(EventType::kPostPinned, payload), "").find(R"("actor":{"type":"SYSTEM","id":null})"),
            std::string::npos);
}

}  // namespace
}  // namespace belfry::wire
