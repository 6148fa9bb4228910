#include "unit/dialects/native_fixture.hpp"

namespace belfry::dialects::testing {
namespace {

constexpr std::string_view kJoin7 = R"({"id":1,"event":"communication:join_channel_posts","data":{"channelId":7}})";

using NativeSessionTest = NativeTest;

TEST_F(NativeSessionTest, JoinAnswersBeforeTheFirstLiveFrame) {
  const auto socket = open();
  EXPECT_THAT(say(*socket, kJoin7),
              ElementsAre(R"({"id":1,"event":"communication:join_channel_posts","ok":true,"data":)"
                          R"({"room":"communication:channel:7:posts","channelId":7,"lastEventId":null}})"));
  const auto first = post_event(7);
  tell(first);
  const auto second = post_event(7);
  tell(second);
  const auto live = socket->sink.take();
  ASSERT_EQ(live.size(), 2U);
  EXPECT_THAT(live[0],
              HasSubstr(R"({"event":"communication.channel_post.created","room":"communication:channel:7:posts",)"
                        R"("prevEventId":null,"data":{"eventId":")" +
                        first->id.value.text() + R"(","eventType":"communication.channel_post.created")"));
  EXPECT_THAT(live[1], HasSubstr(R"("prevEventId":")" + first->id.value.text() + R"(","data":{"eventId":")" +
                                 second->id.value.text()));
}

TEST_F(NativeSessionTest, FramesNameTheLastEventThatClientsSaw) {
  const auto socket = open();
  say(*socket, kJoin7);
  const auto first = post_event(7);
  tell(first);
  tell(work.append(domain::posts_room({7}), domain::EventType::kControl,
                   domain::ControlPayload{{}, domain::ControlKind::kMute, user_id(5)}));
  tell(post_event(7));
  const auto live = socket->sink.take();
  ASSERT_EQ(live.size(), 2U);
  EXPECT_THAT(live[1], HasSubstr(R"("prevEventId":")" + first->id.value.text() + '"'));
}

TEST_F(NativeSessionTest, DiscussionIsJoinedByChannelAndLeftByItsOwnId) {
  const auto socket = open();
  EXPECT_THAT(
      say(*socket, R"({"id":"a","event":"communication:join_discussion","data":{"channelId":7}})"),
      ElementsAre(R"({"id":"a","event":"communication:join_discussion","ok":true,"data":{"room":)"
                  R"("communication:discussion:9:messages","channelId":7,"discussionId":9,"lastEventId":null}})"));
  EXPECT_EQ(hub.counts().subscriptions, 1U);
  EXPECT_THAT(say(*socket, R"({"event":"communication:leave_discussion","data":{"discussionId":9}})"),
              ElementsAre(R"({"event":"communication:leave_discussion","ok":true,"data":)"
                          R"({"room":"communication:discussion:9:messages"}})"));
  EXPECT_EQ(hub.counts().subscriptions, 0U);
}

TEST_F(NativeSessionTest, CommandsAreAnsweredByTheRules) {
  struct Case {
    std::string name;
    std::string text;
    std::vector<std::string> parts;
  };
  const std::vector<Case> cases{
      {"no JSON", "{", {R"("ok":false)", R"("code":"VALIDATION_ERROR")"}},
      {"no object", "[]", {R"("ok":false)", R"("code":"VALIDATION_ERROR")"}},
      {"unknown event",
       R"({"id":5,"event":"x"})",
       {R"({"id":5,"event":"x","ok":false)", R"("code":"VALIDATION_ERROR")"}},
      {"numeric string",
       R"({"id":5,"event":"communication:join_channel_posts","data":{"channelId":"7"}})",
       {R"({"id":5,)", R"("code":"VALIDATION_ERROR")"}},
      {"unknown channel",
       R"({"event":"communication:join_channel_posts","data":{"channelId":1000}})",
       {R"("code":"NOT_FOUND")"}},
      {"gated channel",
       R"({"event":"communication:join_channel_posts","data":{"channelId":8}})",
       {R"("code":"FORBIDDEN")", R"("reason":"ENTITLEMENT_REQUIRED")"}},
      {"no discussion",
       R"({"event":"communication:join_discussion","data":{"channelId":1}})",
       {R"("code":"NOT_FOUND")"}},
      {"no discussion behind a gate",
       R"({"event":"communication:join_discussion","data":{"channelId":8}})",
       {R"("code":"FORBIDDEN")", R"("reason":"ENTITLEMENT_REQUIRED")"}},
      {"leaving where one is not",
       R"({"event":"communication:leave_channel_posts","data":{"channelId":3}})",
       {R"("ok":true,"data":{"room":"communication:channel:3:posts"})"}},
      {"sync of a gated channel",
       R"({"event":"communication:sync_channel_posts","data":{"channelId":8}})",
       {R"("code":"FORBIDDEN")"}},
      {"sync with a bad id",
       R"({"event":"communication:sync_channel_posts","data":{"channelId":7,"sinceEventId":"x"}})",
       {R"("code":"VALIDATION_ERROR")", "sinceEventId"}},
      {"ping", R"({"id":9,"event":"ping"})", {R"({"id":9,"event":"ping","ok":true})"}},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.name);
    const auto socket = open();
    const auto replies = say(*socket, one.text);
    ASSERT_EQ(replies.size(), 1U);
    for (const auto& part : one.parts) EXPECT_THAT(replies[0], HasSubstr(part));
    EXPECT_EQ(socket->dones, 1);
    EXPECT_FALSE(socket->sink.closed);
  }
}

TEST_F(NativeSessionTest, SyncGivesWhatFollowedAndSaysAGap) {
  const auto socket = open();
  const auto first = post_event(7);
  const auto second = post_event(7);
  auto reply =
      say(*socket, R"({"id":2,"event":"communication:sync_channel_posts","data":{"channelId":7,"sinceEventId":")" +
                       first->id.value.text() + R"("}})");
  ASSERT_EQ(reply.size(), 1U);
  EXPECT_THAT(reply[0], HasSubstr(R"("events":[{"eventId":")" + second->id.value.text()));
  EXPECT_THAT(reply[0], HasSubstr(R"("hasMore":false,"gap":false)"));
  reply = say(*socket, R"({"id":2,"event":"communication:sync_channel_posts","data":{"channelId":7,"sinceEventId":")" +
                           core::Uuid::v7(clock.now()).text() + R"("}})");
  ASSERT_EQ(reply.size(), 1U);
  EXPECT_THAT(reply[0], HasSubstr(R"("gap":true,"gapReason":"UNKNOWN_EVENT")"));
  EXPECT_EQ(database.modes.back(), (std::pair<std::string, domain::JobMode>{"rooms.sync", domain::JobMode::kRead}));
}

