#include "belfry/wire/frames.hpp"

#include <gtest/gtest.h>

#include <random>

#include "belfry/wire/events.hpp"
#include "belfry/wire/json.hpp"
#include "unit/wire/samples.hpp"

namespace belfry::wire {
namespace {

using namespace testing;
using core::ErrorCode;
using domain::RoomKind;

constexpr std::string_view kEvent = "0190c0de-1647-75b9-a5ba-07758a4f7675";

TEST(ClientFrame, IdIsGivenBackAsItCame) {
  const std::pair<std::string, std::string> cases[] = {
      {"7", "7"},
      {"-3", "-3"},
      {"1.50", "1.50"},
      {"1E3", "1E3"},
      {"123456789012345678901234567890.5", "123456789012345678901234567890.5"},
      {R"("a-1")", R"("a-1")"},
      {R"("")", R"("")"},
      {R"("\u00e9\"")", R"("é\"")"},
      {"\"" + std::string(128, 'x') + "\"", "\"" + std::string(128, 'x') + "\""},
  };
  for (const auto& [id, echoed] : cases) {
    const auto frame = decode_client_frame(R"({"id":)" + id + R"(,"event":"ping"})");
    ASSERT_TRUE(frame) << id;
    EXPECT_EQ(frame->id, echoed);
    EXPECT_EQ(frame->event, "ping");
    EXPECT_EQ(dump(frame->data), "{}");
  }
}

TEST(ClientFrame, WhatIsNoFrameIsRefusedAndSaysWhatIsKnown) {
  struct Case {
    std::string text;
    std::optional<std::string> id, event;
    std::string field;
  };
  const Case cases[] = {
      {"", {}, {}, "frame"},
      {"nonsense", {}, {}, "frame"},
      {"[]", {}, {}, "frame"},
      {std::string(10000, '['), {}, {}, "frame"},
      {R"({"event":"e","data":)" + std::string(10000, '{') + "}", {}, {}, "frame"},
      {"{\"event\":\"\xff\"}", {}, {}, "frame"},
      {R"({"event":"e","data":{"a":"\ud800"}})", {}, {}, "frame"},
      {R"({"id":1})", "1", {}, "event"},
      {R"({"id":1,"event":5})", "1", {}, "event"},
      {R"({"id":1,"event":""})", "1", {}, "event"},
      {R"({"id":1,"event":")" + std::string(129, 'e') + "\"}", "1", {}, "event"},
      {R"({"id":null,"event":"e"})", {}, "e", "id"},
      {R"({"id":true,"event":"e"})", {}, "e", "id"},
      {R"({"id":{},"event":"e"})", {}, "e", "id"},
      {R"({"id":")" + std::string(129, 'x') + R"(","event":"e"})", {}, "e", "id"},
      {R"({"id":1)" + std::string(129, '0') + R"(,"event":"e"})", {}, "e", "id"},
      {R"({"id":1,"event":"e","data":null})", "1", "e", "data"},
      {R"({"id":1,"event":"e","data":"x"})", "1", "e", "data"},
      {R"({"id":1,"event":"e","data":[]})", "1", "e", "data"},
      {R"({"id":1,"id":2,"event":"e"})", {}, {}, "id"},
      {R"({"event":"e","data":{"a":"\u0000"}})", {}, {}, "data"},
  };
  for (const auto& [text, id, event, field] : cases) {
    const auto frame = decode_client_frame(text);
    ASSERT_FALSE(frame) << text.substr(0, 100);
    EXPECT_EQ(frame.error().error.code, ErrorCode::kInvalid) << text.substr(0, 100);
    EXPECT_EQ(frame.error().id, id) << text.substr(0, 100);
    EXPECT_EQ(frame.error().event, event) << text.substr(0, 100);
    EXPECT_EQ(frame.error().error.details.front().field, field) << text.substr(0, 100);
  }
}

TEST(Value, NameGivenTwiceIsRefusedHoweverManyThereAre) {
  for (const int count : {1, 2, 15, 16, 17, 40}) {
    std::string fields;
    for (int i = 0; i < count; ++i) fields += "\"n" + std::to_string(i) + "\":0,";
    EXPECT_TRUE(parse_object("{" + fields + "\"x\":0}", "body")) << count;
    for (const int again : {0, count / 2, count - 1}) {
      const auto name = "n" + std::to_string(again);
      const auto twice = parse_object("{" + fields + "\"" + name + "\":0}", "body");
      ASSERT_FALSE(twice) << count;
      EXPECT_EQ(twice.error().code, ErrorCode::kInvalid);
      EXPECT_EQ(twice.error().details.front().field, name);
    }
  }
}

TEST(RoomCommand, EachEventBecomesItsCommand) {
  const auto decode = [](std::string_view event, std::string_view data) {
    return decode_room_command(event, parse_object(data, "data").value()).value();
  };
  const domain::RoomTarget posts{RoomKind::kPosts, {3}};
  const domain::RoomTarget discussion{RoomKind::kDiscussion, {3}};
  EXPECT_EQ(std::get<JoinRoom>(decode("communication:join_channel_posts", R"({"channelId":3,"x":[]})")).target, posts);
  EXPECT_EQ(std::get<JoinRoom>(decode("communication:join_discussion", R"({"channelId":3})")).target, discussion);
  EXPECT_EQ(std::get<LeavePosts>(decode("communication:leave_channel_posts", R"({"channelId":3})")).channel_id.value,
            3);
  EXPECT_EQ(
      std::get<LeaveDiscussion>(decode("communication:leave_discussion", R"({"discussionId":9})")).discussion_id.value,
      9);
  const auto bare = std::get<SyncCommand>(decode("communication:sync_channel_posts", R"({"channelId":3})")).sync;
  EXPECT_EQ(bare.target, posts);
  EXPECT_FALSE(bare.since);
  EXPECT_EQ(bare.limit, 100);
  const auto full = std::get<SyncCommand>(decode("communication:sync_discussion",
                                                 R"({"channelId":3,"limit":500,)"
                                                 R"("sinceEventId":"0190C0DE-1647-75b9-a5ba-07758a4f7675"})"))
                        .sync;
  EXPECT_EQ(full.target, discussion);
  EXPECT_EQ(full.since->value, uuid(kEvent));
  EXPECT_EQ(full.limit, 500);
  EXPECT_EQ(std::get<Authenticate>(decode("authenticate", R"({"token":"t"})")).token, "t");
}

TEST(RoomCommand, WrongValuesNameTheField) {
  struct Case {
    std::string_view event, data, field;
  };
  const std::string_view join = "communication:join_channel_posts";
  const std::string_view sync = "communication:sync_discussion";
  const Case cases[] = {
      {join, R"({})", "channelId"},
      {join, R"({"channelId":"3"})", "channelId"},
      {join, R"({"channelId":0})", "channelId"},
      {join, R"({"channelId":-1})", "channelId"},
      {join, R"({"channelId":1.0})", "channelId"},
      {join, R"({"channelId":1e3})", "channelId"},
      {join, R"({"channelId":9223372036854775808})", "channelId"},
      {join, R"({"channelId":null})", "channelId"},
      {join, R"({"channelId":[3]})", "channelId"},
      {join, "[]", "data"},
      {join, "null", "data"},
      {"communication:join_discussion", R"({"discussionId":3})", "channelId"},
      {"communication:leave_discussion", R"({"channelId":3})", "discussionId"},
      {"communication:leave_discussion", R"({"discussionId":"3"})", "discussionId"},
      {"communication:leave_channel_posts", R"({"channelId":"3"})", "channelId"},
      {sync, R"({"channelId":3,"sinceEventId":"x"})", "sinceEventId"},
      {sync, R"({"channelId":3,"sinceEventId":null})", "sinceEventId"},
      {sync, R"({"channelId":3,"sinceEventId":5})", "sinceEventId"},
      {sync, R"({"channelId":3,"limit":0})", "limit"},
      {sync, R"({"channelId":3,"limit":501})", "limit"},
      {sync, R"({"channelId":3,"limit":"5"})", "limit"},
      {sync, R"({"channelId":3,"limit":5.0})", "limit"},
      {sync, R"({"channelId":3,"limit":null})", "limit"},
      {"authenticate", R"({})", "token"},
      {"authenticate", R"({"token":""})", "token"},
      {"authenticate", R"({"token":5})", "token"},
      {"communication:fly", R"({})", "event"},
      {"", R"({})", "event"},
  };
  for (const auto& [event, data, field] : cases) {
    const auto command = decode_room_command(event, parse_value(data, "data").value());
    ASSERT_FALSE(command) << event << data;
    EXPECT_EQ(command.error().code, ErrorCode::kInvalid) << event << data;
    EXPECT_EQ(command.error().details.front().field, field) << event << data;
  }
}

TEST(RoomReply, NamesRoomsAsDocumented) {
  EXPECT_EQ(encode_join_reply(domain::posts_room({3}), {3}, std::nullopt),
            R"({"room":"communication:channel:3:posts","channelId":3,"lastEventId":null})");
  EXPECT_EQ(encode_join_reply(domain::discussion_room({9}), {3}, core::EventId{uuid(kEvent)}),
            R"({"room":"communication:discussion:9:messages","channelId":3,"discussionId":9,)"
            R"("lastEventId":"0190c0de-1647-75b9-a5ba-07758a4f7675"})");
  EXPECT_EQ(encode_leave_reply(domain::discussion_room({9})), R"({"room":"communication:discussion:9:messages"})");
  EXPECT_EQ(encode_authenticated({uuid(kEvent)}, time("2026-03-17T10:15:00Z")),
            R"({"userId":"0190c0de-1647-75b9-a5ba-07758a4f7675","expiresAt":"2026-03-17T10:15:00.000Z"})");
}

domain::SharedEvent numbered(std::int64_t seconds, std::size_t body_size) {
  auto message = testing::message(seconds);
  message.body = std::string(body_size, 'x');
  auto made = event(domain::EventType::kMessageCreated, domain::MessagePayload{user_ref(), message});
  made.id = {core::Uuid::v7_floor(time("2026-03-17T10:15:00Z") + std::chrono::seconds(seconds))};
  return std::make_shared<const domain::Event>(std::move(made));
}

domain::SyncedRoom synced(std::vector<domain::SharedEvent> events) {
  domain::SyncedRoom room;
  room.room = domain::discussion_room({9});
  room.page.events = std::move(events);
  return room;
}

TEST(SyncReply, EndsWithTheLastEventSent) {
  const auto last = numbered(2, 1);
  auto room = synced({numbered(1, 1), last});
  room.page.has_more = true;
  const auto text = encode_sync_reply(room, std::nullopt, "");
  EXPECT_TRUE(text.ends_with(R"("lastEventId":")" + last->id.value.text() + R"(","hasMore":true,"gap":false})"))
      << text;
}

TEST(SyncReply, WithoutEventsStaysWhereTheClientIs) {
  const core::EventId since{uuid(kEvent)};
  EXPECT_EQ(encode_sync_reply(synced({}), since, ""),
            R"({"room":"communication:discussion:9:messages","events":[],)"
            R"("lastEventId":"0190c0de-1647-75b9-a5ba-07758a4f7675","hasMore":false,"gap":false})");
  EXPECT_NE(encode_sync_reply(synced({}), std::nullopt, "").find(R"("lastEventId":null)"), std::string::npos);
}

TEST(SyncReply, AGapGivesThePresentHeadAndNoEvents) {
  auto room = synced({numbered(1, 1)});
  room.page.gap = domain::Gap::kExpired;
  room.page.has_more = true;
  room.page.head.last_visible_id = core::EventId{uuid(kEvent)};
  EXPECT_EQ(
      encode_sync_reply(room, core::EventId{}, ""),
      R"({"room":"communication:discussion:9:messages","events":[],)"
      R"("lastEventId":"0190c0de-1647-75b9-a5ba-07758a4f7675","hasMore":false,"gap":true,"gapReason":"EXPIRED"})");
  room.page.gap = domain::Gap::kUnknownEvent;
  room.page.head.last_visible_id.reset();
  EXPECT_TRUE(encode_sync_reply(room, core::EventId{}, "")
                  .ends_with(R"("lastEventId":null,"hasMore":false,"gap":true,"gapReason":"UNKNOWN_EVENT"})"));
}

TEST(SyncReply, EndsAfterOneMebibyteAndSaysThereIsMore) {
  std::vector<domain::SharedEvent> events;
  for (int i = 1; i <= 200; ++i) events.push_back(numbered(i, 16000));
  const auto text = encode_sync_reply(synced(events), std::nullopt, "");
  EXPECT_LE(text.size(), (1U << 20) + 256);
  EXPECT_GE(text.size(), (1U << 20) - 17000);
  std::size_t sent = 0;
  for (auto at = text.find("eventType"); at != std::string::npos; at = text.find("eventType", at + 1)) ++sent;
  ASSERT_GT(sent, 0U);
  ASSERT_LT(sent, 200U);
  EXPECT_TRUE(
      text.ends_with(R"("lastEventId":")" + events[sent - 1]->id.value.text() + R"(","hasMore":true,"gap":false})"));
}

TEST(SyncReply, OneEventLargerThanTheLimitStillGoesOut) {
  const auto text = encode_sync_reply(synced({numbered(1, 2U << 20), numbered(2, 10)}), std::nullopt, "");
  EXPECT_NE(text.find(R"("hasMore":true)"), std::string::npos);
  EXPECT_NE(text.find("eventType"), std::string::npos);
}

/// Pieces of JSON in random order find more than random bytes do.
std::string random_text(std::mt19937& random) {
  static constexpr std::string_view kPieces[] = {"{",
                                                 "}",
                                                 "[",
                                                 "]",
                                                 ":",
                                                 ",",
                                                 "\"",
                                                 "\\u0000",
                                                 "\\ud800",
                                                 "\"id\"",
                                                 "\"event\"",
                                                 "\"data\"",
                                                 "\"body\"",
                                                 "null",
                                                 "true",
                                                 "1e999",
                                                 "-0",
                                                 "1.0",
                                                 "\xff",
                                                 "\xed\xa0\x80",
                                                 "\"channelId\"",
                                                 "\"limit\"",
                                                 "\"title\"",
                                                 "\"kind\"",
                                                 "\"type\"",
                                                 "\"TEXT\"",
                                                 "9223372036854775808",
                                                 " ",
                                                 "\n",
                                                 "\"attachments\"",
                                                 "\"chartPayloadJson\""};
  std::string text = random() % 2 == 0 ? "{" : "";
  const auto length = random() % 40;
  for (std::size_t i = 0; i < length; ++i) {
    if (random() % 8 == 0) {
      text += static_cast<char>(random() % 256);
    } else {
      text += kPieces[random() % std::size(kPieces)];
    }
  }
  return text;
}

TEST(Garbage, EveryDecoderAnswersAndEveryRefusalIsAValidationError) {
  std::mt19937 random(20260317);
  const auto check = [](const auto& result) {
    if (!result)
      EXPECT_TRUE(result.error().code == ErrorCode::kInvalid || result.error().code == ErrorCode::kMalformed);
  };
  for (int round = 0; round < 20000; ++round) {
    const auto text = random_text(random);
    check(decode_create_channel(text));
    check(decode_update_channel(text));
    check(decode_create_post(text));
    check(decode_update_post(text));
    check(decode_put_discussion(text));
    check(decode_create_message(text));
    check(decode_read_state(text));
    check(decode_sanction(text));
    check(decode_grant(text));
    check(decode_empty(text));
    check(decode_cursor(text));
    const auto frame = decode_client_frame(text);
    if (frame) {
      check(decode_room_command(frame->event, frame->data));
    } else {
      EXPECT_EQ(frame.error().error.code, ErrorCode::kInvalid);
    }
    try {
      (void)decode_payload(domain::EventType::kPostCreated, 1, text);
      ADD_FAILURE() << "garbage became a payload: " << text;
    } catch (const std::runtime_error&) {
    }
  }
}

}  // namespace
}  // namespace belfry::wire
