#include "unit/dialects/socketio_fixture.hpp"

namespace belfry::dialects::testing {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

using SocketIoRoomsTest = SocketIoTest;

TEST_F(SocketIoRoomsTest, APositionStandsInFrontOfAnAcknowledgement) {
  const auto socket = enter();
  const auto greeting = connected(socket->sink.take());
  EXPECT_EQ(greeting.at("sid").get<std::string>().size(), 20U);
  EXPECT_TRUE(greeting.contains("pid"));
  const auto said = join(*socket, 7);
  ASSERT_EQ(said.size(), 2U);
  EXPECT_THAT(said[0], StartsWith(R"(42["communication:position",")"));
  EXPECT_EQ(said[1],
            R"(437[{"ok":true,"data":{"room":"communication:channel:7:posts","channelId":7,"lastEventId":null}}])");
  const auto left = say(*socket, R"(428["communication:leave_channel_posts",{"channelId":7}])");
  ASSERT_EQ(left.size(), 2U);
  EXPECT_THAT(left[0], StartsWith(R"(42["communication:position",")"));
  EXPECT_THAT(left[1], StartsWith(R"(438[{"ok":true)"));
}

TEST_F(SocketIoRoomsTest, SocketsWithOneRoomShareTheWholeFrame) {
  const auto one = enter();
  const auto other = enter("two");
  join(*one, 7);
  join(*other, 7);
  one->sink.take();
  other->sink.take();
  const auto happened = happens(7);
  EXPECT_EQ(one->sink.shared, 1);
  const auto said = one->sink.take();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said, other->sink.take());
  const auto array = event(said[0]);
  ASSERT_EQ(array.size(), 4U);
  EXPECT_EQ(array[0], "communication.channel_post.created");
  EXPECT_EQ(array[1].at("eventId"), id_of(happened));
  EXPECT_EQ(array[2], Json({{"room", "communication:channel:7:posts"}, {"prevEventId", nullptr}}));
  EXPECT_EQ(metrics.events_encoded[1].value(), 1U);
}

TEST_F(SocketIoRoomsTest, ASocketWithMoreRoomsHasTailsOfItsOwn) {
  const auto one = enter();
  const auto other = enter("two");
  join(*one, 7);
  join(*one, 6);
  join(*other, 6);
  one->sink.take();
  other->sink.take();
  happens(6);
  const auto own = one->sink.take();
  const auto shared = other->sink.take();
  EXPECT_EQ(one->sink.shared, 0);
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(event(own[0])[1], event(shared[0])[1]);
  EXPECT_NE(event(own[0])[3], event(shared[0])[3]);
  EXPECT_EQ(metrics.events_encoded[1].value(), 1U);
}

TEST_F(SocketIoRoomsTest, WithMoreRoomsThanAnOffsetHoldsItSaysNothing) {
  const auto socket = enter();
  for (int channel = 1; channel <= 34; ++channel) join(*socket, channel);
  socket->sink.take();
  happens(5);
  const auto said = socket->sink.take();
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(event(said[0])[3], "-");
  const auto left = say(*socket, R"(42["communication:leave_channel_posts",{"channelId":33}])");
  ASSERT_EQ(left.size(), 1U);
  EXPECT_NE(event(left[0])[1], "-");
}

TEST_F(SocketIoRoomsTest, WhatWasRefusedWithoutAnAcknowledgementIsAnEvent) {
  const auto socket = enter();
  socket->sink.take();
  const auto said = say(*socket, R"(42["communication:join_channel_posts",{"channelId":8}])");
  ASSERT_EQ(said.size(), 1U);
  const auto array = event(said[0]);
  EXPECT_EQ(array[0], "communication:error");
  EXPECT_EQ(array[1].at("event"), "communication:join_channel_posts");
  EXPECT_EQ(array[1].at("error").at("code"), "FORBIDDEN");
  EXPECT_THAT(say(*socket, R"(421["communication:join_channel_posts",{"channelId":8}])"),
              ElementsAre(StartsWith(R"(431[{"ok":false,"error":{"code":"FORBIDDEN")")));
}

TEST_F(SocketIoRoomsTest, WhoeverIsUnknownHasTenSeconds) {
  const auto socket = enter("");
  EXPECT_FALSE(connected(socket->sink.take()).contains("pid"));
  EXPECT_THAT(say(*socket, R"(421["communication:join_channel_posts",{"channelId":7}])"),
              ElementsAre(HasSubstr(R"("code":"UNAUTHORIZED")")));
  EXPECT_THAT(say(*socket, R"(422["authenticate",{"token":"one"}])"), ElementsAre(StartsWith(R"(432[{"ok":true)")));
  EXPECT_EQ(join(*socket, 7).size(), 2U);
  const auto other = enter("");
  other->sink.take();
  pass(seconds{11});
  EXPECT_THAT(other->sink.take(), ElementsAre("41"));
  EXPECT_EQ(other->sink.closed, CloseCode::kUnauthorized);
  EXPECT_FALSE(socket->sink.closed);
}

TEST_F(SocketIoRoomsTest, ABadTokenIsAConnectError) {
  const auto socket = enter("bad");
  const auto said = socket->sink.take();
  ASSERT_EQ(said.size(), 1U);
  ASSERT_THAT(said[0], StartsWith("44"));
  EXPECT_EQ(Json::parse(said[0].substr(2)).at("data").at("code"), "UNAUTHORIZED");
  EXPECT_FALSE(socket->sink.closed);
  socket->session->on_text(R"(40{"token":"one"})", [] {});
  settle();
  EXPECT_TRUE(connected(socket->sink.take()).contains("pid"));
}

TEST_F(SocketIoRoomsTest, WhatNoClientSaysEndsTheSession) {
  for (const std::string text : {"4abc", "42{}", "42[]", R"(42["x"])", "43[]", R"(44{"message":"no"})",
                                 R"(45999999999-["x"])", R"(42["disconnect"])"}) {
    const auto socket = open_line();
    socket->sink.take();
    say(*socket, text);
    EXPECT_EQ(socket->sink.closed, CloseCode::kProtocolError) << text;
  }
  const auto socket = enter();
  socket->sink.take();
  say(*socket, R"(40{"token":"one"})");
  EXPECT_EQ(socket->sink.closed, CloseCode::kProtocolError);
}

TEST_F(SocketIoRoomsTest, WhatWaitsForAttachmentsIsOfSomebodyInside) {
  const std::string event = R"(451-["x",{"_placeholder":true,"num":0}])";
  const auto outside = open_line();
  say(*outside, event);
  EXPECT_EQ(outside->sink.closed, CloseCode::kProtocolError);
  const auto inside = enter();
  inside->sink.take();
  EXPECT_THAT(say(*inside, event), IsEmpty());
  inside->session->on_binary("bytes", [] {});
  settle();
  EXPECT_THAT(inside->sink.take(), ElementsAre(HasSubstr("must not have attachments")));
}

TEST_F(SocketIoRoomsTest, LeavingAndEnteringGivesNeitherTimeNorCommands) {
  const auto stranger = enter("");
  say(*stranger, "41");
  EXPECT_EQ(stranger->sink.closed, CloseCode::kUnauthorized);
  const auto socket = enter();
  int commands = 0;
  for (int round = 0; round < 100 && !socket->sink.closed; ++round) {
    for (int i = 0; i < 10; ++i, ++commands) say(*socket, R"(42["communication:leave_channel_posts",{"channelId":7}])");
    say(*socket, "41");
    say(*socket, R"(40{"token":"one"})");
  }
  EXPECT_EQ(socket->sink.closed, CloseCode::kTooManyCommands);
  EXPECT_LT(commands, 60);
}

TEST_F(SocketIoRoomsTest, AnotherNamespaceIsUnknown) {
  const auto socket = open_line();
  socket->sink.take();
  EXPECT_THAT(say(*socket, "40/other,"), ElementsAre(R"(44/other,{"message":"Invalid namespace"})"));
  EXPECT_FALSE(socket->sink.closed);
}

TEST_F(SocketIoRoomsTest, ALostRightIsTheLastWordOfARoom) {
  work.vips.insert(user_id(1));
  const auto socket = enter();
  join(*socket, 8);
  socket->sink.take();
  work.vips.clear();
  tell(work.append(domain::posts_room({8}), domain::EventType::kControl,
                   domain::ControlPayload{{}, domain::ControlKind::kPolicy, {}}));
  settle();
  const auto said = socket->sink.take();
  ASSERT_EQ(said.size(), 2U);
  const auto left = event(said[0]);
  EXPECT_EQ(left[0], "communication:room_left");
  EXPECT_EQ(left[1].at("room"), "communication:channel:8:posts");
  EXPECT_EQ(event(said[1]), Json({"communication:position", left[2]}));
}

}  // namespace
}  // namespace belfry::dialects::testing