TEST_F(NativeSessionTest, LosingTheRightIsSaidOnceAndLast) {
  const auto socket = open();
  say(*socket, R"({"event":"communication:join_discussion","data":{"channelId":7}})");
  work.banned.insert(user_id(1));
  tell(work.append(domain::discussion_room({9}), domain::EventType::kControl,
                   domain::ControlPayload{{}, domain::ControlKind::kBan, user_id(1)}));
  database.settle();
  tell(work.append(domain::discussion_room({9}), domain::EventType::kMessageDeleted, domain::MessagePayload{}));
  database.settle();
  EXPECT_THAT(socket->sink.take(),
              ElementsAre(R"({"event":"communication:room_left","room":"communication:discussion:9:messages",)"
                          R"("data":{"reason":"DISCUSSION_BANNED"}})"));
}

TEST_F(NativeSessionTest, RoomsOfAConnectionAreLimited) {
  const auto socket = open();
  const auto join = [&](int channel) {
    pass(seconds{1});
    return say(*socket,
               R"({"event":"communication:join_channel_posts","data":{"channelId":)" + std::to_string(channel) + "}}")
        .front();
  };
  for (int channel = 100; channel < 300; ++channel) ASSERT_THAT(join(channel), HasSubstr(R"("ok":true)"));
  EXPECT_THAT(join(300), HasSubstr(R"("reason":"TOO_MANY_ROOMS")"));
  EXPECT_THAT(join(300), HasSubstr(R"("code":"VALIDATION_ERROR")"));
  EXPECT_THAT(join(100), HasSubstr(R"("ok":true)")) << "a room one is in is not one more";
  say(*socket, R"({"event":"communication:leave_channel_posts","data":{"channelId":100}})");
  EXPECT_THAT(join(300), HasSubstr(R"("ok":true)"));
}

TEST_F(NativeSessionTest, TooManyCommandsCloseTheConnection) {
  const auto socket = open();
  for (int i = 0; i < 50; ++i) say(*socket, R"({"event":"ping"})");
  EXPECT_FALSE(socket->sink.closed);
  pass(milliseconds{50});  // one more at 20 a second
  EXPECT_EQ(say(*socket, R"({"event":"ping"})").size(), 1U);
  EXPECT_THAT(say(*socket, R"({"event":"ping"})"), IsEmpty());
  EXPECT_EQ(socket->sink.closed, CloseCode::kTooManyCommands);
  EXPECT_EQ(socket->dones, 52);
}

TEST_F(NativeSessionTest, TwentyBadFramesInARowCloseTheConnection) {
  const auto socket = open();
  for (int i = 0; i < 19; ++i) say(*socket, "nonsense");
  say(*socket, R"({"event":"ping"})");
  for (int i = 0; i < 19; ++i) say(*socket, "nonsense");
  EXPECT_FALSE(socket->sink.closed);
  EXPECT_EQ(say(*socket, R"({"event":"unheard of"})").size(), 1U);
  EXPECT_EQ(socket->sink.closed, CloseCode::kBadFrames);
  EXPECT_EQ(metrics.ws_bad_frames.value(), 39U);
}

TEST_F(NativeSessionTest, SlowSocketIsRefilledWhenItDrains) {
  const auto socket = open();
  say(*socket, kJoin7);
  socket->sink.takes = false;
  tell(post_event(7));
  tell(post_event(7));
  EXPECT_THAT(socket->sink.take(), IsEmpty());
  socket->sink.takes = true;
  socket->session->on_writable();
  database.settle();
  EXPECT_EQ(socket->sink.take().size(), 2U);
}

TEST_F(NativeSessionTest, DrainingSaysWhenToComeBack) {
  const auto socket = open();
  socket->session->on_draining(milliseconds{1234});
  EXPECT_THAT(socket->sink.take(), ElementsAre(R"({"event":"server:draining","data":{"reconnectInMs":1234}})"));
}

TEST_F(NativeSessionTest, ClosedWhileACommandRunsOwesNothing) {
  for (const std::string_view text :
       {kJoin7, std::string_view(R"({"event":"communication:sync_channel_posts","data":{"channelId":7}})")}) {
    SCOPED_TRACE(text);
    auto socket = open();
    socket->session->on_text(text, [&] { ++socket->dones; });
    EXPECT_EQ(socket->dones, 0);
    socket->session->on_closed();
    EXPECT_EQ(socket->dones, 1);
    socket->session.reset();
    database.settle();
    EXPECT_THAT(socket->sink.take(), IsEmpty());
    EXPECT_EQ(hub.counts().subscribers, 0U);
  }
}

TEST_F(NativeSessionTest, AnswerThatThrowsEndsItsOwnConnectionAndOwesNothing) {
  const auto other = open("two");
  const auto socket = open("one");
  socket->session->on_text(R"({"event":"communication:join_channel_posts","data":{"channelId":7}})",
                           [&socket] { ++socket->dones; });
  socket->sink.throws = true;
  database.settle();
  EXPECT_EQ(socket->sink.closed, CloseCode::kInternal);
  EXPECT_EQ(socket->dones, 1);
  EXPECT_EQ(hub.counts().subscriptions, 0U);
  EXPECT_EQ(say(*other, R"({"event":"ping"})").size(), 1U);
}

TEST_F(NativeSessionTest, ClosedSocketsLeaveNoRoomsAndNoTimers) {
  const auto timers = wheel.size();
  std::vector<std::unique_ptr<Socket>> sockets;
  for (int i = 0; i < 10; ++i) {
    sockets.push_back(open(i % 2 == 0 ? std::optional<std::string>("one") : std::nullopt));
    say(*sockets.back(), kJoin7);
  }
  // Callbacks that are still under way may hold the sessions for a while.
  for (auto& socket : sockets) socket->session->on_closed();
  EXPECT_EQ(hub.counts().rooms, 0U);
  EXPECT_EQ(wheel.size(), timers);
  for (auto& socket : sockets) socket->session.reset();
  EXPECT_EQ(hub.counts().subscribers, 0U);
}

}  // namespace
}  // namespace belfry::dialects::testing
